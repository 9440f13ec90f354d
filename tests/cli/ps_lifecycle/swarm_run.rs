//! `run` and `enter` for an app on a swarm.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use rustix::process::Signal;
use swarm_cluster::{Cluster, IMAGE};

use crate::home::{Home, eventually};
use crate::program::{Ran, Running, run};
use crate::swarm::Place;
use crate::terminal::Terminal;

fn once<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [&["ps-lifecycle", "run", "shop"], words].concat()
}

/// `shop` with one instance, and a variable.
fn deployed(home: &Home, place: &Place<'_>, more: &[&str]) {
    let environment = home.write("shop.env", "GREETING='hello {{.Node.Hostname}}'\n");
    let environment = environment.to_str().expect("text");
    let deploy = ["ps-lifecycle", "deploy", "shop", "--image", IMAGE, "--scheduler", "swarm"];
    place.does(&[&deploy[..], &["--env-file", environment], more].concat());
}

/// The services of one-offs that the swarm has.
fn left(cluster: &Cluster) -> String {
    cluster.docker(1, &["service", "ls", "-q", "--filter", "label=com.formation.one-off"])
}

/// How many containers there are on the only node, beside that of the instance.
fn beside(cluster: &Cluster) -> usize {
    cluster.docker(1, &["ps", "--quiet", "--filter", "label=com.formation.one-off"]).lines().count()
}

/// Begins a one-off that says `up` and then sleeps, and waits until it does.
fn begun(place: &Place<'_>, words: &[&str]) -> Running {
    let mut command = place.command(&once(words));
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::begin(command);
    running.until_stdout_says("up\n");
    running
}

#[test]
fn a_command_runs_once_with_the_environment_and_its_output_and_exit_status_are_ours() {
    let Some(cluster) = Cluster::up(1) else { return };
    let home = Home::new();
    let place = Place::new(&home, &cluster);
    deployed(&home, &place, &[]);
    let script = "echo \"$GREETING $EXTRA ${DYNO%.*} ${PORT-none} $1\"; echo oops >&2; exit 7";
    let ran = place.run(&once(&["--env", "EXTRA=a={{b}}", "--", "sh", "-c", script, "x", "two words"]));
    assert_eq!(ran.stdout, "hello {{.Node.Hostname}} a={{b}} run none two words\n");
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(7), "oops\n"));
    let ran = place.run(&once(&["--env", "GREETING=other", "--", "sh", "-c", "printf %s \"$GREETING\""]));
    assert_eq!((ran.stdout.as_str(), ran.status), ("other", Some(0)));
    let ran = place.run(&once(&["--", "sh", "-c", "seq 20000; kill -9 $$"]));
    assert_eq!(ran.status, Some(137), "{:?}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 20000, "all that it wrote, to the end");
    assert_eq!(place.run(&once(&["--", "no-such-program"])).status, Some(127));
    assert_eq!((left(&cluster), beside(&cluster)), (String::new(), 0), "nothing of them is left");

    place.run(&once(&[])).is_refused(1, &["swarm cannot run a shell", "pass the command behind --"]);
    let typed =
        Terminal::start_with(&home, &once(&["--", "true"]), (30, 90), &[("DOCKER_HOST", place.host())]);
    typed.await_screen("swarm cannot give a command a terminal: pass --no-tty");
    piped(&place, Some(b"a line\n")).is_refused(1, &["hand stdin to a command", "/dev/null"]);
    assert_eq!(piped(&place, None).status, Some(0), "a pipe that has ended has no input");
    gone(&home, &place);
}

/// A one-off whose stdin is a pipe with this in it.
fn piped(place: &Place<'_>, input: Option<&[u8]>) -> Ran {
    let mut command = place.command(&once(&["--", "true"]));
    let (read, mut write) = std::io::pipe().expect("a pipe");
    write.write_all(input.unwrap_or_default()).expect("there is room");
    drop(write);
    command.stdin(read);
    run(command)
}

#[test]
fn a_one_off_is_ended_by_a_signal_its_time_or_a_retire_and_touches_no_instance() {
    let Some(cluster) = Cluster::up(1) else { return };
    let home = Home::new();
    let place = Place::new(&home, &cluster);
    deployed(&home, &place, &["--env-as-secrets"]);
    place.does(&["ps-set", "shop", "stop-timeout-seconds", "3"]);
    let instance = || cluster.docker(1, &["ps", "--quiet", "--filter", "label=com.dokku.process-type=web"]);
    let before = instance();

    let minds = "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.1; done";
    for signal in [Signal::INT, Signal::TERM] {
        let mut running = begun(&place, &["--env", "OWN=1", "--", "sh", "-c", minds]);
        assert_eq!(place.run(&["ps-lifecycle", "status", "shop", "--json"]).rows().len(), 1, "it is none");
        retired(&place);
        assert_eq!(beside(&cluster), 1, "somebody waits for it");
        running.signal(signal);
        let ran = running.ended();
        assert_eq!(ran.status, Some(5), "{signal:?}: {ran:?}");
        assert_eq!((left(&cluster), beside(&cluster)), (String::new(), 0), "{signal:?}");
    }
    let ran =
        place.run(&once(&["--timeout", "1s", "--", "sh", "-c", "trap '' TERM; sleep 600 & wait; wait"]));
    assert_eq!(ran.status, Some(124), "{ran:?}");

    let mut running = begun(&place, &["--", "sh", "-c", "echo up; exec sleep 600"]);
    running.signal(Signal::KILL);
    drop(running.ended());
    assert_eq!(beside(&cluster), 1, "nobody could end it");
    let removed = retired(&place);
    assert!(removed.contains("Removed shop.run."), "{removed}");
    assert_eq!((left(&cluster), beside(&cluster)), (String::new(), 0));

    let detached = place.does(&once(&["--detach", "--", "sh", "-c", "exec sleep 600"]));
    assert!(detached.starts_with("shop.run."), "{detached}");
    retired(&place);
    assert_eq!(beside(&cluster), 1, "its time is not over");
    let short = place.does(&once(&["--detach", "--", "true"]));
    eventually("a detached one-off that has ended is removed by a retire", || {
        let removed = retired(&place);
        if removed.contains(short.trim()) { Ok(()) } else { Err(removed) }
    });
    assert_eq!(instance(), before, "no instance was touched");
    assert_eq!(cluster.docker(1, &["secret", "ls", "-q"]).lines().count(), 1, "that of the app alone");
    gone(&home, &place);
    assert_eq!((left(&cluster), beside(&cluster)), (String::new(), 0));
    assert_eq!(cluster.docker(1, &["secret", "ls", "-q"]), "");
}

/// Ends the app and all of it.
fn gone(home: &Home, place: &Place<'_>) {
    place.does(&["ps-lifecycle", "destroy", "shop"]);
    fs::remove_dir_all(home.path("lib/config/scheduler-swarm")).expect("the id of the world");
}

/// Removes what is left over; what was said of that.
fn retired(place: &Place<'_>) -> String {
    let ran = place.run(&["ps-lifecycle", "retire", "shop"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    ran.stdout + &ran.stderr
}

#[test]
fn a_command_is_run_beside_an_instance_of_this_node_and_of_another_one_its_node_is_named() {
    let Some(cluster) = Cluster::up(2) else { return };
    let home = Home::new();
    let place = Place::new(&home, &cluster);
    deployed(&home, &place, &["--scale", "web=2"]);
    let rows = place.run(&["ps-lifecycle", "status", "shop", "--json"]).rows();
    let on = |node: &str| {
        let row = rows.iter().find(|row| row["node"] == node).expect("an instance on each node");
        crate::home::slot(row)
    };
    let mut command = place.command(&[
        "ps-lifecycle",
        "enter",
        "shop",
        &on("node1"),
        "--",
        "sh",
        "-c",
        "cat; echo $DYNO; exit 4",
    ]);
    let (read, mut write) = std::io::pipe().expect("a pipe");
    write.write_all(b"typed\n").expect("there is room");
    drop(write);
    command.stdin(read);
    let ran = run(command);
    assert_eq!((ran.stdout, ran.status), (format!("typed\n{}\n", on("node1")), Some(4)));
    place
        .run(&["ps-lifecycle", "enter", "shop", &on("node2"), "--", "env"])
        .is_refused(1, &["on node node2: docker exec -it "]);
    place.does(&["ps-set", "shop", "run.constraints", "node.hostname==node2"]);
    let ran = place.run(&once(&["--", "sh", "-c", "seq 5000; cat /etc/hostname; exit 3"]));
    let (said, container) = ran.stdout.trim_end().rsplit_once('\n').expect("two lines");
    assert_eq!((said.lines().count(), ran.status), (5000, Some(3)), "{:?}", ran.stderr);
    // The engine leaves out events of the second that has not passed.
    eventually("it ran on the other node", || {
        let events = ["events", "--since", "5m", "--until", "0s", "--filter", "event=die"];
        let events = cluster.docker(2, &events);
        if events.contains(container) { Ok(()) } else { Err(format!("{container} is not in {events}")) }
    });
    gone(&home, &place);
}
