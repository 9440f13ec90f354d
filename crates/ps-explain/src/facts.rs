//! The facts about an app that is to be explained. They are plain values: the rules are functions of these alone, and
//! are tested without a machine.

use std::path::PathBuf;

use formation::{EndCause, Exit, OutOfMemory, State, Stream, Which};
use jiff::Timestamp;
use ps_scheduler::Over;

/// Everything that is known of an app.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Facts {
    /// Its name.
    pub(crate) app: String,
    /// What is asked for of it.
    pub(crate) asked: Which,
    /// The moment that is explained.
    pub(crate) now: Timestamp,
    /// Whether its instances are containers.
    pub(crate) is_container: bool,
    /// Whether it was ever deployed.
    pub(crate) is_deployed: bool,
    /// How many releases are kept from before the one that was deployed last.
    pub(crate) earlier_releases: usize,
    /// How many instances are wanted.
    pub(crate) wanted: u32,
    /// Why its scheduler says nothing of its instances.
    pub(crate) silent: Option<Silence>,
    /// Its instances, those that were asked for.
    pub(crate) instances: Vec<Known>,
    /// What people asked for, the oldest first.
    pub(crate) verbs: Vec<Verb>,
    /// The directory that it runs in, and why that cannot be entered.
    pub(crate) directory: Option<(PathBuf, Option<String>)>,
    /// File systems without room.
    pub(crate) full: Vec<Full>,
    /// Files that were changed after they were read, and when.
    pub(crate) changed: Vec<(PathBuf, Timestamp)>,
    /// The last time that the clock was set, and by how many seconds.
    pub(crate) clock: Option<ClockJump>,
    /// Whether no supervisor keeps it alive, or kept it alive when it was last seen.
    pub(crate) is_unsupervised: bool,
    /// Whether a command of the app sets limits itself (ulimit).
    pub(crate) has_ulimit: bool,
    /// The pid of its supervisor, if that is stopped by a signal.
    pub(crate) stopped_supervisor: Option<u32>,
    /// The clients that wait at its address, where the instances accept clients themselves and none does.
    pub(crate) unaccepted: Option<Unaccepted>,
    /// When its journal begins, if that is later than the moment that is explained.
    pub(crate) begins: Option<Timestamp>,
    /// The image that it runs, if the engine does not have it any more.
    pub(crate) lost_image: Option<String>,
}

/// Clients that nobody accepts.
#[derive(Clone, Debug)]
pub(crate) struct Unaccepted {
    /// The address.
    pub(crate) address: String,
    /// How many of them wait.
    pub(crate) waiting: u64,
    /// The shell that is the main process of an instance, and its slot: the sockets are for the shell, not for the program that it has started.
    pub(crate) shell: Option<(String, String)>,
}

impl Facts {
    /// What is asked for, for people: `shop`, `worker of shop`.
    pub(crate) fn subject(&self) -> String {
        match &self.asked {
            Which::All => self.app.clone(),
            asked => format!("{asked} of {}", self.app),
        }
    }
}

/// Why a scheduler says nothing.
#[derive(Clone, Debug)]
pub(crate) struct Silence {
    /// Whether it did not answer at all.
    pub(crate) is_away: bool,
    /// The reason, for people.
    pub(crate) reason: String,
}

/// A verb that was called.
#[derive(Clone, Debug)]
pub(crate) struct Verb {
    /// The verb.
    pub(crate) name: String,
    /// Who asked for it.
    pub(crate) by: String,
    /// Its words.
    pub(crate) words: String,
    /// When.
    pub(crate) at: Timestamp,
    /// When it ended, and why it failed, if it did.
    pub(crate) ended: Option<(Timestamp, Option<String>)>,
    /// The last lines of the process that made it fail, as far as they are kept: of a task, or of a container that was removed again.
    pub(crate) told: Vec<Line>,
}

impl Verb {
    /// Why it failed, if it did.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.ended.as_ref()?.1.as_deref()
    }
}

/// A file system without room.
#[derive(Clone, Debug)]
pub(crate) struct Full {
    /// A directory there.
    pub(crate) path: PathBuf,
    /// Whether files cannot be made although there are bytes left.
    pub(crate) is_of_inodes: bool,
}

/// What is known of one instance.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// `web.1`.
    pub(crate) slot: String,
    /// What it is doing.
    pub(crate) state: State,
    /// Since when.
    pub(crate) since: Option<Timestamp>,
    /// The number of its run.
    pub(crate) run: Option<u64>,
    /// Whether it is the run of a deploy that failed, where what ran before runs on.
    pub(crate) is_of_deploy: bool,
    /// When it is due next, if it runs by a schedule.
    pub(crate) next: Option<Timestamp>,
    /// Why it does nothing although it lives.
    pub(crate) suspended: Option<Suspension>,
    /// A process that it has started, by pid and name, which is stopped by a signal: looked for only where a check fails.
    pub(crate) stopped_child: Option<(u32, String)>,
    /// The first file of its command that could not be run.
    pub(crate) bad_file: Option<BadFile>,
    /// Whether its restart policy says that it is a job: it is to end once it has done its work.
    pub(crate) is_job: bool,
    /// Why it is at rest.
    pub(crate) over: Option<Over>,
    /// How often it was started again by itself.
    pub(crate) restarts: u32,
    /// What its scheduler says of it.
    pub(crate) note: Option<String>,
    /// Its port.
    pub(crate) port: Option<u16>,
    /// The process that listens on that port, or on the one that its output names, if it is not one of its own: port,
    /// and words.
    pub(crate) holder: Option<(u16, String)>,
    /// Its last end.
    pub(crate) end: Option<End>,
    /// Why it could not be started the last time.
    pub(crate) refused: Option<(Timestamp, String)>,
    /// The last check that failed, with its answer.
    pub(crate) check: Option<(Option<Timestamp>, String)>,
    /// When it was given up, after how many ends in a row, and why.
    pub(crate) given_up: Option<(Timestamp, Option<u32>, Option<String>)>,
    /// What it wrote last, before its end or now.
    pub(crate) output: Vec<Line>,
    /// What wears it out.
    pub(crate) strain: Strain,
}

impl Known {
    /// It was given up, after how many ends in a row, and why. The journal leaves out most ends of a crash loop: where it does, the last one that
    /// it has is not the last one, which was at this very moment.
    pub(crate) fn give_up(&mut self, at: Timestamp, why: (Option<u32>, Option<String>), is_after_gap: bool) {
        let (deaths, reason) = why;
        if let Some(end) = self.end.as_mut().filter(|_| is_after_gap && deaths.is_some()) {
            (end.at, end.lived_ms) = (Some(at), None);
        }
        self.given_up = Some((at, deaths, reason));
    }
}

/// What wears an instance out while it lives, as far as that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Strain {
    /// For how much of the time one thread of its main process computes, or waits for a CPU, in percent.
    pub(crate) busy_percent: Option<f64>,
    /// The memory that it uses and its limit, in bytes.
    pub(crate) memory: Option<(u64, u64)>,
    /// How much of its output was lost because its log could not be written.
    pub(crate) dropped_bytes: u64,
}

/// Why a process that lives does nothing.
#[derive(Clone, Debug)]
pub(crate) enum Suspension {
    /// The main process, with this pid, was stopped by a signal.
    Signal(u32),
    /// The main process, with this pid, is held by a debugger or the like: the pid and the name of that one.
    Traced(u32, u32, String),
    /// The group of the main process, with this pid, is frozen: the file that thaws it, and what has to be written there.
    Frozen(u32, PathBuf, &'static str),
    /// The container, with this id, was paused.
    Paused(String),
}

/// A file that a command names.
#[derive(Clone, Debug)]
pub(crate) struct BadFile {
    pub(crate) path: PathBuf,
    pub(crate) trouble: Trouble,
}

/// Why a file cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A script whose lines end in CR LF.
    LineEndings,
    /// A program for another machine architecture.
    OtherMachine,
    /// Its first line names this program, which is not there.
    NoInterpreter(String),
}

/// An end of a process.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// When.
    pub(crate) at: Option<Timestamp>,
    /// How.
    pub(crate) exit: Option<Exit>,
    /// The cause, as far as the scheduler knows.
    pub(crate) cause: Option<EndCause>,
    /// How long it had lived, in milliseconds.
    pub(crate) lived_ms: Option<u64>,
    /// That it was killed for want of memory.
    pub(crate) out_of_memory: Option<OutOfMemory>,
    /// What the check said that brought it about, if one did.
    pub(crate) check: Option<(Option<Timestamp>, String)>,
}

/// That the clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockJump {
    /// The first entry of the journal after it; where there is none yet, the last one before it.
    pub(crate) at: Timestamp,
    /// By how much, forward if it is positive.
    pub(crate) seconds: i64,
    /// Whether nothing was written to the journal since.
    pub(crate) is_since: bool,
}

/// A line of output.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The line, without secrets.
    pub(crate) text: String,
    /// The line as it was written, without colours and the like: it is judged, and never shown.
    pub(crate) written: String,
    /// Where it was written.
    pub(crate) stream: Stream,
    /// When it was captured.
    pub(crate) at: Option<Timestamp>,
    /// The file in which it stands, and at which byte.
    pub(crate) place: Option<(PathBuf, u64)>,
}

#[cfg(test)]
impl Line {
    /// A line of which no more is known.
    pub(crate) fn of_test(stream: Stream, text: &str) -> Self {
        Self { text: text.to_owned(), written: text.to_owned(), stream, at: None, place: None }
    }
}
