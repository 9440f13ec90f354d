//! The channel to one worker process: lines in both directions, some of them with a descriptor.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use serde_json::Value;

use crate::lines::{Line, Lines};
use crate::wire::{self, Said};

/// How many bytes are read at once, and how often in one turn: then other channels get their turn.
const PART: usize = 64 << 10;
const PARTS: usize = 16;
/// How often a descriptor is sent to a worker that has none left. Node tries as often.
const TRIES: u8 = 3;
/// How many bytes may wait for a worker that does not read.
const MOST: usize = 1 << 20;

/// A message to be sent.
#[derive(Debug)]
struct Letter {
    line: Vec<u8>,
    handle: Option<Rc<OwnedFd>>,
}

/// A message of a worker, with the descriptor that came with it.
#[derive(Debug)]
pub(crate) enum Heard {
    Said(Said, Option<OwnedFd>, Vec<u8>),
    /// A line of this number of bytes was skipped.
    TooLong(u64),
    /// The other end is closed.
    End,
}

/// One end of a socketpair whose other end a worker has.
#[derive(Debug)]
pub(crate) struct Channel {
    fd: OwnedFd,
    lines: Lines,
    letters: VecDeque<Letter>,
    /// The bytes of the waiting messages.
    size: usize,
    /// The message that was last sent with a descriptor and is not acknowledged yet, and how often it was sent. Only one such message may be
    /// on its way, because Node has room for one received descriptor and could mix up two.
    under_way: Option<(Letter, u8)>,
    arrived: Option<OwnedFd>,
}

impl Channel {
    /// # Errors
    /// The descriptor cannot be made nonblocking.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        let (lines, letters) = <(Lines, VecDeque<Letter>)>::default();
        Ok(Self { fd, lines, letters, size: 0, under_way: None, arrived: None })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether this number of bytes can be added to the queue.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.size + bytes <= MOST
    }

    /// Adds a message to the queue.
    pub(crate) fn send(&mut self, message: &Value, handle: Option<Rc<OwnedFd>>) {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.size += line.len();
        self.letters.push_back(Letter { line, handle });
        self.flush();
    }

    /// Sends as much as possible now. A broken channel is noticed when it is read.
    pub(crate) fn flush(&mut self) {
        while let Some(letter) = self.letters.front_mut() {
            if letter.handle.is_some() && self.under_way.is_some() {
                return;
            }
            let handle: Vec<BorrowedFd<'_>> = letter.handle.iter().map(|handle| handle.as_fd()).collect();
            // A line with a descriptor is short, and is sent as a whole or not at all.
            let Ok(sent) = passed_fds::send(&self.fd, &letter.line, &handle) else { return };
            self.size -= sent;
            if sent < letter.line.len() {
                letter.line.drain(..sent);
                return;
            }
            let Some(letter) = self.letters.pop_front() else { return };
            if letter.handle.is_some() {
                self.under_way = Some((letter, 1));
            }
        }
    }

    /// Whether messages wait because the worker does not read.
    pub(crate) fn is_held_up(&self) -> bool {
        self.letters.front().is_some_and(|letter| letter.handle.is_none() || self.under_way.is_none())
    }

    /// The messages that have arrived.
    pub(crate) fn receive(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut part = vec![0; PART];
        for _ in 0..PARTS {
            match passed_fds::receive(&self.fd, &mut part) {
                Ok(received) if received.bytes > 0 => {
                    // A descriptor comes with the first byte of its message, and at most one with each message.
                    self.arrived = received.fds.into_iter().next().or(self.arrived.take());
                    for line in self.lines.take(&part[..received.bytes]) {
                        heard.extend(self.hear(line));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {
                    heard.push(Heard::End);
                    break;
                }
            }
        }
        self.flush();
        heard
    }

    fn hear(&mut self, line: Line) -> Option<Heard> {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong(bytes) => return Some(Heard::TooLong(bytes)),
        };
        let said = wire::read(&line);
        match &said {
            Said::HandleTaken => self.under_way = None,
            Said::HandleMissed => match self.under_way.take() {
                Some((letter, tries)) if tries < TRIES => {
                    self.send_again(letter, tries + 1);
                    return None;
                }
                _ => (),
            },
            Said::Carried(_) => {
                let handle = self.arrived.take();
                self.send(&wire::handle_arrived(handle.is_some()), None);
                return handle.map(|handle| Heard::Said(said, Some(handle), line));
            }
            _ => (),
        }
        Some(Heard::Said(said, None, line))
    }

    fn send_again(&mut self, letter: Letter, tries: u8) {
        let handle: Vec<BorrowedFd<'_>> = letter.handle.iter().map(|handle| handle.as_fd()).collect();
        if passed_fds::send(&self.fd, &letter.line, &handle).is_ok() {
            self.under_way = Some((letter, tries));
        } else {
            self.size += letter.line.len();
            self.letters.push_front(letter);
        }
    }
}
