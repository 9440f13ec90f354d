//! The printer's thread: it waits for output and notes, and writes.

use std::io::{self, Write};
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use formation::Slot;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::note::{Note, Shared};
use super::rhythm::Rhythm;
use crate::foreground::lines::{Line, Screen, Writer};
use crate::foreground::style::Style;

/// How many bytes are read at once.
const CHUNK: usize = 64 << 10;
/// How many bytes are collected for one write, if there are that many.
const BLOCK: usize = 256 << 10;
/// How much of the rest of a slot's output is printed before other slots get their turn. A pipe holds less, so there is
/// more only if a process still writes.
const REST: usize = 2 << 20;
/// How long an incomplete line is held back on a terminal: it may be a prompt.
const PROMPT: Duration = Duration::from_millis(50);
/// How long other slots wait for the rest of a very long line: since its last byte, and altogether.
const SILENCE: Duration = Duration::from_millis(100);
const FLOOR: Duration = Duration::from_secs(1);

/// The printer at work.
#[derive(Debug)]
pub(super) struct Desk {
    notes: Receiver<Note>,
    wake: OwnedFd,
    shared: Arc<Shared>,
    out: Style,
    err: Style,
    is_terminal: bool,
    /// Whether stdout and stderr are the same file.
    is_one: bool,
    /// Dropped when stdout is closed, to tell the supervisor.
    closing: Option<OwnedFd>,
    failure: Option<io::Error>,
    readers: Vec<Reader>,
    screen: Screen,
    floor: Option<Floor>,
    rhythm: Rhythm,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Reader {
    slot: Slot,
    fd: OwnedFd,
    /// Whether a process was started since the last one ended.
    is_heard: bool,
    /// Whether its pipe has been enlarged.
    is_large: bool,
    line: Line,
    held_since: Option<Instant>,
    prefix: Vec<u8>,
    continued: Vec<u8>,
}

/// A very long line that is being written; the other slots wait for its end for a while.
#[derive(Clone, Copy, Debug)]
struct Floor {
    number: usize,
    since: Instant,
    last: Instant,
}

impl Floor {
    fn until(self) -> Instant {
        (self.last + SILENCE).min(self.since + FLOOR)
    }
}

impl Desk {
    pub(super) fn new(
        notes: Receiver<Note>,
        wake: OwnedFd,
        shared: Arc<Shared>,
        [out, err]: [Style; 2],
        closing: OwnedFd,
    ) -> Self {
        let place = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino, stat.st_rdev);
        let of_out = rustix::fs::fstat(io::stdout()).map(place);
        let of_err = rustix::fs::fstat(io::stderr()).map(place);
        Self {
            notes,
            wake,
            shared,
            out,
            err,
            is_terminal: rustix::termios::isatty(io::stdout()),
            is_one: of_out.is_ok() && of_out == of_err,
            closing: Some(closing),
            failure: None,
            readers: Vec::new(),
            screen: Screen::default(),
            floor: None,
            rhythm: Rhythm::default(),
            buffer: vec![0; CHUNK],
        }
    }

    /// Prints until it is asked to finish.
    pub(super) fn run(mut self) -> io::Result<()> {
        loop {
            if self.floor.is_some_and(|floor| floor.until() <= Instant::now()) {
                self.floor = None;
            }
            // Notes are handled last, because a note that had to wait for the end of a long line does not wake the printer
            // again.
            while self.floor.is_none() {
                match self.notes.try_recv() {
                    Ok(Note::Finish) => return self.finish(),
                    Ok(note) => self.obey(note),
                    Err(_) => break,
                }
            }
            self.flush();
            let ready = self.wait()?;
            self.style();
            let bytes = ready.into_iter().map(|number| self.read(number)).sum();
            self.show_prompts();
            self.rest(bytes);
        }
    }

    /// Waits for output, notes, the end of stdout, or the time of a held line; returns the slots that can be read.
    fn wait(&mut self) -> io::Result<Vec<usize>> {
        let stdout = io::stdout();
        let is_heard = |number: usize| {
            self.readers[number].is_heard && self.floor.is_none_or(|floor| floor.number == number)
        };
        let mut polled = vec![PollFd::new(&self.wake, PollFlags::IN)];
        // Only errors of stdout are watched: its reader is gone.
        let watches_stdout = self.closing.is_some();
        polled.extend(watches_stdout.then(|| PollFd::new(&stdout, PollFlags::empty())));
        let heard: Vec<usize> = (0..self.readers.len()).filter(|number| is_heard(*number)).collect();
        polled.extend(heard.iter().map(|number| PollFd::new(&self.readers[*number].fd, PollFlags::IN)));
        let now = Instant::now();
        let timeout = self.due().map(|due| due.saturating_duration_since(now)).map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Err(Errno::INTR) => return Ok(Vec::new()),
            polled => polled?,
        };
        let events: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
        if events[0].contains(PollFlags::IN) {
            while matches!(rustix::io::read(&self.wake, &mut self.buffer), Ok(n) if n > 0) {}
        }
        let first = 1 + usize::from(watches_stdout);
        if watches_stdout && events[1].intersects(PollFlags::ERR | PollFlags::HUP) {
            self.close();
        }
        let is_ready = |(_, events): &(usize, &PollFlags)| events.contains(PollFlags::IN);
        Ok(heard.into_iter().zip(&events[first..]).filter(is_ready).map(|(number, _)| number).collect())
    }

    fn due(&self) -> Option<Instant> {
        let held = self.readers.iter().filter_map(|reader| reader.held_since).map(|since| since + PROMPT);
        held.chain(self.floor.map(Floor::until)).min()
    }

    /// Sets the time for the prefixes of the lines that were read.
    fn style(&mut self) {
        if self.out.is_timed {
            let time = self.out.time();
            for number in 0..self.readers.len() {
                self.dress(number, &time);
            }
        }
    }

    fn dress(&mut self, number: usize, time: &str) {
        let reader = &mut self.readers[number];
        let prefix = |mark| self.out.prefix(Some((&reader.slot, number)), time, mark).into_bytes();
        (reader.prefix, reader.continued) = (prefix('|'), prefix('+'));
    }

    fn read(&mut self, number: usize) -> usize {
        let reader = &mut self.readers[number];
        let Ok(n) = rustix::io::read(&reader.fd, &mut self.buffer) else { return 0 };
        self.screen.take(
            Writer { number, prefix: &reader.prefix, continued: &reader.continued },
            &mut reader.line,
            &self.buffer[..n],
        );
        let now = Instant::now();
        let is_held = self.is_terminal && reader.line.is_held();
        reader.held_since = is_held.then(|| reader.held_since.unwrap_or(now));
        self.floor = reader.line.is_begun().then(|| Floor {
            number,
            since: self.floor.map_or(now, |floor| floor.since),
            last: now,
        });
        if self.screen.out.len() >= BLOCK {
            self.flush();
        }
        n
    }

    /// After a small portion was printed, pauses so that the slots can fill their pipes.
    fn rest(&mut self, bytes: usize) {
        let Some(rest) = self.rhythm.after(Instant::now(), bytes) else { return };
        for reader in self.readers.iter_mut().filter(|reader| reader.is_heard && !reader.is_large) {
            reader.is_large = self.rhythm.enlarge(&reader.fd);
        }
        self.flush();
        thread::sleep(rest);
    }

    fn show_prompts(&mut self) {
        let now = Instant::now();
        for (number, reader) in self.readers.iter_mut().enumerate() {
            if reader.held_since.is_some_and(|since| since + PROMPT <= now) {
                reader.held_since = None;
                let writer = Writer { number, prefix: &reader.prefix, continued: &reader.continued };
                self.screen.show(writer, &mut reader.line);
            }
        }
    }

    fn obey(&mut self, note: Note) {
        match note {
            Note::Open(slot, fd) => {
                let (prefix, continued) = (Vec::new(), Vec::new());
                self.readers.push(Reader {
                    slot,
                    fd,
                    is_heard: false,
                    is_large: false,
                    line: Line::default(),
                    held_since: None,
                    prefix,
                    continued,
                });
                let time = self.out.time();
                self.dress(self.readers.len() - 1, &time);
            }
            Note::Drain(slot) => {
                if let Some(number) = self.number_of(&slot) {
                    self.drain(number);
                }
            }
            Note::Listen(slot) => {
                if let Some(number) = self.number_of(&slot) {
                    self.readers[number].is_heard = true;
                }
            }
            Note::Say(who, text) => self.say(who.as_ref(), &text),
            Note::Finish => (),
        }
    }

    fn number_of(&self, slot: &Slot) -> Option<usize> {
        self.readers.iter().position(|reader| reader.slot == *slot)
    }

    /// Prints the rest of a slot's output and ends its last line.
    fn drain(&mut self, number: usize) {
        let mut drained = 0;
        while drained < REST {
            match self.read(number) {
                0 => break,
                n => drained += n,
            }
        }
        let reader = &mut self.readers[number];
        let writer = Writer { number, prefix: &reader.prefix, continued: &reader.continued };
        self.screen.finish(writer, &mut reader.line);
        reader.held_since = None;
        reader.is_heard = false;
        self.floor = None;
    }

    fn say(&mut self, who: Option<&Slot>, text: &str) {
        if self.is_one {
            self.screen.begin_line();
        }
        self.flush();
        let who = who.map(|slot| (slot, self.number_of(slot).unwrap_or(0)));
        let line = format!("{}{text}\n", self.err.prefix(who, &self.err.time(), '|'));
        // If stderr fails, there is no other place for the message.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    fn finish(mut self) -> io::Result<()> {
        for number in 0..self.readers.len() {
            self.drain(number);
        }
        if self.is_terminal {
            self.screen.begin_line();
        }
        self.flush();
        self.failure.map_or(Ok(()), Err)
    }

    /// Writes what was collected. Once stdout is closed, output is discarded, so that processes can still write while they
    /// end.
    fn flush(&mut self) {
        let mut out = mem::take(&mut self.screen.out);
        let mut rest = out.as_slice();
        while !rest.is_empty() && self.closing.is_some() {
            self.shared.is_writing.store(true, Ordering::SeqCst);
            let written = rustix::io::write(io::stdout(), rest);
            self.shared.is_writing.store(false, Ordering::SeqCst);
            match written {
                Ok(n) => {
                    rest = &rest[n..];
                    self.shared.written.fetch_add(n as u64, Ordering::SeqCst);
                }
                Err(Errno::INTR) => (),
                Err(Errno::AGAIN) => wait_for_room(),
                Err(errno) => {
                    self.failure = (!matches!(errno, Errno::PIPE | Errno::IO)).then(|| errno.into());
                    self.close();
                }
            }
        }
        out.clear();
        self.screen.out = out;
    }

    fn close(&mut self) {
        self.closing = None;
    }
}

/// Another process may have made stdout nonblocking: waits until it can be written.
fn wait_for_room() {
    let stdout = io::stdout();
    let _ = rustix::event::poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None);
}
