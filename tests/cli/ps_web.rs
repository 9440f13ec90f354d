//! `ps-web` as those who ask it see it: by its socket and by an address, with apps that really run.

#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "support/asking.rs"]
mod asking;
#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/home.rs"]
mod home;
#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/program.rs"]
mod program;

#[path = "ps_web/answers.rs"]
mod answers;
#[path = "ps_web/balanced.rs"]
mod balanced;
#[path = "ps_web/browser.rs"]
mod browser;
#[path = "ps_web/chromium.rs"]
mod chromium;
#[path = "ps_web/events.rs"]
mod events;
#[path = "ps_web/hostile.rs"]
mod hostile;
#[path = "ps_web/metrics.rs"]
mod metrics;
#[path = "ps_web/orders.rs"]
mod orders;
#[path = "support/schema.rs"]
mod schema;
#[path = "ps_web/served.rs"]
mod served;
#[path = "ps_web/sockets.rs"]
mod sockets;
