//! Compresses logs and deletes old segments, in a child process of our own program with the lowest priority; the memory for
//! compression is freed with it. One child runs at a time, and only some time after a segment was full, so that it does not
//! compete with a program that writes at full speed. It may be killed at any moment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use formation::Stream;
use log_store::{Limits, WhenFull, tidy};

use crate::{launch, layout, signals};

/// The `argv[0]` of the child.
const NAME: &str = "ps-supervise-tidy-logs";
/// How long after a full segment the child is started.
const LATER: Duration = Duration::from_secs(1);
/// How often logs are checked for segments that are too old.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The lowest priority.
const NICE: i32 = 19;

/// The logs that wait to be tidied, and the child that runs.
#[derive(Debug)]
pub(crate) struct Tidier {
    /// The directories of slots whose logs wait.
    waiting: BTreeMap<PathBuf, Limits>,
    due: Option<Instant>,
    /// When all logs are checked again.
    all_due: Instant,
    running: Option<u32>,
}

impl Default for Tidier {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), due: None, all_due: Instant::now() + DAY, running: None }
    }
}

impl Tidier {
    /// The logs of this slot have to be tidied.
    pub(crate) fn ask(&mut self, slot: PathBuf, limits: Limits) {
        self.waiting.insert(slot, limits);
        self.due.get_or_insert_with(|| Instant::now() + LATER);
    }

    /// Whether a day has passed, so that all logs have to be checked.
    pub(crate) fn is_day_over(&mut self, now: Instant) -> bool {
        let is_over = self.all_due <= now;
        if is_over {
            self.all_due = now + DAY;
        }
        is_over
    }

    /// When it must be looked at again.
    pub(crate) fn due(&self) -> Instant {
        let next = self.due.filter(|_| self.running.is_none());
        next.map_or(self.all_due, |next| next.min(self.all_due))
    }

    /// Starts a child if one is due.
    pub(crate) fn look(&mut self, now: Instant) {
        if self.running.is_some() || self.due.is_none_or(|due| due > now) {
            return;
        }
        let Some((slot, limits)) = self.waiting.pop_first() else {
            self.due = None;
            return;
        };
        // If the child cannot be started, the next full segment asks for it again.
        self.running = start(&slot, limits);
    }

    /// Whether the child that has exited is this one.
    pub(crate) fn has_ended(&mut self, pid: u32) -> bool {
        let is_it = self.running == Some(pid);
        if is_it {
            self.running = None;
        }
        is_it
    }

    /// The pid of the child, which belongs to no instance.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running
    }
}

fn start(slot: &Path, limits: Limits) -> Option<u32> {
    let Limits { size, age, files, when_full: WhenFull::Drop | WhenFull::Block } = limits;
    let mut command = Command::new(launch::program()?);
    command.arg0(NAME).arg(slot).args([size.to_string(), age.as_secs().to_string(), files.to_string()]);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok().map(|child| child.id())
}

/// The task of a child process: the logs of one slot.
#[derive(Debug, PartialEq, Eq)]
pub struct TidyLogs {
    slot: PathBuf,
    limits: Limits,
}

impl TidyLogs {
    /// The task in the arguments of this process, if it was started for one.
    pub fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let slot = arguments.next().filter(|name| name == NAME).and_then(|_| arguments.next())?;
        let mut number = || arguments.next()?.to_str()?.parse::<u64>().ok();
        let (size, age, files) = (number()?, number()?, number()?);
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let limits = Limits { size, age: Duration::from_secs(age), files, ..Limits::default() };
        Some(Self { slot: slot.into(), limits })
    }

    /// Tidies the logs.
    pub fn run(&self) -> io::Result<()> {
        signals::unblock();
        // If the priority cannot be lowered, only speed is lost.
        let _ = rustix::process::nice(NICE);
        let tidied =
            [Stream::Stdout, Stream::Stderr].map(|of| tidy(&layout::log(&self.slot, of), &self.limits));
        tidied.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slot_after_the_other_is_tidied_some_time_after_it_was_asked_for() {
        let mut tidier = Tidier::default();
        let begin = Instant::now();
        assert!(tidier.due() > begin + DAY / 2);
        tidier.ask("/shop/web.1".into(), Limits::default());
        let due = tidier.due();
        assert!(due > begin + LATER / 2 && due < begin + 2 * LATER);
        tidier.look(begin);
        assert_eq!(tidier.waiting.len(), 1);
        // The test program is not `ps-supervise` and could not do the work.
        tidier.look(due);
        assert!(tidier.waiting.is_empty() && tidier.pid().is_none());
        tidier.look(due);
        assert!(tidier.due() > begin + DAY / 2);
        assert!(!tidier.is_day_over(begin) && tidier.is_day_over(begin + 2 * DAY));
    }

    #[test]
    fn the_words_of_the_command_are_read_back() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let asked = TidyLogs::asked(words(&[NAME, "/shop/web.1", "4096", "60", "3"])).expect("it was asked");
        let limits = Limits { size: 4096, age: Duration::from_secs(60), files: 3, ..Limits::default() };
        assert_eq!(asked, TidyLogs { slot: "/shop/web.1".into(), limits });
        assert_eq!(TidyLogs::asked(words(&["ps-supervise", "/shop/web.1", "1", "1", "1"])), None);
        assert_eq!(TidyLogs::asked(words(&[NAME, "/shop/web.1", "1", "many", "1"])), None);
    }
}
