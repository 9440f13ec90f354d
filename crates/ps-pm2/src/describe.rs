//! `describe`, `env`, `id` and `pid`: show one app or instance.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use procfile_exchange::pm2::as_text;
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::row::{self, Row};
use crate::say;
use crate::session::Session;
use crate::table::{mode, size, uptime};
use crate::target;

/// What is known of instances; variables are left out.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let word = &target::words(session, "name|id")?[0];
    let book = Book::read(&session.home)?;
    let ids = target::parse(session, &book, word)?.ids(&book);
    if ids.is_empty() {
        bail!("{word} doesn't exist");
    }
    for row in row::rows(&session.home, &book)?.iter().filter(|row| ids.contains(&row.instance.id)) {
        block(row)?;
    }
    Ok(Outcome::Done)
}

fn block(row: &Row<'_>) -> io::Result<()> {
    let (app, id) = (row.app, row.instance.id);
    let (interpreter, arguments) = match &app.words[..] {
        [script, arguments @ ..] if *script == app.script.display().to_string() => ("none", arguments),
        [program, rest @ ..] => {
            let own = rest.iter().position(|word| *word == app.script.display().to_string()).unwrap_or(0);
            (program.as_str(), rest.get(own + 1..).unwrap_or_default())
        }
        [] => ("none", &[][..]),
    };
    let lines = [
        ("status", row.status.as_str().to_owned()),
        ("name", app.name.clone()),
        ("restarts", row.restarts.to_string()),
        ("uptime", uptime(row)),
        ("pid", row.pid.to_string()),
        ("memory", size(row.memory)),
        ("cpu", format!("{}%", row.cpu)),
        ("script path", app.script.display().to_string()),
        ("script args", arguments.join(" ")),
        ("interpreter", interpreter.to_owned()),
        ("error log path", app.err_of(id).display().to_string()),
        ("out log path", app.out_of(id).display().to_string()),
        ("pid path", app.pid_of(id).display().to_string()),
        ("exec cwd", app.cwd.display().to_string()),
        ("exec mode", format!("{}_mode", mode(row))),
        ("port", app.port.as_ref().map_or_else(|| "N/A".to_owned(), as_text)),
        ("app of Formation", format!("{} {}", app.ours, row.instance.slot())),
    ];
    let left = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let right = lines.iter().map(|(_, value)| value.chars().count()).max().unwrap_or(0);
    let rule = |ends: [&str; 3]| {
        format!("{}{}{}{}{}", ends[0], "─".repeat(left + 2), ends[1], "─".repeat(right + 2), ends[2])
    };
    let mut out = io::stdout().lock();
    writeln!(out, " Describing process with id {id} - name {}", app.name)?;
    writeln!(out, "{}", rule(["┌", "┬", "┐"]))?;
    for (name, value) in &lines {
        writeln!(out, "│ {name:left$} │ {value:right$} │")?;
    }
    writeln!(out, "{}", rule(["└", "┴", "┘"]))
}

/// The variables that an instance was started with: its owner alone can call this.
pub(crate) fn env(session: &Session) -> Result<Outcome> {
    let word = &target::words(session, "id")?[0];
    let book = Book::read(&session.home)?;
    let id = word.parse().ok().and_then(|id| book.instance(id));
    let (app, _) = id.with_context(|| format!("{word} : pm2 id not found"))?;
    for (name, value) in &app.env {
        say::plain(format_args!("{name}: {value}"))?;
    }
    Ok(Outcome::Done)
}

/// The ids that a name has, as Node shows an array.
pub(crate) fn id(session: &Session) -> Result<Outcome> {
    let word = &target::words(session, "name")?[0];
    let ids: Vec<String> =
        target::named(&Book::read(&session.home)?, word).iter().map(u64::to_string).collect();
    if ids.is_empty() {
        say::plain("[]")?;
    } else {
        say::plain(format_args!("[ {} ]", ids.join(", ")))?;
    }
    Ok(Outcome::Done)
}

/// The pids, one a line, of all apps or of one.
pub(crate) fn pid(session: &Session) -> Result<Outcome> {
    let book = Book::read(&session.home)?;
    let ids = match session.subjects().first() {
        None => target::Target::All.ids(&book),
        Some(word) => target::found(&book, &target::parse(session, &book, word)?)?,
    };
    let rows = row::rows(&session.home, &book)?;
    let pids: BTreeMap<u64, u32> = rows.iter().map(|row| (row.instance.id, row.pid)).collect();
    for pid in ids.iter().filter_map(|id| pids.get(id)) {
        say::plain(pid)?;
    }
    Ok(Outcome::Done)
}
