//! `deploy --listen`: an app is reached at one address, whatever happens to its instances behind it.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::asking::{Clients, ask, found, is_closed, kill, kill_supervisors, some_address};
use crate::home::{Home, eventually, listening};
use crate::program::Ran;
use crate::usage::without_cgroups;

const WEB: &str = "web: exec faultapp --listen\n";
#[test]
fn no_request_fails_while_releases_counts_and_supervisors_change_behind_the_address() {
    let _listening = listening();
    let home = Home::as_installed();
    let source = home.source("shop", WEB);
    let address = some_address();
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    let ran = home.run(&[&deploy[..], &["--scale", "web=2", "--listen", &address.to_string()]].concat());
    assert!(ran.stderr.contains(&format!("shop is reached at {address}\n")), "{ran:?}");

    let clients = Clients::of(address);
    clients.go_on(20);
    let before = home.pids("shop");
    let ran = home.run(&deploy);
    assert!(ran.stderr.contains("connections: ") && ran.stderr.contains(", none failed\n"), "{ran:?}");
    clients.go_on(20);
    assert!(home.pids("shop").values().all(|pid| !before.values().any(|old| old == pid)), "all are new");
    home.does(&["ps-lifecycle", "restart", "shop"]);
    for count in ["web=3", "web=1"] {
        home.does(&["ps-scale", "shop", count]);
        clients.go_on(20);
    }
    let one = home.pids("shop");
    for _ in 0..3 {
        kill_supervisors(&home);
        clients.go_on(20);
        eventually("another supervisor is there", || {
            if home.supervisors().is_empty() { Err("none yet".to_owned()) } else { Ok(()) }
        });
    }
    assert_eq!(home.pids("shop"), one, "no instance has noticed");
    assert_eq!(clients.end(), Vec::<String>::new());
}

#[test]
fn the_clients_of_an_app_without_an_address_notice_a_restart() {
    let _listening = listening();
    let home = Home::as_installed();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &home.source("shop", WEB)]);
    let port = home.status("shop")[0]["port"].as_u64().expect("a port");
    let clients = Clients::of(format!("127.0.0.1:{port}").parse().expect("an address"));
    clients.go_on(20);
    eventually("a request fails", || {
        home.does(&["ps-lifecycle", "restart", "shop"]);
        if clients.are_content() { Err("none did".to_owned()) } else { Ok(()) }
    });
    assert!(!clients.end().is_empty());
}

#[test]
fn a_release_that_is_never_ready_leaves_the_old_one_at_the_address() {
    let _listening = listening();
    let home = Home::as_installed();
    let source = home.source("shop", WEB);
    let address = some_address();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", &address.to_string()]);
    let pid = ask(address, "/pid").expect("it is there");
    home.write(
        "shop/app.json",
        r#"{"healthchecks": {"web": [{"type": "startup", "command": ["false"], "attempts": 1, "wait": 0}]}}"#,
    );
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(ask(address, "/pid"), Ok(pid));
}

#[test]
fn an_address_that_somebody_else_has_is_refused_with_its_holder_and_none_gives_it_up() {
    let _listening = listening();
    let home = Home::as_installed();
    let source = home.source("shop", WEB);
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = held.local_addr().expect("bound").to_string();
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", &taken]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let holder = format!("(pid {})", std::process::id());
    assert!(ran.stderr.contains(&taken) && ran.stderr.contains(&holder), "{ran:?}");
    assert_eq!(home.run(&["ps-lifecycle", "status", "shop"]).status, Some(20), "it is no app");

    let address = some_address();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", &address.to_string()]);
    ask(address, "/").expect("it is there");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", "none"]);
    is_closed(address);
}

/// An app with two instances that is reached at this address.
fn reached() -> (Home, SocketAddr) {
    let (home, address) = (Home::as_installed(), some_address());
    let source = home.source("shop", WEB);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2", "--listen"];
    home.does(&[&deploy[..], &[&address.to_string()]].concat());
    (home, address)
}

#[test]
fn a_supervisor_that_is_killed_twenty_times_loses_no_request_and_the_next_verb_does_not_wait_for_another() {
    let _listening = listening();
    let (home, address) = reached();
    let clients = Clients::of(address);
    for _ in 0..20 {
        kill(|| home.supervisors());
        clients.go_on(5);
    }
    kill(|| home.supervisors());
    home.does(&["ps-lifecycle", "restart", "shop"]);
    clients.go_on(5);
    assert_eq!(clients.end(), Vec::<String>::new());
}

#[test]
fn where_ps_balance_is_killed_twenty_times_no_connect_is_refused() {
    let _listening = listening();
    let (home, address) = reached();
    let clients = Clients::of(address);
    for _ in 0..20 {
        clients.go_on(5);
        kill(|| found(&home, "ps-balance "));
    }
    clients.go_on(5);
    let failed = clients.end();
    assert!(failed.iter().all(|why| !why.contains("refused")), "{failed:?}");
    assert!(ask(address, "/pid").is_ok());
}

#[test]
fn where_supervisor_root_and_holder_are_killed_the_next_supervisor_gets_the_sockets_from_ps_balance() {
    let _listening = listening();
    let (home, address) = reached();
    let clients = Clients::of(address);
    clients.go_on(5);
    home.without_root();
    kill(|| found(&home, "--hold-output"));
    kill(|| home.supervisors());
    clients.go_on(5);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    kill(|| home.supervisors());
    clients.go_on(5);
    assert_eq!(clients.end(), Vec::<String>::new());
}

#[test]
fn an_app_that_nobody_talks_to_has_no_ps_balance_and_one_that_is_stopped_refuses_clients() {
    let _listening = listening();
    let (home, address) = reached();
    assert_eq!(found(&home, "ps-balance "), []);
    ask(address, "/pid").expect("it is there");
    assert_eq!(found(&home, "ps-balance ").len(), 1);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    eventually("nobody listens there, and ps-balance has ended", || {
        match (TcpStream::connect(address), &found(&home, "ps-balance ")[..]) {
            (Err(_), []) => Ok(()),
            left => Err(format!("{left:?}")),
        }
    });
    home.does(&["ps-lifecycle", "start", "shop"]);
    ask(address, "/pid").expect("it is there again");
}

#[test]
fn status_says_first_where_the_app_is_reached_and_how_many_connections_are_open() {
    let _listening = listening();
    let (home, address) = reached();
    let first = || home.does(&["ps-lifecycle", "status", "shop"]).lines().next().map(str::to_owned);
    assert_eq!(first(), Some(format!("shop is reached at {address}")));
    assert_eq!(found(&home, "ps-balance "), [], "to ask starts nothing");
    let rows = home.status("shop");
    assert!(rows.iter().all(|row| row["listen"] == serde_json::json!([address.to_string()])), "{rows:?}");
    assert!(rows.iter().all(|row| row.get("connections").is_none()), "{rows:?}");
    let _open = TcpStream::connect(address).expect("it is there");
    eventually("its connection is counted", || {
        let counts: Vec<_> = home.status("shop").iter().map(|row| row["connections"].as_u64()).collect();
        let all: Option<u64> = counts.iter().copied().sum();
        if all == Some(1) { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    assert_eq!(first(), Some(format!("shop is reached at {address}, open connections: 1")));
    let report = |words: &[&str]| home.does(&[&["ps-report", "shop"], words].concat());
    assert_eq!(report(&["--listen"]), format!("{address}\n"));
    assert!(
        report(&["--settings"])
            .lines()
            .any(|line| line.contains("web.listen:") && line.contains(&address.to_string()))
    );
    home.does(&["ps-lifecycle", "stop", "shop"]);
    assert_eq!(first(), Some(format!("shop has the address {address}, but no instance runs")));
}

/// The receipts among the events of a verb.
fn receipts(ran: &Ran) -> Vec<serde_json::Value> {
    ran.rows().into_iter().filter(|row| row["phase"] == "receipt").collect()
}

#[test]
fn a_receipt_stands_in_events_and_in_the_journal_and_zero_failed_decides_the_exit_status() {
    let _listening = listening();
    let (home, address) = reached();
    let clients = Clients::of(address);
    clients.go_on(20);
    let restart = ["ps-lifecycle", "restart", "shop", "--require", "zero-failed"];
    let ran = home.run(&[&restart[..], &["--format", "json"]].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let [row] = &receipts(&ran)[..] else { panic!("one receipt: {ran:?}") };
    let receipt = &row["receipt"];
    let counted =
        receipt["before"].as_u64().zip(receipt["after"].as_u64()).map(|(before, after)| before + after);
    assert_eq!(
        (row["outcome"].as_str(), receipt["releases"][0]["connections"].as_u64()),
        (Some("done"), counted),
        "{row}"
    );
    assert!(counted > Some(0) && receipt["is_whole"] == true, "{row}");
    let latency = &receipt["latency"];
    let all = [&latency["worst_us"], &latency["before"]["worst_us"], &latency["before"]["p99_us"]];
    assert!(all.iter().all(|it| it.as_u64() > Some(0)), "clients were there before: {row}");
    let journal = fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("it has one");
    let noted: Vec<serde_json::Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|entry: &serde_json::Value| entry["event"] == "receipt")
        .collect();
    let last = noted.last().expect("it is noted");
    assert_eq!([&last["before"], &last["after"]], [&receipt["before"], &receipt["after"]], "{last}");
    home.does(&["ps-scale", "shop", "web=3", "--require", "zero-failed"]);
    assert_eq!(clients.end(), Vec::<String>::new());
}

#[test]
fn a_rollout_that_loses_connections_is_status_1_where_none_may_fail_and_done_otherwise() {
    let _listening = listening();
    let (home, address) = reached();
    let _open = TcpStream::connect(address).expect("it is there");
    let ran = thread::scope(|scope| {
        // The old instances are only let go once the connection has ended, which it does with ps-balance.
        let kills = scope.spawn(|| {
            eventually("new instances are beside the old ones", || {
                let rows = home.status("shop");
                if rows.len() > 2 { Ok(()) } else { Err(format!("{rows:?}")) }
            });
            kill(|| found(&home, "ps-balance "));
        });
        let ran = home.run(&["ps-lifecycle", "restart", "shop", "--require", "zero-failed"]);
        kills.join().expect("it kills");
        ran
    });
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("shop was changed, but connections failed: "), "{ran:?}");
    assert!(ask(address, "/pid").is_ok(), "the new instances are there all the same");
}

#[test]
fn nothing_is_promised_of_an_app_without_an_address() {
    let _listening = listening();
    let home = Home::as_installed();
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &home.source("shop", WEB)];
    let required = ["--listen", "none", "--require", "zero-failed"];
    let refused = home.run(&[&deploy[..], &required].concat());
    assert!(refused.status == Some(2) && refused.stderr.contains("shop has no address"), "{refused:?}");
    home.does(&[&deploy[..], &["--listen", "none"]].concat());
    for words in [
        &["ps-lifecycle", "restart", "shop"][..],
        &["ps-lifecycle", "rollback", "shop"],
        &["ps-scale", "shop", "web=2"],
    ] {
        let refused = home.run(&[words, &["--require", "zero-failed"]].concat());
        assert!(refused.status == Some(2) && refused.stderr.contains("shop has no address"), "{refused:?}");
    }
}

#[test]
fn an_app_without_the_type_that_clients_are_led_to_gets_no_address() {
    let _listening = listening();
    let home = Home::as_installed();
    let address = some_address().to_string();
    let deploy =
        ["ps-lifecycle", "deploy", "jobs", "--dir", &home.source("jobs", "api: exec faultapp --listen\n")];
    let refused = home.run(&[&deploy[..], &["--listen", &address]].concat());
    assert!(refused.status == Some(1) && refused.stderr.contains("jobs has no such type"), "{refused:?}");
    home.is_silent();
    home.does(&deploy);
    let refused = home.run(&["ps-lifecycle", "proxy", "jobs", "--listen", &address]);
    assert!(refused.status == Some(1) && refused.stderr.contains("jobs has no such type"), "{refused:?}");
    let listed = home.does(&["ps-set", "jobs", "--list"]);
    assert!(!listed.contains(&address), "{listed}");
}

#[test]
fn without_cgroups_the_ps_balance_of_an_app_is_no_process_that_an_instance_has_left_behind() {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: only root can take the cgroups away");
        return;
    }
    let _listening = listening();
    let (home, address) = (Home::as_installed(), some_address());
    let source = home.source("shop", &format!("{WEB}worker: exec faultapp --tick 60\n"));
    let deploy =
        ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=1", "worker=1", "--listen"];
    let deployed = without_cgroups(&home, &[&deploy[..], &[&address.to_string()]].concat());
    assert!(deployed.status.success(), "{deployed:?}");
    ask(address, "/pid").expect("it is there");
    assert_eq!(found(&home, "ps-balance ").len(), 1);
    let stopped = home.does(&["ps-lifecycle", "stop", "shop", "worker.1"]);
    assert!(!format!("{stopped:?}").contains("left processes behind"), "{stopped:?}");
    assert_eq!(found(&home, "ps-balance ").len(), 1);
}

#[test]
fn the_property_changes_the_address_and_takes_it_away_with_the_next_restart() {
    let _listening = listening();
    let ((home, first), second) = (reached(), some_address());
    ask(first, "/pid").expect("it is there");
    home.does(&["ps-set", "shop", "listen", &second.to_string()]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    ask(second, "/pid").expect("it is there");
    is_closed(first);
    home.does(&["ps-set", "shop", "listen", "none"]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    is_closed(second);
    let own = home.status("shop")[0]["port"].as_u64().expect("a port");
    ask(format!("127.0.0.1:{own}").parse().expect("an address"), "/pid").expect("it is there");
}

#[test]
fn status_says_who_serves_the_address_where_no_supervisor_does() {
    let _listening = listening();
    let home = Home::as_installed();
    let (source, address) = (home.source("shop", WEB), some_address());
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", &address.to_string()]);
    ask(address, "/pid").expect("it answers");
    let line = || {
        let table = home.does(&["ps-lifecycle", "status", "shop"]);
        table.lines().next().expect("a line").to_owned()
    };
    assert!(line().starts_with(&format!("shop is reached at {address}, open connections: ")), "{}", line());
    home.without_root();
    kill_supervisors(&home);
    let alone = format!("shop is reached at {address} by ps-balance alone, without a supervisor");
    eventually(
        "ps-balance serves it alone",
        || {
            if line().starts_with(&alone) { Ok(()) } else { Err(line()) }
        },
    );
    ask(address, "/pid").expect("it answers");
    kill(|| found(&home, "ps-balance "));
    let has = format!("shop has the address {address}, but ");
    assert_eq!(line(), format!("{has}nobody serves it: clients wait until a supervisor runs"));
    kill(|| found(&home, "--hold-output"));
    assert_eq!(line(), format!("{has}nobody listens there: clients are refused"));
    is_closed(address);
    let other = TcpListener::bind(address).expect("it is free");
    assert!(line().contains(" listens there, and no supervisor runs"), "{}", line());
    drop(other);
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert!(line().starts_with(&format!("shop is reached at {address}")), "{}", line());
    ask(address, "/pid").expect("it answers");
}
