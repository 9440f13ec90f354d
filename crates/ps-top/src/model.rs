//! The state of the screen. A message changes the model and returns effects. Nothing here reads a file, a clock or a
//! terminal.

pub(crate) mod deeds;
pub(crate) mod fleet;
pub(crate) mod growth;
pub(crate) mod list;
pub(crate) mod output;
pub(crate) mod past;

use formation::AppName;
use jiff::Timestamp;
use ps_rows::StatusRow;

use crate::command::Command;
use crate::message::{Answer, Effect, Message};
use crate::subject::Subject;
use deeds::Deeds;
use fleet::Fleet;
use growth::Growth;
use list::List;
use output::Output;
use past::Past;

/// How many processes are measured although they are not visible, so that their history exists when they become
/// visible.
const MEASURED_UNSEEN: usize = 128;

/// The content of the area below the list, or in its place on a small terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    /// The output of the selected instances.
    #[default]
    Logs,
    /// The events of the selected app.
    Events,
    /// The details of the selected app or instance.
    Details,
    /// The output of a program that was started from here.
    Deed,
}

/// The purpose of the last line of the screen, which decides where keys go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// None: keys go to the list and the pane.
    #[default]
    None,
    /// A filter is being typed; `before` is the earlier one.
    Filter { before: String },
    /// A command is being typed.
    Command(String),
    /// An action needs a confirmation.
    Question(Question),
    /// All keys are shown.
    Help,
}

/// An action that needs a confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// `None` while the forecast is not known yet.
    pub(crate) command: Option<Command>,
    /// The plan, for people.
    pub(crate) plan: Vec<String>,
    /// The type and the difference of its instances, if it is a change of scale.
    pub(crate) scale: Option<(String, i32)>,
}

/// The state of the screen.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) fleet: Fleet,
    pub(crate) growth: Growth,
    pub(crate) list: List,
    pub(crate) pane: Pane,
    /// Whether the keys for up and down go to the pane.
    pub(crate) is_in_pane: bool,
    pub(crate) output: Output,
    pub(crate) past: Past,
    /// The answer of `ps-explain`, and its subject.
    pub(crate) explained: Option<(Subject, String)>,
    /// How many lines the details are scrolled down.
    pub(crate) down: usize,
    pub(crate) prompt: Prompt,
    pub(crate) deeds: Deeds,
    /// The problem with the last key, for the last line.
    pub(crate) remark: Option<String>,
    /// Why the system does not report every change.
    pub(crate) shortfall: Option<String>,
    pub(crate) now: Timestamp,
    /// Whether verbs are commands of Dokku.
    pub(crate) is_dokku: bool,
    /// How many lines of the list are visible; this is set while drawing.
    pub(crate) room: usize,
    /// The followed selection; the number identifies it.
    followed: Option<Subject>,
    pub(crate) turn: u64,
    is_list_stale: bool,
}

impl Model {
    pub(crate) fn new(now: Timestamp, is_dokku: bool) -> Self {
        Self {
            fleet: Fleet::default(),
            growth: Growth::default(),
            list: List::default(),
            pane: Pane::default(),
            is_in_pane: false,
            output: Output::default(),
            past: Past::default(),
            explained: None,
            down: 0,
            prompt: Prompt::None,
            deeds: Deeds::default(),
            remark: None,
            shortfall: None,
            now,
            is_dokku,
            room: 1,
            followed: None,
            turn: 0,
            is_list_stale: false,
        }
    }

    /// Handles a message, except keys.
    pub(crate) fn handle(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Now(now) => self.now = now,
            Message::Apps(apps) => {
                self.fleet.set_apps(apps);
                self.is_list_stale = true;
            }
            Message::Answer(answer) => {
                self.follow_again_if(self.has_changed(&answer));
                self.fleet.answer(*answer);
                self.is_list_stale = true;
            }
            Message::Silent { scheduler, apps, reason } => self.fleet.silent(&scheduler, &apps, &reason),
            Message::Slow(slow) => self.fleet.slow = slow,
            Message::Shortfall(why) => self.shortfall = Some(why),
            Message::Used(used) => {
                self.fleet.used(used);
                self.note_minute();
            }
            Message::Growing(growing) => self.growth.told(growing),
            Message::Events { app, entries } if self.follows(&app) => {
                self.follow_again_if(entries.last() != self.past.entries.last());
                self.past.set(entries);
            }
            Message::Lines { turn, lines } if turn == self.turn => self.output.add(lines),
            Message::LinesEnded { turn, reason } if turn == self.turn => self.output.ended = Some(reason),
            // Answers to requests of an earlier selection, and messages for the terminal alone.
            Message::Events { .. }
            | Message::Lines { .. }
            | Message::LinesEnded { .. }
            | Message::Key(_)
            | Message::Resized
            | Message::Redraw => (),
            Message::Explained { subject, text } => self.explained = Some((subject, text)),
            Message::Foreseen { command, text } => self.foreseen(command, text),
            Message::Said { deed, line } => self.deeds.said(deed, line),
            Message::Ended { deed, how } => self.deeds.ended(deed, how, self.now),
            Message::Quit(status) => return vec![Effect::Quit(status)],
            Message::Suspend => return vec![Effect::Suspend],
        }
        Vec::new()
    }

    /// Updates the list, and requests the data of the present selection.
    pub(crate) fn settle(&mut self) -> Vec<Effect> {
        if self.is_list_stale {
            self.list.arrange(&self.fleet);
            self.is_list_stale = false;
        }
        let subject = self.list.subject();
        if subject == self.followed {
            return Vec::new();
        }
        self.turn += 1;
        self.output.begin_anew();
        if self.followed.as_ref().map(|subject| &subject.app) != subject.as_ref().map(|subject| &subject.app)
        {
            self.past = Past::default();
        }
        self.down = 0;
        self.followed.clone_from(&subject);
        let Some(subject) = subject else { return Vec::new() };
        let follow = Effect::Follow { turn: self.turn, subject: subject.clone() };
        let explain = (self.pane == Pane::Details).then_some(Effect::Explain(subject));
        [follow].into_iter().chain(explain).collect()
    }

    /// Follows the selected app again if it is new. The earlier attempt may have ended because nothing existed yet to
    /// follow.
    fn follow_again_if(&mut self, is_new: bool) {
        if is_new && self.output.ended.is_some() {
            self.followed = None;
        }
    }

    fn has_changed(&self, answer: &Answer) -> bool {
        let what = |rows: &[StatusRow]| rows.iter().map(|row| (row.run, row.state)).collect::<Vec<_>>();
        let before = self.fleet.apps.get(&answer.app).map(|app| what(&app.rows));
        self.follows(&answer.app) && before != Some(what(&answer.rows))
    }

    fn follows(&self, app: &AppName) -> bool {
        self.followed.as_ref().is_some_and(|subject| subject.app == *app)
    }

    fn foreseen(&mut self, command: Command, text: Vec<String>) {
        if let Prompt::Question(question) = &mut self.prompt
            && question.scale.is_some()
        {
            (question.command, question.plan) = (Some(command), text);
        }
    }

    /// Once a minute, stores the measurements for longer.
    fn note_minute(&mut self) {
        let minute = u64::try_from(self.now.as_second()).unwrap_or_default() / 60;
        if !self.growth.wants(minute) {
            return;
        }
        let current = |row: &&StatusRow| row.role.is_none_or(|role| role == "current");
        let rows = self.fleet.apps.values().flat_map(|app| &app.rows).filter(current);
        let measured = rows.filter_map(|row| {
            let memory = self.fleet.history(row)?.memory.back()?;
            Some((format!("{}/{}", row.app, list::slot_of(row)), *memory))
        });
        self.growth.sample(minute, measured);
    }

    /// Sets the filter.
    pub(crate) fn filter(&mut self, filter: &str) {
        if self.is_in_pane && self.pane == Pane::Logs {
            self.output.set_filter(filter);
        } else {
            filter.clone_into(&mut self.list.filter);
            self.is_list_stale = true;
        }
    }

    /// The pids of the processes to be measured: those on the screen, and some others.
    pub(crate) fn measured(&self) -> Vec<u32> {
        let shown = self.shown().filter_map(|place| list::row_of(&self.fleet, place));
        let others = self.fleet.apps.values().flat_map(|app| &app.rows);
        let pid = |row: &StatusRow| row.pid;
        let mut pids: Vec<u32> =
            shown.filter_map(pid).chain(others.filter_map(pid).take(MEASURED_UNSEEN)).collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// The apps on the screen.
    pub(crate) fn shown_apps(&self) -> Vec<AppName> {
        let mut apps: Vec<AppName> = self.shown().map(|place| place.app.clone()).collect();
        apps.dedup();
        apps
    }

    fn shown(&self) -> impl Iterator<Item = &list::Place> {
        self.list.places.iter().skip(self.list.first).take(self.room)
    }
}
