//! Sorting names, fast for many: eight bytes at a time, as numbers. Names are not compared with each other, so one long
//! common beginning costs no more than any other.

/// Eight bytes of a name, and which name it is.
type Key = (u64, u32);

/// The numbers `0..count` in the order of the names they stand for, and the groups that have the same name, each group
/// in ascending order. A name holds no NUL.
pub(crate) fn by_name<'a>(count: u32, name: impl Fn(u32) -> &'a [u8]) -> (Vec<u32>, Vec<Vec<u32>>) {
    let mut keys: Vec<Key> = (0..count).map(|at| (0, at)).collect();
    let mut same = Vec::new();
    sort(&mut keys, 0, &name, &mut same);
    (keys.into_iter().map(|(_, at)| at).collect(), same)
}

fn sort<'a>(keys: &mut [Key], depth: usize, name: &impl Fn(u32) -> &'a [u8], same: &mut Vec<Vec<u32>>) {
    for key in &mut *keys {
        key.0 = part(name(key.1), depth);
    }
    keys.sort_unstable();
    for run in keys.chunk_by_mut(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
        let ended = run[0].0.to_be_bytes()[7] == 0;
        if ended {
            same.push(run.iter().map(|key| key.1).collect());
        } else {
            sort(run, depth + 8, name, same);
        }
    }
}

/// Eight bytes of a name as a number that sorts like them; 0 where the name has ended.
fn part(name: &[u8], from: usize) -> u64 {
    let mut bytes = [0; 8];
    let rest = name.get(from..).unwrap_or_default();
    let len = rest.len().min(8);
    bytes[..len].copy_from_slice(&rest[..len]);
    u64::from_be_bytes(bytes)
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
        let (order, same) = by_name(count, |at| names[at as usize].as_bytes());
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
