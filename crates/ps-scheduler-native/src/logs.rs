//! Lines of output, from the log files. Files are followed by looking again, so that a slow reader holds nobody up. A log
//! that somebody cuts or renames is followed on: what was read of it stays read, what comes in the new one is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use durable::ReadError;
use formation::{Slot, Stream};
use ps_scheduler::{Error, LogLine, LogRequest};
use ps_supervisor::{LOG_DIRECTORY, stream_name};

use crate::service::{Service, backend};

pub(crate) const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The longest line that is handed out whole, in bytes; a longer one comes in pieces.
const LONGEST: usize = 1 << 20;

pub(crate) fn logs(
    service: &Service,
    request: &LogRequest,
    sink: &mut dyn FnMut(&LogLine) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut files: BTreeMap<(Slot, bool), LogFile> = BTreeMap::new();
    let mut tail = request.tail;
    loop {
        for slot in service.slots()?.into_iter().filter(|slot| request.which.includes(slot)) {
            for stream in STREAMS {
                let key = (slot.clone(), stream == Stream::Stderr);
                if let std::collections::btree_map::Entry::Vacant(vacant) = files.entry(key) {
                    let opened = LogFile::open(service, &slot, stream, tail);
                    let opened =
                        opened.map_err(|error| backend(format!("read the log of {slot}"), &error))?;
                    opened.map(|file| vacant.insert(file));
                }
            }
        }
        // What is opened from now on is new: it is handed out from its beginning.
        tail = None;
        for file in files.values_mut() {
            let handed = file.hand_out(!request.follow, sink);
            let handed = handed.map_err(|error| backend(format!("read the log of {}", file.slot), &error))?;
            if handed.is_break() {
                return Ok(());
            }
        }
        if !request.follow {
            return Ok(());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

pub(crate) fn path(service: &Service, slot: &Slot, stream: Stream) -> PathBuf {
    service.instance(slot).join(LOG_DIRECTORY).join(stream_name(stream))
}

struct LogFile {
    slot: Slot,
    stream: Stream,
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
}

impl LogFile {
    fn open(service: &Service, slot: &Slot, stream: Stream, tail: Option<usize>) -> io::Result<Option<Self>> {
        let path = path(service, slot, stream);
        let mut file = match durable::open(&path) {
            Ok(file) => file,
            Err(ReadError::Missing) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(lines) = tail {
            let start = start_of_tail(&mut file, lines)?;
            file.seek(SeekFrom::Start(start))?;
        }
        Ok(Some(Self { slot: slot.clone(), stream, path, file, pending: Vec::new() }))
    }

    /// Hands out what is new; `whole` also hands out a last line that has no end yet.
    fn hand_out(
        &mut self,
        whole: bool,
        sink: &mut dyn FnMut(&LogLine) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = self.file.read(&mut buffer)?;
            self.pending.extend_from_slice(&buffer[..n]);
            while let Some(line) = self.next_line(whole && n == 0) {
                let line = LogLine { slot: self.slot.clone(), stream: self.stream, bytes: line };
                if sink(&line).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if n == 0 && (whole || !self.find_next()?) {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    /// At the end of the file: goes on in the one that has its name now, or at the beginning if it was cut. Whether there
    /// is more to read.
    fn find_next(&mut self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        if self.file.stream_position()? > ours.len() {
            self.file.rewind()?;
            return Ok(true);
        }
        // One that was renamed or removed has no successor before something is written.
        let named = std::fs::metadata(&self.path).ok().filter(std::fs::Metadata::is_file);
        if named.is_none_or(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            return Ok(false);
        }
        // What was written between our last look and the rename is still in the old one.
        if self.file.stream_position()? < self.file.metadata()?.len() {
            return Ok(true);
        }
        self.file = durable::open(&self.path)?;
        Ok(true)
    }

    fn next_line(&mut self, whole: bool) -> Option<Vec<u8>> {
        if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let mut line: Vec<u8> = self.pending.drain(..=end).collect();
            line.pop();
            return Some(line);
        }
        let is_due = self.pending.len() >= LONGEST || (whole && !self.pending.is_empty());
        is_due.then(|| std::mem::take(&mut self.pending))
    }
}

/// Where the last `lines` lines of a file begin, read backwards in blocks.
fn start_of_tail(file: &mut File, lines: usize) -> io::Result<u64> {
    const BLOCK: u64 = 1 << 16;
    let end = file.seek(SeekFrom::End(0))?;
    let mut start = end;
    let mut left = lines;
    while start > 0 {
        let begin = start.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(start - begin).unwrap_or(0)];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut block)?;
        for (index, byte) in block.iter().enumerate().rev() {
            let position = begin + index as u64;
            if lines > 0 && *byte == b'\n' && position + 1 != end {
                left = left.saturating_sub(1);
                if left == 0 {
                    return Ok(position + 1);
                }
            }
        }
        start = begin;
    }
    Ok(if lines == 0 { end } else { 0 })
}
