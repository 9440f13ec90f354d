//! A place where nothing can be written, a full disk, ports that others have.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::asking::{ask, kill_supervisors, some_address};
use crate::home::{self, ALIVE, Home, get, slot, table};

const PROCFILE: &str = "web: faultapp --tick 60\n";
const NOBODY: &str = "65534";

pub(crate) fn is_done(program: &str, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// `command` as a user to whom nothing here belongs.
fn as_nobody(command: &Command) -> Command {
    let mut as_nobody = Command::new("setpriv");
    as_nobody.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(command.get_program());
    as_nobody.args(command.get_args()).env_clear().stdin(Stdio::null());
    as_nobody.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    as_nobody
}

#[test]
fn where_nothing_can_be_written_the_path_is_named_and_nothing_changes() {
    let home = Home::new();
    let (root, program) = (home.path(""), home::programs().join("faultapp"));
    let who = "setpriv";
    let words = [
        "--reuid",
        NOBODY,
        "--regid",
        NOBODY,
        "--clear-groups",
        program.to_str().expect("text"),
        "--version",
    ];
    if !is_done(who, &words) {
        skipped::skip("no root, or programs that no other user may run: this test becomes somebody else");
        return;
    }
    fs::set_permissions(&root, Permissions::from_mode(0o755)).expect("it is ours");
    let source = home.source("shop", PROCFILE);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let (before, pids) = (home.state(), home.pids("shop"));
    for words in [
        &["deploy", "fresh", "--dir", &source][..],
        &["deploy", "shop", "--dir", &source],
        &["stop", "shop"],
        &["start", "shop"],
        &["restart", "shop"],
        &["destroy", "shop"],
    ] {
        let ran = crate::program::run(as_nobody(&home.command(&[&["ps-lifecycle"], words].concat())));
        ran.is_refused(1, &[root.join("lib").to_str().expect("text"), "ermission denied"]);
        home.is_as(&before);
    }
    assert_eq!(home.pids("shop"), pids);
}

#[test]
fn a_full_disk_fails_a_first_deploy_whole_and_the_next_one_with_room_works() {
    let home = Home::new();
    let lib = home.path("lib");
    let lib = lib.to_str().expect("text");
    if !is_done("mount", &["-t", "tmpfs", "-o", "size=160k", "tmpfs", lib]) {
        skipped::skip("no root: only root can mount a small disk");
        return;
    }
    let mounted = Mounted(lib.to_owned());
    let source = home.source("shop", PROCFILE);
    home.write("shop/app.json", ALIVE);
    let mut failed = 0;
    for free_pages in [0, 1, 2, 3, 4, 9, 13] {
        fs::write(home.path("lib/filler"), vec![b'x'; (40 - free_pages) * 4096]).ok();
        let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        if ran.status == Some(0) {
            home.does(&["ps-lifecycle", "destroy", "shop"]);
        } else {
            failed += 1;
            ran.is_refused(1, &[]);
            // A supervisor that cannot even write its log is named with its directory.
            let says = [&*format!("the supervisor of shop in {lib}"), "No space left on device"];
            assert!(says.iter().any(|words| ran.stderr.contains(words)), "{ran:?}");
            let left: Vec<_> = home.state().into_keys().filter(|path| !path.ends_with("filler")).collect();
            assert!(left.is_empty(), "{free_pages} pages free: {left:?} after {ran:?}");
        }
        home.is_silent();
    }
    assert!(failed > 0, "the disk was never full");
    fs::remove_file(home.path("lib/filler")).expect("it was there");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    home.is_silent();
    drop(mounted);
}

/// A disk that is filled to the last page, and the app that runs on it.
fn on_a_full_disk(procfile: &str, words: &[&str]) -> Option<(Home, Mounted)> {
    let home = Home::new();
    let lib = home.path("lib").to_str().expect("text").to_owned();
    if !is_done("mount", &["-t", "tmpfs", "-o", "size=512k", "tmpfs", &lib]) {
        skipped::skip("no root: only root can mount a small disk");
        return None;
    }
    let mounted = Mounted(lib);
    let source = home.source("shop", procfile);
    home.write("shop/app.json", ALIVE);
    home.does(&[&["ps-lifecycle", "deploy", "shop", "--dir", &source], words].concat());
    fill(&home);
    Some((home, mounted))
}

fn fill(home: &Home) {
    let path = home.path("lib/filler");
    let mut filler = fs::OpenOptions::new().append(true).create(true).open(path).expect("a file");
    while std::io::Write::write(&mut filler, &[b'x'; 4096]).is_ok_and(|written| written > 0) {}
}

fn make_room(home: &Home) {
    fs::remove_file(home.path("lib/filler")).expect("it was there");
}

#[test]
fn a_full_disk_keeps_nothing_alive_and_what_was_not_written_is_written_once_there_is_room() {
    let Some((home, mounted)) = on_a_full_disk(PROCFILE, &["--scale", "web=3"]) else { return };
    let ran = home.run(&["ps-lifecycle", "stop", "shop", "web.2"]);
    assert!(
        ran.status == Some(0) || ran.stderr.contains("No space") || ran.stderr.contains("not recorded"),
        "{ran:?}"
    );
    home::eventually("web.2 has ended", || {
        if home.pids("shop").contains_key("web.2") { Err("it runs".to_owned()) } else { Ok(()) }
    });
    assert_eq!(home.pids("shop").len(), 2);
    make_room(&home);
    home::eventually("it is written down", || match home.states("shop").get("web.2").map(String::as_str) {
        Some("stopped") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let is_noted = || {
        let stopped =
            fs::read_to_string(home.path("lib/data/scheduler-native/shop/stopped.json")).unwrap_or_default();
        let stopped: serde_json::Value = serde_json::from_str(&stopped).unwrap_or_default();
        stopped["slots"] == serde_json::json!(["web.2"])
    };
    home::eventually("the list says so", || if is_noted() { Ok(()) } else { Err("not yet".to_owned()) });
    home.does(&["ps-lifecycle", "converge", "shop"]);
    assert_eq!(home.pids("shop").len(), 2, "what was stopped stays so");
    fill(&home);
    let ran = home.run(&["ps-lifecycle", "stop", "shop"]);
    assert!(home.pids("shop").is_empty(), "{ran:?}");
    if ran.status != Some(0) {
        assert!(ran.stderr.contains("shop has ended, but that is not recorded"), "{ran:?}");
    }
    make_room(&home);
    home::eventually("it is written down", || {
        let states = home.states("shop");
        if states.values().all(|state| state == "stopped") { Ok(()) } else { Err(format!("{states:?}")) }
    });
    home.is_silent();
    home.does(&["ps-lifecycle", "converge", "shop"]);
    home.does(&["ps-lifecycle", "restore", "--all"]);
    assert!(home.pids("shop").is_empty(), "what was stopped is not brought back");
    home.does(&["ps-lifecycle", "start", "shop"]);
    fill(&home);
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    home.is_silent();
    make_room(&home);
    drop(mounted);
}

/// Leaves so many pages free on a disk that is full.
fn leave(home: &Home, pages: u64) {
    fill(home);
    let filler = fs::OpenOptions::new().write(true).open(home.path("lib/filler")).expect("it was there");
    let length = filler.metadata().expect("it has a length").len();
    filler.set_len(length - pages * 4096).expect("it can be cut");
}

#[test]
fn a_disk_that_fills_up_in_a_deploy_or_a_restart_costs_no_instance_and_the_next_one_with_room_works() {
    let Some((home, mounted)) = on_a_full_disk(PROCFILE, &["--scale", "web=2"]) else { return };
    let pids = home.pids("shop");
    let next = home.source("next", "web: faultapp --tick 50\n");
    home.write("next/app.json", ALIVE);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &next];
    for pages in [0, 2, 3] {
        for words in [&deploy[..], &["ps-lifecycle", "restart", "shop"]] {
            leave(&home, pages);
            let ran = home.run(words);
            assert_eq!(ran.status, Some(1), "{pages} pages free: {ran:?}");
            assert!(ran.stderr.contains("No space left on device"), "{pages} pages free: {ran:?}");
            assert_eq!(home.pids("shop"), pids, "{pages} pages free: {ran:?}");
        }
    }
    leave(&home, 0);
    let ran = home.run(&["ps-scale", "shop", "web=1"]);
    assert!(ran.status == Some(1) && ran.stderr.contains("No space left on device"), "{ran:?}");
    assert_eq!(home.pids("shop"), pids);
    make_room(&home);
    home.does(&deploy);
    let after = home.pids("shop");
    assert!(after.len() == 2 && after.values().all(|pid| !pids.values().any(|old| old == pid)), "{after:?}");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    home.is_silent();
    drop(mounted);
}

/// Makes empty files until there is no inode for another one; there are bytes left.
fn use_up_inodes(home: &Home) {
    let mut number = 0;
    while fs::File::create_new(home.path(&format!("lib/empty-{number}"))).is_ok() {
        number += 1;
    }
}

#[test]
fn a_disk_with_bytes_and_without_inodes_is_called_that() {
    let home = Home::new();
    let lib = home.path("lib").to_str().expect("text").to_owned();
    if !is_done("mount", &["-t", "tmpfs", "-o", "size=16m,nr_inodes=300", "tmpfs", &lib]) {
        skipped::skip("no root: only root can mount a small disk");
        return;
    }
    let mounted = Mounted(lib.clone());
    home.set_for_all();
    let source = home.source("shop", PROCFILE);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    use_up_inodes(&home);
    let says = format!("all 300 inodes of the file system at {lib} are in use");
    for words in [
        &["ps-set", "shop", "stop-timeout-seconds", "5"][..],
        &["ps-scale", "shop", "web=2"],
        &["ps-lifecycle", "deploy", "shop", "--dir", &source],
        &["ps-lifecycle", "deploy", "another", "--dir", &source],
    ] {
        let ran = home.run(words);
        assert!(ran.status != Some(0) && ran.stderr.contains(&says), "{words:?}: {ran:?}");
    }
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    drop(mounted);
}

#[test]
fn clients_of_the_address_are_answered_while_no_file_can_be_made() {
    let _listening = home::listening();
    let home = Home::as_installed();
    let lib = home.path("lib").to_str().expect("text").to_owned();
    if !is_done("mount", &["-t", "tmpfs", "-o", "size=16m,nr_inodes=300", "tmpfs", &lib]) {
        skipped::skip("no root: only root can mount a small disk");
        return;
    }
    let mounted = Mounted(lib);
    let source = home.source("shop", "web: exec faultapp --listen\n");
    let address = some_address();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", &address.to_string()]);
    use_up_inodes(&home);
    let pids = home.pids("shop");
    let is_answered = || ask(address, "/").map(drop);
    home::eventually("a client is answered", is_answered);
    for _ in 0..2 {
        kill_supervisors(&home);
        home::eventually("a client of the next supervisor is answered", is_answered);
    }
    assert_eq!(home.pids("shop"), pids);
    let note = &home.status("shop")[0]["note"];
    assert!(!note.to_string().contains("clients of the address wait"), "{note}");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    drop(mounted);
}

#[test]
fn clients_of_the_address_are_answered_where_a_directory_is_in_the_place_of_the_control_socket() {
    let _listening = home::listening();
    let home = Home::as_installed();
    let source = home.source("shop", "web: exec faultapp --listen\n");
    let address = some_address();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen", &address.to_string()]);
    fs::create_dir(home.path("lib/data/scheduler-native/shop/balance")).expect("made");
    home::eventually("a client is answered", || ask(address, "/").map(drop));
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}

#[test]
fn a_process_that_waits_because_its_log_takes_nothing_is_not_called_well() {
    let home = Home::new();
    let lib = home.path("lib").to_str().expect("text").to_owned();
    if !is_done("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs", &lib]) {
        skipped::skip("no root: only root can mount a small disk");
        return;
    }
    let mounted = Mounted(lib);
    let source = home.source("shop", "web: while ! [ -e go ]; do sleep 0.1; done; exec yes\n");
    home.write("shop/app.json", r#"{"formation": {"web": {"ready": "alive", "log_when_full": "block"}}}"#);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home.write("shop/go", "");
    home::eventually("status says so", || {
        let ran = home.run(&["ps-lifecycle", "status", "shop"]);
        let says = "web.1 of shop: its log takes nothing: what it writes waits until there is room";
        if ran.stderr.contains(says) { Ok(()) } else { Err(format!("{ran:?}")) }
    });
    let ran = home.run(&["ps-explain", "shop"]);
    assert!(ran.stdout.contains("web.1 of shop lives, but waits until it can write"), "{ran:?}");
    home.run(&["ps-lifecycle", "destroy", "shop"]);
    drop(mounted);
}

#[test]
fn where_an_earlier_copy_is_in_the_place_of_the_state_verbs_go_by_what_is() {
    let home = Home::running("shop", PROCFILE, &[]);
    let (state, copy) =
        (home.path("lib/data/scheduler-native/shop/state"), home.path("lib/data/scheduler-native/shop/copy"));
    fs::copy(&state, &copy).expect("copied");
    home.does(&["ps-lifecycle", "restart", "shop"]);
    let pids = home.pids("shop");
    fs::rename(&copy, &state).expect("replaced");
    assert_eq!(home.pids("shop"), pids);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert!(home.pids("shop")["web.1"] != pids["web.1"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    assert!(home.pids("shop").is_empty());
}

#[test]
fn on_a_disk_that_has_become_read_only_an_app_can_be_stopped() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2"]);
    let lib = home.path("lib").to_str().expect("text").to_owned();
    if !is_done("mount", &["--bind", &lib, &lib]) {
        skipped::skip("no root: only root can make a file system read-only");
        return;
    }
    let mounted = Mounted(lib.clone());
    assert!(is_done("mount", &["-o", "remount,bind,ro", &lib]), "it is read-only");
    let ran = home.run(&["ps-lifecycle", "stop", "shop", "web.2"]);
    ran.is_refused(
        1,
        &[
            "web.2 of shop has ended, but that is not recorded yet",
            "make its file system writable again if that is read-only",
        ],
    );
    home::eventually("web.2 has ended", || match home.pids("shop").keys().cloned().collect::<Vec<_>>() {
        left if left == ["web.1"] => Ok(()),
        others => Err(format!("{others:?}")),
    });
    let ran = home.run(&["ps-lifecycle", "doctor"]);
    let says = format!("fail  roots         DOKKU_LIB_ROOT is {lib}, on a read-only file system");
    assert!(ran.stdout.contains(&says), "{ran:?}");
    drop(mounted);
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!(home.pids("shop").len(), 2);
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}

pub(crate) struct Mounted(pub(crate) String);

impl Drop for Mounted {
    fn drop(&mut self) {
        is_done("umount", &["-l", &self.0]);
    }
}

/// Holds a port; `None` where somebody else has it taken for us. A supervisor of another test that tries whether it is free
/// has it for a moment only.
fn hold(port: u16) -> Option<TcpListener> {
    let until = Instant::now() + Duration::from_secs(1);
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Some(listener),
            Err(_) if Instant::now() >= until => return None,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[test]
fn where_a_port_is_taken_the_instance_gets_one_above_20000_and_keeps_it() {
    let _listening = home::listening();
    let taken: Vec<_> = (5000..5002).map(hold).collect();
    let home = Home::running("shop", "web: faultapp --listen $PORT\n", &["--scale", "web=2"]);
    let ports = || -> Vec<u64> {
        home.status("shop").iter().map(|row| row["port"].as_u64().expect("a port")).collect()
    };
    let chosen = ports();
    assert!(chosen.iter().all(|port| *port > 20000) && chosen[0] != chosen[1], "{chosen:?}");
    for row in home.status("shop") {
        let answer = get(row["port"].as_u64().expect("a port"), "/").expect("it answers");
        assert!(answer.contains(&slot(&row)), "{answer:?}");
    }
    drop(taken);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(ports(), chosen, "also when the regular one is free again");
    assert_eq!(home.states("shop"), table(&[("web.1", "running"), ("web.2", "running")]));
}
