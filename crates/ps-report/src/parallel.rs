//! Reads many apps at once, on every CPU, if there are enough apps to make that faster.

use std::num::NonZero;
use std::thread;

/// Fewer apps than this are read faster than a thread is started.
const FEW: usize = 64;

/// The results of `read` for all items, in the order of the items.
pub(crate) fn map<T: Send, R: Send>(items: Vec<T>, read: impl Fn(T) -> R + Sync) -> Vec<R> {
    map_with(items, || (), |(), item| read(item))
}

/// Like [`map`], for a reader with a state that each thread makes for itself.
pub(crate) fn map_with<S, T: Send, R: Send>(
    items: Vec<T>,
    make: impl Fn() -> S + Sync,
    read: impl Fn(&S, T) -> R + Sync,
) -> Vec<R> {
    let part = |part: Vec<T>| {
        let reader = make();
        part.into_iter().map(|item| read(&reader, item)).collect::<Vec<R>>()
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    if items.len() < FEW || threads == 1 {
        return part(items);
    }
    let mut parts = split(items, threads);
    let last = parts.pop().unwrap_or_default();
    let part = &part;
    thread::scope(|scope| {
        let others: Vec<_> = parts.into_iter().map(|items| scope.spawn(move || part(items))).collect();
        let mine = part(last);
        let others = others.into_iter().flat_map(|other| other.join().expect("a reader does not panic"));
        others.chain(mine).collect()
    })
}

/// Splits items into parts, in order; all parts but the last have the same length.
fn split<T>(items: Vec<T>, parts: usize) -> Vec<Vec<T>> {
    let length = items.len().div_ceil(parts).max(1);
    let mut items = items.into_iter();
    (0..parts).map(|_| items.by_ref().take(length).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays_whatever_the_number() {
        for count in [0, 1, FEW - 1, FEW, FEW + 1, 1000] {
            let doubled = map((0..count).collect(), |n| n * 2);
            assert_eq!(doubled, (0..count).map(|n| n * 2).collect::<Vec<_>>());
        }
        assert_eq!(split(vec![1, 2, 3, 4, 5], 3), [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(split(vec![1], 3), [vec![1], vec![], vec![]]);
    }
}
