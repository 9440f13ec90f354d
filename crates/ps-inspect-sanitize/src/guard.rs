//! Prevents that this process leaves secrets behind: core dumps, memory that other processes may read, and panic
//! messages that quote their input.

use std::io::Write;
use std::panic;

use anyhow::{Result, anyhow};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Enough for a document of the permitted depth, whatever `ulimit -s` says.
const STACK: usize = 16 * 1024 * 1024;

/// No core dump, no debugger of the same user, no text of the document in a panic.
pub(crate) fn no_traces() {
    // Both only narrow what the kernel would do with this process; where it refuses, the filter works all the same.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    panic::set_hook(Box::new(|_| {
        let _ = writeln!(std::io::stderr().lock(), "ps-inspect-sanitize: a bug stopped it, please report it");
    }));
}

/// Runs the work on a stack of its own; a panic in it is a failure like any other.
pub(crate) fn on_a_deep_stack<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work)?;
    thread.join().unwrap_or_else(|_| Err(anyhow!("stopped by a bug: nothing more is printed")))
}
