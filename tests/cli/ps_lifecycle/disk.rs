//! A place where nothing can be written, a full disk, ports that others have.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::home::{self, Home, get, slot, table};

const PROCFILE: &str = "web: faultapp --tick 60\n";
const NOBODY: &str = "65534";

fn is_done(program: &str, words: &[&str]) -> bool {
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
        home::note("skipped: this user cannot become another one that may run the programs");
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
        let ran = home::run(as_nobody(&home.command(&[&["ps-lifecycle"], words].concat())));
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
    if !is_done("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs", lib]) {
        home::note("skipped: only root can mount a small disk");
        return;
    }
    let mounted = Mounted(lib.to_owned());
    let source = home.source("shop", PROCFILE);
    let mut failed = 0;
    for free_pages in [0, 1, 2, 3, 4, 9, 13] {
        fs::write(home.path("lib/filler"), vec![b'x'; (16 - free_pages) * 4096]).ok();
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

struct Mounted(String);

impl Drop for Mounted {
    fn drop(&mut self) {
        is_done("umount", &["-l", &self.0]);
    }
}

#[test]
fn where_a_port_is_taken_the_instance_gets_one_above_20000_and_keeps_it() {
    let _listening = home::listening();
    // Whoever has one of them already has it taken for us.
    let taken: Vec<_> = (5000..5002).map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))).collect();
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
