//! The format of a declaration, recognised by the name of the file or else by its content.

use std::path::Path;

use anyhow::{Result, bail};
use procfile_exchange::import::Manager;

use crate::args::DeclarationFormat as Format;

/// The format of a file with this name and content.
pub(super) fn of(name: &str, bytes: &[u8]) -> Result<Format> {
    if let Some(format) = of_name(name) {
        return Ok(format);
    }
    let text = String::from_utf8_lossy(bytes);
    let lines = || text.lines().map(str::trim_end);
    let has_key =
        |key: &str| lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    let begins = |with: &[char]| text.trim_start().starts_with(with);
    if lines().any(|line| line.starts_with("[program:")) {
        return Ok(Format::Supervisord);
    }
    if begins(&['{', '[']) || has_key("apps") {
        return Ok(Format::Pm2);
    }
    match (has_key("processes"), has_key("services")) {
        (true, _) => Ok(Format::ProcessCompose),
        (false, true) => Ok(Format::Compose),
        (false, false) if text.trim().is_empty() => bail!("{name} is empty: it must say what runs"),
        (false, false) => bail!("{name}: its format is not known: name it with --from"),
    }
}

fn of_name(name: &str) -> Option<Format> {
    let file = Path::new(name).file_name()?.to_str()?;
    if is_program(file) {
        return Some(Format::Pm2);
    }
    match Manager::of_file(file) {
        Some(Manager::Compose) => return Some(Format::Compose),
        Some(Manager::Pm2) => return Some(Format::Pm2),
        Some(Manager::ProcessCompose) => return Some(Format::ProcessCompose),
        Some(Manager::Supervisord) => return Some(Format::Supervisord),
        Some(Manager::Systemd) | None => {}
    }
    let is_procfile = file == "Procfile" || file.starts_with("Procfile.") || file.ends_with(".Procfile");
    is_procfile.then_some(Format::Procfile)
}

/// Whether a file is a program whose output is the declaration.
pub(super) fn is_program(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("js" | "cjs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_and_then_the_content_does() {
        for (name, text, format) in [
            ("Procfile", "web: x", Format::Procfile),
            ("/srv/Procfile.dev", "web: x", Format::Procfile),
            ("ecosystem.config.js", "", Format::Pm2),
            ("compose.yaml", "", Format::Compose),
            ("process-compose.yml", "", Format::ProcessCompose),
            ("-", "services:\n  web:", Format::Compose),
            ("x.yaml", "version: 0.5\nprocesses:\n", Format::ProcessCompose),
            ("x.yaml", "apps:\n  - script: a", Format::Pm2),
            ("x.conf", "; c\n[program:web]\ncommand=x", Format::Supervisord),
            ("-", " [{\"script\": \"a\"}]", Format::Pm2),
        ] {
            assert_eq!(of(name, text.as_bytes()).expect("it tells"), format, "{name} {text:?}");
        }
        assert!(of("-", b" \n").is_err() && of("x.txt", b"hello").is_err());
    }
}
