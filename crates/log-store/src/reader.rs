//! Lines of a log. It is followed by looking again, so that a slow reader holds nobody up. A log that somebody cuts or
//! renames is followed on: what was read of it stays read, what comes in the new one is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use durable::ReadError;

/// The longest line that is handed out whole, in bytes; a longer one comes in pieces.
const LONGEST: usize = 1 << 20;

/// A log that is read, from its beginning or from its last lines on.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
}

impl Reader {
    /// The log of that path; `None` if there is none yet. `tail`: only its last lines are read, and what comes after them.
    pub fn open(path: &Path, tail: Option<usize>) -> io::Result<Option<Self>> {
        let mut file = match durable::open(path) {
            Ok(file) => file,
            Err(ReadError::Missing) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(lines) = tail {
            let start = start_of_tail(&mut file, lines)?;
            file.seek(SeekFrom::Start(start))?;
        }
        Ok(Some(Self { path: path.to_owned(), file, pending: Vec::new() }))
    }

    /// Hands out the lines that are new, without their ends; `whole` also hands out a last line that has no end yet.
    pub fn hand_out(
        &mut self,
        whole: bool,
        sink: &mut dyn FnMut(Vec<u8>) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = self.file.read(&mut buffer)?;
            self.pending.extend_from_slice(&buffer[..n]);
            while let Some(line) = self.next_line(whole && n == 0) {
                if sink(line).is_break() {
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
