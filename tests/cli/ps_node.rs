//! `ps-node` with real Node programs and real clients.

#[path = "support/node_clients.rs"]
mod clients;
#[path = "ps_node/ends.rs"]
mod ends;
#[path = "support/npm_pm2.rs"]
mod npm_pm2;
#[path = "ps_node/peer.rs"]
mod peer;
#[path = "ps_node/reloads.rs"]
mod reloads;
#[path = "ps_node/serves.rs"]
mod serves;
#[path = "ps_node/shares.rs"]
mod shares;
#[path = "ps_node/world.rs"]
mod world;
