//! The last lines of a log, for an error message: a few lines of a bounded length, read from its end, whatever stands in
//! it. Control characters are shown, not obeyed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// How much of a log is read, in bytes.
const BYTES: u64 = 16 << 10;
/// How much of a line is shown, in characters.
const LINE: usize = 300;

/// The last lines of a log from `offset` (in bytes) on, at most `count` of them, fit to be shown.
pub fn last_lines(path: &Path, offset: u64, count: usize) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    // A log that was cut short since is all its own.
    let offset = if offset > end { 0 } else { offset };
    let begin = offset.max(end.saturating_sub(BYTES));
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().collect();
    if begin > offset && lines.len() > 1 {
        // Its beginning was not read.
        lines.remove(0);
    }
    let last = lines.split_off(lines.len().saturating_sub(count));
    Ok(last.into_iter().map(shown).collect())
}

/// A line as it is shown: the end of a long one is what matters least.
fn shown(line: &str) -> String {
    let mut shown = String::new();
    for character in line.chars().take(LINE) {
        if character.is_control() && character != '\t' {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    let rest = line.chars().count().saturating_sub(LINE);
    if rest > 0 { format!("{shown} [{rest} more characters]") } else { shown }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tail_of(bytes: &[u8], offset: u64) -> Vec<String> {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("log");
        fs::write(&path, bytes).expect("written");
        last_lines(&path, offset, 10).expect("readable")
    }

    #[test]
    fn the_last_lines_are_few_and_short_whatever_was_written() {
        let many: Vec<String> = (1..=1_000_000).map(|n: u32| n.to_string()).collect();
        assert_eq!(tail_of(many.join("\n").as_bytes(), 0), many[999_990..]);
        let endless = tail_of(&vec![b'x'; 1 << 20], 0);
        assert_eq!(endless.len(), 1);
        assert!(endless[0].len() < 400 && endless[0].contains("more characters"), "{endless:?}");
        assert_eq!(tail_of(b"old\nnew\x1b[2J\xff\x07\tend\r\n", 4), ["new\\u{1b}[2J\u{fffd}\\u{7}\tend"]);
        assert_eq!(tail_of(b"cut short", 1000), ["cut short"]);
        assert_eq!(tail_of(b"", 0), Vec::<String>::new());
    }
}
