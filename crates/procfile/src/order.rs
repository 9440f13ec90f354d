//! Sorts many names fast: it compares eight bytes at a time, as numbers. Comparing whole names would be slow if all
//! of them begin with the same long text.

use std::ops::Range;

/// Eight bytes of a name, and which name it is.
type Key = (u64, u32);

/// The numbers `0..count`, sorted by the names they stand for, and the groups of numbers that have the same name,
/// each group in ascending order. `name` returns where in `text` a name lies; a name holds no NUL.
pub(crate) fn by_name(
    text: &[u8],
    count: u32,
    name: impl Fn(u32) -> Range<usize>,
) -> (Vec<u32>, Vec<Vec<u32>>) {
    let mut keys: Vec<Key> = (0..count).map(|at| (0, at)).collect();
    let mut same = Vec::new();
    sort(&mut keys, 0, &|at, depth| part(text, name(at), depth), &mut same);
    (keys.into_iter().map(|(_, at)| at).collect(), same)
}

fn sort(keys: &mut [Key], mut depth: usize, part: &impl Fn(u32, usize) -> u64, same: &mut Vec<Vec<u32>>) {
    let alike = take_part(keys, depth, part);
    if alike < 8 {
        // All parts begin with the same bytes. A part that begins where they differ tells more names apart.
        if alike > 0 {
            depth += alike;
            take_part(keys, depth, part);
        }
        keys.sort_unstable();
    }
    for run in keys.chunk_by_mut(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
        let ended = run[0].0.to_be_bytes()[7] == 0;
        if ended {
            same.push(run.iter().map(|key| key.1).collect());
        } else {
            sort(run, depth + 8, part, same);
        }
    }
}

/// Gives every key the eight bytes of its name from `depth` on, and returns how many bytes all of these parts have in
/// common at their beginning.
fn take_part(keys: &mut [Key], depth: usize, part: &impl Fn(u32, usize) -> u64) -> usize {
    let (mut all_have, mut any_has) = (u64::MAX, 0);
    for (key, at) in keys {
        *key = part(*at, depth);
        all_have &= *key;
        any_has |= *key;
    }
    (all_have ^ any_has).leading_zeros() as usize / 8
}

/// Eight bytes of a name as a number that sorts in the same order; 0 behind the end of the name.
fn part(text: &[u8], name: Range<usize>, from: usize) -> u64 {
    let start = name.start + from;
    let len = match name.end.saturating_sub(start) {
        0 => return 0,
        len => len.min(8),
    };
    // Reads eight bytes even if the name ends earlier, and masks the rest away, which is faster than copying so few
    // bytes.
    if let Some(eight) = text[start..].first_chunk() {
        return u64::from_be_bytes(*eight) & (u64::MAX << (64 - 8 * len));
    }
    let mut eight = [0; 8];
    eight[..len].copy_from_slice(&text[start..start + len]);
    u64::from_be_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_their_bytes_and_twins_are_found() {
        let mut names: Vec<String> = Vec::new();
        for n in 0..6000_usize {
            let digest = n.wrapping_mul(2_654_435_761) % 100_000;
            names.push(format!("{}{digest}", ["", "a-long-common-beginning-", "x"][n % 3]));
        }
        let count = u32::try_from(names.len()).expect("few thousand");
        let text = names.concat();
        let ends: Vec<usize> = names
            .iter()
            .scan(0, |end, name| {
                *end += name.len();
                Some(*end)
            })
            .collect();
        let (order, same) = by_name(text.as_bytes(), count, |at| {
            let (end, len) = (ends[at as usize], names[at as usize].len());
            end - len..end
        });
        let mut expected: Vec<u32> = (0..count).collect();
        expected.sort_by_key(|at| (&names[*at as usize], *at));
        assert_eq!(order, expected);
        for group in &same {
            assert!(group.len() > 1 && group.is_sorted());
            assert!(group.iter().all(|at| names[*at as usize] == names[group[0] as usize]));
        }
        let twins: usize = expected
            .chunk_by(|a, b| names[*a as usize] == names[*b as usize])
            .filter(|g| g.len() > 1)
            .count();
        assert_eq!(same.len(), twins);
    }
}
