//! `ps-explain` as a shell sees it: faults that are made for real, and what it names as their cause.

#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/home.rs"]
mod home;
#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/program.rs"]
mod program;

#[path = "ps_explain/answers.rs"]
mod answers;
#[path = "ps_explain/containers.rs"]
mod containers;
#[path = "ps_explain/crashes.rs"]
mod crashes;
#[path = "ps_explain/deploys.rs"]
mod deploys;
#[path = "ps_explain/orders.rs"]
mod orders;
#[path = "support/schema.rs"]
mod schema;
#[path = "ps_explain/world.rs"]
mod world;
