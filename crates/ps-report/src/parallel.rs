//! Reads many apps at once, on every CPU, if there are enough apps to make that faster. A thread takes a few apps at a time,
//! so that none idles while another has many left.

use std::num::NonZero;
use std::sync::Mutex;
use std::thread;
use std::vec;

/// Fewer apps than this are read faster than a thread is started.
const FEW: usize = 64;
/// How many apps a thread takes at a time.
const BLOCK: usize = 16;

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
    let threads = if items.len() < FEW { 1 } else { cpus() };
    let queue = Queue::of(items);
    let work = || queue.work(&make, &read);
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut parts = work();
        parts.extend(others.into_iter().flat_map(|other| other.join().expect("a reader does not panic")));
        in_order(parts)
    })
}

/// Returns what `wait` returns, and the results of [`map_with`]. One of the threads calls `wait` first, and reads the
/// remaining items when that has returned, so that the program that is waited for finds a free CPU.
pub(crate) fn map_beside<A: Send, S, T: Send, R: Send>(
    items: Vec<T>,
    make: impl Fn() -> S + Sync,
    read: impl Fn(&S, T) -> R + Sync,
    wait: impl FnOnce() -> A + Send,
) -> (A, Vec<R>) {
    if items.is_empty() {
        return (wait(), Vec::new());
    }
    let queue = Queue::of(items);
    let work = || queue.work(&make, &read);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| (wait(), work()));
        let others: Vec<_> = (2..cpus()).map(|_| scope.spawn(work)).collect();
        let mut parts = work();
        parts.extend(others.into_iter().flat_map(|other| other.join().expect("a reader does not panic")));
        let (answer, rest) = waiting.join().expect("neither a question nor a reader panics");
        parts.extend(rest);
        (answer, in_order(parts))
    })
}

fn cpus() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// The items that no thread has taken yet, and the number of the first of them.
struct Queue<T>(Mutex<(usize, vec::IntoIter<T>)>);

/// The results of neighbouring items, with the number of the first.
type Part<R> = (usize, Vec<R>);

impl<T> Queue<T> {
    fn of(items: Vec<T>) -> Self {
        Self(Mutex::new((0, items.into_iter())))
    }

    /// Takes items until none is left.
    fn work<S, R>(&self, make: impl Fn() -> S, read: impl Fn(&S, T) -> R) -> Vec<Part<R>> {
        let reader = make();
        let mut parts = Vec::new();
        while let Some((first, items)) = self.take() {
            parts.push((first, items.into_iter().map(|item| read(&reader, item)).collect()));
        }
        parts
    }

    fn take(&self) -> Option<(usize, Vec<T>)> {
        let mut left = self.0.lock().expect("nothing panics while it holds the lock");
        let items: Vec<T> = left.1.by_ref().take(BLOCK).collect();
        let first = left.0;
        left.0 += items.len();
        (!items.is_empty()).then_some((first, items))
    }
}

fn in_order<R>(mut parts: Vec<Part<R>>) -> Vec<R> {
    parts.sort_unstable_by_key(|(first, _)| *first);
    parts.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays_whatever_the_number() {
        for count in [0, 1, BLOCK, FEW - 1, FEW, FEW + 1, 1000] {
            let items = || (0..count).collect::<Vec<usize>>();
            let doubled: Vec<usize> = (0..count).map(|n| n * 2).collect();
            assert_eq!(map(items(), |n| n * 2), doubled);
            assert_eq!(map_beside(items(), || 2, |by, n| n * by, || "answer"), ("answer", doubled));
        }
    }

    #[test]
    fn all_is_read_while_somebody_is_waited_for() {
        let (tell, told) = std::sync::mpsc::channel();
        let read = |(): &(), n: usize| {
            let _ = tell.send(n);
            n
        };
        let deadline = std::time::Duration::from_secs(60);
        let wait = move || (0..1000).map_while(|_| told.recv_timeout(deadline).ok()).count();
        assert_eq!(map_beside((0..1000).collect(), || (), read, wait).0, 1000);
    }
}
