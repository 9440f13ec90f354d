//! The timer by which hyper limits how long a client may take for a head. hyper asks for a new one at each request, and each would enter the
//! runtime's timer wheel and leave it again. Here a connection has one entry in the wheel, which is moved only when it has passed. The timer also knows
//! whether hyper waits for a head, because hyper asks for a deadline exactly then.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time;

/// The timer of one connection. All deadlines that it is asked for have to be later than those before.
#[derive(Clone, Debug)]
pub(crate) struct HeadTimer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    entry: Mutex<Entry>,
    /// How many of its deadlines hyper waits for: one at most, but for the moment at which one replaces another.
    awaited: AtomicUsize,
}

#[derive(Debug)]
struct Entry {
    sleep: Pin<Box<time::Sleep>>,
    /// That of the head that is awaited, or was last.
    deadline: Instant,
    /// Whether it holds for whatever head is awaited next.
    is_kept: bool,
}

/// One of its deadlines.
#[derive(Debug)]
struct Head(HeadTimer);

impl HeadTimer {
    /// `first` is the time from now to the deadline of the first head.
    pub(crate) fn new(first: Duration) -> Self {
        let deadline = time::Instant::now() + first;
        let sleep = Box::pin(time::sleep_until(deadline));
        let entry = Entry { sleep, deadline: deadline.into_std(), is_kept: true };
        Self(Arc::new(Inner { entry: Mutex::new(entry), awaited: AtomicUsize::new(0) }))
    }

    /// Whether hyper waits for a head.
    pub(crate) fn is_awaited(&self) -> bool {
        self.0.awaited.load(Ordering::Relaxed) > 0
    }

    /// The next head that hyper waits for is the one that it has waited for: it has as much time as is left.
    pub(crate) fn keep(&self) {
        self.entry().is_kept = true;
    }

    /// Ready once the last deadline that it was asked for has passed.
    pub(crate) fn poll_passed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut entry = self.entry();
        while entry.sleep.as_mut().poll(cx).is_ready() {
            if entry.sleep.deadline().into_std() >= entry.deadline {
                return Poll::Ready(());
            }
            let deadline = entry.deadline.into();
            entry.sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn entry(&self) -> MutexGuard<'_, Entry> {
        self.0.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let mut entry = self.entry();
        if !std::mem::take(&mut entry.is_kept) {
            entry.deadline = deadline;
        }
        self.0.awaited.fetch_add(1, Ordering::Relaxed);
        Box::pin(Head(self.clone()))
    }
}

impl Sleep for Head {}

impl Future for Head {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_passed(cx)
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        self.0.0.awaited.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use hyper::rt::Timer;

    use super::HeadTimer;

    #[test]
    fn no_deadline_passes_before_its_time_whatever_came_before() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let (timer, begin) = (HeadTimer::new(Duration::from_millis(10)), Instant::now());
            // Taken back before it has passed, as hyper does when a head is there.
            drop(timer.sleep_until(begin + Duration::from_millis(10)));
            for millis in [30, 50] {
                let deadline = begin + Duration::from_millis(millis);
                timer.sleep_until(deadline).await;
                assert!(Instant::now() >= deadline);
            }
        });
    }

    #[test]
    fn a_head_that_is_kept_has_no_more_time_than_it_had() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let (timer, begin) = (HeadTimer::new(Duration::from_millis(10)), Instant::now());
            let long = begin + Duration::from_secs(3600);
            assert!(!timer.is_awaited());
            let head = timer.sleep_until(long);
            assert!(timer.is_awaited(), "hyper waits");
            drop(head);
            assert!(!timer.is_awaited(), "the head is there");
            timer.keep();
            // What it was given at its beginning.
            timer.sleep_until(long).await;
            assert!(begin.elapsed() < Duration::from_secs(60));
            let next = Instant::now() + Duration::from_millis(20);
            drop(timer.sleep_until(next));
            timer.keep();
            timer.sleep_until(long).await;
            assert!(Instant::now() >= next);
        });
    }
}
