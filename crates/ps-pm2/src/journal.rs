//! The journal of an app, as the other programs write it (docs/events.md): which verb somebody asked for, and how it ended.

use anyhow::Result;
use ps_cli::exit;
use ps_cli::say;
use ps_journal::Journal;

use crate::book::App;
use crate::home::Home;

/// Does something to an app, with an event at its beginning and at its end.
pub(crate) fn of_verb<T>(home: &Home, app: &App, verb: &str, deed: impl FnOnce() -> Result<T>) -> Result<T> {
    let arguments = exit::arguments().into_iter().skip(1);
    let words: Vec<String> = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    Journal::of(&home.world(), &app.app_name()?).tell(verb, &words, say::warning, deed)
}
