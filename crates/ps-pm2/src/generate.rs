//! `generate NAME` and `init`: write a sample declaration into the working directory. An existing file is not overwritten.

use std::fs::OpenOptions;
use std::io::{Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result};
use ps_cli::exit::Outcome;
use serde_json::{Value, json};

use crate::say;
use crate::session::Session;
use crate::target;

/// Writes `NAME-pm2.json`, and prints it.
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
    let written = write(&path, &sample)?;
    say::plain(written.trim_end())?;
    Ok(Outcome::Done)
}

/// `init`: the file that `start` without a word reads. Today's pm2 writes a program; JSON says the same.
pub(crate) fn ecosystem(session: &Session) -> Result<Outcome> {
    let path = session.cwd.join("ecosystem.json");
    let sample = json!({"apps": [{
        "name": "app",
        "script": "app.js",
        "instances": 1,
        "env": {"NODE_ENV": "development"},
        "env_production": {"NODE_ENV": "production"},
    }]});
    write(&path, &sample)?;
    say::plain(format_args!("File {} generated", path.display()))?;
    Ok(Outcome::Done)
}

/// Writes a file that does not exist, and reads what stands in it then.
fn write(path: &Path, sample: &Value) -> Result<String> {
    let mut text = serde_json::to_string_pretty(sample)?;
    text.push('\n');
    let write = || -> std::io::Result<String> {
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.rewind()?;
        let mut written = String::new();
        file.read_to_string(&mut written)?;
        Ok(written)
    };
    write().with_context(|| format!("write {}", path.display()))
}
