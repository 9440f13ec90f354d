//! Reads the whole input. A part of it is an error, because a document that was cut off must not be sanitised.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::args::Args;

/// If a pipe delivers nothing for this long, it counts as broken.
const IDLE: Duration = Duration::from_secs(10);
/// If a pipe takes longer than this in all, it counts as broken.
const TOTAL: Duration = Duration::from_secs(60);
const CHUNK: usize = 64 * 1024;

/// Reads the file or standard input, at most `--max-bytes` of it.
pub(crate) fn read(args: &Args) -> Result<Vec<u8>> {
    if args.file == Path::new("-") {
        return read_from(io::stdin().lock(), args).context("read standard input");
    }
    let name = args.file.display();
    let file = File::open(&args.file).with_context(|| format!("read {name}"))?;
    read_from(file, args).with_context(|| format!("read {name}"))
}

fn read_from(mut source: impl Read + AsFd, args: &Args) -> Result<Vec<u8>> {
    let stat = rustix::fs::fstat(&source)?;
    let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    let expected = if regular { u64::try_from(stat.st_size).unwrap_or(0).min(args.max_bytes) } else { 0 };
    let mut input = Vec::with_capacity(usize::try_from(expected)? + 1);
    let end = Instant::now() + TOTAL;
    loop {
        if !regular {
            wait(&source, end)?;
        }
        let length = (&mut source).take(CHUNK as u64).read_to_end_once(&mut input)?;
        if length == 0 {
            return Ok(input);
        }
        if input.len() as u64 > args.max_bytes {
            bail!("larger than {} bytes: raise --max-bytes if that is meant to be so", args.max_bytes);
        }
    }
}

/// Waits until input can be read, or the deadline has passed.
fn wait(source: &impl AsFd, end: Instant) -> Result<()> {
    let left = end.saturating_duration_since(Instant::now()).min(IDLE);
    let timeout = Timespec { tv_sec: i64::try_from(left.as_secs())?, tv_nsec: left.subsec_nanos().into() };
    let mut sources = [PollFd::new(source, PollFlags::IN)];
    loop {
        match poll(&mut sources, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(0) => {
                return Err(anyhow!(
                    "nothing came for {} s: is the command before the pipe stuck?",
                    left.as_secs()
                ));
            }
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A reader that appends the result of a single `read`.
trait ReadOnce: Read {
    fn read_to_end_once(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        let start = input.len();
        input.resize(start + CHUNK, 0);
        let read = loop {
            match self.read(&mut input[start..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        input.truncate(start + *read.as_ref().unwrap_or(&0));
        read
    }
}

impl<R: Read> ReadOnce for R {}
