//! Writes to stdout, in a thread of its own. If stdout blocks (a stopped terminal, a slow reader), the instances are
//! blocked by their full pipes, but the supervisor still handles signals. Messages for stderr go through the same thread,
//! so that they appear after the output that came before them.

mod desk;
mod note;
mod rhythm;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail};
use formation::Slot;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pipe::PipeFlags;

use super::plan::Plan;
use super::style::Style;
use crate::args::ShowArgs;
use desk::Desk;
use note::{Note, Shared};

/// The supervisor's side of the printer.
#[derive(Debug)]
pub(crate) struct Printer {
    notes: Sender<Note>,
    wake: File,
    shared: Arc<Shared>,
    end: OwnedFd,
    thread: JoinHandle<io::Result<()>>,
    style: Style,
    indent: usize,
}

impl Printer {
    /// Starts the printer. The descriptor becomes readable when stdout is closed.
    pub(crate) fn start(show: &ShowArgs, plan: &Plan) -> Result<(Self, OwnedFd)> {
        let width = plan.spec.wanted().iter().map(|slot| slot.to_string().len()).max().unwrap_or(0);
        let style = |fd: BorrowedFd<'_>| {
            let is_terminal = rustix::termios::isatty(fd);
            Style { is_colored: show.is_colored(is_terminal), is_timed: show.is_timed(is_terminal), width }
        };
        let (out, err) = (style(io::stdout().as_fd()), style(io::stderr().as_fd()));
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).context("make a pipe");
        let (closed, closing) = pipe()?;
        let (end, ending) = pipe()?;
        let (woken, wake) = pipe()?;
        rustix::io::ioctl_fionbio(&woken, true).context("make a pipe")?;
        let (notes, orders) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let indent = out.indent();
        let desk = Desk::new(orders, woken, Arc::clone(&shared), [out, err], closing);
        let thread = thread::Builder::new().name("printer".to_owned()).spawn(move || {
            // Dropped last, so that the thread is done, or about to be, when the waiter is woken.
            let _ending = ending;
            desk.run()
        });
        let thread = thread.context("start the printer of the output")?;
        Ok((Self { notes, wake: File::from(wake), shared, end, thread, style: err, indent }, closed))
    }

    /// The width of the prefix of each line.
    pub(crate) fn indent(&self) -> u16 {
        u16::try_from(self.indent).unwrap_or(0)
    }

    /// Adds the output of a slot.
    pub(crate) fn open(&mut self, slot: Slot, reader: OwnedFd) {
        self.tell(Note::Open(slot, reader));
    }

    /// Begins to print the output of a slot.
    pub(crate) fn listen(&mut self, slot: &Slot) {
        self.tell(Note::Listen(slot.clone()));
    }

    /// Prints the rest of a slot's output.
    pub(crate) fn drain(&mut self, slot: &Slot) {
        self.tell(Note::Drain(slot.clone()));
    }

    /// Prints a message on stderr after the output that came before it.
    pub(crate) fn say(&mut self, who: Option<&Slot>, text: &str) {
        self.tell(Note::Say(who.cloned(), text.to_owned()));
    }

    /// Prints a message on stderr at once, even if stdout blocks; not if stderr blocks, too.
    pub(crate) fn say_now(&mut self, text: &str) {
        if !self.shared.is_writing.load(Ordering::SeqCst) {
            return self.say(None, text);
        }
        let stderr = io::stderr();
        let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if matches!(rustix::event::poll(&mut ready, Some(&at_once)), Ok(n) if n > 0) {
            let line = format!("{}{text}\n", self.style.prefix(None, &self.style.time(), '|'));
            let _ = stderr.lock().write_all(line.as_bytes());
        }
    }

    /// Prints the rest and ends; [`Printer::end`] shows when.
    pub(crate) fn finish(&mut self) {
        self.tell(Note::Finish);
    }

    /// Becomes readable when it has ended.
    pub(crate) fn end(&self) -> &OwnedFd {
        &self.end
    }

    /// How many bytes were written to stdout.
    pub(crate) fn written(&self) -> u64 {
        self.shared.written.load(Ordering::SeqCst)
    }

    /// The result, without waiting: an error of stdout, except that its reader is gone.
    pub(crate) fn result(self) -> Result<()> {
        if !self.thread.is_finished() && !is_readable(self.end.as_fd()) {
            return Ok(());
        }
        match self.thread.join() {
            Ok(result) => result.context("write to stdout"),
            Err(_) => bail!("the printer of the output failed"),
        }
    }

    fn tell(&mut self, note: Note) {
        // The thread ends before us only if it panicked, which the other descriptor shows.
        let _ = self.notes.send(note);
        let _ = self.wake.write_all(&[0]);
    }
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut ready = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(rustix::event::poll(&mut ready, Some(&at_once)), Ok(n) if n > 0)
}
