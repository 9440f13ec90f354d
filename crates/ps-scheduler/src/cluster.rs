//! How the notes of an instance begin that does not run on account of the cluster, although nothing is wrong with the instance itself.

/// No node of a swarm has room for it, or is what it asks for. These are the swarm's own words.
pub const NO_NODE: &str = "no suitable node";
/// Its node is gone; the node's name follows.
pub const NODE_LOST: &str = "its node ";
/// More than half of the managers do not answer.
pub const NO_QUORUM: &str = "the swarm has lost its quorum";

/// Whether a note says that it is the cluster which keeps an instance from running.
pub fn keeps_from_running(note: &str) -> bool {
    [NO_NODE, NODE_LOST, NO_QUORUM].iter().any(|begin| note.starts_with(begin))
}
