//! `generate NAME` and `init`: write a sample declaration into the working directory. An existing file is not overwritten.

use std::fs::OpenOptions;
use std::io::{self, Write};
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
    let quoted = |text: &str| Value::from(text).to_string();
    let (own, script) = (quoted(name), quoted(&format!("{name}.js")));
    // Letter by letter what pm2 writes.
    let sample = format!("{{\n  \"name\" : {own},\n  \"script\" : {script},\n  \"options\": [\"\"]\n}}\n");
    write(&path, &sample)?;
    say::plain(format_args!("Sample generated on current folder\n{name}-pm2.json :\n\n{sample}"))?;
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
    write(&path, &format!("{}\n", serde_json::to_string_pretty(&sample)?))?;
    say::plain(format_args!("File {} generated", path.display()))?;
    Ok(Outcome::Done)
}

/// Writes a file that does not exist, or has this text already.
fn write(path: &Path, text: &str) -> Result<()> {
    let write = || -> io::Result<()> {
        let created = OpenOptions::new().write(true).create_new(true).open(path);
        let mut file = match created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_there(path, text) => {
                return Ok(());
            }
            created => created?,
        };
        file.write_all(text.as_bytes())
    };
    write().with_context(|| format!("write {}", path.display()))
}

fn is_there(path: &Path, text: &str) -> bool {
    let limit = text.len() as u64 + 1;
    durable::input(path, limit).is_ok_and(|there| there == text.as_bytes())
}
