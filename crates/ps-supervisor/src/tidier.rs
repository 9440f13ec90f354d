//! Has logs compressed and cut to their limits, by a process of our own program that does so and ends: it has the lowest
//! priority, and the memory that compressing takes is gone with it. There is one of them at a time, some time after a segment was
//! full, so that whoever writes at full speed does not share the processors with it. It may be killed at any moment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use formation::Stream;
use log_store::{Limits, WhenFull, tidy};

use crate::{launch, layout};

/// What the program is called when it is to do this.
const NAME: &str = "ps-supervise-tidy-logs";
/// How long after a segment was full.
const LATER: Duration = Duration::from_secs(1);
/// How often what is too old is looked for where nothing is written.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The lowest priority.
const NICE: i32 = 19;

/// What is to be tidied, and who does so.
#[derive(Debug)]
pub(crate) struct Tidier {
    /// The slots, by their directories.
    waiting: BTreeMap<PathBuf, Limits>,
    due: Option<Instant>,
    /// When all logs are looked at again.
    all_due: Instant,
    running: Option<u32>,
}

impl Default for Tidier {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), due: None, all_due: Instant::now() + DAY, running: None }
    }
}

impl Tidier {
    /// There is something to be done in the directory of a slot.
    pub(crate) fn ask(&mut self, slot: PathBuf, limits: Limits) {
        self.waiting.insert(slot, limits);
        self.due.get_or_insert_with(|| Instant::now() + LATER);
    }

    /// Whether a day has passed: all logs are to be asked for.
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

    /// Starts whoever does it, if that is due.
    pub(crate) fn look(&mut self, now: Instant) {
        if self.running.is_some() || self.due.is_none_or(|due| due > now) {
            return;
        }
        let Some((slot, limits)) = self.waiting.pop_first() else {
            self.due = None;
            return;
        };
        // What cannot be done now is asked for again when the next segment is full.
        self.running = start(&slot, limits);
    }

    /// Whether the child that has ended is the one that did this.
    pub(crate) fn has_ended(&mut self, pid: u32) -> bool {
        let is_it = self.running == Some(pid);
        if is_it {
            self.running = None;
        }
        is_it
    }

    /// Its pid: it is nobody's instance.
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

/// The logs of one slot, to be tidied by this very process.
#[derive(Debug, PartialEq, Eq)]
pub struct TidyLogs {
    slot: PathBuf,
    limits: Limits,
}

impl TidyLogs {
    /// What this process was started for, if it was for that.
    pub fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.into_iter();
        let slot = arguments.next().filter(|name| name == NAME).and_then(|_| arguments.next())?;
        let mut number = || arguments.next()?.to_str()?.parse::<u64>().ok();
        let (size, age, files) = (number()?, number()?, number()?);
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let limits = Limits { size, age: Duration::from_secs(age), files, ..Limits::default() };
        Some(Self { slot: slot.into(), limits })
    }

    /// Does it.
    pub fn run(&self) -> io::Result<()> {
        // Without that it only takes more from others.
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
        // This program is not the one that would do it.
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
