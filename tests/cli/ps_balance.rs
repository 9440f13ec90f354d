//! `ps-balance` before real servers, with real clients.

#[path = "support/certificates.rs"]
mod certificates;

#[path = "ps_balance/control.rs"]
mod control;
#[path = "ps_balance/crowds.rs"]
mod crowds;
#[path = "ps_balance/held.rs"]
mod held;
#[path = "ps_balance/hostile.rs"]
mod hostile;
#[path = "ps_balance/http.rs"]
mod http;
#[path = "ps_balance/http2.rs"]
mod http2;
#[path = "ps_balance/passing.rs"]
mod passing;
#[path = "ps_balance/proxy.rs"]
mod proxy;
#[path = "ps_balance/reach.rs"]
mod reach;
#[path = "ps_balance/resting.rs"]
mod resting;
#[path = "ps_balance/rollouts.rs"]
mod rollouts;
#[path = "ps_balance/secure.rs"]
mod secure;
#[path = "ps_balance/smuggling.rs"]
mod smuggling;
#[path = "ps_balance/starts.rs"]
mod starts;
#[path = "ps_balance/tls.rs"]
mod tls;
#[path = "ps_balance/upgrade.rs"]
mod upgrade;
#[path = "ps_balance/world.rs"]
mod world;
