//! Where the input and the output of an instance lead: into FIFOs whose bytes we put into logs, or, in the foreground,
//! into one pipe whose other end somebody else reads.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use formation::Stream;
use log_store::{Capture, Limits, Place, writing_end};
use rustix::pipe::PipeFlags;

use crate::{Error, layout, terminal};

/// The input and the output of one run.
#[derive(Debug)]
pub(crate) enum Output {
    /// stdout and stderr each flow into a log; stdin is empty.
    Logs {
        /// Where the FIFOs lie.
        directory: PathBuf,
        /// stdout, then stderr.
        captures: Box<[Capture; 2]>,
    },
    /// stdout and stderr are one pipe, or one terminal, so that what one process writes keeps its order.
    Pipe {
        /// The end that processes write to. We hold it too: the pipe outlives each of them.
        end: OwnedFd,
        /// Whether our own stdin is theirs; else it is empty.
        has_stdin: bool,
    },
}

impl Output {
    /// FIFOs in that directory, which flow into the logs that this run began in that slot.
    pub(crate) fn logs(directory: &Path, slot: &Path, began: u64, limits: Limits) -> Result<Self, Error> {
        let capture =
            |stream| Capture::open(&fifo(directory, stream), &layout::log(slot, stream), began, limits);
        let captures = Box::new([capture(Stream::Stdout)?, capture(Stream::Stderr)?]);
        Ok(Self::Logs { directory: directory.to_owned(), captures })
    }

    /// Its FIFOs lie there now.
    pub(crate) fn move_to(&mut self, place: &Path) {
        match self {
            Self::Logs { directory, .. } => place.clone_into(directory),
            Self::Pipe { .. } => (),
        }
    }

    /// A pipe, and its other end, which does not block.
    pub(crate) fn pipe(has_stdin: bool) -> io::Result<(Self, OwnedFd)> {
        let (read, end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&read, true)?;
        Ok((Self::Pipe { end, has_stdin }, read))
    }

    /// A terminal of that many columns less than ours, and its other end, which does not block.
    pub(crate) fn terminal(has_stdin: bool, indent: u16) -> io::Result<(Self, OwnedFd)> {
        let (reader, end) = terminal::open(indent)?;
        Ok((Self::Pipe { end, has_stdin }, reader))
    }

    /// Our own terminal has another size: so has this one.
    pub(crate) fn resize(&self, indent: u16) {
        if let Self::Pipe { end, .. } = self {
            // One that was hung up has none.
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

    /// Where the logs end.
    pub(crate) fn places(&self) -> Option<[Place; 2]> {
        match self {
            Self::Logs { captures, .. } => Some([captures[0].place(), captures[1].place()]),
            Self::Pipe { .. } => None,
        }
    }

    /// Gives a command its stdin, stdout, stderr and process group.
    pub(crate) fn connect(&self, command: &mut Command) -> io::Result<()> {
        match self {
            Self::Logs { directory, .. } => {
                let end = |stream| writing_end(&fifo(directory, stream)).map(File::from);
                command.stdin(nothing()?).stdout(end(Stream::Stdout)?).stderr(end(Stream::Stderr)?);
                command.process_group(0);
            }
            Self::Pipe { end, has_stdin } => {
                command.stdout(end.try_clone()?).stderr(end.try_clone()?);
                if *has_stdin {
                    // A terminal lets only its foreground process group read, which is ours.
                    command.stdin(Stdio::inherit());
                } else {
                    command.stdin(nothing()?).process_group(0);
                }
            }
        }
        Ok(())
    }
}

/// An input in which nothing is. It is opened here, because at the moment of the start no descriptor may be had any more.
fn nothing() -> io::Result<File> {
    File::open("/dev/null")
}

/// The FIFO of a stream in the directory of a run.
pub(crate) fn fifo(directory: &Path, stream: Stream) -> PathBuf {
    directory.join(stream.as_str())
}
