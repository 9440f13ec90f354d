//! `events`: what happened to an app, or to all, from their journals: who asked for what, what was planned and done, how it ended, and what
//! happened that nobody asked for.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use formation::AppName;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ps_apps::World;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_journal::{Asker, Change, Entry, Event, Journal, Outcome as Ended};
use ps_rollout::Verdict;
use ps_rows::JournalRow;

use crate::args::{EventsArgs, Past};
use crate::session::Session;

/// How often a journal that is followed is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// An event, and the app that it is about.
type Told = (AppName, Entry);

pub(crate) fn run(session: &Session, args: &EventsArgs) -> Result<Outcome> {
    let world = &session.world;
    let apps = match &args.app {
        Some(app) => vec![ps_triggers::visible_app::<anyhow::Error>(world, app)?],
        None => ps_triggers::visible(world, world.apps()?.into_iter().map(|app| app.name).collect())?,
    };
    let mut read: Vec<Read> = apps.iter().map(Read::of).collect();
    let mut told = news(world, &mut read)?;
    retain(&mut told, args)?;
    let mut out = BufWriter::new(io::stdout().lock());
    print(&mut out, &told, args)?;
    while args.past.is_endless() {
        thread::sleep(LOOK_AGAIN);
        let told = news(world, &mut read)?;
        print(&mut out, &told, args)?;
    }
    Ok(Outcome::Done)
}

/// What stands in the journals and was not read yet. Events of several journals are in the order of time; those of one keep theirs.
fn news(world: &World, read: &mut [Read<'_>]) -> Result<Vec<Told>> {
    let mut told = Vec::new();
    for journal in read {
        told.extend(journal.news(world)?);
    }
    told.sort_by_key(|(_, entry)| entry.at);
    Ok(told)
}

/// Leaves the events that are asked for.
fn retain(told: &mut Vec<Told>, args: &EventsArgs) -> Result<()> {
    let Past { since, until, last } = args.past.seen_from(SystemTime::now())?;
    told.retain(|(_, entry)| {
        let at = SystemTime::from(entry.at);
        since.is_none_or(|since| at >= since) && until.is_none_or(|until| at <= until)
    });
    told.drain(..told.len().saturating_sub(last.unwrap_or(usize::MAX)));
    Ok(())
}

/// A journal, and up to where it was read.
struct Read<'a> {
    app: &'a AppName,
    last: Option<Entry>,
    unreadable: usize,
    /// Which file that was, and how long.
    state: Option<(u64, u64)>,
}

impl<'a> Read<'a> {
    fn of(app: &'a AppName) -> Self {
        Self { app, last: None, unreadable: 0, state: None }
    }

    /// What was written since. The older half of a journal may have been removed meanwhile.
    fn news(&mut self, world: &World) -> Result<Vec<Told>> {
        let journal = Journal::of(world, self.app);
        // The state is taken first: what is written meanwhile is read twice and not never.
        let state = journal.state();
        if state.is_some() && state == self.state {
            return Ok(Vec::new());
        }
        self.state = state;
        let contents = journal.read();
        let mut contents = contents.with_context(|| format!("read the journal of {}", self.app))?;
        if contents.unreadable > self.unreadable {
            say::warning(&format!(
                "the journal of {} has {} unreadable lines",
                self.app, contents.unreadable
            ));
        }
        self.unreadable = contents.unreadable;
        let is_read = |entry: &Entry| self.last.as_ref() == Some(entry);
        let news = match contents.entries.iter().rposition(is_read) {
            Some(last) => contents.entries.split_off(last + 1),
            None => contents.entries,
        };
        self.last = news.last().cloned().or(self.last.take());
        Ok(news.into_iter().map(|entry| (self.app.clone(), entry)).collect())
    }
}

fn print(out: &mut impl Write, told: &[Told], args: &EventsArgs) -> io::Result<()> {
    let is_terminal = io::stdout().is_terminal();
    for (app, entry) in told {
        if args.past.json {
            ps_rows::json_line(&mut *out, &JournalRow { app: app.as_str(), entry })?;
            continue;
        }
        let name = if args.app.is_some() { String::new() } else { format!("{app}: ") };
        writeln!(out, "{} {name}{}", time(entry.at, is_terminal), words(&entry.event))?;
    }
    out.flush()
}

/// In the zone of whoever reads it: exact in a pipe.
fn time(at: Timestamp, is_terminal: bool) -> String {
    let at = at.to_zoned(TimeZone::system());
    at.strftime(if is_terminal { "%b %d %H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.3f%:z" }).to_string()
}

/// What happened, for people.
fn words(event: &Event) -> String {
    match event {
        Event::Asked { verb, asker, arguments } => {
            format!("{verb} asked for by {}: {}", asked_by(asker), arguments.join(" "))
        }
        Event::Planned { changes } => format!("planned: {}", listed(changes)),
        Event::Done { changes } => format!("done: {}", listed(changes)),
        Event::Receipt { receipt } => format!("clients: {receipt}"),
        Event::Canary { verdict, canary, control } => format!(
            "canary: {}: {} of {} failed, and {} of {} to the control",
            of_canary(*verdict),
            canary.failed,
            canary.asked,
            control.failed,
            control.asked
        ),
        Event::Ended { verb, outcome, error, took_ms } => {
            let how = match outcome {
                Ended::Done => "succeeded",
                Ended::Failed => "failed",
                Ended::Unknown => "ended",
            };
            let why = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            format!("{verb} {how} after {:.1} s{why}", Duration::from_millis(*took_ms).as_secs_f64())
        }
        Event::Happened { origin, slots, run, what, .. } => {
            let run = run.map(|run| format!("@{run}")).unwrap_or_default();
            format!("{origin}: {}{run}: {what}", slots.join(" "))
        }
        Event::Instance { slot, life } => format!("{slot}@{}: {life}", life.run),
        Event::Unknown => "something that only a later version knows".to_owned(),
    }
}

fn of_canary(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "the new release is no worse",
        Verdict::Worse => "the new release fails more often",
        Verdict::TooFew => "too little traffic",
        Verdict::Uncounted => "what was counted is not known",
    }
}

fn asked_by(asker: &Asker) -> String {
    match &asker.on_behalf_of {
        Some(person) if *person != asker.user => format!("{} ({person})", asker.user),
        Some(_) | None => asker.user.clone(),
    }
}

fn listed(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing".to_owned();
    }
    let one = |change: &Change| {
        let why = if change.reason.is_empty() { String::new() } else { format!(" ({})", change.reason) };
        format!("{} {}{why}", change.change, change.slots)
    };
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_for_people() {
        let change = |slots: &str, change: &str, reason: &str| Change {
            slots: slots.to_owned(),
            change: change.to_owned(),
            reason: reason.to_owned(),
        };
        let asker = Asker { user: "root".to_owned(), on_behalf_of: Some("alice".to_owned()) };
        let arguments = vec!["deploy".to_owned(), "shop".to_owned()];
        let asked = Event::Asked { verb: "deploy".to_owned(), asker, arguments };
        assert_eq!(words(&asked), "deploy asked for by root (alice): deploy shop");
        let changes = vec![change("web.1-3", "start", "missing"), change("job.1", "keep", "")];
        assert_eq!(words(&Event::Planned { changes }), "planned: start web.1-3 (missing), keep job.1");
        let error = Some("no room".to_owned());
        let ended = Event::Ended { verb: "stop".to_owned(), outcome: Ended::Failed, error, took_ms: 1500 };
        assert_eq!(words(&ended), "stop failed after 1.5 s: no room");
    }
}
