//! Ports that a person chose, reserved before the first run of a rollout starts. An instance gives up its port when it
//! is ended, so if the new port were found to be in use only then, the instance would have none.
//!
//! For example, two apps were given the port 7000 and are restarted at the same time. The first supervisor records the
//! port for its slot. The other one sees that and refuses the restart, and its instance keeps running on its old port.

use std::path::Path;

use formation::Slot;
use ps_rollout::Lane;

use super::claims::{Claims, claims_of_others};
use super::{of_another_app, port_by_place};
use crate::spec::Spec;

/// Reserves the chosen ports of these slots, which get a new run of this spec.
///
/// # Errors
/// Another app has one of them: which, for people. None is reserved then.
pub(crate) fn reserve<'a>(
    spec: &Spec,
    slots: impl Iterator<Item = &'a Slot>,
    service: &Path,
    claims: &mut Claims,
) -> Result<(), String> {
    let chosen =
        slots.filter(|slot| !slot.process_type.is_release() && spec.is_port_chosen(&slot.process_type));
    // Where there is none, the start says so.
    let chosen = chosen.filter_map(|slot| Some((slot, port_by_place(spec, slot)?)));
    let kept = claims.kept(service);
    let fresh: Vec<(&Slot, u16)> =
        chosen.filter(|(slot, port)| kept.port(slot, Lane::Own) != Some(*port)).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    claims.begin_choice(spec, service);
    for (slot, port) in &fresh {
        if claims.others(spec, service).contains(port) {
            give_back_reserved(service, claims);
            return Err(of_another_app(spec, slot, *port));
        }
        claims.kept(service).reserve(slot, *port);
    }
    if claims.chooses_alone(service) {
        return Ok(());
    }
    let others = claims_of_others(spec, service);
    match fresh.iter().find(|(_, port)| others.contains(port)) {
        None => Ok(()),
        Some((slot, port)) => {
            give_back_reserved(service, claims);
            Err(of_another_app(spec, slot, *port))
        }
    }
}

/// Ends the reservations of a rollout that is over: its ports are either in use or free.
pub(crate) fn give_back_reserved(service: &Path, claims: &mut Claims) {
    claims.kept(service).give_back_reserved();
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{assign, tests::own_port, tests::slot, tests::spec};
    use super::*;

    #[test]
    fn of_two_apps_that_want_one_port_at_once_the_first_has_it_until_its_rollout_is_over() {
        let parent = tempfile::tempdir().expect("a directory");
        let services = ["one", "other"].map(|app| {
            let service = parent.path().join(app);
            fs::create_dir_all(service.join("t0.1")).expect("a directory");
            service
        });
        let port = own_port();
        let slots = [slot("t0.1")];
        let reserve = |app: &str, service: &Path| {
            let mut claims = Claims::default();
            let reserved = reserve(&spec(app, port, true), slots.iter(), service, &mut claims);
            claims.release();
            reserved
        };
        assert_eq!(reserve("one", &services[0]), Ok(()));
        let refused = reserve("other", &services[1]).expect_err("the first has it");
        assert!(refused.contains(&port.to_string()) && refused.contains("ps-set other port"), "{refused}");
        let start = |app: &str, service: &Path| {
            let mut claims = Claims::default();
            let assigned = assign(&spec(app, port, true), &slot("t0.1"), service, None, &mut claims);
            claims.release();
            assigned
        };
        assert!(start("other", &services[1]).is_err(), "a start does not get it either");
        assert_eq!(start("one", &services[0]).expect("its own").port, Some(port));
        let give_back = |service: &Path| {
            let mut claims = Claims::default();
            give_back_reserved(service, &mut claims);
            claims.release();
        };
        give_back(&services[0]);
        assert!(reserve("other", &services[1]).is_err(), "it is in use now");
        fs::remove_dir_all(&services[0]).expect("it was there");
        assert_eq!(reserve("other", &services[1]), Ok(()));
    }
}
