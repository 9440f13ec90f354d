//! Reads a log that an app writes itself, such as one of pm2, and not the supervisor: its own log. Nobody records when a line is
//! written. So of the lines that exist at the first look only the time of the last one is known, which is when the file was last written.
//! Lines that come while the file is followed have the time at which they were read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;

/// The longest line that is returned as one, in bytes; a longer one is divided.
const LONGEST: u64 = 1 << 20;
/// The size of the blocks in which the beginning of the last lines is searched for backwards.
const BLOCK: u64 = 64 << 10;

/// A place in an app's own log: the inode of the file, and a byte of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnPlace {
    /// The inode of the file; 0 if there was no file.
    pub inode: u64,
    /// The position up to which the file was read, in bytes.
    pub offset: u64,
}

/// Which part of an app's own log is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnRange {
    /// Only lines that were written at that time or later, as far as times are known.
    pub since: Option<SystemTime>,
    /// Only lines before that byte.
    pub before: Option<u64>,
    /// How many of the last lines; `None`: all.
    pub last: Option<usize>,
}

/// A line of an app's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLine {
    /// The bytes of the line, without the line end.
    pub bytes: Vec<u8>,
    /// When it was written, or `None` if that is not known.
    pub at: Option<SystemTime>,
}

/// Reads an app's own log, from a place on.
#[derive(Debug)]
pub struct OwnFile {
    path: PathBuf,
    place: OwnPlace,
    /// Lines from this position on are not returned.
    limit: Option<u64>,
    /// The length of the file at the last look.
    end: u64,
    /// When the bytes that are being read came, if they came after an earlier look.
    seen: Option<SystemTime>,
    /// When the file was written last.
    written: Option<SystemTime>,
    file: Option<BufReader<File>>,
}

impl OwnFile {
    /// The log at this path, from the beginning of `range` on. The file need not exist yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(path: &Path, range: OwnRange) -> io::Result<Self> {
        let mut own = Self::at(path, OwnPlace::default());
        own.limit = range.before;
        let Some((mut file, metadata)) = own.file()? else { return Ok(own) };
        let end = metadata.len().min(range.before.unwrap_or(u64::MAX));
        let is_older = range.since.zip(metadata.modified().ok()).is_some_and(|(since, at)| at < since);
        let begin = match range.last {
            _ if is_older => end,
            Some(lines) => begin_of_last(&mut file, end, lines)?,
            None => 0,
        };
        own.place = OwnPlace { inode: metadata.ino(), offset: begin };
        Ok(own)
    }

    /// The log at this path, from a position on up to which it was read before. If the file has been replaced or emptied since, it is read
    /// from its beginning.
    pub fn at(path: &Path, place: OwnPlace) -> Self {
        Self { path: path.to_owned(), place, limit: None, end: 0, seen: None, written: None, file: None }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The position up to which the file was read.
    pub fn place(&self) -> OwnPlace {
        self.place
    }

    /// Finds out what can be read now: [`OwnFile::next`] returns that until the next call.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn look(&mut self) -> io::Result<()> {
        let is_first = self.written.is_none();
        let Some((file, metadata)) = self.file()? else { return Ok(()) };
        let is_another = self.place.inode != 0 && self.place.inode != metadata.ino();
        if is_another || metadata.len() < self.place.offset {
            self.place.offset = 0;
        }
        self.place.inode = metadata.ino();
        self.end = metadata.len().min(self.limit.unwrap_or(u64::MAX));
        self.written = metadata.modified().ok();
        self.seen = (!is_first).then(SystemTime::now);
        self.file = Some(BufReader::new(file));
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(self.place.offset))?;
        }
        Ok(())
    }

    /// The next complete line; with `whole`, also a last line without a newline. `None` if there are no more until the next look.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next(&mut self, whole: bool) -> io::Result<Option<OwnLine>> {
        let room = self.end.saturating_sub(self.place.offset).min(LONGEST);
        let Some(file) = self.file.as_mut().filter(|_| room > 0) else { return Ok(None) };
        let mut bytes = Vec::new();
        file.by_ref().take(room).read_until(b'\n', &mut bytes)?;
        let is_complete = bytes.last() == Some(&b'\n') || bytes.len() as u64 == LONGEST;
        if bytes.is_empty() || !(is_complete || whole) {
            // The end of this line has not come yet, so this part is read again later.
            self.file = None;
            return Ok(None);
        }
        self.place.offset += bytes.len() as u64;
        let is_last = self.place.offset == self.end && self.limit.is_none();
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Ok(Some(OwnLine { bytes, at: self.seen.or(self.written.filter(|_| is_last)) }))
    }

    fn file(&self) -> io::Result<Option<(File, Metadata)>> {
        // Another thing may have the name, such as a FIFO, and opening that would block.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let metadata = file.metadata()?;
        Ok(metadata.is_file().then_some((file, metadata)))
    }
}

/// The position at which the last lines of the first `end` bytes begin.
fn begin_of_last(file: &mut File, end: u64, lines: usize) -> io::Result<u64> {
    let mut left = lines;
    let mut behind = end;
    while behind > 0 && left > 0 {
        let begin = behind.saturating_sub(BLOCK);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(begin))?;
        file.by_ref().take(behind - begin).read_to_end(&mut block)?;
        for (index, byte) in block.iter().enumerate().rev() {
            let after = begin + index as u64 + 1;
            // A newline at the very end begins no line.
            if *byte == b'\n' && after < end {
                left -= 1;
                if left == 0 {
                    return Ok(after);
                }
            }
        }
        behind = begin;
    }
    Ok(if lines == 0 { end } else { 0 })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    fn read(own: &mut OwnFile, whole: bool) -> Vec<(String, bool)> {
        own.look().expect("readable");
        let mut lines = Vec::new();
        while let Some(OwnLine { bytes, at }) = own.next(whole).expect("readable") {
            lines.push((String::from_utf8(bytes).expect("text"), at.is_some()));
        }
        lines
    }

    fn lines(texts: &[(&str, bool)]) -> Vec<(String, bool)> {
        texts.iter().map(|(text, is_known)| ((*text).to_owned(), *is_known)).collect()
    }

    fn append(path: &Path, text: &str) {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.expect("a file").write_all(text.as_bytes()).expect("written");
    }

    #[test]
    fn the_last_lines_that_are_there_have_no_time_but_the_last_one_and_those_that_come_have() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("out.log");
        append(&path, "one\ntwo\nthree\n");
        let range = OwnRange { last: Some(2), ..OwnRange::default() };
        let mut own = OwnFile::open(&path, range).expect("readable");
        assert_eq!(read(&mut own, false), lines(&[("two", false), ("three", true)]));
        append(&path, "four\nfi");
        assert_eq!(read(&mut own, false), lines(&[("four", true)]));
        append(&path, "ve\n");
        assert_eq!(read(&mut own, false), lines(&[("five", true)]));
        append(&path, "six");
        assert_eq!(read(&mut own, true), lines(&[("six", true)]));
        let mut later = OwnFile::at(&path, own.place());
        append(&path, "\nseven\n");
        assert_eq!(read(&mut later, true), lines(&[("", false), ("seven", true)]));
    }

    #[test]
    fn a_file_that_was_emptied_or_replaced_is_read_from_its_beginning_and_one_that_comes_later_too() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("out.log");
        let mut own = OwnFile::open(&path, OwnRange::default()).expect("it need not be there");
        assert_eq!(read(&mut own, false), []);
        append(&path, "a long first line\n");
        assert_eq!(read(&mut own, false).len(), 1);
        fs::write(&path, "short\n").expect("emptied");
        assert_eq!(read(&mut own, false), lines(&[("short", true)]));
        fs::rename(&path, place.path().join("out.log.1")).expect("moved");
        append(&path, "another file, which is longer\n");
        assert_eq!(read(&mut own, false), lines(&[("another file, which is longer", true)]));
    }

    #[test]
    fn what_is_no_file_is_not_read_and_not_waited_for() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("out.log");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("a FIFO");
        let mut own = OwnFile::open(&path, OwnRange::default()).expect("it is left alone");
        assert_eq!(read(&mut own, true), []);
    }

    #[test]
    fn a_range_ends_before_a_byte_and_what_was_written_before_a_time_is_left_out() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("out.log");
        append(&path, "one\ntwo\nthree\n");
        let before = OwnRange { before: Some(8), last: Some(1), ..OwnRange::default() };
        let mut own = OwnFile::open(&path, before).expect("readable");
        assert_eq!(read(&mut own, true), lines(&[("two", false)]));
        let since = |time| OwnRange { since: Some(time), ..OwnRange::default() };
        let hour = Duration::from_secs(3600);
        let mut own = OwnFile::open(&path, since(SystemTime::now() + hour)).expect("readable");
        assert_eq!(read(&mut own, true), []);
        let mut own = OwnFile::open(&path, since(SystemTime::now() - hour)).expect("readable");
        assert_eq!(read(&mut own, true).len(), 3);
        let none = OwnRange { last: Some(0), ..OwnRange::default() };
        assert_eq!(read(&mut OwnFile::open(&path, none).expect("readable"), true), []);
    }

    #[test]
    fn the_last_lines_of_a_large_file_are_found_from_its_end() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("out.log");
        let lines: Vec<String> = (0..40_000).map(|number| format!("line {number}\n")).collect();
        append(&path, &lines.concat());
        let range = OwnRange { last: Some(20_000), ..OwnRange::default() };
        let found = read(&mut OwnFile::open(&path, range).expect("readable"), true);
        assert_eq!((found.len(), found[0].0.as_str()), (20_000, "line 20000"));
    }
}
