//! `ps-notify` with real supervisors and a real HTTP server: each test has a world of its own, and leaves nothing of it.

#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/home.rs"]
mod home;
#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/program.rs"]
mod program;

#[expect(dead_code, reason = "the tests of ps-balance have clients too")]
#[path = "support/certificates.rs"]
mod certificates;
#[path = "ps_notify/hooks.rs"]
mod hooks;
#[path = "ps_notify/limits.rs"]
mod limits;
#[path = "ps_notify/receiver.rs"]
mod receiver;
#[path = "support/schema.rs"]
mod schema;
#[path = "ps_notify/secret.rs"]
mod secret;
#[path = "ps_notify/told.rs"]
mod told;
#[path = "ps_notify/waits.rs"]
mod waits;
