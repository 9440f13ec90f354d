//! Checks the certificates of all addresses that speak TLS.

use std::time::SystemTime;

use anyhow::Result;
use balance_tls::Expiry;
use ps_apps::World;
use ps_rows::FindingRow;
use ps_service::Service;

use crate::certificate;

/// The name of the check.
pub(super) const CHECK: &str = "certificates";

/// The row about them: the one that ends first is named.
pub(super) fn certificates(world: &World) -> Result<FindingRow> {
    let clock = SystemTime::now();
    let apps = Service::apps(world)?;
    let mut ending: Vec<Expiry> =
        apps.iter().filter_map(|app| certificate::ending(world, app, clock)).collect();
    ending.sort_by_key(|expiry| expiry.until);
    let cure = "replace server.crt and server.key: they are read again when the next client connects";
    let more = ending.len().saturating_sub(1);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    Ok(match ending.first() {
        None => FindingRow::pass(CHECK, "none that is shown to clients ends within 14 days"),
        Some(first) if first.is_over => FindingRow::fail(CHECK, format!("{first}{more}"), cure),
        Some(first) => FindingRow::warn(CHECK, format!("{first}{more}"), cure),
    })
}
