//! Where the input and output of an instance lead: FIFOs from which the supervisor fills logs, or, in the foreground, one
//! pipe or terminal that the foreground program reads.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use formation::Stream;
use log_store::{Capture, Limits, Place, Series, writing_end};
use rustix::pipe::PipeFlags;

use crate::{Error, layout, terminal};

/// The input and the output of one run.
#[derive(Debug)]
pub(crate) enum Output {
    /// stdout and stderr each go into a log; stdin is empty.
    Logs {
        /// The directory of the slot.
        slot: Arc<Path>,
        /// The run in whose directory the FIFOs are.
        number: u64,
        /// stdout, then stderr.
        captures: Box<[Capture; 2]>,
    },
    /// stdout and stderr are the same pipe or terminal, so the order of what one process writes to the two is kept.
    Pipe {
        /// The writing end. We keep it open, so the reader sees no end of file when a process ends.
        end: OwnedFd,
        /// Whether the processes share our own stdin; otherwise theirs is empty.
        has_stdin: bool,
    },
}

/// The logs of a run.
#[derive(Debug)]
pub(crate) struct Logs<'a> {
    /// The slot's directory.
    pub(crate) slot: &'a Arc<Path>,
    /// The run in whose directory the FIFOs are.
    pub(crate) number: u64,
    /// The run that began them.
    pub(crate) began: u64,
    /// Whether it begins them now, so that none are there yet.
    pub(crate) are_new: bool,
    /// Their limits.
    pub(crate) limits: Limits,
}

impl Output {
    /// FIFOs in the directory of a run, whose data go into these logs.
    pub(crate) fn logs(logs: &Logs<'_>) -> Result<Self, Error> {
        let open = if logs.are_new { Capture::begin } else { Capture::open };
        let directory = layout::run_directory(logs.slot, logs.number);
        let capture =
            |stream, series: &Series| open(&fifo(&directory, stream), series, logs.began, logs.limits);
        let stdout = layout::log(logs.slot, Stream::Stdout);
        let stderr = stdout.beside_it(Stream::Stderr.as_str());
        let captures = [capture(Stream::Stdout, &stdout)?, capture(Stream::Stderr, &stderr)?];
        Ok(Self::Logs { slot: Arc::clone(logs.slot), number: logs.number, captures: Box::new(captures) })
    }

    /// The directory of the FIFOs was renamed: it is that of another run of the slot.
    pub(crate) fn pass_to(&mut self, next: u64) {
        match self {
            Self::Logs { number, .. } => *number = next,
            Self::Pipe { .. } => (),
        }
    }

    /// A pipe, and its reading end, which is nonblocking.
    pub(crate) fn pipe(has_stdin: bool) -> io::Result<(Self, OwnedFd)> {
        let (read, end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&read, true)?;
        Ok((Self::Pipe { end, has_stdin }, read))
    }

    /// A pseudo-terminal that is `indent` columns narrower than ours, and its master, which is nonblocking.
    pub(crate) fn terminal(has_stdin: bool, indent: u16) -> io::Result<(Self, OwnedFd)> {
        let (reader, end) = terminal::open(indent)?;
        Ok((Self::Pipe { end, has_stdin }, reader))
    }

    /// Our own terminal was resized, and this one follows.
    pub(crate) fn resize(&self, indent: u16) {
        if let Self::Pipe { end, .. } = self {
            // A terminal that was hung up has no size.
            let _ = terminal::resize(end, indent);
        }
    }

    /// The streams that flow into logs.
    pub(crate) fn captures(&mut self) -> &mut [Capture] {
        match self {
            Self::Logs { captures, .. } => captures.as_mut_slice(),
            Self::Pipe { .. } => Default::default(),
        }
    }

    /// The ends of the logs.
    pub(crate) fn places(&self) -> Option<[Place; 2]> {
        match self {
            Self::Logs { captures, .. } => Some([captures[0].place(), captures[1].place()]),
            Self::Pipe { .. } => None,
        }
    }

    /// stdin, stdout and stderr of a process; `None`: ours.
    pub(crate) fn streams(&self) -> io::Result<[Option<OwnedFd>; 3]> {
        Ok(match self {
            Self::Logs { slot, number, .. } => {
                let directory = layout::run_directory(slot, *number);
                let end = |stream| writing_end(&fifo(&directory, stream));
                [Some(nothing()?), Some(end(Stream::Stdout)?), Some(end(Stream::Stderr)?)]
            }
            Self::Pipe { end, has_stdin } => {
                let stdin = if *has_stdin { None } else { Some(nothing()?) };
                [stdin, Some(end.try_clone()?), Some(end.try_clone()?)]
            }
        })
    }

    /// Whether a process leads a group of its own. A terminal lets only its foreground process group read, which is ours.
    pub(crate) fn has_group_of_its_own(&self) -> bool {
        !matches!(self, Self::Pipe { has_stdin: true, .. })
    }

    /// Gives a command its stdin, stdout, stderr and process group.
    pub(crate) fn connect(&self, command: &mut Command) -> io::Result<()> {
        let [stdin, stdout, stderr] =
            self.streams()?.map(|stream| stream.map_or_else(Stdio::inherit, Stdio::from));
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        if self.has_group_of_its_own() {
            command.process_group(0);
        }
        Ok(())
    }
}

/// An empty stdin. It is opened beforehand, because at the moment of the start there may be no descriptor left.
fn nothing() -> io::Result<OwnedFd> {
    Ok(File::open("/dev/null")?.into())
}

/// The FIFO of a stream in the directory of a run.
pub(crate) fn fifo(directory: &Path, stream: Stream) -> PathBuf {
    directory.join(stream.as_str())
}
