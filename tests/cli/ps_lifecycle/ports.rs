//! `PORT`: kept while it is free, replaced with a word or refused by name where somebody else holds it.

use std::net::TcpListener;

use crate::home::{Home, eventually, listening};

const WEB: &str = "web: faultapp --listen $PORT\nworker: faultapp --tick 60\n";

fn port(home: &Home, app: &str, index: usize) -> u16 {
    home.status(app)[index]["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port")
}

/// Somebody else who listens. A supervisor of another test may be trying whether the port is free: then it is taken for a
/// moment.
fn listen_at(address: (&str, u16)) -> TcpListener {
    eventually("the port is free", || TcpListener::bind(address).map_err(|error| error.to_string()))
}

/// A free port below which nothing is chosen by itself.
fn some_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

#[test]
fn a_kept_port_that_somebody_else_took_is_replaced_and_the_holder_named() {
    let _listening = listening();
    let home = Home::running("shop", WEB, &[]);
    for address in ["127.0.0.1", "0.0.0.0", "[::]"] {
        home.does(&["ps-lifecycle", "stop", "shop"]);
        let held = port(&home, "shop", 0);
        let Ok(listener) = TcpListener::bind(format!("{address}:{held}")) else { continue };
        let ran = home.run(&["ps-lifecycle", "start", "shop"]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let me = format!("(pid {})", std::process::id());
        let word = format!("web.1: port {held} is held by");
        assert!(ran.stderr.contains(&word) && ran.stderr.contains(&me), "{ran:?}");
        let now = port(&home, "shop", 0);
        assert_ne!(now, held, "{address}");
        let note = home.status("shop")[0]["note"].as_str().unwrap_or_default().to_owned();
        assert!(note.contains(&now.to_string()), "{note}");
        drop(listener);
        home.does(&["ps-lifecycle", "restart", "shop"]);
        assert_eq!(port(&home, "shop", 0), now, "the new one is kept");
        assert!(home.status("shop")[0].get("note").is_none(), "and there is nothing to say");
    }
}

#[test]
fn a_chosen_port_is_given_or_refused_before_anything_is_touched() {
    let _listening = listening();
    let home = Home::running("shop", WEB, &["--scale", "worker=1"]);
    let base = some_port();
    home.does(&["ps-set", "shop", "port", &base.to_string()]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!((port(&home, "shop", 0), port(&home, "shop", 1)), (base, base + 100));
    home.does(&["ps-lifecycle", "restart", "shop"]);
    let other = some_port();
    let listener = listen_at(("0.0.0.0", other));
    home.does(&["ps-set", "shop", "port", &other.to_string()]);
    let before = home.pids("shop");
    let me = format!("(pid {})", std::process::id());
    for verb in ["restart", "rebuild"] {
        let says = ["web.1", &other.to_string(), &me, "ps-set shop port", "runs on"];
        home.run(&["ps-lifecycle", verb, "shop"]).is_refused(1, &says);
        assert_eq!(home.pids("shop"), before);
    }
    drop(listener);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(port(&home, "shop", 0), other);
    home.does(&["ps-set", "shop", "port"]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(port(&home, "shop", 0), other, "it is kept, but no promise any more");
}

#[test]
fn a_chosen_port_that_only_root_may_use_is_refused_in_these_words() {
    let _listening = listening();
    let home = Home::new();
    let path = home.path("");
    let as_nobody = |words: &[&str]| {
        let command = home.command(words);
        let mut nobody = std::process::Command::new("setpriv");
        nobody.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(command.get_program());
        nobody.args(command.get_args()).env_clear().current_dir("/");
        nobody.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        nobody.output().expect("setpriv runs")
    };
    let source = home.source("shop", WEB);
    let owned = std::process::Command::new("chown").args(["-R", "65534:65534"]).arg(&path).status();
    let limit = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if !owned.is_ok_and(|owned| owned.success()) || limit.trim() == "0" {
        return skipped::skip("only root can be another user, and here everybody may use every port");
    }
    assert!(as_nobody(&["ps-lifecycle", "deploy", "shop", "--dir", &source]).status.success());
    let before = home.pids("shop");
    assert!(as_nobody(&["ps-set", "shop", "port", "81"]).status.success());
    let refused = as_nobody(&["ps-lifecycle", "restart", "shop"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("port 81 is not for this user to listen on: choose another")
            && said.contains("what ran runs on"),
        "{said}"
    );
    assert_eq!(home.pids("shop"), before);
    assert!(as_nobody(&["ps-lifecycle", "destroy", "shop"]).status.success());
}

#[test]
fn apps_that_run_in_turns_never_get_the_same_port() {
    let _listening = listening();
    let home = Home::running("one", WEB, &[]);
    home.does(&["ps-lifecycle", "stop", "one"]);
    let source = home.source("two", WEB);
    home.does(&["ps-lifecycle", "deploy", "two", "--dir", &source]);
    home.does(&["ps-lifecycle", "stop", "two"]);
    assert_ne!(port(&home, "one", 0), port(&home, "two", 0));
    let taken = port(&home, "one", 0).to_string();
    home.does(&["ps-set", "two", "port", &taken]);
    home.run(&["ps-lifecycle", "start", "two"]).is_refused(1, &["web.1", &taken, "another app"]);
}

#[test]
fn a_crash_restart_finds_its_port_taken_and_says_so_in_status() {
    let _listening = listening();
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    let held = port(&home, "shop", 0);
    let _listener = listen_at(("127.0.0.1", held));
    let pid = i32::try_from(home.pids("shop")["web.1"]).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL).expect("it runs");
    eventually("it runs with another port", || {
        let row = home.status("shop").remove(0);
        let is_moved = row["port"].as_u64() != Some(u64::from(held)) && row["state"] == "running";
        let note = row["note"].as_str().unwrap_or_default();
        if is_moved && note.contains(&held.to_string()) { Ok(()) } else { Err(row.to_string()) }
    });
}

#[test]
fn of_two_apps_that_are_given_one_port_and_restarted_at_once_one_gets_it_and_the_other_runs_on() {
    let _listening = listening();
    let home = Home::new();
    for app in ["one", "other"] {
        let source = home.source(app, "web: faultapp --listen $PORT\n");
        std::fs::create_dir_all(home.path("home").join(app)).expect("made");
        home.does(&["ps-set", app, "port", &some_port().to_string()]);
        home.does(&["ps-lifecycle", "deploy", app, "--dir", &source, "--scale", "web=1"]);
    }
    let wanted = some_port();
    let before = ["one", "other"].map(|app| (app, home.pids(app), port(&home, app, 0)));
    for app in ["one", "other"] {
        home.does(&["ps-set", app, "port", &wanted.to_string()]);
    }
    let restarts = ["one", "other"].map(|app| home.start(&["ps-lifecycle", "restart", app]));
    let ran = restarts.map(crate::program::Running::ended);
    let losers: Vec<usize> = (0..2).filter(|index| ran[*index].status != Some(0)).collect();
    assert_eq!(losers.len(), 1, "{ran:?}");
    let (app, pids, kept) = &before[losers[0]];
    assert!(ran[losers[0]].stderr.contains(&wanted.to_string()), "{ran:?}");
    assert_eq!((&home.pids(app), port(&home, app, 0)), (pids, *kept), "it was not touched");
    let winner = before[1 - losers[0]].0;
    assert_eq!(port(&home, winner, 0), wanted);
    // Once it is free, it is to be had.
    home.does(&["ps-lifecycle", "destroy", winner]);
    home.does(&["ps-lifecycle", "restart", app]);
    assert_eq!(port(&home, app, 0), wanted);
}

/// Between the choice of a port and the moment at which the program listens, somebody else may take it.
#[test]
fn a_port_that_was_taken_before_the_program_listened_is_replaced_by_another_attempt_which_is_the_last() {
    let _listening = listening();
    let home = Home::new();
    let given = |name: &str| std::fs::read_to_string(home.path(name)).unwrap_or_default();
    // The first attempt waits until the test has its port.
    let web = |attempts: usize| {
        format!(
            "web: echo $PORT >>given; touch told; n=$(wc -l <given); while [ $n -le {attempts} ] && ! [ -e taken$n ]; do sleep 0.05; done; exec faultapp --listen $PORT\n"
        )
    };
    let deploy = |attempts: usize| {
        let source = home.source("shop", &web(attempts));
        let _ = std::fs::remove_file(home.path("shop/given"));
        let mut holders = Vec::new();
        std::thread::scope(|scope| {
            let ran = scope.spawn(|| {
                home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", "none"])
            });
            for attempt in 1..=attempts {
                let port = eventually("it was given a port", || {
                    let ports = given("shop/given");
                    let port = ports.lines().nth(attempt - 1).and_then(|port| port.parse::<u16>().ok());
                    port.ok_or(ports)
                });
                holders.push(listen_at(("0.0.0.0", port)));
                home.write(&format!("shop/taken{attempt}"), "");
            }
            (ran.join().expect("it ran"), holders)
        })
    };
    let me = format!("(pid {})", std::process::id());
    let (ran, _holders) = deploy(1);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let taken = given("shop/given").lines().next().map(str::to_owned).expect("a port");
    let why = format!("web.1 was given port {taken}, and ");
    assert!(ran.stderr.contains(&why) && ran.stderr.contains(&me), "{ran:?}");
    let now = port(&home, "shop", 0);
    assert_ne!(now.to_string(), taken);
    let before = home.pids("shop");
    for attempt in 1..=2 {
        let _ = std::fs::remove_file(home.path(&format!("shop/taken{attempt}")));
    }
    let (ran, _more) = deploy(2);
    ran.is_refused(1, &["web.1 of shop"]);
    assert_eq!(ran.stderr.matches("listened there first").count(), 1, "{ran:?}");
    assert_eq!(given("shop/given").lines().count(), 2, "it was not tried a third time");
    assert_eq!(home.pids("shop"), before, "what ran runs on");
}
