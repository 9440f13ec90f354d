//! docker-local against a real engine: the conformance suite, and tests that only concern containers. If no engine
//! answers or the test image is missing, a test fails and says to run scripts/setup.

mod checks;
mod deaths;
mod engines;
mod faults;
mod follow;
mod order;
mod place;
mod readers;
mod rollouts;
mod runs;

use std::fs;
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};
use type_settings::TypeSettings;

use formation::{Exit, RestartPolicy, State, Which};
use ps_scheduler::conformance::{self, Subject};
use ps_scheduler::{
    Cancel, Error, FailedSlot, Gate, Intent, LogRequest, Plan, Progress, Release, Requester, Running,
    Scheduler, Source,
};

use crate::place::{GRACE, IMAGE, Place, SERVER, SOCKET, describe, docker, eventually, shop};

#[test]
fn docker_local_keeps_the_promises() {
    let place = Place::for_app(conformance::app().as_str());
    let subject = Subject {
        source: Source::Image(IMAGE.to_owned()),
        command: Some(SERVER.to_owned()),
        restart_policy: RestartPolicy::default(),
        stop_timeout: GRACE,
    };
    conformance::check(&place.docker, &subject);
    assert_eq!(place.names(), [""; 0], "the suite left containers");
}

#[test]
fn an_instance_is_named_labelled_recorded_and_reachable() {
    let place = Place::new();
    place
        .deploy(&["web=1", "worker=1"], SERVER, &Intent::Deploy)
        .expect_err("a worker has no port to listen on");
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let id = place.ids().remove(0);
    assert_eq!(id.len(), 64, "the full id: {id}");
    let read = |name: &str| fs::read_to_string(place.app_dir().join(name)).expect("a record");
    assert_eq!(read("CONTAINER.web.1"), format!("{id}\n"));
    assert_eq!(read("PORT.web.1"), "5000");
    let web = place.status().instances.remove(0);
    assert_eq!(web.address, Some(format!("{}:5000", read("IP.web.1"))));
    let mut page = std::net::TcpStream::connect(web.address.expect("an address")).expect("somebody listens");
    page.write_all(b"GET /none HTTP/1.0\r\n\r\n").expect("takes a request");
    let mut answer = String::new();
    page.read_to_string(&mut answer).expect("answers");
    assert!(answer.starts_with("HTTP/1."), "{answer}");

    let described = place.docker.inspect(&shop()).expect("inspects");
    let config = &described[0]["Config"];
    for (label, value) in [
        ("com.dokku.app-name", "shop"),
        ("com.dokku.process-type", "web"),
        ("com.dokku.dyno", "web.1"),
        ("com.dokku.container-type", "deploy"),
        ("dokku", ""),
    ] {
        assert_eq!(config["Labels"][label], value, "{label}");
    }
    let env: Vec<&str> =
        config["Env"].as_array().expect("variables").iter().filter_map(|v| v.as_str()).collect();
    for variable in ["PORT=5000", "DYNO=web.1", "GREETING=hello  \"you\""] {
        assert!(env.contains(&variable), "{variable} is not in {env:?}");
    }
    assert_eq!(described[0]["HostConfig"]["Init"], true);
    assert_eq!(config["StopTimeout"], 2);
}

#[test]
fn inspect_says_what_the_engine_says_field_by_field() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let ours = place.docker.inspect(&shop()).expect("inspects");
    let engines: serde_json::Value =
        serde_json::from_str(&docker(&["inspect", &place.ids()[0]])).expect("the engine's JSON");
    assert_eq!(ours, engines);
}

#[test]
fn the_restart_policy_is_the_engines_to_carry_out() {
    let mut place = Place::new();
    for (word, name, retries) in
        [("no", "no", 0), ("on-failure:20", "on-failure", 20), ("unless-stopped", "unless-stopped", 0)]
    {
        place.policy = word.parse().expect("a policy");
        place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
        let described = place.docker.inspect(&shop()).expect("inspects");
        let policy = &described[0]["HostConfig"]["RestartPolicy"];
        assert_eq!(
            (policy["Name"].as_str(), policy["MaximumRetryCount"].as_i64()),
            (Some(name), Some(retries))
        );
    }
}

#[test]
fn scaling_keeps_the_neighbours_containers_and_empties_exactly_the_highest() {
    let place = Place::new();
    place.deploy(&["web=2"], SERVER, &Intent::Deploy).expect("deploys");
    let two = place.ids();
    place.deploy(&["web=11"], SERVER, &Intent::Converge(Which::All)).expect("scales up");
    let eleven = place.ids();
    assert_eq!((eleven.len(), &eleven[..2]), (11, &two[..]));
    place.deploy(&["web=10"], SERVER, &Intent::Converge(Which::All)).expect("scales down");
    assert_eq!(place.ids(), eleven[..10]);
    for gone in ["CONTAINER.web.11", "IP.web.11", "PORT.web.11"] {
        assert!(!place.app_dir().join(gone).exists(), "{gone} is left");
    }
    let mut names: Vec<String> = (1..=10).map(|n| format!("web.{n}")).collect();
    names.sort();
    let found: Vec<String> =
        place.names().iter().filter_map(|name| Some(name[name.find("web")?..].to_owned())).collect();
    assert_eq!(found.len(), names.len(), "{found:?}");
    for (found, name) in found.iter().zip(&names) {
        assert!(found.starts_with(name.as_str()), "{found} is not {name}");
    }
}

#[test]
fn a_new_release_of_which_one_instance_dies_leaves_the_old_one_running() {
    let place = Place::new();
    place.deploy(&["web=2"], SERVER, &Intent::Deploy).expect("deploys");
    let before = (place.ids(), place.names());
    // If the engine restarts it before the test looks, it writes nothing more.
    let bad = "if [ $DYNO = web.2 ]; then if [ -e /tmp/ran ]; then sleep 60; fi; touch /tmp/ran; \
               for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; done; exit 3; fi; exec httpd -f -p $PORT";
    let error = place.deploy(&["web=2"], bad, &Intent::Deploy).expect_err("web.2 dies");
    let Error::DeployFailed { failed, .. } = &error else { panic!("{error}") };
    let [FailedSlot { slot, reason }] = failed.as_slice() else { panic!("{error}") };
    assert_eq!(slot.to_string(), "web.2");
    assert!(
        reason.contains("line 3\n") && reason.contains("line 12") && !reason.contains("line 2\n"),
        "{reason}"
    );
    assert_eq!((place.ids(), place.names()), before, "the failed deploy changed what ran");
    assert_eq!(place.status().running(), Running::True);
}

#[test]
fn an_instance_that_dies_late_in_its_first_second_fails_the_deploy_under_any_policy() {
    let mut place = Place::new();
    for policy in [RestartPolicy::No, RestartPolicy::Always] {
        place.policy = policy;
        let error = place.deploy(&["web=1"], "sleep 0.4; exit 7", &Intent::Deploy).expect_err("it dies");
        assert!(matches!(error, Error::DeployFailed { .. }), "{error}");
        assert_eq!(
            (place.names().len(), place.status().instances.len()),
            (0, 0),
            "the failed deploy left something"
        );
    }
}

#[test]
fn a_command_that_cannot_be_run_fails_the_deploy_in_the_engines_words() {
    let place = Place::new();
    let error =
        place.deploy(&["web=1"], "/no/such/program", &Intent::Deploy).expect_err("there is no such program");
    assert!(error.to_string().contains("/no/such/program"), "{error}");
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn a_missing_image_is_named_with_the_way_out_and_never_pulled() {
    let place = Place::new();
    let image = "formation-test/no-such-image:1";
    let deploy = place.deploy_image(image, &["web=1"], None, &Intent::Deploy, &mut |_| ());
    let error = deploy.expect_err("there is no such image").to_string();
    assert!(error.contains(&format!("docker pull {image}")) && error.contains("build it"), "{error}");
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn without_a_command_the_image_runs_its_own() {
    let place = Place::new();
    place.deploy_image(IMAGE, &["web=1"], None, &Intent::Deploy, &mut |_| ()).expect("deploys");
    let described = place.docker.inspect(&shop()).expect("inspects");
    assert_eq!(described[0]["Config"]["Cmd"], serde_json::json!(["web"]));
}

#[test]
fn two_worlds_with_the_same_app_never_touch_each_other() {
    let (one, other) = (Place::new(), Place::new());
    one.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let ids = one.ids();
    other.deploy(&["web=2"], SERVER, &Intent::Deploy).expect("deploys beside it");
    other.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys again");
    assert_eq!(other.names().len(), 1);
    assert_eq!(other.stop(Which::All, true).expect("stops").ended.len(), 1);
    assert_eq!(other.docker.retire(None).expect("retires"), [""; 0]);
    assert_eq!((one.ids(), one.status().running()), (ids, Running::True));
}

#[test]
fn what_a_run_that_died_half_way_left_is_picked_up_by_the_next() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let root = format!("--label=com.formation.root={}", place.dir.path().join("home").display());
    for name in ["shop.web.1.upcoming-77", "shop.web.1.1700000000"] {
        let name = format!("--name={name}-{}", std::process::id());
        let labels = ["--label=com.dokku.app-name=shop", "--label=com.dokku.container-type=deploy"];
        docker(&["run", "-d", "--init", &name, &root, labels[0], labels[1], IMAGE, "sleep", "1000"]);
    }
    let id = place.ids().remove(0);
    docker(&["rename", &id, &format!("shop.web.1.upcoming-88-{}", std::process::id())]);
    place.deploy(&["web=2"], SERVER, &Intent::Converge(Which::All)).expect("scales up");
    assert_eq!(place.ids()[0], id, "the recorded one was to stay");
    let names = place.names();
    assert!(names.len() == 2 && names.iter().all(|name| !name.contains("upcoming")), "{names:?}");
}

#[test]
fn a_stop_is_not_undone_by_the_engine_and_keeps_the_container_until_it_is_removed() {
    let mut place = Place::new();
    place.policy = RestartPolicy::Always;
    place.deploy(&["web=2"], SERVER, &Intent::Deploy).expect("deploys");
    let stopped = place.stop("web.2".parse().expect("an instance"), false).expect("stops");
    assert_eq!((stopped.ended.len(), stopped.remaining.len()), (1, 0), "{stopped:?}");
    let described: Vec<_> = place.status().instances.iter().map(describe).collect();
    assert_eq!(described, [("web.1".into(), State::Running), ("web.2".into(), State::Stopped)]);
    let policy =
        place.docker.inspect(&shop()).expect("inspects")[1]["HostConfig"]["RestartPolicy"]["Name"].clone();
    assert_eq!(policy, "no");
    place.stop(Which::All, true).expect("removes");
    assert_eq!(place.names(), [""; 0]);
    assert_eq!(
        fs::read_dir(place.app_dir()).expect("readable").flatten().filter(|e| e.path().is_file()).count(),
        0
    );
}

#[test]
fn an_instance_that_ignores_term_is_killed_after_its_grace_and_a_frozen_one_ends_too() {
    let place = Place::new();
    let deaf = "trap '' TERM; while :; do sleep 1; done";
    place.deploy(&["web=2"], deaf, &Intent::Deploy).expect("deploys");
    docker(&["pause", &place.ids()[1]]);
    let frozen = place.status().instances[1].state;
    assert_eq!(frozen, State::Unhealthy, "alive, but it serves nobody");
    let begin = Instant::now();
    let stopped = place.stop(Which::All, false).expect("stops");
    assert!(
        begin.elapsed() >= GRACE && begin.elapsed() < GRACE + Duration::from_secs(60),
        "{:?}",
        begin.elapsed()
    );
    let exits: Vec<_> = stopped.ended.iter().map(|(slot, exit)| (slot.to_string(), *exit)).collect();
    let killed = Some(Exit::Signal(9));
    assert_eq!(exits, [("web.1".to_owned(), killed), ("web.2".to_owned(), killed)]);
}

#[test]
fn a_container_that_somebody_removed_is_missing_and_is_started_again() {
    let place = Place::new();
    place.deploy(&["web=2"], SERVER, &Intent::Deploy).expect("deploys");
    let ids = place.ids();
    docker(&["rm", "-f", &ids[0]]);
    assert_eq!(describe(&place.status().instances[0]), ("web.1".into(), State::Missing));
    let inspected = place.docker.inspect(&shop()).expect("inspects what is there");
    assert_eq!(inspected.as_array().map(Vec::len), Some(1));
    place.deploy(&["web=2"], SERVER, &Intent::Converge(Which::All)).expect("fills the gap");
    assert_eq!((place.status().running(), &place.ids()[1]), (Running::True, &ids[1]));
}

#[test]
fn an_instance_that_ends_by_itself_says_how() {
    let mut place = Place::new();
    place.policy = RestartPolicy::No;
    place.deploy(&["worker=1"], "sleep 5; exit 3", &Intent::Deploy).expect("deploys");
    eventually("the worker has ended", || place.status().instances[0].state == State::Crashed);
    assert_eq!(place.status().instances[0].last_exit, Some(Exit::Code(3)));
}

#[test]
fn the_log_comes_in_lines_with_their_streams_and_can_be_followed() {
    let place = Place::new();
    let talk = "echo one; echo two >&2; exec sleep 1000";
    place.deploy(&["worker=2"], talk, &Intent::Deploy).expect("deploys");
    let mut all = place.lines("worker.2", None);
    all.sort();
    assert_eq!(all, ["worker.2 err two", "worker.2 out one"]);
    assert_eq!(place.lines("worker", Some(1)).len(), 2, "the last line of each");

    let place = Place::new();
    place.deploy(&["worker=2"], "while :; do echo tick; sleep 0.2; done", &Intent::Deploy).expect("deploys");
    let request = LogRequest { follow: true, ..LogRequest::last(shop(), Which::All, Some(0)) };
    let mut seen = std::collections::BTreeSet::new();
    let mut sink = |line: &ps_scheduler::LogLine| {
        seen.insert(line.slot.to_string());
        if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    place.docker.logs(&request, &mut sink).expect("follows");
}

#[test]
fn an_app_that_was_never_deployed_is_told_so() {
    let place = Place::new();
    assert!(matches!(place.docker.inspect(&shop()), Err(Error::NotDeployed { .. })));
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let request = LogRequest::last(shop(), "x.7".parse().expect("a slot"), None);
    let error = place
        .docker
        .logs(&request, &mut |_: &ps_scheduler::LogLine| ControlFlow::Continue(()))
        .expect_err("no such instance");
    assert!(error.to_string().contains("x.7") && error.to_string().contains("web.1"), "{error}");
}

#[test]
fn retire_removes_what_was_replaced_and_has_ended_and_nothing_else() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    place.stop(Which::All, false).expect("stops");
    let root = format!("--label=com.formation.root={}", place.dir.path().join("home").display());
    let name = format!("--name=shop.web.1.1700000001-{}", std::process::id());
    let labels = ["--label=com.dokku.app-name=shop", "--label=com.dokku.container-type=deploy"];
    docker(&["run", &name, &root, labels[0], labels[1], IMAGE, "true"]);
    assert_eq!(place.docker.retire(Some(&"other".parse().expect("a legal name"))).expect("retires"), [""; 0]);
    assert_eq!(place.docker.retire(None).expect("retires"), [&name[7..]]);
    assert_eq!(place.names().len(), 1, "the stopped instance is still the app's");
}

#[test]
fn a_deploy_that_is_cancelled_on_its_way_leaves_the_old_as_it_was() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let before = (place.ids(), place.names());
    let cancel = Cancel::default();
    let plan = Plan::new(
        Release {
            app: shop(),
            source: Source::Image(IMAGE.into()),
            processes: vec![],
            are_all_types: false,
            others: TypeSettings::default(),
            env: vec![],
            restart_policy: RestartPolicy::No,
            stop_timeout: GRACE,
            gate: Gate::default(),
            listen: formation::Addresses::default(),
            frontend: balance::Frontend::default(),
        },
        &conformance::formation(&["web=1"]),
        &place.status().instances,
        &Intent::Deploy,
        place.docker.usual_strategy(),
    );
    let mut say = |progress| {
        if matches!(progress, Progress::Started(_)) {
            cancel.cancel();
        }
    };
    let outcome = place.docker.deploy(&plan, &mut Requester { tell: &mut say, cancel: &cancel, lock: None });
    assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
    assert_eq!((place.ids(), place.names()), before);
}

#[test]
fn another_process_sees_the_same() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    assert_eq!(place.through(Path::new(SOCKET)).status(), place.status());
}
