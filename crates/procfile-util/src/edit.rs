//! What `set` and `delete` have in common: where the result is written, and whether it is written at all.

use std::path::Path;

use anyhow::{Result, bail};
use procfile::Procfile;
use ps_cli::exit::Outcome;

use crate::flags::Given;
use crate::{diff, output, write};

/// How often an edit is repeated if other writers change the file meanwhile.
const MAX_TURNS: usize = 1000;

/// The value of a text flag that must be given.
pub(crate) fn required(given: &Given, long: &str) -> Result<String> {
    match given.text(long).to_str() {
        Some("") => bail!("--{long} is required"),
        Some(text) => Ok(text.to_owned()),
        None => Ok(given.word(long).into_owned()),
    }
}

/// The error for flags that ask for the result in two places.
pub(crate) fn refuse_two_targets(given: &Given) -> Result<()> {
    if given.on("stdout") && !given.text("write-path").is_empty() {
        bail!("cannot specify both --stdout and --write-path flags");
    }
    Ok(())
}

/// Whether the result is sorted by name, as the original always does: with `--canonical`, and with `--stdout` if the
/// file has no comments or blank lines that sorting would lose.
pub(crate) fn sorts(given: &Given, procfile: &Procfile) -> bool {
    let printed = given.on("stdout") && !["in-order", "diff", "check"].iter().any(|flag| given.on(flag));
    given.on("canonical") || (printed && procfile.is_plain())
}

/// Writes the result to the place that the flags name.
pub(crate) fn finish(given: &Given, procfile: &Procfile, result: &[u8]) -> Result<Outcome> {
    let changed = procfile.as_bytes() != result;
    let dry = given.on("diff") || given.on("check");
    if given.on("diff") && changed {
        output::print(&diff::unified(&given.word("procfile"), procfile.as_bytes(), result))?;
    }
    if given.on("check") && changed {
        return Ok(Outcome::No);
    }
    if dry {
        return Ok(Outcome::Done);
    }
    let source = given.text("procfile");
    let target = Some(given.text("write-path")).filter(|path| !path.is_empty());
    match target {
        _ if given.on("stdout") => output::print(result),
        None if source == "-" => output::print(result),
        None if !changed => {
            write::keep(Path::new(source));
            Ok(Outcome::Done)
        }
        None => {
            write::exchange(Path::new(source), procfile.as_bytes(), result)?;
            Ok(Outcome::Done)
        }
        Some(target) => {
            write::replace(Path::new(target), result)?;
            Ok(Outcome::Done)
        }
    }
}

/// Makes an edit. If another writer has changed the file since it was read, the edit is made again from the new file, so that of
/// several edits at the same time none is lost.
pub(crate) fn in_turn(edit: impl Fn() -> Result<Outcome>) -> Result<Outcome> {
    for _ in 0..MAX_TURNS {
        match edit() {
            Err(error) if error.is::<write::Overtaken>() => {}
            ended => return ended,
        }
    }
    bail!("error writing procfile: others change it all the time")
}
