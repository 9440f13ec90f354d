//! Reads a compressed segment at any offset. If another program compressed it (`gzip stdout.17.0`), it has no index, and is
//! decompressed as a whole, unless it is too long.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use flate2::bufread;
use flate2::read::MultiGzDecoder;

/// The uncompressed size of a member, in bytes.
pub(crate) const MEMBER: usize = 1 << 20;
/// The beginning of the extra field of a member: the mark of this project, and the length of the rest, 8 bytes.
pub(crate) const EXTRA: [u8; 4] = *b"Fm\x08\0";
/// The position of the two lengths in a member: that of the member, and that of its content.
pub(crate) const LENGTHS: Range<usize> = 16..24;
/// The first bytes of a member with an extra field.
const BEGIN: [u8; 4] = [0x1f, 0x8b, 8, 4];
/// The most bytes that are decompressed of a file without an index.
const LONGEST: u64 = 256 << 20;

/// An open compressed segment, the index of its members, and the member that was read last.
#[derive(Debug)]
pub(crate) struct Packed {
    file: File,
    members: Vec<Member>,
    /// The number and the content of the member that is decompressed.
    read: Option<(usize, Vec<u8>)>,
}

/// The position of a member, and the bytes of the segment that it contains.
#[derive(Debug)]
struct Member {
    begin: u64,
    length: u64,
    holds: Range<u64>,
}

impl Packed {
    /// Reads the index.
    pub(crate) fn open(file: File) -> io::Result<Self> {
        let end = file.metadata()?.len();
        let mut packed = Self { file, members: Vec::new(), read: None };
        let (mut begin, mut held) = (0, 0);
        while begin < end {
            let Some((length, holds)) = packed.lengths(begin) else {
                packed.add_rest(begin, end, held)?;
                break;
            };
            packed.members.push(Member { begin, length, holds: held..held + holds });
            (begin, held) = (begin + length, held + holds);
        }
        Ok(packed)
    }

    /// The uncompressed length, in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.members.last().map_or(0, |member| member.holds.end)
    }

    /// Reads bytes at an offset; 0 at the end.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let index = self.members.partition_point(|member| member.holds.end <= position);
        let Some(member) = self.members.get(index) else { return Ok(0) };
        let begin = usize::try_from(position - member.holds.start).unwrap_or(usize::MAX);
        let bytes = match self.read.take() {
            Some((last, bytes)) if last == index => bytes,
            earlier => decompress(&self.file, member, earlier.map(|(_, bytes)| bytes).unwrap_or_default())?,
        };
        let rest = bytes.get(begin..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.read = Some((index, bytes));
        Ok(length)
    }

    /// The length of a member that this project wrote, and that of its content.
    fn lengths(&self, begin: u64) -> Option<(u64, u64)> {
        let mut head = [0; LENGTHS.end];
        self.file.read_exact_at(&mut head, begin).ok()?;
        let is_ours = head.starts_with(&BEGIN) && head[LENGTHS.start - EXTRA.len()..LENGTHS.start] == EXTRA;
        let length = |at: usize| head[at..at + 4].try_into().ok().map(u32::from_le_bytes).map(u64::from);
        let (own, holds) = (length(LENGTHS.start)?, length(LENGTHS.start + 4)?);
        (is_ours && own > LENGTHS.end as u64).then_some((own, holds))
    }

    /// Adds a part of the file that another program compressed.
    fn add_rest(&mut self, begin: u64, end: u64, held: u64) -> io::Result<()> {
        let mut member = Member { begin, length: end - begin, holds: held..held };
        let bytes = decompress_foreign(&self.file, &member)?;
        member.holds.end = held + bytes.len() as u64;
        self.read = Some((self.members.len(), bytes));
        self.members.push(member);
        Ok(())
    }
}

/// The content of a member. `bytes` is the buffer of an earlier member, which is used again.
fn decompress(file: &File, member: &Member, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let size = |length: u64| usize::try_from(length).map_err(io::Error::other);
    let held = member.holds.end - member.holds.start;
    if member.length > 2 * MEMBER as u64 || held > MEMBER as u64 {
        return decompress_foreign(file, member);
    }
    let mut compressed = vec![0; size(member.length)?];
    file.read_exact_at(&mut compressed, member.begin)?;
    bytes.resize(size(held)?, 0);
    let mut decoder = bufread::GzDecoder::new(&compressed[..]);
    decoder.read_exact(&mut bytes)?;
    // Reading to the end has the decoder compare the checksum.
    match decoder.read(&mut [0])? {
        0 => Ok(bytes),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a member is longer than it says")),
    }
}

/// The content of a file that another program compressed, up to [`LONGEST`] bytes.
fn decompress_foreign(file: &File, member: &Member) -> io::Result<Vec<u8>> {
    let source = Part { file, position: member.begin, end: member.begin.saturating_add(member.length) };
    let mut bytes = Vec::new();
    MultiGzDecoder::new(source).take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A part of a file, from its first byte to its last.
struct Part<'a> {
    file: &'a File,
    position: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..length], self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}
