//! Makes a check by https for a supervisor, which contains no TLS. Only supervisors call this verb, so it is in no
//! help.

use std::io::{self, Write};
use std::time::Instant;

use anyhow::Result;
use ps_cli::exit::{Outcome, Refusal};
use ps_supervisor::Question;

/// Makes the check once. If it fails, stdout says why. `None`: this process was given no check.
pub(crate) fn answer(question: Option<Question>) -> Result<Outcome> {
    let none = || Refusal::usage("only a supervisor asks by https like this: see docs/checks.md");
    let Question { get, address, timeout } = question.ok_or_else(none)?;
    match tls_probe::begin(&get, address, timeout, Instant::now()).finish() {
        Ok(()) => Ok(Outcome::Done),
        Err(reason) => {
            writeln!(io::stdout().lock(), "{reason}")?;
            Ok(Outcome::No)
        }
    }
}
