//! Nodes that lose their power or their network, are drained or ended, while a verb is under way: each verb comes back with a true word, what is
//! wanted runs again, nothing is left too many when the node is back, and the same verb again ends as it was asked.

use std::io::{self, Write};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use formation::{State, Which};
use ps_engine::Engine;
use ps_scheduler::{Cancel, Error, Intent, Plan, Requester, Scheduler};
use swarm_cluster::Cluster;

use crate::load::{self, Balancer, Load};
use crate::place::Place;

const NODES: u8 = 3;
/// Instances that clients reach; one of them has its node for itself, and a node is left for it if one is lost.
const SERVING: u16 = 2;
/// A verb has its deadline, and each question of it the time that a swarm needs to choose a leader; only what hangs takes longer than this.
const VERB: Duration = Duration::from_secs(240);
/// What a swarm needs to notice that a node is gone, to replace what ran there, and to take a node back, with much to spare.
const RECOVERY: Duration = Duration::from_secs(120);

/// What happens to nodes.
#[derive(Clone, Copy, Debug)]
enum Loss {
    FollowerLosesPower,
    FollowerIsCutOff,
    FollowerIsDrained,
    LeaderLosesPower,
    LeaderIsCutOff,
    LeaderIsEnded,
    QuorumIsLost,
}

const LOSSES: [Loss; 7] = [
    Loss::FollowerLosesPower,
    Loss::FollowerIsCutOff,
    Loss::FollowerIsDrained,
    Loss::LeaderLosesPower,
    Loss::LeaderIsCutOff,
    Loss::LeaderIsEnded,
    Loss::QuorumIsLost,
];

/// What is under way meanwhile.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Deploy,
    Scale,
    Restart,
}

/// Nodes by what they are.
struct Nodes {
    leader: u8,
    /// The manager that is asked; it lives through everything.
    asked: u8,
    other: u8,
}

impl Nodes {
    /// The one that is asked has an instance that clients reach, so that one is left whatever is lost.
    fn of(cluster: &Cluster, place: &Place) -> Self {
        let leader = eventually("the nodes have a leader", || leader(cluster), |leader| *leader > 0);
        let rows = place.status().instances;
        let serves = |node: &u8| {
            let name = format!("node{node}");
            let serving = rows.iter().filter(|row| row.slot.process_type.as_str() == load::TYPE);
            serving.filter_map(|row| row.node.as_deref()).any(|node| node == name)
        };
        let followers = (1..=NODES).filter(|node| *node != leader);
        let asked = followers.clone().find(serves).expect("two instances are not both with the leader");
        let other = followers.clone().find(|node| *node != asked).expect("there are two");
        Self { leader, asked, other }
    }
}

fn leader(cluster: &Cluster) -> u8 {
    let engine = Engine::new(cluster.socket(1)).expect("a client");
    let Ok(nodes) = engine.run(engine.nodes()) else { return 0 };
    let nodes = nodes.as_array().expect("a list").clone();
    // All have to be there, so that one may go.
    if nodes.iter().any(|node| {
        node["Status"]["State"] != "ready" || node["ManagerStatus"]["Reachability"] != "reachable"
    }) {
        return 0;
    }
    let leader = nodes.iter().find(|node| node["ManagerStatus"]["Leader"] == true);
    let name = leader.and_then(|node| node["Description"]["Hostname"].as_str()).unwrap_or_default();
    name.trim_start_matches("node").parse().unwrap_or(0)
}

impl Loss {
    fn happens(self, cluster: &Cluster, nodes: &Nodes) {
        match self {
            Self::FollowerLosesPower => cluster.lose(nodes.other),
            Self::FollowerIsCutOff => cluster.cut(nodes.other),
            Self::FollowerIsDrained => cluster.drain(nodes.other),
            Self::LeaderLosesPower => cluster.lose(nodes.leader),
            Self::LeaderIsCutOff => cluster.cut(nodes.leader),
            Self::LeaderIsEnded => cluster.stop(nodes.leader),
            Self::QuorumIsLost => {
                cluster.lose(nodes.leader);
                cluster.lose(nodes.other);
            }
        }
    }

    fn is_undone(self, cluster: &Cluster, nodes: &Nodes) {
        match self {
            Self::FollowerIsDrained => cluster.admit(nodes.other),
            Self::FollowerLosesPower | Self::FollowerIsCutOff => cluster.heal(nodes.other),
            Self::LeaderLosesPower | Self::LeaderIsCutOff | Self::LeaderIsEnded => cluster.heal(nodes.leader),
            Self::QuorumIsLost => {
                cluster.heal(nodes.leader);
                cluster.heal(nodes.other);
            }
        }
    }

    fn leaves_a_quorum(self) -> bool {
        !matches!(self, Self::QuorumIsLost)
    }
}

pub(crate) fn eventually<T: std::fmt::Debug>(
    what: &str,
    see: impl FnMut() -> T,
    is_so: impl Fn(&T) -> bool,
) -> T {
    eventually_or(see, is_so, || what.to_owned())
}

/// The same with what is said of it when it did not come true.
fn eventually_or<T: std::fmt::Debug>(
    mut see: impl FnMut() -> T,
    is_so: impl Fn(&T) -> bool,
    what: impl Fn() -> String,
) -> T {
    let end = Instant::now() + RECOVERY;
    loop {
        let seen = see();
        if is_so(&seen) {
            return seen;
        }
        assert!(Instant::now() < end, "{}: not within {} s, but {seen:?}", what(), RECOVERY.as_secs());
        thread::sleep(Duration::from_millis(50));
    }
}

impl Verb {
    /// How many instances an app is to have that has `there`.
    fn wanted(self, there: u16) -> u16 {
        match self {
            Self::Deploy | Self::Restart => there,
            Self::Scale => there % 4 + 3,
        }
    }

    fn plan(self, place: &Place, release: usize, wanted: u16) -> Plan {
        let intent = match self {
            Self::Deploy => Intent::Deploy,
            Self::Scale => Intent::Converge(Which::All),
            Self::Restart => Intent::Restart(Which::All),
        };
        let mut release = place.release(&command(release));
        load::add_server(&mut release, "");
        place.plan(release, &[&format!("web={wanted}"), &format!("{}={SERVING}", load::TYPE)], &intent)
    }
}

fn command(release: usize) -> String {
    format!(": {release}; exec sleep 1000")
}

/// Carries out a plan on a thread of its own, and has the loss happen when the first of it is told.
fn meanwhile(place: &Place, plan: &Plan, happens: impl FnOnce()) -> (Result<(), Error>, Duration) {
    let (told, is_under_way) = channel();
    let swarm = place.another();
    thread::scope(|scope| {
        let begin = Instant::now();
        let verb = scope.spawn(move || {
            let mut tell = |_| {
                // Nobody listens any more when the loss has happened.
                let _ = told.send(());
            };
            let cancel = Cancel::default();
            swarm.deploy(plan, &mut Requester { tell: &mut tell, cancel: &cancel, lock: None }).map(drop)
        });
        // A verb of which nothing is told has ended, and the loss is one after it.
        let _ = is_under_way.recv_timeout(VERB);
        happens();
        let result = verb.join().expect("no verb panics");
        (result, begin.elapsed())
    })
}

fn running(place: &Place) -> Option<usize> {
    let status = place.swarm.status_of(&place.app).ok()?;
    Some(status.instances.iter().filter(|row| row.state == State::Running).count())
}

/// What there is, for whoever has to find out why it is not what it should be: a node that was given up although it lives looks like a loss.
fn described(cluster: &Cluster, place: &Place, nodes: &Nodes) -> String {
    let rows = place.swarm.status_of(&place.app).map_or_else(
        |error| error.to_string(),
        |status| {
            let row = |row: &ps_scheduler::Instance| {
                let (slot, state, node) =
                    (&row.slot, row.state.as_str(), row.node.as_deref().unwrap_or("no node"));
                format!(
                    "{slot} {state} on {node} since {:?} {}",
                    row.since,
                    row.note.as_deref().unwrap_or_default()
                )
            };
            status.instances.iter().map(row).chain(status.troubles.clone()).collect::<Vec<_>>().join("\n")
        },
    );
    let format = "{{.Description.Hostname}} {{.Status.State}} {{.Status.Message}} {{.UpdatedAt}}";
    let list = cluster.docker(nodes.asked, &["node", "ls", "--quiet"]);
    let ids: Vec<&str> = list.lines().collect();
    let states = cluster.docker(nodes.asked, &[&["node", "inspect", "--format", format], &ids[..]].concat());
    format!("there is at {:?}:\n{rows}\n{states}", std::time::SystemTime::now())
}

/// Whether an instance that clients reach lives on a node.
fn serves(cluster: &Cluster, node: u8) -> bool {
    let label = format!("label=com.dokku.process-type={}", load::TYPE);
    !cluster.docker(node, &["ps", "--quiet", "--filter", &label]).is_empty()
}

/// The app's containers on every node.
fn everywhere(cluster: &Cluster) -> usize {
    let on = |node| {
        cluster.docker(node, &["ps", "--quiet", "--filter", "label=com.formation.world"]).lines().count()
    };
    (1..=NODES).map(on).sum()
}

fn one_round(cluster: &Cluster, place: &mut Place, load: &Load, (loss, verb): (Loss, Verb), release: usize) {
    let what = format!("{loss:?} during {verb:?}");
    let nodes = Nodes::of(cluster, place);
    place.ask(&cluster.socket(nodes.asked));
    let there = u16::try_from(running(place).expect("answers")).expect("a few") - SERVING;
    let (before, wanted) = (place.containers(), verb.wanted(there));
    let plan = verb.plan(place, release, wanted);
    let mut lost = Instant::now();
    let (result, took) = meanwhile(place, &plan, || {
        load.loses(|| loss.happens(cluster, &nodes));
        lost = Instant::now();
    });
    assert!(took < VERB, "{what}: it came back after {took:?}");
    let mut again = None;
    if loss.leaves_a_quorum() {
        let least = usize::from(SERVING + if result.is_ok() { wanted } else { there.min(wanted) });
        let is_so = |running: &Option<usize>| running.is_some_and(|running| running >= least);
        let said = result.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned());
        eventually_or(
            || running(place),
            is_so,
            || {
                format!(
                    "{what}: {least} run; it came back after {took:?}: {said}; {}",
                    described(cluster, place, &nodes)
                )
            },
        );
        again = Some(lost.elapsed());
    } else {
        let error = result.as_ref().expect_err("nothing can be changed without a quorum").to_string();
        assert!(
            error.contains("leader") || error.contains("quorum") || error.contains("managers"),
            "{what}: {error}"
        );
    }
    if result.is_ok() && !matches!(verb, Verb::Scale) {
        let after = place.containers();
        assert!(after.iter().all(|id| !before.contains(id)), "{what}: it said that all were replaced");
    }
    // Each instance has a port of its node, so the earlier one ends before its successor starts. Without a quorum no successor comes.
    let is_unserved = !loss.leaves_a_quorum() && !serves(cluster, nodes.asked);
    loss.is_undone(cluster, &nodes);
    eventually(&format!("{what}: it answers again"), || running(place), Option::is_some);
    if is_unserved {
        eventually(
            &format!("{what}: clients are served again"),
            || cluster.inside(load::ask).is_ok(),
            |is| *is,
        );
        load.lacked(lost, Instant::now());
    }
    place
        .carry_out(&verb.plan(place, release, wanted))
        .0
        .unwrap_or_else(|error| panic!("{what}: the same verb again: {error}"));
    assert_eq!(
        running(place),
        Some(usize::from(wanted + SERVING)),
        "{what}: after {:.1} s {}",
        lost.elapsed().as_secs_f64(),
        described(cluster, place, &nodes)
    );
    eventually_or(
        || everywhere(cluster),
        |count| *count == usize::from(wanted + SERVING),
        || format!("{what}: as many containers as are wanted; {}", described(cluster, place, &nodes)),
    );
    let said = result.map_or_else(
        |error| format!("{error}").lines().next().unwrap_or_default().to_owned(),
        |()| "done".to_owned(),
    );
    let again = again.map_or_else(String::new, |again| {
        format!("; all of them ran {:.1} s after the loss", again.as_secs_f64())
    }) + if is_unserved {
        "; the only instance on the node that was left was being replaced"
    } else {
        ""
    };
    let (asked, under_way, failed) = load.outcome();
    // Past the capture of the harness: what a round took is what a reader wants to know.
    let _ = writeln!(
        io::stderr().lock(),
        "{what}: back after {:.1} s: {said}{again}; so far {asked} requests, of which {under_way} were under way at a loss and failed",
        took.as_secs_f64()
    );
    assert!(failed.is_empty(), "{what}: {} requests failed beside those: {failed:?}", failed.len());
}

/// What a plain run tries, and of a long one each loss with each verb, as often as makes 21 rounds of it. A long run can be one of some losses alone,
/// in the order in which `FORMATION_TEST_LOSSES` names them (`QuorumIsLost,LeaderIsCutOff`), and of no more rounds than `FORMATION_TEST_ROUNDS`.
fn rounds() -> Vec<(Loss, Verb)> {
    if std::env::var_os("FORMATION_TEST_LONG").is_none_or(|value| value != "1") {
        return vec![(Loss::FollowerLosesPower, Verb::Scale), (Loss::LeaderIsEnded, Verb::Deploy)];
    }
    let verbs = [Verb::Deploy, Verb::Scale, Verb::Restart];
    if let Ok(named) = std::env::var("FORMATION_TEST_LOSSES") {
        let loss = |name: &str| LOSSES.into_iter().find(|loss| format!("{loss:?}") == name);
        let losses = named.split(',').map(|name| loss(name).unwrap_or_else(|| panic!("{name} is no loss")));
        let losses: Vec<Loss> = losses.collect();
        let each = verbs.into_iter().flat_map(|verb| losses.iter().map(move |loss| (*loss, verb)));
        let most = std::env::var("FORMATION_TEST_ROUNDS").ok().and_then(|most| most.parse().ok());
        let all = each.collect::<Vec<_>>().repeat(7);
        return all.into_iter().take(most.unwrap_or(usize::MAX)).collect();
    }
    let each: Vec<(Loss, Verb)> = LOSSES.iter().flat_map(|loss| verbs.map(|verb| (*loss, verb))).collect();
    each.repeat(7)
}

#[test]
fn whatever_becomes_of_a_node_while_a_verb_is_under_way_the_verb_tells_the_truth_and_the_same_again_makes_it_right()
 {
    let Some(cluster) = Cluster::up_to_lose_nodes(NODES) else { return };
    let mut place = Place::new(&cluster);
    place.carry_out(&Verb::Deploy.plan(&place, 0, 3)).0.expect("it comes up");
    let _balancer = Balancer::before(&cluster, NODES);
    let ((), load) = Load::during(&cluster, |load| {
        let mut release = 0;
        for round in rounds() {
            release += usize::from(matches!(round.1, Verb::Deploy));
            one_round(&cluster, &mut place, load, round, release);
        }
    });
    // By now those have failed, too, that nobody answered for long.
    let (asked, _, failed) = load.outcome();
    assert!(
        failed.is_empty(),
        "of {asked} requests {} failed beside those under way: {failed:?}",
        failed.len()
    );
    place.stop("", true).expect("is removed");
}
