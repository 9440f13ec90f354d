//! What ": not found" is said of. A shell says it of a program: `run.sh: 2: gunicornn: not found`, `bash: line 1: gunicornn: command not
//! found`. Where the shell reads a file of variables at that moment, a value with a blank stands there without quotes, and no program is
//! missing: `run.sh: 2: ./shop.env: Shop: not found`. What is no shell says it of something else: `node: shop.env: not found`.

use std::path::Path;

use crate::patterns::{self, Pattern};

const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox", "exec"];
const SAYS: &str = "command not found";

/// What a line is a sign of that was taken for one of a program that is missing; `None`: of nothing that is known. Other signs stay.
pub(super) fn not_found(line: &str, pattern: &'static Pattern) -> Option<&'static Pattern> {
    let text = line.trim().to_lowercase();
    let is_of_shell = text.contains(SAYS);
    if pattern.cause != "program-missing" {
        return Some(pattern);
    }
    // Where more follows, it is no shell that says so: `ERROR 404: Not Found.`
    if !is_of_shell && !text.ends_with(": not found") {
        return Some(pattern).filter(|_| !text.contains(": not found"));
    }
    let fields: Vec<&str> = line.trim().split(": ").collect();
    let lower: Vec<&str> = text.split(": ").collect();
    // Zsh names the program behind these words, and all others name it before them.
    let said = lower.iter().position(|field| [SAYS, "not found"].contains(field));
    let said = said.unwrap_or(lower.len());
    let named = if said + 1 < lower.len() { said + 1 } else { said.saturating_sub(1) };
    let mut others = fields.iter().enumerate().filter(|(at, _)| *at != named).map(|(_, field)| *field);
    if (is_of_shell || lower.iter().any(|field| is_shell(field))) && others.clone().any(is_of_variables) {
        return patterns::named("env-invalid");
    }
    if is_of_shell || others.any(is_shell) {
        return Some(pattern);
    }
    let is_file = fields.get(named).is_some_and(|what| what.contains(['/', '.']) && !what.contains(' '));
    patterns::named("file-missing").filter(|_| is_file)
}

/// A shell, or the number of a line as shells write it: `sh`, `2`, `line 2`, `run.zsh:2`.
fn is_shell(field: &str) -> bool {
    let name = field.rsplit('/').next().unwrap_or_default().trim_start_matches('-');
    let number = field.strip_prefix("line ").or_else(|| field.rsplit(':').next()).unwrap_or(field);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    SHELLS.contains(&name) || is_number
}

/// A file whose name says that variables or settings stand in it: `.env`, `./shop.env`, `.env.production`, `app.conf`.
fn is_of_variables(field: &str) -> bool {
    let path = field.split(':').next().unwrap_or_default();
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ends =
        [".env", ".conf", ".cfg", ".ini", ".properties", ".vars"].iter().any(|end| name.ends_with(end));
    ends || name == "env" || name.starts_with(".env.")
}

/// Whether a shell says of the script that it was given that it is not there: `bash: run.sh: No such file or directory`. Of a program it would
/// say in which line it stands.
pub(super) fn is_of_script(line: &str) -> bool {
    let fields: Vec<&str> = line.trim().split(": ").collect();
    matches!(fields[..], [shell, script, says]
        if SHELLS.contains(&shell.rsplit('/').next().unwrap_or_default())
            && !script.starts_with("line ") && says.eq_ignore_ascii_case("no such file or directory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_is_not_there_is_told_from_a_program_that_is_not() {
        assert!(is_of_script("bash: run.sh: No such file or directory"));
        assert!(!is_of_script("bash: line 1: ./run: No such file or directory"));
        assert!(!is_of_script("nice: run.sh: No such file or directory"));
    }

    #[test]
    fn only_a_shell_says_of_a_program_that_it_is_not_found() {
        let program = patterns::named("program-missing").expect("the table has it");
        for (line, cause) in [
            ("sh: 1: gunicornn: not found", Some("program-missing")),
            ("run.sh: 3: exec: gunicornn: not found", Some("program-missing")),
            ("run.zsh:2: command not found: gunicornn", Some("program-missing")),
            ("run.sh: line 4: gunicornn: command not found", Some("program-missing")),
            ("run.sh: 2: ./bin/serve.conf: not found", Some("program-missing")),
            ("sh: gunicornn: not found", Some("program-missing")),
            ("exec: \"gunicornn\": executable file not found in $PATH", Some("program-missing")),
            ("run.sh: 2: ./shop.env: Shop: not found", Some("env-invalid")),
            ("./.env.production: line 2: Shop: command not found", Some("env-invalid")),
            ("./.env:2: command not found: Shop", Some("env-invalid")),
            ("node: shop.env: not found", Some("file-missing")),
            ("cart 4711: not found", None),
            ("2026-11-28 22:32:18 ERROR 404: Not Found.", None),
        ] {
            assert_eq!(not_found(line, program).map(|pattern| pattern.cause), cause, "{line}");
        }
    }
}
