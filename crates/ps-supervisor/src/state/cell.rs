//! One cell: a text with a sequence number and a checksum, by which a cell that was only half written is recognised.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The length of a cell, in bytes.
pub(super) const CELL: usize = 2048;
/// The length of a block, which has two cells.
pub(super) const BLOCK: usize = 2 * CELL;
/// The length of its head: the sequence number, the text's length and the checksum, in digits, each followed by a blank or
/// a line feed.
const HEAD: usize = 20 + 1 + 5 + 1 + 16 + 1;
/// The longest text that a cell can hold, in bytes.
pub(super) const LONGEST_TEXT: usize = CELL - HEAD;

/// The bytes of a cell.
pub(super) fn cell(sequence: u64, text: &[u8]) -> Vec<u8> {
    let counted = format!("{sequence:020} {:05} ", text.len());
    let checksum = checksum(counted.as_bytes(), text);
    [format!("{counted}{checksum:016x}\n").as_bytes(), text].concat()
}

/// The sequence number and the text of the newer one of the two cells of a block, among those that are whole.
pub(super) fn newest(block: &[u8]) -> Option<(u64, &[u8])> {
    block.chunks_exact(CELL).filter_map(read).max_by_key(|(sequence, _)| *sequence)
}

/// A block of a file; `None` if it cannot be read.
pub(super) fn read_block(file: &File, block: u32) -> Option<Vec<u8>> {
    let mut bytes = vec![0; BLOCK];
    file.read_exact_at(&mut bytes, u64::from(block) * BLOCK as u64).ok()?;
    Some(bytes)
}

fn read(cell: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = cell.split_at_checked(HEAD)?;
    let mut words = std::str::from_utf8(head).ok()?.trim_ascii_end().split(' ');
    let (sequence, length, sum) = (words.next()?, words.next()?, words.next()?);
    let text = rest.get(..length.parse().ok()?)?;
    let is_whole = u64::from_str_radix(sum, 16).ok()? == checksum(&head[..HEAD - 17], text);
    is_whole.then_some((sequence.parse().ok()?, text))
}

/// FNV-1a, eight bytes at a time. It detects torn writes; it does not protect against forgery.
fn checksum(head: &[u8], text: &[u8]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    for chunk in head.chunks(8).chain(text.chunks(8)) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(cells: [&[u8]; 2]) -> Vec<u8> {
        let padded = |cell: &[u8]| [cell, &vec![0; CELL - cell.len()]].concat();
        cells.map(padded).concat()
    }

    #[test]
    fn the_newest_whole_cell_counts_wherever_the_other_one_was_torn() {
        let (old, new) = (cell(7, b"{\"old\":1}"), cell(8, b"{\"new\":\"longer\"}"));
        let (old_text, new_text) = (&b"{\"old\":1}"[..], &b"{\"new\":\"longer\"}"[..]);
        assert_eq!(newest(&block([&new, &old])), Some((8, new_text)));
        let before = cell(6, b"{\"before\":\"the old one\"}");
        for torn_at in 0..new.len() {
            // Behind the point where the writer died, the cell still holds its earlier content.
            let torn = [&new[..torn_at], before.get(torn_at..).unwrap_or_default()].concat();
            assert_eq!(newest(&block([&torn, &old])), Some((7, old_text)), "torn at {torn_at}");
        }
    }

    #[test]
    fn what_nobody_can_have_written_is_no_cell() {
        let good = cell(1, b"{}");
        for index in 0..good.len() {
            let mut flipped = good.clone();
            flipped[index] ^= 1;
            assert_eq!(newest(&block([&flipped, b""])), None, "byte {index}");
        }
        assert_eq!(newest(&vec![0; 2 * CELL]), None);
        assert_eq!(newest(&vec![b'9'; 2 * CELL]), None);
        assert_eq!(newest(b"short"), None);
        assert_eq!(newest(&block([&cell(3, b""), &good])), Some((3, &b""[..])));
    }
}
