//! `--no-daemon`: stays in the foreground, prints what is noted of the apps, the latest first of all, and ends the apps when it is
//! told to end. As with pm2, whose daemon may have been there before, apps that ran before the command run on.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Zoned;
use ps_cli::exit::Outcome;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::book::Book;
use crate::fleet;
use crate::home::private;
use crate::kill;
use crate::row::{self, Row, Status};
use crate::say::{self, paint};
use crate::session::Session;
use crate::target::Target;

const LOOK: Duration = Duration::from_millis(200);
/// How much of what was noted before is shown, in bytes.
const PAST: u64 = 1000;

/// The ids of the instances that run now.
pub(crate) fn running(session: &Session) -> Result<Vec<u64>> {
    let book = Book::read(&session.home)?;
    let rows = row::rows(&session.home, &book)?;
    let runs = |row: &&Row<'_>| !matches!(row.status, Status::Stopped | Status::Errored);
    Ok(rows.iter().filter(runs).map(|row| row.instance.id).collect())
}

/// Stays until a signal comes. `before`: the instances that ran before the command.
pub(crate) fn stay(session: &Session, before: &[u64]) -> Result<Outcome> {
    say::plain("--no-daemon option enabled = do not exit pm2 CLI")?;
    say::plain(format_args!("PM2 dameon PID = {}", std::process::id()))?;
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("wait for signals")?;
    let is_over = Arc::new(AtomicBool::new(false));
    let (diary, told) = (session.home.diary(), Arc::clone(&is_over));
    let shower = thread::spawn(move || -> Result<()> {
        let mut notes = Notes::open(&diary)?;
        while !told.load(Ordering::Relaxed) {
            notes.show()?;
            thread::park_timeout(LOOK);
        }
        Ok(())
    });
    signals.forever().next();
    is_over.store(true, Ordering::Relaxed);
    shower.thread().unpark();
    // A write error of the thread that shows the logs does not matter any more.
    let _ = shower.join();
    // When the first process of a container ends, nothing runs on.
    if before.is_empty() || std::process::id() == 1 {
        return kill::run(session);
    }
    let _lock = session.home.lock()?;
    let mut book = Book::read(&session.home)?;
    let mut since = Target::All.ids(&book);
    since.retain(|id| !before.contains(id));
    fleet::delete(&session.home, &mut book, &since)?;
    Ok(Outcome::Done)
}

/// The file of the notes, which is read as it grows.
struct Notes {
    file: File,
    /// A line that has not ended yet.
    rest: Vec<u8>,
}

impl Notes {
    /// What stands in the last [`PAST`] bytes is new. The file is created if it does not exist.
    fn open(diary: &Path) -> Result<Self> {
        let opened = || -> io::Result<Self> {
            private(diary)?;
            let mut file = File::open(diary)?;
            let begin = file.metadata()?.len().saturating_sub(PAST);
            file.seek(SeekFrom::Start(begin))?;
            let mut rest = Vec::new();
            file.read_to_end(&mut rest)?;
            if begin > 0 {
                // The first line began before.
                let end = rest.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                rest.drain(..end);
            }
            Ok(Self { file, rest })
        };
        opened().with_context(|| format!("read {}", diary.display()))
    }

    /// Prints what is new, each line after the number that pm2 gives this file, and the time.
    fn show(&mut self) -> Result<()> {
        for line in self.lines()? {
            let now = Zoned::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
            let before = paint("34", &format!("[0 {now}]"), io::stdout().is_terminal());
            say::plain(format_args!("{before} {line}"))?;
        }
        Ok(())
    }

    fn lines(&mut self) -> Result<Vec<String>> {
        // If the file is shorter than our position, it was truncated.
        if self.file.metadata()?.len() < self.file.stream_position()? {
            self.file.rewind()?;
            self.rest.clear();
        }
        self.file.read_to_end(&mut self.rest)?;
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        Ok(String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect())
    }
}
