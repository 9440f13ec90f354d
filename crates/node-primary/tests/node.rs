//! Real Node processes below a primary.

#[path = "node/apps.rs"]
mod apps;
#[path = "../../../tests/cli/support/node_clients.rs"]
mod clients;
#[path = "node/faults.rs"]
mod faults;
#[path = "node/fleet.rs"]
mod fleet;
#[path = "node/majors.rs"]
mod majors;
#[path = "node/messages.rs"]
mod messages;
#[path = "node/reloads.rs"]
mod reloads;
