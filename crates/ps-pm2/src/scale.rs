//! `scale NAME N`, `scale NAME +N`, `scale NAME -N`: how many instances an app has.

use anyhow::{Context, Result, bail};
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::fleet;
use crate::say;
use crate::session::Session;
use crate::table;
use crate::target;

/// Sets it.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let [name, number, ..] = target::words(session, "app_name")? else {
        return Err(say::Usage("missing required argument `number'".to_owned()).into());
    };
    let _lock = session.home.lock()?;
    let mut book = Book::read(&session.home)?;
    let app =
        book.apps.iter().find(|app| app.name == *name).with_context(|| format!("no app is called {name}"))?;
    let there = i64::try_from(app.instances.len()).unwrap_or(i64::MAX);
    let Ok(count) = number.parse::<i64>() else {
        bail!("{number} is no number of instances: 4, +1 or -1 is wanted");
    };
    let count = if number.starts_with(['+', '-']) { there.saturating_add(count) } else { count };
    let Some(count) = u16::try_from(count).ok().filter(|count| *count > 0) else {
        bail!("{name} would have {count} instances: 1 is the least, and delete removes it");
    };
    let ours = app.ours.clone();
    fleet::scale(&session.home, &mut book, &ours, count)?;
    table::print_all(session)?;
    Ok(Outcome::Done)
}
