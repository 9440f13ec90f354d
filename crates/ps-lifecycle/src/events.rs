//! `events`: shows the journal of an app, or of all apps: who asked for what, what was planned and done, how it ended,
//! and what happened without a request.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use file_watch::{Grown, GrowthWatch};
use formation::AppName;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ps_apps::World;
use ps_cli::exit::{self, Outcome};
use ps_cli::say;
use ps_journal::{Entry, Unread};
use ps_rows::JournalRow;

use crate::args::{EventsArgs, Past};
use crate::session::Session;

/// How often followed journals are read without a notification: some file systems report no changes.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// An event, and the app that it is about.
type Told = (AppName, Entry);

pub(crate) fn run(session: &Session, args: &EventsArgs) -> Result<Outcome> {
    let world = &session.world;
    let apps = match &args.app {
        Some(app) => vec![ps_triggers::visible_app::<anyhow::Error>(world, app)?],
        None => ps_triggers::visible(world, world.apps()?.into_iter().map(|app| app.name).collect())?,
    };
    let mut read: Vec<Unread<'_>> = apps.iter().map(|app| Unread::of(world, app)).collect();
    // The files are watched before they are read, so that an entry that is written in between is reported.
    let mut watch = args.past.is_endless().then(GrowthWatch::new);
    if let Some(watch) = &mut watch {
        watch_all(world, &apps, watch);
    }
    let mut told = news(&mut read, &Grown::Anywhere)?;
    retain(&mut told, args)?;
    let mut out = BufWriter::new(io::stdout().lock());
    print(&mut out, &told, args)?;
    let Some(watch) = &mut watch else { return Ok(Outcome::Done) };
    exit::end_with_reader();
    let mut look_due = Instant::now() + LOOK_AGAIN;
    loop {
        let mut grown = watch.wait(LOOK_AGAIN);
        if look_due <= Instant::now() || grown.has(&None) {
            grown = Grown::Anywhere;
            look_due = Instant::now() + LOOK_AGAIN;
            watch_all(world, &apps, watch);
        }
        let told = news(&mut read, &grown)?;
        print(&mut out, &told, args)?;
    }
}

/// Watches the directories of the journals. `None` stands for the directory in which new ones are created.
fn watch_all(world: &World, apps: &[AppName], watch: &mut GrowthWatch<Option<AppName>>) {
    for app in apps {
        let directory = world.kept_dir(app);
        if !watch.watch_files(&directory, Some(app.clone()))
            && let Some(parent) = directory.parent()
        {
            watch.watch_entries(parent, None);
        }
    }
}

/// The new entries of the journals. Entries of several journals are ordered by time; those of one journal keep their order.
fn news(journals: &mut [Unread<'_>], grown: &Grown<Option<AppName>>) -> Result<Vec<Told>> {
    let mut told = Vec::new();
    for journal in journals.iter_mut().filter(|journal| grown.has(&Some(journal.app().clone()))) {
        let app = journal.app();
        let news = journal.news().with_context(|| format!("read the journal of {app}"))?;
        if let Some(unreadable) = news.unreadable {
            say::warning(&format!("the journal of {app} has {unreadable} unreadable lines"));
        }
        told.extend(news.entries.into_iter().map(|entry| (app.clone(), entry)));
    }
    told.sort_by_key(|(_, entry)| entry.at);
    Ok(told)
}

/// Keeps only the events that the arguments select.
fn retain(told: &mut Vec<Told>, args: &EventsArgs) -> Result<()> {
    let Past { since, until, last } = args.past.seen_from(SystemTime::now())?;
    told.retain(|(_, entry)| {
        let at = SystemTime::from(entry.at);
        since.is_none_or(|since| at >= since) && until.is_none_or(|until| at <= until)
    });
    told.drain(..told.len().saturating_sub(last.unwrap_or(usize::MAX)));
    Ok(())
}

fn print(out: &mut impl Write, told: &[Told], args: &EventsArgs) -> io::Result<()> {
    let is_terminal = io::stdout().is_terminal();
    for (app, entry) in told {
        if args.past.json {
            ps_rows::json_line(&mut *out, &JournalRow { app: app.as_str(), entry })?;
            continue;
        }
        let name = if args.app.is_some() { String::new() } else { format!("{app}: ") };
        writeln!(out, "{} {name}{}", time(entry.at, is_terminal), entry.event)?;
    }
    out.flush()
}

/// The time in the reader's time zone on a terminal, and in full in a pipe.
fn time(at: Timestamp, is_terminal: bool) -> String {
    let at = at.to_zoned(TimeZone::system());
    at.strftime(if is_terminal { "%b %d %H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.3f%:z" }).to_string()
}
