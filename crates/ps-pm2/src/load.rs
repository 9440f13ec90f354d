//! Files that declare apps, and stdin.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::declaration::{self, Declaration};
use crate::session::Session;

const MAX_BYTES: u64 = 16 << 20;

/// Whether a word of the command line is a file that declares apps.
pub(crate) fn declares(word: &str) -> bool {
    word == "-" || Path::new(word).extension().is_some_and(|extension| extension == "json")
}

/// The apps that a file, or stdin (`-`), declares, those that `--only` leaves.
pub(crate) fn declarations(session: &Session, word: &str) -> Result<Vec<Declaration>> {
    let bytes = if word == "-" { stdin()? } else { file(&session.path(Path::new(word)))? };
    let place = if word == "-" { "stdin" } else { word };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        bail!("{place} is empty: it is to say which apps there are, in JSON");
    }
    let read =
        declaration::parse(&bytes).with_context(|| format!("{place} is no JSON that describes apps"))?;
    let only: Option<Vec<&str>> =
        session.args.only.as_ref().map(|names| names.split(',').map(str::trim).collect());
    let is_meant = |declared: &Declaration| {
        let name = declared.text("name").ok().flatten();
        only.as_ref().is_none_or(|only| name.is_some_and(|name| only.contains(&name.as_str())))
    };
    Ok(read.0.into_iter().filter(is_meant).collect())
}

fn stdin() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes).context("read stdin")?;
    Ok(bytes)
}

fn file(path: &Path) -> Result<Vec<u8>> {
    durable::argument(path, MAX_BYTES, &|| false).with_context(|| format!("read {}", path.display()))
}
