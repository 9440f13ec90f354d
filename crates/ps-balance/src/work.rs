//! The task that serves one connection or one request, and how it is ended from outside.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

/// A task, and whether it was ended from outside.
#[derive(Debug, Default)]
pub(crate) struct Work {
    is_cut: AtomicBool,
    task: OnceLock<AbortHandle>,
}

impl Work {
    /// The task that does it. Told once.
    pub(crate) fn is_done_by(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    /// Ends it from outside.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    /// Whether it was ended from outside.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }
}
