//! Keeps this process from leaving secrets behind: in core dumps, in memory that other processes may read, and in
//! panic messages that quote their input.

use std::io::Write;
use std::panic;

use anyhow::{Result, anyhow};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// The size of the stack, in bytes: enough for a document of the permitted depth, whatever `ulimit -s` says.
const STACK: usize = 16 * 1024 * 1024;

/// Forbids core dumps and debuggers of the same user, and keeps text of the document out of panic messages.
pub(crate) fn no_traces() {
    // Both calls only add protection. If the kernel refuses one, the program works all the same.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    panic::set_hook(Box::new(|_| {
        let _ = writeln!(std::io::stderr().lock(), "ps-inspect-sanitize: a bug stopped it, please report it");
    }));
}

/// Runs the work on a stack of its own. A panic in it counts as a failure.
pub(crate) fn on_a_deep_stack<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work)?;
    thread.join().unwrap_or_else(|_| Err(anyhow!("stopped by a bug: nothing more is printed")))
}
