//! `--plain`: text in place of a screen, with a line for each instance and a line for each change. For screen readers,
//! pipes and simple terminals.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use formation::AppName;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ps_apps::World;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_rows::StatusRow;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use usage_history::grows;

use crate::live::WAITING;
use crate::message::{Answer, Message};
use crate::model::list::slot_of;
use crate::sources::{Scope, Sources, signals};

/// How often to look for schedulers that do not answer.
const TURN: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What was last printed about an instance: its state, its restarts, and the number of its run.
type Said = (String, Option<u32>, Option<u64>);

/// What was printed so far.
#[derive(Debug, Default)]
struct Told {
    apps: BTreeMap<AppName, BTreeMap<(String, Option<u64>), Said>>,
    silent: BTreeMap<AppName, String>,
    troubles: BTreeMap<AppName, Vec<String>>,
    slow: BTreeSet<String>,
    growing: BTreeSet<String>,
}

/// Runs until a signal comes or its output is closed.
pub(crate) fn run(world: &World, scope: Scope) -> anyhow::Result<Outcome> {
    let (to, from) = sync_channel(WAITING);
    signals::catch(to.clone())?;
    let mut sources = Sources::begin(world, scope, &to);
    watch_reader(to);
    if !world.inside_dokku() && world.apps()?.is_empty() {
        let place = world.root().display();
        say::warning(&format!("no apps in {place} yet: lines come once ps-lifecycle deploy has made one"));
    }
    let mut told = Told::default();
    let model = crate::model::Model::new(Timestamp::now(), world.inside_dokku());
    loop {
        let lines = match from.recv()? {
            Message::Quit(status) => return Ok(Outcome::Status(status)),
            Message::Suspend => {
                signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
                continue;
            }
            Message::Now(_) => {
                let [slow, _] = sources.second(&model);
                told.hear(slow)
            }
            message => told.hear(message),
        };
        let mut out = io::stdout().lock();
        let time = crate::frame::time(Timestamp::now(), &TimeZone::system());
        lines.iter().try_for_each(|line| writeln!(out, "{time} {line}"))?;
        out.flush()?;
    }
}

/// Sends a message each second, and ends the program once its output is closed.
fn watch_reader(to: SyncSender<Message>) {
    thread::spawn(move || {
        loop {
            let out = io::stdout();
            let mut fds = [PollFd::new(&out, PollFlags::empty())];
            let is_gone = poll(&mut fds, Some(&TURN)).is_ok_and(|ready| ready > 0);
            let message =
                if is_gone { Message::Quit(ps_cli::exit::DONE) } else { Message::Now(Timestamp::now()) };
            if to.send(message).is_err() || is_gone {
                return;
            }
        }
    });
}

impl Told {
    /// The lines to print for a message.
    fn hear(&mut self, message: Message) -> Vec<String> {
        match message {
            Message::Apps(apps) => self.apps_are(apps),
            Message::Answer(answer) => self.answer(*answer),
            Message::Silent { apps, reason, .. } => apps
                .into_iter()
                .filter(|app| self.silent.insert(app.clone(), reason.clone()).as_ref() != Some(&reason))
                .map(|app| format!("{app}: no answer: {reason}"))
                .collect(),
            Message::Slow(slow) => {
                let before = std::mem::take(&mut self.slow);
                let new = slow.iter().filter(|(name, _)| !before.contains(name));
                let lines =
                    new.map(|(name, seconds)| format!("{name} has not answered for {seconds} s")).collect();
                self.slow = slow.into_iter().map(|(name, _)| name).collect();
                lines
            }
            Message::Shortfall(why) => vec![why],
            Message::Growing(growing) => self.growing(&growing),
            _ => Vec::new(),
        }
    }

    fn growing(&mut self, growing: &[(String, u64)]) -> Vec<String> {
        let before = std::mem::take(&mut self.growing);
        self.growing = growing.iter().map(|(name, _)| name.clone()).collect();
        let new = growing.iter().filter(|(name, _)| !before.contains(name));
        let line = |(name, bytes): &(String, u64)| {
            let (app, slot) = name.split_once('/').unwrap_or((name, ""));
            format!("{app}: {}", grows(slot, *bytes))
        };
        new.map(line).collect()
    }

    fn apps_are(&mut self, apps: Vec<AppName>) -> Vec<String> {
        let apps: BTreeSet<AppName> = apps.into_iter().collect();
        let gone: Vec<AppName> = self.apps.keys().filter(|app| !apps.contains(*app)).cloned().collect();
        for app in &gone {
            self.apps.remove(app);
            self.silent.remove(app);
            self.troubles.remove(app);
        }
        gone.iter().map(|app| format!("{app} is gone")).collect()
    }

    fn answer(&mut self, answer: Answer) -> Vec<String> {
        let Answer { app, rows, troubles, .. } = answer;
        let mut lines = Vec::new();
        if self.silent.remove(&app).is_some() {
            lines.push(format!("{app}: answered again"));
        }
        let before = self.apps.remove(&app).unwrap_or_default();
        let is_rolling =
            |row: &StatusRow| rows.iter().filter(|other| slot_of(other) == slot_of(row)).count() > 1;
        let mut now = BTreeMap::new();
        for row in &rows {
            // While a slot has two runs, each of them is reported separately; otherwise the slot counts as one
            // instance, whatever its run is.
            let key = (slot_of(row), row.run.filter(|_| is_rolling(row)));
            let said: Said = (row.state.to_owned(), row.restarts, row.run);
            if before.get(&key) != Some(&said) {
                lines.push(sentence(row, before.get(&key)));
            }
            now.insert(key, said);
        }
        let gone =
            before.keys().filter(|key| !now.contains_key(*key) && !now.keys().any(|other| other.0 == key.0));
        lines.extend(gone.map(|(slot, _)| format!("{app} {slot} gone")));
        let known = self.troubles.insert(app.clone(), troubles.clone()).unwrap_or_default();
        lines.extend(troubles.iter().filter(|trouble| !known.contains(trouble)).cloned());
        self.apps.insert(app, now);
        lines
    }
}

/// `shop web.1 crashed, was backoff, exit status 1, run 7, restarted 10 times`
fn sentence(row: &StatusRow, before: Option<&Said>) -> String {
    let mut line = format!("{} {} {}", row.app, slot_of(row), row.state);
    if let Some((state, ..)) = before.filter(|(state, ..)| state != row.state) {
        line.push_str(", was ");
        line.push_str(state);
    }
    let role = row.compared.or(row.role).filter(|role| *role != "current").map(|role| format!(", {role}"));
    let exit = row.last_exit.filter(|_| row.state != "running").map(|exit| format!(", last exit {exit}"));
    let run = row.run.map(|run| format!(", run {run}"));
    let restarts =
        row.restarts.filter(|restarts| *restarts > 0).map(|restarts| format!(", restarted {restarts} times"));
    line.extend([role, exit, run, restarts].into_iter().flatten());
    line
}

#[cfg(test)]
mod tests {
    use formation::State;
    use ps_scheduler::Instance;

    use super::*;

    fn answer(rows: &[(&str, State, u64, u32)]) -> Message {
        let row = |(slot, state, run, restarts): &(&str, State, u64, u32)| {
            let instance = Instance::new(slot.parse().expect("a slot"), *state);
            let row = StatusRow::of("native", "shop", instance);
            StatusRow { run: Some(*run), restarts: Some(*restarts), ..row }
        };
        let app = "shop".parse().expect("a name");
        let rows = rows.iter().map(row).collect();
        Message::Answer(Box::new(Answer { app, scheduler: "native".to_owned(), rows, troubles: Vec::new() }))
    }

    #[test]
    fn only_what_has_changed_is_said() {
        let mut told = Told::default();
        let first = told.hear(answer(&[("web.1", State::Running, 1, 0), ("web.2", State::Running, 2, 0)]));
        assert_eq!(first, ["shop web.1 running, run 1", "shop web.2 running, run 2"]);
        assert_eq!(
            told.hear(answer(&[("web.1", State::Running, 1, 0), ("web.2", State::Running, 2, 0)])),
            [""; 0]
        );
        let crashed = told.hear(answer(&[("web.1", State::Running, 1, 0), ("web.2", State::Crashed, 2, 3)]));
        assert_eq!(crashed, ["shop web.2 crashed, was running, run 2, restarted 3 times"]);
        assert_eq!(told.hear(answer(&[("web.1", State::Running, 1, 0)])), ["shop web.2 gone"]);
        assert_eq!(told.hear(Message::Apps(Vec::new())), ["shop is gone"]);
    }

    #[test]
    fn memory_that_grows_is_told_once() {
        let mut told = Told::default();
        let growing = |mib: u64| Message::Growing(vec![("shop/web.1".to_owned(), mib << 20)]);
        let line = "shop: the memory of web.1 has grown steadily for hours, by 60 MiB an hour";
        assert_eq!(told.hear(growing(60)), [line]);
        assert_eq!(told.hear(growing(61)), [""; 0]);
        assert_eq!(told.hear(Message::Growing(Vec::new())), [""; 0]);
        assert_eq!(told.hear(growing(60)), [line]);
    }

    #[test]
    fn a_scheduler_that_does_not_answer_is_named_once() {
        let mut told = Told::default();
        let slow = |seconds| Message::Slow(vec![("docker-local".to_owned(), seconds)]);
        assert_eq!(told.hear(slow(4)), ["docker-local has not answered for 4 s"]);
        assert_eq!(told.hear(slow(5)), [""; 0]);
        let apps = vec!["shop".parse().expect("a name")];
        let silent =
            || Message::Silent { scheduler: "x".to_owned(), apps: apps.clone(), reason: "away".to_owned() };
        assert_eq!(told.hear(silent()), ["shop: no answer: away"]);
        assert_eq!(told.hear(silent()), [""; 0]);
    }
}
