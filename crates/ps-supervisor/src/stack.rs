//! Work on a stack that is given back.
//!
//! A stack keeps the pages that were ever written on it. A rollout or the answer to a client goes deep, a supervisor that
//! waits needs hardly any of it, and an installation has as many supervisors as apps. So such work is done by a thread, and
//! its stack goes back to the system when the thread ends. That holds where `os_process::FRUGAL` tells the C library not to
//! keep it; elsewhere a thread would save nothing, and there is none.

use std::panic::resume_unwind;
use std::thread;

/// The size of the stack in bytes. Pages that are not written cost nothing.
const BYTES: usize = 8 << 20;

/// Does `work` on another stack where that saves memory, and waits for it. If the system gives us no thread, it is done on
/// this one.
pub(crate) fn on_another<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if !os_process::is_frugal() {
        return work();
    }
    let mut work = Some(work);
    let mut result = None;
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(BYTES);
        if let Ok(thread) = thread.spawn_scoped(scope, || result = work.take().map(|work| work()))
            && let Err(panic) = thread.join()
        {
            // The end of the scope would wait for the thread as well, but leave its stack to the next one.
            resume_unwind(panic);
        }
    });
    match (result, work) {
        (Some(result), _) => result,
        (None, Some(work)) => work(),
        (None, None) => {
            unreachable!("a thread that took the work has ended without a panic, so it has a result")
        }
    }
}
