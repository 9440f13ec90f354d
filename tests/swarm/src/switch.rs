//! The networks of a cluster: that which joins its nodes, and that of each.

use std::fs::File;
use std::os::fd::AsFd;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs something on a thread in the network of this name. What the thread starts, threads and processes, is there as well.
pub(crate) fn inside<T: Send>(name: &str, act: impl FnOnce() -> T + Send) -> T {
    let network = File::open(format!("/run/netns/{name}")).expect("the cluster is up");
    let network = &network;
    thread::scope(|scope| {
        let there = scope.spawn(move || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may enter it");
            act()
        });
        there.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
