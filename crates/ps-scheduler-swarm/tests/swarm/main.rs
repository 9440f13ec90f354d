//! The scheduler on real swarms (`tests/swarm`).

mod conformance;
mod place;
mod truth;
