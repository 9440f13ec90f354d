//! `generate NAME`: writes a sample declaration into the working directory.

use std::fs::OpenOptions;
use std::io::{Read, Seek, Write};

use anyhow::{Context, Result};
use ps_cli::exit::Outcome;
use serde_json::json;

use crate::say;
use crate::session::Session;
use crate::target;

/// Writes the file and prints its path. An existing file is not overwritten.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let name = &target::words(session, "name")?[0];
    let path = session.cwd.join(format!("{name}-pm2.json"));
    let sample = json!([{
        "name": name,
        "script": format!("{name}.js"),
        "instances": 1,
        "env": {},
        "error_file": format!("{name}-err.log"),
        "out_file": format!("{name}-out.log"),
        "pid_file": format!("{name}.pid"),
    }]);
    let mut text = serde_json::to_string_pretty(&sample)?;
    text.push('\n');
    let write = || -> std::io::Result<String> {
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        file.write_all(text.as_bytes())?;
        file.rewind()?;
        let mut written = String::new();
        file.read_to_string(&mut written)?;
        Ok(written)
    };
    let written = write().with_context(|| format!("write {}", path.display()))?;
    say::plain(written.trim_end())?;
    Ok(Outcome::Done)
}
