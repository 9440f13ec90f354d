//! `start --no-daemon`: stays in the foreground, prints the events of the apps, and ends the apps when it is told to
//! end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use ps_cli::exit::Outcome;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::kill;
use crate::say;
use crate::session::Session;

const LOOK: Duration = Duration::from_millis(200);

/// Stays until a signal comes.
pub(crate) fn stay(session: &Session) -> Result<Outcome> {
    say::plain("--no-daemon option enabled = do not exit pm2 CLI")?;
    say::plain(format_args!("PM2 dameon PID = {}", std::process::id()))?;
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("wait for signals")?;
    let is_over = Arc::new(AtomicBool::new(false));
    let (diary, told) = (session.home.diary(), Arc::clone(&is_over));
    let shower = thread::spawn(move || -> io::Result<()> {
        let mut file = File::open(&diary)?;
        file.seek(SeekFrom::End(0))?;
        while !told.load(Ordering::Relaxed) {
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            io::stdout().lock().write_all(&text)?;
            thread::park_timeout(LOOK);
        }
        Ok(())
    });
    signals.forever().next();
    is_over.store(true, Ordering::Relaxed);
    shower.thread().unpark();
    // Whether somebody still read what it showed does not matter any more.
    let _ = shower.join();
    kill::run(session)
}
