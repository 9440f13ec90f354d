//! The process that deploys may die at any moment; the next one repairs everything.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use engine_proxy::fatal_proxy;
use formation::Which;
use ps_rollout::Strategy;
use ps_scheduler::{Cancel, Error, Intent, Progress, Requester, Running, Scheduler};

use crate::place::{Place, SERVER, SOCKET, require_engine, shop};

/// The variables for the deploy that is killed: the path of its world, the socket of its engine, and its strategy.
const WORLD: &str = "DOCKER_LOCAL_WORLD";
const ENGINE: &str = "DOCKER_LOCAL_ENGINE";
const STRATEGY: &str = "DOCKER_LOCAL_STRATEGY";

fn deploy_elsewhere(place: &Place, socket: &Path) -> Command {
    let mut deploy = Command::new(std::env::current_exe().expect("a test has a path"));
    deploy.args(["--exact", "deaths::a_deploy_that_another_test_kills"]);
    deploy.env(WORLD, place.dir.path()).env(ENGINE, socket);
    deploy.env(STRATEGY, place.strategy.map_or("", Strategy::as_str));
    deploy.stdout(Stdio::null()).stderr(Stdio::null());
    deploy
}

/// The deploy that is killed: this program as a process of its own, with this test. Without the variables the test does nothing.
#[test]
fn a_deploy_that_another_test_kills() {
    if std::env::var_os(WORLD).is_none() {
        return;
    }
    let told = |name: &str| std::env::var(name).expect("what another test tells it");
    let mut place = Place::of_another(Path::new(&told(WORLD)), Path::new(&told(ENGINE)));
    place.strategy = Strategy::ALL.into_iter().find(|strategy| strategy.as_str() == told(STRATEGY));
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
}

/// Has a deploy die at that call; `false` if the deploy was over before.
fn dies_at(place: &Place, fatal: usize) -> bool {
    let socket = place.dir.path().join(format!("{fatal}.sock"));
    engine_proxy::dies_at(Path::new(SOCKET), &socket, fatal, &mut deploy_elsewhere(place, &socket))
}

pub(crate) fn is_right(place: &Place, fatal: usize) {
    let names = place.names();
    assert!(names.len() == 1 && !names[0].contains("upcoming"), "call {fatal} left {names:?}");
    let status = place.status();
    assert_eq!(status.running(), Running::True, "call {fatal}: {status:?}");
    let described = place.docker.inspect(&shop()).expect("inspects");
    let policy = &described[0]["HostConfig"]["RestartPolicy"]["Name"];
    assert_eq!(policy, "on-failure", "call {fatal}: a restart policy that nobody asked for");
    let written = std::fs::read_to_string(place.rollout_file()).expect("numbers are kept");
    assert!(!written.contains("under_way"), "call {fatal}: {written}");
}

/// Has a deploy die at every `stride`th call, from `first` on.
fn every_death_is_made_good(strategy: Strategy, first: usize, stride: usize) {
    let mut place = Place::new();
    place.strategy = Some(strategy);
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let mut fatals = (first..100).step_by(stride);
    let is_over = fatals.any(|fatal| {
        let old = place.ids();
        let has_died = dies_at(&place, fatal);
        if has_died && strategy == Strategy::Overlap {
            assert_eq!(
                place.status().running(),
                Running::True,
                "call {fatal}: what is recorded does not run"
            );
        }
        let again = place.deploy(&["web=1"], SERVER, &Intent::Deploy);
        again.unwrap_or_else(|error| panic!("call {fatal}: {error}"));
        is_right(&place, fatal);
        assert_ne!(place.ids(), old, "call {fatal}: nothing was deployed");
        !has_died
    });
    assert!(is_over, "a deploy of one instance takes more than 100 calls");
}

#[test]
fn a_deploy_that_dies_at_any_call_leaves_one_running_instance_and_the_next_makes_it_right() {
    require_engine();
    thread::scope(|scope| {
        scope.spawn(|| every_death_is_made_good(Strategy::Overlap, 1, 2));
        scope.spawn(|| every_death_is_made_good(Strategy::Overlap, 2, 2));
        scope.spawn(|| every_death_is_made_good(Strategy::StopFirst, 2, 3));
    });
}

#[test]
fn a_plan_that_has_nothing_to_do_puts_back_what_a_dead_one_began() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let before = (place.ids(), place.names());
    // The first new container of the dead deploy has been started, and nothing more.
    assert!(dies_at(&place, 2));
    assert_eq!(place.names().len(), 2);
    let plan = place.plan(&["web=1"], SERVER, &Intent::Converge(Which::All));
    assert!(plan.is_noop(), "{plan:?}");
    let mut notes = Vec::new();
    let mut say = |progress| notes.push(progress);
    let mut requester = Requester { tell: &mut say, cancel: &Cancel::default(), lock: None };
    place.docker.tend(&plan, &mut requester).expect("puts back");
    assert_eq!((place.ids(), place.names()), before);
    let told = "an earlier deploy of shop was cut off: it was put back".to_owned();
    assert_eq!(notes, [Progress::Note(told)]);
}

#[test]
fn an_engine_that_falls_silent_in_a_deploy_is_told_of_and_the_next_deploy_makes_it_right() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    for fatal in 1..=3 {
        let before = place.ids();
        let socket = place.dir.path().join(format!("{fatal}.sock"));
        let (died, nobody) = channel();
        drop(nobody);
        fatal_proxy(Path::new(SOCKET), &socket, fatal, died);
        let error = place.through(&socket).deploy(&["web=1"], SERVER, &Intent::Deploy);
        assert!(matches!(error, Err(Error::Unreachable { .. })), "call {fatal}: {error:?}");
        assert_eq!((place.ids(), place.status().running()), (before, Running::True), "call {fatal}");
        place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("the engine answers again");
        is_right(&place, fatal);
    }
}

#[test]
fn an_engine_that_falls_silent_after_the_commit_leaves_a_deploy_that_succeeded_and_the_rest_to_the_next_verb()
{
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let before = place.ids();
    let socket = place.dir.path().join("silent.sock");
    let (died, nobody) = channel();
    drop(nobody);
    // After the calls create, start and update the records are written; the call that gives the first new name gets no answer any
    // more.
    fatal_proxy(Path::new(SOCKET), &socket, 4, died);
    let deployed = place.through(&socket).deploy(&["web=1"], SERVER, &Intent::Deploy);
    assert!(deployed.is_ok(), "the new release runs and is recorded: {deployed:?}");
    assert_ne!(place.ids(), before);
    assert_eq!(place.names().len(), 2, "nobody could end the old one");
    let plan = place.plan(&["web=1"], SERVER, &Intent::Converge(Which::All));
    let mut requester = Requester { tell: &mut |_| (), cancel: &Cancel::default(), lock: None };
    place.docker.tend(&plan, &mut requester).expect("the engine answers again");
    is_right(&place, 4);
}
