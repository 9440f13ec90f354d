//! What wears instances out while they live. It is no cause of anything yet, and is told beside the answer.

use crate::facts::{Facts, Known, Unaccepted};
use crate::finding::{Evidence, Finding, Said};

/// From so many percent of the time on that one thread wants a CPU it keeps it busy.
const BUSY: f64 = 90.0;
/// From so many percent of its limit on its memory is close to that.
const NEAR: u64 = 90;

/// All that is seen of the instances of the app.
pub(crate) fn strains(facts: &Facts) -> Vec<Finding> {
    facts.instances.iter().flat_map(of).chain(unaccepted(facts)).collect()
}

/// Clients that wait at the app's address, because no instance takes the sockets that it was given.
fn unaccepted(facts: &Facts) -> Option<Finding> {
    let Unaccepted { address, waiting, shell } = facts.unaccepted.as_ref()?;
    let clients = if *waiting == 1 { "1 client waits".to_owned() } else { format!("{waiting} clients wait") };
    let why = match shell {
        Some((slot, shell)) => format!(
            "the main process of {slot} is {shell}, and LISTEN_PID says that the sockets are for that one: start the program with exec"
        ),
        None => "a program has to take the listening sockets that it is given (LISTEN_FDS, from descriptor 3 on), and neither listen on a \
                 port of its own nor wait for a connection elsewhere"
            .to_owned(),
    };
    let says = format!("{clients} at {address}, and no instance accepts: {why}");
    Some(Said::new(says, [Evidence::Status]).of("nobody-accepts"))
}

fn of(it: &Known) -> impl Iterator<Item = Finding> {
    let strain = it.strain;
    let busy = strain.busy_percent.filter(|percent| *percent >= BUSY).map(|percent| {
        let says = format!("a CPU is kept busy by {}: for {percent:.0} % of the time one thread of it computes, or waits for a CPU", it.slot);
        Said::new(says, [Evidence::Status]).of("busy")
    });
    let memory = strain.memory.filter(|(used, limit)| used.saturating_mul(100) >= limit.saturating_mul(NEAR));
    let memory = memory.map(|(used, limit)| {
        let (used, limit) = (used >> 20, limit >> 20);
        let says = format!(
            "the memory of {} ({used} MiB) is close to its limit of {limit} MiB, at which the kernel kills it",
            it.slot
        );
        Said::new(says, [Evidence::Status]).of("memory-near-limit")
    });
    let dropped = (strain.dropped_bytes > 0).then(|| {
        let says = format!(
            "{} bytes of what {} wrote were lost, because its log could not be written",
            strain.dropped_bytes, it.slot
        );
        Said::new(says, [Evidence::Status]).of("log-dropped")
    });
    [busy, memory, dropped].into_iter().flatten()
}
