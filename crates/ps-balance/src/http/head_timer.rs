//! The timer by which hyper limits how long a client may take for a head. hyper asks for a new one at each request, and each would enter the
//! runtime's timer wheel and leave it again. Here a connection has one entry in the wheel, which is moved only when it has passed.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time;

/// The timer of one connection. All deadlines that it is asked for have to be later than those before.
#[derive(Clone, Debug)]
pub(crate) struct HeadTimer(Arc<Mutex<Pin<Box<time::Sleep>>>>);

/// One of its deadlines.
#[derive(Debug)]
struct Head {
    deadline: Instant,
    timer: HeadTimer,
}

impl HeadTimer {
    /// `first` is the time from now to the earliest deadline.
    pub(crate) fn new(first: Duration) -> Self {
        Self(Arc::new(Mutex::new(Box::pin(time::sleep(first)))))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Head { deadline, timer: self.clone() })
    }
}

impl Sleep for Head {}

impl Future for Head {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut entry = self.timer.0.lock().unwrap_or_else(PoisonError::into_inner);
        while entry.as_mut().poll(cx).is_ready() {
            if entry.deadline().into_std() >= self.deadline {
                return Poll::Ready(());
            }
            entry.as_mut().reset(self.deadline.into());
        }
        Poll::Pending
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
}
