//! What runs: containers, native processes, and whoever cannot be asked.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::{Container, Home, NOWHERE, json_lines, native_status, recorded_world, said};

#[test]
fn a_stopped_container_is_exited_and_one_that_is_gone_is_missing() {
    let Some(container) = Container::start("demo", "web.1") else { return };
    let home = recorded_world(&container.0);
    home.write("home/demo/CONTAINER.web.2", &format!("{}\n", "0".repeat(64)));
    let mixed = said(&mut home.dokku(&["demo", "--running"]));
    assert_eq!((mixed.status, &*mixed.stdout), (0, "mixed\n"), "{}", mixed.stderr);
    container.stop();
    let said = said(&mut home.dokku(&["demo", "--format", "json"]));
    let row = &json_lines(&said.stdout)[0];
    assert_eq!(row["running"], "false");
    assert_eq!(row["processes"], "2");
    assert_eq!(row["status-web.1"], format!("exited (CID: {})", &container.0[..11]));
    assert_eq!(row["status-web.2"], "missing (CID: 00000000000)");
}

#[test]
fn native_processes_are_named_by_pid_and_a_dead_one_is_missing() {
    let home = Home::new();
    home.app("hello").app("torn");
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, after_name) = stat.rsplit_once(") ").expect("proc(5)");
    let ours = after_name.split(' ').nth(19).expect("proc(5)");
    home.write("lib/data/scheduler-native/hello/web.1/status.json", &native_status("web.1", ours));
    let running = said(home.report(&["hello", "--running"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((running.status, &*running.stdout, &*running.stderr), (0, "true\n", ""));
    let status = said(&mut home.report(&["hello", "--status-web.1"])).stdout;
    assert_eq!(status, format!("running (PID: {})\n", std::process::id()));
    // The same pid, but another process has it by now.
    home.write("lib/data/scheduler-native/hello/web.2/status.json", &native_status("web.2", "1"));
    home.write("lib/data/scheduler-native/torn/web.1/status.json", "{");
    let all = said(&mut home.report(&["--json"]));
    let rows = json_lines(&all.stdout);
    assert_eq!(
        [&rows[0]["running"], &rows[0]["processes"], &rows[0]["status-web.2"]],
        ["mixed", "2", "missing"]
    );
    assert!(rows[0].get("error").is_none(), "{}", rows[0]);
    assert_eq!([&rows[1]["running"], &rows[1]["restore"]], ["unknown", "true"]);
    assert!(rows[1]["error"].as_str().expect("an error").contains("web.1/status.json"), "{}", rows[1]);
    assert_eq!(all.status, 1);
}

#[test]
fn a_record_from_before_instances_had_numbers_counts_and_has_no_row() {
    let home = Home::new();
    home.app("blog").write("home/blog/CONTAINER", &format!("{}\n", "c".repeat(64)));
    let value = |words: &[&str]| said(home.dokku(words).env("DOCKER_HOST", NOWHERE)).stdout;
    assert_eq!(value(&["blog", "--processes"]), "1\n");
    assert_eq!(value(&["blog", "--deployed"]), "true\n");
    assert!(!value(&["blog"]).contains("Status"));
    home.write("home/blog/CONTAINER.web.1", &format!("{}\n", "d".repeat(64)));
    assert_eq!(value(&["blog", "--processes"]), "1\n");
    assert!(value(&["blog"]).contains("Status web 1:                     unknown (CID: ddddddddddd)\n"));
}

#[test]
fn the_engine_is_asked_only_if_an_app_has_containers() {
    let home = Home::new();
    home.app("idle").app("box");
    for app in ["idle", "box"] {
        home.property("scheduler", app, "selected", "docker-local");
    }
    let quiet = said(home.report(&["--json"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((quiet.status, &*quiet.stderr), (0, ""));
    home.write("home/box/CONTAINER.web.1", &"a".repeat(64));
    home.app("other").write("home/other/CONTAINER.web.1", &"b".repeat(64));
    let down = said(home.report(&["--json"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((down.status, down.stderr.lines().count()), (1, 1), "{}", down.stderr);
    assert!(down.stderr.contains("/nonexistent/docker.sock"), "{}", down.stderr);
    let rows = json_lines(&down.stdout);
    assert_eq!([&rows[0]["running"], &rows[0]["processes"]], ["unknown", "1"]);
    assert_eq!(rows[0]["status-web.1"], "unknown (CID: aaaaaaaaaaa)");
    assert_eq!(rows[1]["running"], "false", "idle has no containers");
    let files_only = said(home.report(&["box", "--deployed"]).env("DOCKER_HOST", NOWHERE));
    assert_eq!((files_only.status, &*files_only.stdout, &*files_only.stderr), (0, "true\n", ""));
}

#[test]
fn an_engine_that_never_answers_is_unknown_and_not_a_hang() {
    let home = Home::new();
    home.app("box").write("home/box/CONTAINER.web.1", &"a".repeat(64));
    let socket = home.0.path().join("engine.sock");
    let _silent = UnixListener::bind(&socket).expect("a socket");
    let begun = Instant::now();
    let said =
        said(home.report(&["box", "--running"]).env("DOCKER_HOST", format!("unix://{}", socket.display())));
    assert_eq!(
        (said.status, &*said.stdout, said.stderr.lines().count()),
        (1, "unknown\n", 1),
        "{}",
        said.stderr
    );
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_scheduler_that_no_plugin_answers_for_is_unknown() {
    let home = Home::new();
    home.app("blog").property("scheduler", "blog", "selected", "k3s");
    let silent = said(&mut home.report(&["blog", "--json"]));
    assert_eq!(silent.status, 1);
    let rows = json_lines(&silent.stdout);
    assert_eq!([&rows[0]["running"], &rows[0]["processes"]], ["unknown", "-1"]);
    assert!(silent.stderr.contains("blog") && silent.stderr.contains("k3s"), "{}", silent.stderr);
    home.script("lib/plugins/enabled/k3s/scheduler-app-status", "#!/bin/sh\necho broken >&2\nexit 3\n");
    let failing = said(&mut home.report(&["blog", "--running"]));
    assert_eq!((failing.status, &*failing.stdout), (1, "unknown\n"));
    assert!(failing.stderr.contains("exit status 3: broken"), "{}", failing.stderr);
}

#[test]
fn a_plugin_that_hangs_is_ended_and_does_not_hide_what_others_say() {
    let home = Home::new();
    home.app("fine").app("slow");
    for app in ["fine", "slow"] {
        home.property("scheduler", app, "selected", "k3s");
    }
    let hook =
        "#!/bin/sh\n[ $2 = slow ] && { echo $$ >\"$DOKKU_LIB_ROOT/pid\"; sleep 300; }\necho '1 true'\n";
    home.script("lib/plugins/enabled/k3s/scheduler-app-status", hook);
    let begun = Instant::now();
    let both = said(&mut home.report(&["--running"]));
    assert_eq!((both.status, &*both.stdout), (1, "true\nunknown\n"));
    assert!(both.stderr.contains("slow") && both.stderr.contains("within 10 s"), "{}", both.stderr);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let pid = fs::read_to_string(home.lib().join("pid")).expect("it was called");
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "the hook outlived the report");
}
