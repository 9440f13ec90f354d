//! The network that joins the nodes of a cluster.

use std::fs::File;
use std::os::fd::AsFd;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs something on a thread of that network. What the thread starts, threads and processes, is there as well.
pub(crate) fn inside<T: Send>(cluster: &str, act: impl FnOnce() -> T + Send) -> T {
    let network = File::open(format!("/run/netns/fswarm-{cluster}")).expect("the cluster is up");
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
