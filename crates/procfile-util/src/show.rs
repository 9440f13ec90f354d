//! `show`: the command of one process type, as Dokku starts it.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::exists::{self, NOT_FOUND};
use crate::expand::{self, Expansion};
use crate::flags::Given;
use crate::output::{self, Format, Row};
use crate::talk::Failure;
use crate::{edit, files};

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    let format = Format::of(&given.word("format"))?;
    let name = edit::required(given, "process-type")?;
    let entry = procfile
        .get(&name)
        .ok_or_else(|| Failure::with_way_out(NOT_FOUND, exists::missing(&procfile, &name)))?;
    let expansion = Expansion::new(given).map_err(|why| expand::processing("Error", &why))?;
    let mut command = expansion.of(&[entry])?.concat();
    if format == Format::Json {
        return output::json(&Row::new(&entry, &command));
    }
    command.push(b'\n');
    output::print(&command)
}
