//! The scheduler on real swarms (`tests/swarm`).

mod altered;
mod conformance;
mod deaths;
mod finished;
mod followed;
mod hangs;
mod load;
mod losses;
mod not_back;
mod place;
mod reached;
mod refused;
mod releases;
mod secrets;
mod told;
mod truth;
