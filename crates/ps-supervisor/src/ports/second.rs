//! The second lane of a slot: the port of a run that lives beside the old one. It exists for as long as that run does, and
//! is always a spare one: the slot's own port is held by the old run.

use std::fs;
use std::path::Path;

use formation::Slot;

use super::claims::{Claims, claims_of_others};
use super::file::{SECOND_PORT_FILE, written};
use super::{choose_and_keep, is_free, write};
use crate::spec::Spec;

/// The port of the second lane of a slot, whose run is about to be started; `None` for `release`. A port that an earlier
/// run of the lane left behind is given again if it is free.
///
/// # Errors
/// That no port is free, for people.
pub(crate) fn second(
    spec: &Spec,
    slot: &Slot,
    service: &Path,
    claims: &mut Claims,
) -> Result<Option<u16>, String> {
    if slot.process_type.as_str() == "release" {
        return Ok(None);
    }
    let directory = service.join(slot.to_string());
    let is_ours = |port: &u16| is_free(*port) && !claims_of_others(spec, service).contains(port);
    if let Some(port) = written(&directory, SECOND_PORT_FILE).filter(is_ours) {
        return Ok(Some(port));
    }
    let keep = |port: Option<u16>| {
        if let Some(port) = port {
            write(&directory.join(SECOND_PORT_FILE), port);
        }
    };
    let port = choose_and_keep(spec, service, claims, None, keep);
    port.map(Some).ok_or_else(|| format!("no port above 20000 is free for a second run of {slot}"))
}

/// The lane was left: its port is for anybody.
pub(crate) fn release(service: &Path, slot: &Slot) {
    // One that stays behind keeps a port from others, and nothing else.
    let _ = fs::remove_file(service.join(slot.to_string()).join(SECOND_PORT_FILE));
}

#[cfg(test)]
mod tests {
    use super::super::{kept, settle, tests::slot, tests::spec};
    use super::*;

    #[test]
    fn the_second_lane_has_a_port_of_its_own_until_it_is_left_and_no_other_app_gets_it_meanwhile() {
        let parent = tempfile::tempdir().expect("a directory");
        let services = ["shop", "other"].map(|app| {
            let service = parent.path().join(app);
            fs::create_dir_all(service.join("t0.1")).expect("a directory");
            service
        });
        let (spec_of_shop, spec_of_other) = (spec("shop", 0, false), spec("other", 0, false));
        let own = settle(&spec_of_shop, &slot("t0.1"), &services[0], None, &mut Claims::default());
        let own = own.expect("a port").port.expect("a port");
        let lane = |spec: &Spec, service: &Path| {
            second(spec, &slot("t0.1"), service, &mut Claims::default()).expect("a port").expect("a port")
        };
        let of_shop = lane(&spec_of_shop, &services[0]);
        assert!(of_shop > 20_000 && of_shop != own, "{of_shop} {own}");
        assert_eq!(lane(&spec_of_shop, &services[0]), of_shop, "it is kept while the lane is in use");
        assert_eq!(kept(&services[0].join("t0.1")), Some(own), "the slot's own port stays its own");
        let of_other = lane(&spec_of_other, &services[1]);
        assert!(of_other != of_shop && of_other != own, "{of_other}");
        release(&services[0], &slot("t0.1"));
        assert!(!services[0].join("t0.1").join(SECOND_PORT_FILE).exists());
        assert_eq!(kept(&services[0].join("t0.1")), Some(own));
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
