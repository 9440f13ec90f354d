//! The channel to one worker process: lines in both directions, some of them with a descriptor.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use serde_json::Value;

use crate::lines::{Line, Lines};
use crate::wire::{self, Said};

/// So much is read at once, and so often in a turn: what others say is heard in between.
const PART: usize = 64 << 10;
const PARTS: usize = 16;
/// So often a descriptor is sent to a worker that has none left. Node does the same.
const TRIES: u8 = 3;
/// So much may wait for a worker that does not read.
const MOST: usize = 1 << 20;

/// Something to be sent.
#[derive(Debug)]
struct Letter {
    line: Vec<u8>,
    handle: Option<Rc<OwnedFd>>,
}

/// What a worker has said, with the descriptor that it has sent.
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
    /// The size of what waits.
    size: usize,
    /// What was sent with a descriptor, until the worker says that it has arrived, and how often it was sent. Two descriptors that are under
    /// way at once could be taken for each other: Node keeps them in one place.
    under_way: Option<(Letter, u8)>,
    arrived: Option<OwnedFd>,
}

impl Channel {
    /// # Errors
    /// The descriptor cannot be made one that does not block.
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

    /// Has a message sent, in order.
    pub(crate) fn send(&mut self, message: &Value, handle: Option<Rc<OwnedFd>>) {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.size += line.len();
        self.letters.push_back(Letter { line, handle });
        self.flush();
    }

    /// Sends what can be sent now. A broken channel is noticed when it is read.
    pub(crate) fn flush(&mut self) {
        while let Some(letter) = self.letters.front_mut() {
            if letter.handle.is_some() && self.under_way.is_some() {
                return;
            }
            let handle: Vec<BorrowedFd<'_>> = letter.handle.iter().map(|handle| handle.as_fd()).collect();
            // A line with a descriptor is short, and taken whole or not at all.
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

    /// Whether something waits until the worker reads.
    pub(crate) fn is_held_up(&self) -> bool {
        self.letters.front().is_some_and(|letter| letter.handle.is_none() || self.under_way.is_none())
    }

    /// What has come.
    pub(crate) fn receive(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut part = vec![0; PART];
        for _ in 0..PARTS {
            match passed_fds::receive(&self.fd, &mut part) {
                Ok(received) if received.bytes > 0 => {
                    // Descriptors come with the first byte of their message, one with each.
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
