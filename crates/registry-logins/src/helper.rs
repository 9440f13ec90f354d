//! Asks a program for the credentials of one registry, in the protocol of docker-credential-helpers: the program reads the address of the
//! registry from stdin, and writes a JSON object with `Username` and `Secret` to stdout. Its other output is never shown, because it may
//! contain a secret.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

/// The time that a program has to answer. A program that would ask a person for a password has no terminal for that.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);
/// The longest answer that is read, in bytes.
const MOST: u64 = 64 << 10;
/// The user name that stands for a token.
const TOKEN: &str = "<token>";
/// The answer of a program that has no credentials for a registry. The program then ends with an error.
const NONE: &str = "credentials not found";
/// How often it is checked whether the program has ended.
const LOOK: Duration = Duration::from_millis(10);

/// The credentials that `docker-credential-<name>` has for a server; `None` if it has none. The error is a phrase that says what is wrong with
/// the program.
pub(crate) fn ask(name: &str, server: &str, within: Duration) -> Result<Option<Value>, String> {
    let program = format!("docker-credential-{name}");
    if name.is_empty() || name.contains('/') {
        return Err(format!("{program:?} is not the name of a program"));
    }
    asked(Command::new(&program), &program, server, within)
}

fn asked(
    mut command: Command,
    program: &str,
    server: &str,
    within: Duration,
) -> Result<Option<Value>, String> {
    command.arg("get").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{program} is not in PATH"),
        _ => format!("{program} cannot be run: {error}"),
    })?;
    let said = answer(&mut child, server, Instant::now() + within);
    let Some((answer, is_success)) = said else {
        end(&mut child);
        return Err(format!("{program} gave no answer within {} s", within.as_secs()));
    };
    if !is_success {
        let has_none = String::from_utf8_lossy(&answer).contains(NONE);
        return if has_none { Ok(None) } else { Err(format!("{program} failed")) };
    }
    read(server, &answer)
        .map(Some)
        .ok_or_else(|| format!("{program} gave an answer without Username and Secret"))
}

/// The program's output, and whether it ended with success; `None` if it did not end in time.
fn answer(child: &mut Child, server: &str, until: Instant) -> Option<(Vec<u8>, bool)> {
    let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
    let (tell, told) = mpsc::channel();
    let server = format!("{server}\n");
    thread::spawn(move || {
        // A program may end without reading its input; then its answer says why.
        let _ = stdin.write_all(server.as_bytes());
        drop(stdin);
        let mut answer = Vec::new();
        let read = stdout.take(MOST).read_to_end(&mut answer);
        // The receiver may already have given up waiting.
        let _ = tell.send(read.map(|_| answer).unwrap_or_default());
    });
    let answer = told.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some((answer, status.success()));
        }
        if Instant::now() >= until {
            return None;
        }
        thread::sleep(LOOK);
    }
}

/// Ends the program and every process in its process group.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // The group may have ended just now.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

fn read(server: &str, answer: &[u8]) -> Option<Value> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let (user, secret) = (answer["Username"].as_str()?, answer["Secret"].as_str()?);
    Some(if user == TOKEN {
        json!({ "identitytoken": secret, "serveraddress": server })
    } else {
        json!({ "username": user, "password": secret, "serveraddress": server })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer of a program with this script for `r.example`, within this time.
    fn says(script: &str, within: Duration) -> Result<Option<Value>, String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "docker-credential-test"]);
        asked(command, "docker-credential-test", "r.example", within)
    }

    #[test]
    fn a_program_is_given_the_registry_and_its_answer_becomes_credentials() {
        let script = r#"test "$1" = get && read server && printf '{"ServerURL": "%s", "Username": "ann", "Secret": "hush"}' "$server""#;
        // To the shell's script, `get` is the first argument.
        let answer = says(script, DEADLINE).expect("an answer").expect("credentials");
        let wanted = json!({ "username": "ann", "password": "hush", "serveraddress": "r.example" });
        assert_eq!(answer, wanted);
        let token = says(r#"echo '{"Username": "<token>", "Secret": "t"}'"#, DEADLINE);
        let wanted = json!({ "identitytoken": "t", "serveraddress": "r.example" });
        assert_eq!(token, Ok(Some(wanted)));
    }

    #[test]
    fn a_program_that_has_none_is_no_fault_and_any_other_end_is_told_without_what_it_wrote() {
        assert_eq!(says("echo credentials not found in native keychain; exit 1", DEADLINE), Ok(None));
        for script in ["echo hush; echo hush >&2; exit 1", "echo hush", "echo '{\"Secret\": \"hush\"}'"] {
            let error = says(script, DEADLINE).expect_err("it gives no credentials");
            assert!(error.starts_with("docker-credential-test ") && !error.contains("hush"), "{error}");
        }
        let nowhere = ask("formation-test-that-is-nowhere", "r.example", DEADLINE);
        assert_eq!(
            nowhere,
            Err("docker-credential-formation-test-that-is-nowhere is not in PATH".to_owned())
        );
        assert!(ask("../x", "r.example", DEADLINE).is_err());
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_with_what_it_has_started() {
        let dir = tempfile::tempdir().expect("a directory");
        let pid = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! >{}; wait", pid.display());
        let error = says(&script, Duration::from_secs(2)).expect_err("it waits");
        assert_eq!(error, "docker-credential-test gave no answer within 2 s");
        let started = std::fs::read_to_string(&pid).expect("it had begun");
        let words = std::path::PathBuf::from(format!("/proc/{}/cmdline", started.trim()));
        let until = Instant::now() + DEADLINE;
        // A process that has ended may not be reaped yet; then its command line is empty.
        while std::fs::read(&words).is_ok_and(|words| !words.is_empty()) {
            assert!(Instant::now() < until, "{started} runs on");
            thread::sleep(LOOK);
        }
    }
}
