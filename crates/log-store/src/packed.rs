//! Reads a compressed segment at any place. Of one that somebody else compressed (`gzip stdout.17.0`) no places are known: all
//! of it is decompressed, if it is not too long.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use flate2::read::MultiGzDecoder;

/// How much one member holds, in bytes.
pub(crate) const MEMBER: usize = 1 << 20;
/// How the extra field of a member begins: what it is, and that 8 bytes follow.
pub(crate) const EXTRA: [u8; 4] = *b"Fm\x08\0";
/// Where in a member the two lengths stand that follow: its own, and that of what it holds.
pub(crate) const LENGTHS: Range<usize> = 16..24;
/// How a member with an extra field begins.
const BEGIN: [u8; 4] = [0x1f, 0x8b, 8, 4];
/// The most that is decompressed of what somebody else compressed.
const LONGEST: u64 = 256 << 20;

/// An open segment, the places of its members, and the one that was read last.
#[derive(Debug)]
pub(crate) struct Packed {
    file: File,
    members: Vec<Member>,
    /// Which one is decompressed, and its bytes.
    read: Option<(usize, Vec<u8>)>,
}

/// Where a member lies, and which bytes of the segment it holds.
#[derive(Debug)]
struct Member {
    begin: u64,
    length: u64,
    holds: Range<u64>,
}

impl Packed {
    /// Finds the members.
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

    /// How long it is once it is decompressed, in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.members.last().map_or(0, |member| member.holds.end)
    }

    /// Reads from a place on; 0 at the end.
    pub(crate) fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let index = self.members.partition_point(|member| member.holds.end <= position);
        let Some(member) = self.members.get(index) else { return Ok(0) };
        let begin = usize::try_from(position - member.holds.start).unwrap_or(usize::MAX);
        let bytes = match self.read.take() {
            Some((last, bytes)) if last == index => bytes,
            _ => decompress(&self.file, member, member.holds.end - member.holds.start)?,
        };
        let rest = bytes.get(begin..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.read = Some((index, bytes));
        Ok(length)
    }

    /// The length of a member of ours, and of what it holds.
    fn lengths(&self, begin: u64) -> Option<(u64, u64)> {
        let mut head = [0; LENGTHS.end];
        self.file.read_exact_at(&mut head, begin).ok()?;
        let is_ours = head.starts_with(&BEGIN) && head[LENGTHS.start - EXTRA.len()..LENGTHS.start] == EXTRA;
        let length = |at: usize| head[at..at + 4].try_into().ok().map(u32::from_le_bytes).map(u64::from);
        let (own, holds) = (length(LENGTHS.start)?, length(LENGTHS.start + 4)?);
        (is_ours && own > LENGTHS.end as u64).then_some((own, holds))
    }

    /// What somebody else compressed.
    fn add_rest(&mut self, begin: u64, end: u64, held: u64) -> io::Result<()> {
        let mut member = Member { begin, length: end - begin, holds: held..held };
        let bytes = decompress(&self.file, &member, LONGEST)?;
        member.holds.end = held + bytes.len() as u64;
        self.read = Some((self.members.len(), bytes));
        self.members.push(member);
        Ok(())
    }
}

fn decompress(file: &File, member: &Member, most: u64) -> io::Result<Vec<u8>> {
    let source = Part { file, position: member.begin, end: member.begin.saturating_add(member.length) };
    let mut bytes = Vec::new();
    MultiGzDecoder::new(source).take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A part of a file, read from its beginning to its end.
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
