//! Good and bad releases in turn, on three nodes: each deploy says truly what has come of it, and the old release serves whenever the new one
//! is bad. With the full counts clients ask meanwhile, and none of them is left without an answer.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use formation::State;
use ps_probe::{Ask, Check, Checks};
use ps_scheduler::{Intent, Release, Source};
use swarm_cluster::Cluster;

use crate::load::{self, Balancer, Load};
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
    /// Its image is on the node that is asked, and on no other.
    Elsewhere,
}

const KINDS: [Kind; 6] = [Kind::Good, Kind::Crashing, Kind::Slow, Kind::Sick, Kind::Missing, Kind::Elsewhere];
/// An image of one node.
const OF_ONE_NODE: &str = "formation-test/of-one-node:1";

impl Kind {
    fn release(self, place: &Place, number: usize) -> Release {
        let become_well = match self {
            Self::Good | Self::Missing | Self::Elsewhere => "touch /tmp/well; ",
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
        if self == Self::Elsewhere {
            release.source = Source::Image(OF_ONE_NODE.to_owned());
        }
        release
    }

    fn is_good(self) -> bool {
        match self {
            Self::Good | Self::Slow => true,
            Self::Crashing | Self::Sick | Self::Missing | Self::Elsewhere => false,
        }
    }
}

/// The containers of `web`.
fn containers(place: &Place) -> Vec<String> {
    let rows = place.status().instances.into_iter();
    let running = rows.filter(|row| row.state == State::Running && row.slot.process_type.as_str() == "web");
    running.filter_map(|row| row.container_id).collect()
}

/// The releases that the instances of `web` are of.
fn releases(place: &Place) -> Vec<Option<u64>> {
    let rows = place.status().instances.into_iter();
    rows.filter(|row| row.slot.process_type.as_str() == "web").map(|row| row.release).collect()
}

/// What is released, in turn; of a long run, those kinds that `FORMATION_TEST_RELEASES` names (`Good,Sick`).
fn kinds() -> Vec<Kind> {
    let named = std::env::var("FORMATION_TEST_RELEASES").ok().filter(|_| is_long());
    let kind = |name: &str| KINDS.into_iter().find(|kind| format!("{kind:?}") == name);
    named.map_or_else(
        || KINDS.to_vec(),
        |named| {
            named.split(',').map(|name| kind(name).unwrap_or_else(|| panic!("{name} is no kind"))).collect()
        },
    )
}

fn is_long() -> bool {
    std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1")
}

/// What the swarm says of every task that it remembers, for whoever looks for the cause of a failure.
fn history(cluster: &Cluster) -> String {
    let services = cluster.docker(1, &["service", "ls", "--format", "{{.Name}}"]);
    let list = "{{.ID}} {{.Name}} {{.Node}} {{.DesiredState}} {{.CurrentState}} {{.Error}}";
    let tasks = |service: &str| {
        cluster.docker(1, &["service", "ps", "--no-trunc", "--format", list, service])
            + &cluster.docker(1, &["service", "inspect", "--format", "{{json .UpdateStatus}}", service])
    };
    services.lines().map(tasks).collect()
}

/// Deploys so many releases. With `load`, each has a second type that clients ask, which every release replaces and each bad one puts back.
fn in_turn(cluster: &Cluster, place: &Place, rounds: usize, load: Option<&Load>) {
    let kinds = kinds();
    for round in 0..rounds {
        let kind = kinds[round % kinds.len()];
        let (before, released) = (containers(place), releases(place));
        let mut release = kind.release(place, round);
        let mut wanted = vec!["web=3".to_owned()];
        if load.is_some() {
            load::add_server(&mut release, "");
            wanted.push(format!("{}=2", load::TYPE));
        }
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let begin = Instant::now();
        let (deployed, told) = place.carry_out(&place.plan(release, &wanted, &Intent::Deploy));
        if let Some(load) = load {
            let (took, end) = (begin.elapsed(), if deployed.is_ok() { "deployed" } else { "put back" });
            let (asked, _, failed) = load.outcome();
            // Past the capture of the harness: a run that is cut off has shown something, too.
            let _ = writeln!(
                io::stderr().lock(),
                "{round}, {kind:?}: {end} after {:.1} s; so far {asked} requests, {} failed",
                took.as_secs_f64(),
                failed.len()
            );
            assert!(failed.is_empty(), "{round}, {kind:?}: of {asked}: {failed:?}");
        }
        assert_eq!(deployed.is_ok(), kind.is_good(), "{round}, {kind:?}: {deployed:?}\n{told:?}");
        let after = containers(place);
        assert_eq!(after.len(), 3, "{round}, {kind:?}");
        if kind.is_good() {
            assert!(
                after.iter().all(|id| !before.contains(id)),
                "{round}, {kind:?}: {before:?}, then {after:?}"
            );
        } else if kind == Kind::Elsewhere {
            // A swarm may have replaced the instance on the node that has the image before another node has none.
            assert_eq!(releases(place), released, "{round}, {kind:?}: the old release serves");
        } else if after != before {
            // A task that failed may get a successor of the earlier release while that is put back. A swarm then ends either of the two in the slot.
            let told_of = deployed.as_ref().err().map(ToString::to_string).unwrap_or_default();
            let others = after.iter().filter(|id| !before.contains(id)).count();
            assert!(
                told_of.matches("runs the earlier release again, in another container").count() == others,
                "{round}, {kind:?}: something was touched: {before:?}, then {after:?}\n{told_of}\n{told:?}\n{}",
                history(cluster)
            );
            let _ =
                writeln!(io::stderr().lock(), "{round}, {kind:?}: {others} in another container, as it said");
        }
    }
}

#[test]
fn of_good_and_bad_releases_in_turn_each_deploy_says_what_came_of_it_and_a_bad_one_changes_nothing() {
    let Some(cluster) = Cluster::up(3) else { return };
    let place = Place::new(&cluster);
    cluster.docker(1, &["tag", swarm_cluster::IMAGE, OF_ONE_NODE]);
    if is_long() {
        in_turn(&cluster, &place, 1, Some(&Load::default()));
        let _balancer = Balancer::before(&cluster, 3);
        let ((), load) = Load::during(&cluster, |load| in_turn(&cluster, &place, 50, Some(load)));
        let (asked, _, failed) = load.outcome();
        let _ = writeln!(io::stderr().lock(), "50 releases: {asked} requests, {} failed", failed.len());
        assert!(failed.is_empty(), "of {asked}: {failed:?}");
    } else {
        in_turn(&cluster, &place, KINDS.len(), None);
    }
    place.stop("", true).expect("is removed");
}
