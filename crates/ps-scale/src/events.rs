//! `--format events`: `ps-lifecycle converge` writes the events, and this program writes the last one with the exit
//! status.

use std::io;
use std::time::Instant;

use anyhow::Result;
use formation::AppName;
use ps_cli::exit::{self, Outcome};
use ps_rows::EventRow;

/// The verb of the events.
pub(crate) const VERB: &str = "scale";

/// Makes a change, and writes the last event about it.
pub(crate) fn told(app: &AppName, change: impl FnOnce() -> Result<Outcome>) -> Result<Outcome> {
    let began = Instant::now();
    let done = change();
    let reason = done.as_ref().err().map(|error| format!("{error:#}"));
    let last = EventRow::last(VERB, began.elapsed(), exit::status(&done));
    // If the reader has closed the pipe, the event is dropped without an error.
    let _ = ps_rows::json_line(io::stdout().lock(), &EventRow { app: Some(app.as_str()), reason, ..last });
    done
}
