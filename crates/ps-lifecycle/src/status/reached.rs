//! What `status` says of an app's address: where it is reached, who serves it, and whether its certificate ends soon.

use std::time::SystemTime;

use balance_tls::Expiry;
use formation::State;
use ps_apps::World;
use ps_scheduler::AppStatus;
use ps_service::{Served, Service};

use crate::certificate;

/// Who serves the address of an app now; `None`: it has none.
pub(super) fn served(world: &World, status: &AppStatus) -> Option<Served> {
    let first = status.listen.as_slice().first()?;
    Some(Service::of(world, &status.app, None).served(*first))
}

/// The line about the address of an app, if it has one. `served`: who serves it, if that is asked for.
pub(super) fn line(status: &AppStatus, served: Option<Served>) -> Option<String> {
    let AppStatus { app, instances, listen, .. } = status;
    if listen.is_empty() {
        return None;
    }
    let mut behind = instances.iter().filter(|instance| status.leads_to(instance));
    if !behind.any(|instance| instance.state.is_alive() || instance.state == State::Unknown) {
        return Some(format!("{app} has the address {listen}, but no instance runs"));
    }
    if instances.iter().any(|instance| instance.has_socket && instance.state.is_alive()) {
        return Some(format!("{app} is reached at {listen}, where its instances accept clients themselves"));
    }
    let open: Option<u64> =
        instances.iter().filter_map(|instance| instance.connections).reduce(|all, one| all + one);
    let open = open.map(|open| format!(", open connections: {open}")).unwrap_or_default();
    Some(match served {
        None | Some(Served::Supervised) => format!("{app} is reached at {listen}{open}"),
        Some(Served::ByBalance) => {
            format!("{app} is reached at {listen} by ps-balance alone, without a supervisor{open}")
        }
        Some(Served::Held) => format!(
            "{app} has the address {listen}, but nobody serves it: clients wait until a supervisor runs"
        ),
        Some(Served::ByAnother(holder)) => {
            format!("{app} has the address {listen}, but {holder} listens there, and no supervisor runs")
        }
        Some(Served::Nobody) => {
            format!("{app} has the address {listen}, but nobody listens there: clients are refused")
        }
    })
}

/// That the certificate of an app's address ends soon, or has ended.
pub(super) fn certificate(world: &World, status: &AppStatus) -> Option<String> {
    let has_address = !status.listen.is_empty();
    let expiry = has_address.then(|| certificate::ending(world, &status.app, SystemTime::now())).flatten();
    expiry.map(|expiry: Expiry| format!("{}: {expiry}", status.app))
}

#[cfg(test)]
mod tests {
    use ps_scheduler::Instance;

    use super::*;

    #[test]
    fn who_serves_an_address_is_said_where_it_is_not_the_supervisor() {
        let web = "web.1".parse().expect("a slot");
        let status = AppStatus::of("shop".parse().expect("a name"), vec![Instance::new(web, State::Running)]);
        assert_eq!(line(&status, None), None);
        let status = AppStatus { listen: "5000".parse().expect("an address"), ..status };
        let said = |served| line(&status, served).expect("it has an address");
        let usual = "shop is reached at 127.0.0.1:5000";
        assert_eq!([said(None), said(Some(Served::Supervised))], [usual, usual]);
        assert_eq!(
            said(Some(Served::ByBalance)),
            "shop is reached at 127.0.0.1:5000 by ps-balance alone, without a supervisor"
        );
        for served in [Served::Held, Served::Nobody] {
            assert!(!said(Some(served)).contains("is reached"));
        }
    }
}
