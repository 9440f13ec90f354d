//! The port of the second lane of a slot, for a run beside the old one. It is kept as long as that run lives, and is always
//! a spare port, because the old run holds the slot's own.

use std::path::Path;

use formation::Slot;
use ps_rollout::Lane;

use super::claims::Claims;
use super::{choose_and_keep, is_free};
use crate::spec::Spec;

/// The port for a run that is about to be started on the second lane; `None` for `release`. If an earlier run of the lane
/// left a port and it is free, it is used again.
///
/// # Errors
/// No port is free: for people.
pub(crate) fn second(
    spec: &Spec,
    slot: &Slot,
    service: &Path,
    claims: &mut Claims,
) -> Result<Option<u16>, String> {
    if slot.process_type.is_release() || spec.passes_sockets(&slot.process_type) {
        return Ok(None);
    }
    let kept = claims.kept(service).port(slot, Lane::Second).filter(|port| is_free(*port));
    if let Some(port) = kept.filter(|port| !claims.is_anothers(*port, spec, service)) {
        return Ok(Some(port));
    }
    let port = choose_and_keep(spec, service, claims, None, (slot, Lane::Second));
    port.map(Some).ok_or_else(|| format!("no port above 20000 is free for a second run of {slot}"))
}

/// Forgets the port of the second lane after its run has ended.
pub(crate) fn release(service: &Path, slot: &Slot, claims: &mut Claims) {
    claims.kept(service).keep(slot, Lane::Second, None);
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{assign, tests::holds_in_one_of_five, tests::slot, tests::spec};
    use super::*;

    #[test]
    fn the_second_lane_has_a_port_of_its_own_until_it_is_left_and_no_other_app_gets_it_meanwhile() {
        holds_in_one_of_five(|parent| {
            let services = ["shop", "other"].map(|app| {
                let service = parent.join(app);
                fs::create_dir_all(service.join("t0.1")).expect("a directory");
                service
            });
            let (spec_of_shop, spec_of_other) = (spec("shop", 0, false), spec("other", 0, false));
            let mut claims = Claims::default();
            let own = assign(&spec_of_shop, &slot("t0.1"), &services[0], None, &mut claims);
            claims.release();
            let own = own.expect("a port").port.expect("a port");
            let lane = |spec: &Spec, service: &Path| {
                let mut claims = Claims::default();
                let port = second(spec, &slot("t0.1"), service, &mut claims).expect("a port");
                claims.release();
                port.expect("a port")
            };
            let kept = |lane| Claims::default().kept(&services[0]).port(&slot("t0.1"), lane);
            let of_shop = lane(&spec_of_shop, &services[0]);
            assert!(of_shop > 20_000 && of_shop != own, "{of_shop} {own}");
            let still = lane(&spec_of_shop, &services[0]);
            if still != of_shop {
                return Err(format!("it is not kept while the lane is in use: {of_shop}, then {still}"));
            }
            assert_eq!(kept(Lane::Own), Some(own), "the slot's own port stays its own");
            let of_other = lane(&spec_of_other, &services[1]);
            assert!(of_other != of_shop && of_other != own, "{of_other}");
            release(&services[0], &slot("t0.1"), &mut claims);
            claims.release();
            assert_eq!((kept(Lane::Own), kept(Lane::Second)), (Some(own), None));
            Ok(())
        });
    }

    #[test]
    fn a_chosen_base_binds_the_own_lane_alone() {
        let parent = tempfile::tempdir().expect("a directory");
        let service = parent.path().join("shop");
        fs::create_dir_all(service.join("t0.1")).expect("a directory");
        let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = held.local_addr().expect("bound").port();
        let port = second(&spec("shop", base, true), &slot("t0.1"), &service, &mut Claims::default());
        assert!(port.is_ok_and(|port| port.is_some_and(|port| port > 20_000 && port != base)));
    }
}
