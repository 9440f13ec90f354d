//! A unified diff of two texts. One hunk spans all changes, which is correct and, for the edits of this program, as
//! short as a minimal diff.

/// How many unchanged lines are shown above and below the changes.
const CONTEXT: usize = 3;

/// The difference, as `diff -u` prints it; `patch` takes it.
pub(crate) fn unified(name: &str, old: &[u8], new: &[u8]) -> Vec<u8> {
    let (old, new) = (lines(old), lines(new));
    let top = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[top..], &new[top..]);
    let bottom = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let from = top.saturating_sub(CONTEXT);
    let below = bottom.min(CONTEXT);
    let old_end = old.len() - bottom;
    let mut text = format!("--- {name}\n+++ {name}\n").into_bytes();
    let (old_len, new_len) = (old_end + below - from, new.len() - bottom + below - from);
    let head = format!("@@ -{} +{} @@\n", range(from, old_len), range(from, new_len));
    text.extend_from_slice(head.as_bytes());
    put(&mut text, b' ', &old[from..top]);
    put(&mut text, b'-', &old[top..old_end]);
    put(&mut text, b'+', &new[top..new.len() - bottom]);
    put(&mut text, b' ', &old[old_end..old_end + below]);
    text
}

fn range(from: usize, len: usize) -> String {
    match len {
        0 => format!("{from},0"),
        len => format!("{},{len}", from + 1),
    }
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

fn put(text: &mut Vec<u8>, mark: u8, lines: &[&[u8]]) {
    for line in lines {
        text.push(mark);
        text.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            text.extend_from_slice(b"\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hunk_says_what_changed() {
        let diff = unified("Procfile", b"a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n", b"a: 1\nb: 2\nc: 3\nd: x\ne: 5");
        let expected = "--- Procfile\n+++ Procfile\n@@ -1,5 +1,5 @@\n a: 1\n b: 2\n c: 3\n-d: 4\n-e: 5\n+d: x\n+e: 5\n\\ No newline at end of file\n";
        assert_eq!(String::from_utf8(diff).as_deref(), Ok(expected));
    }
}
