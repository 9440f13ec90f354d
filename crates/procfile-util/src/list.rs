//! `list`: the names of all process types, sorted by their bytes.

use std::io::Write as _;

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::files;
use crate::flags::Given;
use crate::output::{self, Format, Row};

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    if Format::of(&given.word("format"))? == Format::Json {
        let rows: Vec<_> = procfile.sorted().map(|entry| Row::new(&entry, entry.command)).collect();
        return output::json(&rows);
    }
    let mut out = output::stdout();
    for entry in procfile.sorted() {
        out.write_all(entry.name.as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}
