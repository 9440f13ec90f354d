//! The waker of a connection to a backend that is read and written within the task of a client. It wakes that task only while the task waits: what the
//! task itself does to the connection, and what happens to a connection that waits in the pool, wakes nobody.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// Wakes whoever waits.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waits: Option<Waker>,
    /// Whether it was rung while nobody waited.
    is_rung: bool,
}

impl Bell {
    /// Nobody waits: the connection is about to be looked at.
    pub(crate) fn hush(&self) {
        *self.state() = State::default();
    }

    /// This task waits. It is woken at once if the bell was rung since nobody waited.
    pub(crate) fn ring_for(&self, task: &Waker) {
        let mut state = self.state();
        if std::mem::take(&mut state.is_rung) {
            task.wake_by_ref();
        }
        state.waits = Some(task.clone());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &std::sync::Arc<Self>) {
        let mut state = self.state();
        match &state.waits {
            Some(task) => task.wake_by_ref(),
            None => state.is_rung = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::Bell;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_waits_is_woken_and_hears_of_what_came_just_before() {
        let (bell, task) = (Arc::new(Bell::default()), Arc::<Counted>::default());
        let (waker, waits) = (Waker::from(Arc::clone(&bell)), Waker::from(Arc::clone(&task)));
        let woken = |expected| assert_eq!(task.0.load(Ordering::SeqCst), expected);
        bell.hush();
        waker.wake_by_ref();
        woken(0);
        bell.ring_for(&waits);
        woken(1);
        waker.wake_by_ref();
        woken(2);
        bell.hush();
        waker.wake_by_ref();
        bell.hush();
        bell.ring_for(&waits);
        woken(2);
    }
}
