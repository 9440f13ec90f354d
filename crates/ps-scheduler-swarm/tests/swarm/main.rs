//! The scheduler on real swarms (`tests/swarm`).

mod conformance;
mod deaths;
mod losses;
mod place;
mod reached;
mod releases;
mod truth;
