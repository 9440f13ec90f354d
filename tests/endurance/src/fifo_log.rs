//! A logger that stands alone: it empties a FIFO into a file, may be killed at any time, and is started again. Whoever writes
//! holds the FIFO open for reading as well, as the apps of a supervisor do.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use faults::programs;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::evidence::Wrongs;
use crate::processes::until;

/// Has `logger <fifo> <log>` write down numbered lines while it is killed so many times, 3 ms after each start. What is wrong
/// with the log then.
pub fn killed_while_it_logs(logger: &Path, kills: usize) -> Result<Wrongs> {
    let place = tempfile::tempdir()?;
    let (fifo, log) = (place.path().join("fifo"), place.path().join("log"));
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0)?;
    let end = OpenOptions::new().read(true).write(true).open(&fifo)?;
    let mut app = Command::new(programs::path("faultapp")?);
    let mut app = app.args(["--log-lines", "100000000"]).stdout(end).stderr(Stdio::null()).spawn()?;
    let killed = || -> Result<()> {
        for _ in 0..kills {
            let mut child = start(logger, &fifo, &log)?;
            std::thread::sleep(Duration::from_millis(3));
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    };
    let all_killed = killed();
    app.kill()?;
    app.wait()?;
    all_killed?;
    // What is left in the FIFO is written down by one that lives.
    let mut last = start(logger, &fifo, &log)?;
    let size = |log: &PathBuf| std::fs::metadata(log).map_or(0, |metadata| metadata.len());
    let mut before = u64::MAX;
    let settled = until("the log does not grow any more", Duration::from_secs(10), || {
        std::thread::sleep(Duration::from_millis(50));
        let now = size(&log);
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    last.kill()?;
    last.wait()?;
    settled?;
    Ok(Wrongs::of(&std::fs::read(&log)?, |_| false).0)
}

fn start(logger: &Path, fifo: &Path, log: &Path) -> Result<Child> {
    Command::new(logger).arg(fifo).arg(log).spawn().with_context(|| format!("start {}", logger.display()))
}
