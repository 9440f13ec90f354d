//! The results of a verb for all apps: a table at the end, or one JSON object a line.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use formation::AppName;
use ps_rows::VerbRow;

/// How long the verb took for each app.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(Mutex<BTreeMap<AppName, Duration>>);

impl Outcomes {
    /// Runs `deed` for an app, and records how long it took.
    pub(crate) fn of(&self, app: &AppName, deed: impl FnOnce() -> Result<()>) -> Result<()> {
        let began = Instant::now();
        let done = deed();
        self.0.lock().expect("nobody panics while he notes something").insert(app.clone(), began.elapsed());
        done
    }

    /// The row of an app.
    pub(crate) fn row<'a>(&self, app: &'a AppName, verb: &'static str, error: Option<&Error>) -> VerbRow<'a> {
        let took = self.0.lock().expect("nobody panics while he notes something").get(app).copied();
        VerbRow {
            app: app.as_str(),
            verb,
            outcome: if error.is_some() { "failed" } else { "done" },
            took_ms: took.map_or(0, |took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            error: error.map(|error| format!("{error:#}")),
            up: None,
            wanted: None,
        }
    }
}

/// Prints the rows.
pub(crate) fn write(rows: &[VerbRow<'_>], is_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if is_json {
        return ps_rows::json_lines(&mut out, rows);
    }
    let width = rows.iter().map(|row| row.app.len()).max().unwrap_or(0).max("APP".len());
    writeln!(out, "{:<width$}  RESULT  {:>9}  REASON", "APP", "TOOK")?;
    for VerbRow { app, outcome, took_ms, error, .. } in rows {
        let took = format!("{}.{:03} s", took_ms / 1000, took_ms % 1000);
        let reason = error.as_deref().and_then(|error| error.lines().next()).unwrap_or("-");
        writeln!(out, "{app:<width$}  {outcome:<6}  {took:>9}  {reason}")?;
    }
    out.flush()
}
