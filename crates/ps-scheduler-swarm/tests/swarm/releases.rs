//! Good and bad releases in turn, on three nodes: each deploy says truly what has come of it, and the old release serves whenever the new one
//! is bad.

use std::time::Duration;

use ps_probe::{Ask, Check, Checks};
use ps_scheduler::{Intent, Release, Source};
use swarm_cluster::Cluster;

use crate::place::Place;

/// What a release is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    /// Its processes end with an error.
    Crashing,
    /// They run, and their check fails.
    Sick,
    /// They pass their check after a while.
    Slow,
    /// Its image is nowhere.
    Missing,
}

const KINDS: [Kind; 5] = [Kind::Good, Kind::Crashing, Kind::Slow, Kind::Sick, Kind::Missing];

impl Kind {
    fn release(self, place: &Place, number: usize) -> Release {
        let become_well = match self {
            Self::Good | Self::Missing => "touch /tmp/well; ",
            Self::Crashing => "echo out of order; exit 3; ",
            Self::Sick => "",
            Self::Slow => "sleep 2; touch /tmp/well; ",
        };
        let mut release = place.release(&format!(": {number}; {become_well}exec sleep 1000"));
        let check = Check {
            ask: Ask::Run(vec!["test".to_owned(), "-e".to_owned(), "/tmp/well".to_owned()]),
            attempts: 5,
            timeout: Duration::from_secs(5),
            wait: Duration::from_secs(1),
            initial_delay: Duration::ZERO,
            only_warns: false,
            on_failure: Vec::new(),
            port: None,
        };
        release.processes[0].checks = Checks { startup: vec![check], ..Checks::default() };
        if self == Self::Missing {
            release.source = Source::Image("formation-test/no-such-image:1".to_owned());
        }
        release
    }

    fn is_good(self) -> bool {
        match self {
            Self::Good | Self::Slow => true,
            Self::Crashing | Self::Sick | Self::Missing => false,
        }
    }
}

#[test]
fn of_good_and_bad_releases_in_turn_each_deploy_says_what_came_of_it_and_a_bad_one_changes_nothing() {
    let Some(cluster) = Cluster::up(3) else { return };
    let place = Place::new(&cluster);
    let rounds = if std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1") {
        50
    } else {
        KINDS.len()
    };
    for round in 0..rounds {
        let kind = KINDS[round % KINDS.len()];
        let before = place.containers();
        let plan = place.plan(kind.release(&place, round), &["web=3"], &Intent::Deploy);
        let (deployed, told) = place.carry_out(&plan);
        assert_eq!(deployed.is_ok(), kind.is_good(), "{round}, {kind:?}: {deployed:?}\n{told:?}");
        let after = place.containers();
        assert_eq!(after.len(), 3, "{round}, {kind:?}");
        if kind.is_good() {
            assert!(
                after.iter().all(|id| !before.contains(id)),
                "{round}, {kind:?}: {before:?}, then {after:?}"
            );
        } else {
            assert_eq!(after, before, "{round}, {kind:?}: something was touched");
        }
    }
    place.stop("", true).expect("is removed");
}
