//! A supervisor that died, files that were damaged or removed under it: no verb is a dead end, and none says what is not so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use crate::home::{Home, eventually, kill, table};

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";
const SCALE: [&str; 4] = ["--scale", "web=2", "--scale", "worker=1"];

/// The supervisor dies, and nobody starts it again but a verb.
fn kill_supervisor(home: &Home) {
    home.without_root();
    let pid = eventually("one app has one supervisor", || match home.supervisors()[..] {
        [pid] => Ok(pid),
        ref several => Err(format!("{several:?}")),
    });
    kill(pid);
}

fn service(home: &Home) -> PathBuf {
    home.path("lib/data/scheduler-native/shop")
}

#[test]
fn every_verb_about_an_app_sees_to_it_that_its_supervisor_lives() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    let before = home.pids("shop");
    for words in [
        &["ps-lifecycle", "start", "shop"][..],
        &["ps-lifecycle", "start", "shop", "web.1"],
        &["ps-lifecycle", "converge", "shop"],
        &["ps-lifecycle", "restore", "shop"],
        &["ps-lifecycle", "restore", "--all"],
        &["ps-scale", "shop", "web=2"],
    ] {
        kill_supervisor(&home);
        let status = home.run(&["ps-lifecycle", "status", "shop"]);
        assert!(status.stdout.contains("running") && status.stderr.contains("no supervisor"), "{status:?}");
        assert!(home.supervisors().is_empty(), "status changes nothing");
        home.does(words);
        assert_eq!(home.supervisors().len(), 1, "{words:?}");
        assert_eq!(home.pids("shop"), before, "{words:?}");
        let status = home.run(&["ps-lifecycle", "status", "shop"]);
        assert_eq!(status.stderr, "", "{words:?}");
    }
    for words in [&["restart", "shop"][..], &["rebuild", "shop"], &["stop", "shop", "web.2"]] {
        kill_supervisor(&home);
        home.does(&[&["ps-lifecycle"], words].concat());
        assert_eq!(home.supervisors().len(), 1, "{words:?}");
    }
    kill_supervisor(&home);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.is_silent();
}

#[test]
fn a_process_whose_output_nobody_took_goes_on_once_somebody_does() {
    let home = Home::running("shop", "web: i=0; while :; do echo $i; i=$((i+1)); done\n", &[]);
    kill_supervisor(&home);
    let log = home.log_file("shop", "web.1");
    let size = || fs::metadata(&log).map_or(0, |log| log.len());
    let before = size();
    home.does(&["ps-lifecycle", "start", "shop"]);
    eventually(
        "it writes again",
        || if size() > before + 200_000 { Ok(()) } else { Err(size().to_string()) },
    );
}

/// What can become of a file, by name.
fn damage(how: &str, path: &Path) {
    let _ = fs::remove_file(path);
    match how {
        "garbage" => fs::write(path, "{\"app\":").expect("written"),
        "empty" => fs::write(path, "").expect("written"),
        "nul" => fs::write(path, [0; 300]).expect("written"),
        "a directory" => fs::create_dir_all(path.join("x")).expect("made"),
        "a FIFO" => mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("made"),
        "of another format" => fs::write(path, "{\"version\":99,\"runs\":[]}").expect("written"),
        "missing" => (),
        other => panic!("{other}"),
    }
}

const DAMAGES: [&str; 7] =
    ["garbage", "empty", "nul", "a directory", "a FIFO", "of another format", "missing"];

/// Every damage, with a supervisor that lives and with one that is dead. Each kind of damage has a thread of its own: most of
/// the time is spent waiting.
fn each_damage(judge: impl Fn(&str, bool) + Sync) {
    thread::scope(|scope| {
        for how in DAMAGES {
            let judge = &judge;
            scope.spawn(move || [false, true].map(|is_dead| judge(how, is_dead)));
        }
    });
}

#[test]
fn a_spec_that_cannot_be_read_is_no_dead_end() {
    let all = table(&[("web.1", "running"), ("web.2", "running"), ("worker.1", "running")]);
    each_damage(|how, is_dead| {
        let home = Home::running("shop", PROCFILE, &SCALE);
        let source = home.path("shop").to_str().expect("text").to_owned();
        let spec = service(&home).join("spec2.json");
        let ruin = || {
            damage(how, &spec);
            if is_dead {
                kill_supervisor(&home);
            }
        };
        // What runs is left alone by whoever asks for nothing else.
        let before = home.pids("shop");
        ruin();
        home.does(&["ps-lifecycle", "start", "shop"]);
        assert_eq!((home.pids("shop"), home.supervisors().len()), (before, 1), "{how}, {is_dead}");
        for verb in [&["restart", "shop"][..], &["deploy", "shop", "--dir", &source]] {
            ruin();
            home.does(&[&["ps-lifecycle"], verb].concat());
            assert_eq!(home.states("shop"), all, "{how}, {is_dead}, {verb:?}");
        }
        ruin();
        home.does(&["ps-lifecycle", "stop", "shop"]);
        home.is_silent();
        home.does(&["ps-lifecycle", "start", "shop"]);
        assert_eq!(home.states("shop"), all, "{how}, {is_dead}");
    });
}

#[test]
fn a_list_of_what_was_stopped_that_cannot_be_read_is_no_dead_end() {
    let all = table(&[("web.1", "running"), ("web.2", "running"), ("worker.1", "running")]);
    each_damage(|how, is_dead| {
        let home = Home::running("shop", PROCFILE, &SCALE);
        let ruin = || {
            home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
            damage(how, &service(&home).join("stopped.json"));
            if is_dead {
                kill_supervisor(&home);
            }
        };
        let before = home.pids("shop");
        ruin();
        let said = home.run(&["ps-lifecycle", "status", "shop"]).stderr;
        assert_eq!(said.contains("stopped.json"), how != "missing", "{how}, {is_dead}: {said}");
        home.does(&["ps-lifecycle", "stop", "shop", "worker"]);
        assert_eq!(home.pids("shop")["web.1"], before["web.1"], "{how}, {is_dead}");
        assert_eq!(home.states("shop")["worker.1"], "stopped", "{how}, {is_dead}");
        ruin();
        home.does(&["ps-lifecycle", "start", "shop"]);
        assert_eq!(home.states("shop"), all, "{how}, {is_dead}");
        assert_eq!(home.pids("shop")["web.1"], before["web.1"], "{how}, {is_dead}");
        ruin();
        home.does(&["ps-lifecycle", "stop", "shop"]);
        home.is_silent();
    });
}

/// The supervisor that comes in its place cannot read the list, and knows from their statuses what was stopped.
#[test]
fn what_was_stopped_by_hand_is_started_by_nobody_although_its_list_is_of_a_later_version() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    for slot in ["web.1", "web.2"] {
        home.does(&["ps-lifecycle", "stop", "shop", slot]);
    }
    let list = service(&home).join("stopped.json");
    let text = fs::read_to_string(&list).expect("the list");
    fs::write(&list, text.replace("\"format\":1", "\"format\":2")).expect("written");
    kill_supervisor(&home);
    // Whoever starts a supervisor, for example the root or a boot unit, gives it no orders.
    let mut supervisor = home.command(&["ps-supervise", &service(&home).display().to_string()]);
    let mut supervisor = supervisor.spawn().expect("it starts");
    eventually("it has taken over", || {
        let status = home.run(&["ps-lifecycle", "status", "shop"]);
        if status.stderr.contains("no supervisor") { Err(status.stderr) } else { Ok(()) }
    });
    let stopped = table(&[("web.1", "stopped"), ("web.2", "stopped"), ("worker.1", "running")]);
    assert_eq!(home.states("shop"), stopped);
    home.does(&["ps-lifecycle", "start", "shop", "web.1"]);
    let started = table(&[("web.1", "running"), ("web.2", "stopped"), ("worker.1", "running")]);
    assert_eq!(home.states("shop"), started);
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!(home.states("shop")["web.2"], "running");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    supervisor.wait().expect("it is ours");
}

/// Nobody who asks for counts asks for what somebody has stopped.
#[test]
fn counts_and_restores_start_nothing_that_may_have_been_stopped_by_hand_and_name_the_list() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    let list = service(&home).join("stopped.json");
    for is_dead in [false, true] {
        home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
        let text = fs::read_to_string(&list).expect("the list").replace("\"format\":1", "\"format\":2");
        fs::write(&list, &text).expect("written");
        if is_dead {
            kill_supervisor(&home);
        }
        let before = home.pids("shop");
        let said = ["web.2 of shop cannot start", "stopped.json", "ps-lifecycle start shop web.2 starts it"];
        for words in [
            &["ps-scale", "shop", "web=3"][..],
            &["ps-scale", "shop", "web=2"],
            &["ps-lifecycle", "converge", "shop"],
        ] {
            home.run(words).is_refused(1, &said);
            assert_eq!(home.pids("shop"), before, "{is_dead}, {words:?}");
            assert_eq!(fs::read_to_string(&list).expect("the list"), text, "{words:?}");
        }
        let dry = home.run(&["ps-scale", "shop", "web=2", "--dry-run"]);
        let row = "web.2            unknown  whether it was stopped by hand cannot be read\n";
        assert!(dry.status == Some(1) && dry.stdout.contains(row), "{dry:?}");
        // What else ran comes up again.
        let worker = i32::try_from(home.pids("shop")["worker.1"]).ok().and_then(Pid::from_raw);
        kill(worker.expect("it runs"));
        home.run(&["ps-lifecycle", "restore", "shop"]).is_refused(1, &said);
        eventually("the worker is back", || {
            let states = home.states("shop");
            if states["worker.1"] == "running" { Ok(()) } else { Err(format!("{states:?}")) }
        });
        assert_eq!(home.states("shop")["web.2"], "stopped", "{is_dead}");
        home.does(&["ps-lifecycle", "start", "shop", "web.2"]);
        home.does(&["ps-scale", "shop", "web=2"]);
        assert_eq!(home.states("shop")["web.2"], "running", "{is_dead}");
    }
}

/// After a rollout a supervisor executes its own program once more, as soon as nothing happens for a second.
#[test]
fn a_supervisor_does_not_begin_anew_from_damaged_files() {
    each_damage(|how, is_dead| {
        let home = Home::running("shop", PROCFILE, &SCALE);
        let before = (home.supervisors(), home.pids("shop"));
        damage(how, &service(&home).join("spec2.json"));
        if is_dead {
            home.without_root();
        }
        thread::sleep(Duration::from_secs(3));
        assert_eq!((home.supervisors(), home.pids("shop")), before, "{how}, {is_dead}");
    });
}

#[test]
fn destroy_leaves_nothing_of_an_app_whose_files_are_damaged() {
    each_damage(|how, is_dead| {
        let home = Home::running("shop", PROCFILE, &SCALE);
        damage(how, &service(&home).join("spec2.json"));
        damage(how, &service(&home).join("web.1/status.json"));
        if is_dead {
            kill_supervisor(&home);
        }
        home.does(&["ps-lifecycle", "destroy", "shop"]);
        // A root that no app needs leaves a moment after whoever left word with it.
        home.is_silent();
        assert!(!service(&home).exists(), "{how}, {is_dead}");
    });
}

#[test]
fn a_status_that_cannot_be_read_is_said_and_written_anew_by_the_next_verb() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    let status = service(&home).join("web.1/status.json");
    let before = home.pids("shop");
    let state = service(&home).join("state");
    for how in DAMAGES {
        // Each of the two says it all.
        for file in [&status, &state] {
            damage(how, file);
            assert_eq!(home.pids("shop"), before, "{how}");
            home.does(&["ps-lifecycle", "start", "shop"]);
            assert_eq!(home.pids("shop"), before, "{how}");
            assert!(
                fs::read(file).is_ok_and(|bytes| bytes.len() > 300),
                "{how}: {} is made anew",
                file.display()
            );
        }
        damage(how, &status);
        damage(how, &state);
        let ran = home.run(&["ps-lifecycle", "status", "shop"]);
        assert_eq!(ran.status, Some(i32::from(how != "missing")), "{how}: {ran:?}");
        assert!(how == "missing" || ran.stderr.contains("web.1/status.json"), "{how}: {ran:?}");
        home.does(&["ps-lifecycle", "start", "shop"]);
        assert_eq!(home.pids("shop"), before, "{how}");
    }
    damage("garbage", &status);
    damage("garbage", &state);
    home.does(&["ps-lifecycle", "stop", "shop", "web.1"]);
    assert_eq!(home.states("shop").get("web.1").map(String::as_str), Some("stopped"));
    damage("a directory", &status);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    let pids: BTreeMap<String, u64> = home.pids("shop");
    assert_eq!(pids.len(), 3);
    damage("nul", &status);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.is_silent();
}

#[test]
fn a_service_directory_that_was_removed_under_its_supervisor_ends_with_it() {
    for verb in ["stop", "destroy", "start", "restart"] {
        let home = Home::running("shop", PROCFILE, &SCALE);
        let old = home.pids("shop");
        // The supervisor writes while it is removed.
        eventually("it is removed", || fs::remove_dir_all(service(&home)).map_err(|error| error.to_string()));
        let status = home.run(&["ps-lifecycle", "status", "shop"]);
        assert!(status.stderr.contains("scheduler-native/shop of shop is missing"), "{status:?}");
        home.does(&["ps-lifecycle", verb, "shop"]);
        if ["stop", "destroy"].contains(&verb) {
            home.is_silent();
        } else {
            assert_eq!((home.pids("shop").len(), home.supervisors().len()), (3, 1), "{verb}");
            let alive = |pid: &u64| Path::new(&format!("/proc/{pid}")).exists();
            assert!(!old.values().any(alive), "{verb}: the old ones run beside the new ones");
        }
    }
}

#[test]
fn a_supervisor_that_lost_its_socket_is_replaced_and_its_processes_run_on() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    let (before, first) = (home.pids("shop"), home.supervisors());
    fs::remove_file(service(&home).join("control")).expect("it was there");
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!(home.pids("shop"), before);
    let second = home.supervisors();
    assert!(second.len() == 1 && second != first, "{second:?}");
}

#[test]
fn a_supervisor_that_does_not_answer_keeps_nothing_alive() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    kill_process(home.supervisors()[0], Signal::STOP).expect("it lives");
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.is_silent();
}

#[test]
fn a_supervisor_that_is_stopped_by_a_signal_is_named_with_what_lets_it_go_on() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    let before = home.pids("shop");
    let supervisor = home.supervisors()[0];
    kill_process(supervisor, Signal::STOP).expect("it lives");
    let cure = format!("kill -CONT {}", supervisor.as_raw_nonzero());
    let status = home.run(&["ps-lifecycle", "status", "shop"]);
    assert!(status.stdout.contains("running") && status.stderr.contains(&cure), "{status:?}");
    for words in [
        &["ps-lifecycle", "stop", "shop", "web.1"][..],
        &["ps-lifecycle", "restart", "shop"],
        &["ps-lifecycle", "reset", "shop"],
    ] {
        home.refuses(words, 1, &["stopped by a signal", &cure]);
    }
    let source = home.path("shop").display().to_string();
    let deploy = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    deploy.is_refused(1, &["stopped by a signal", &cure]);
    assert_eq!(home.pids("shop"), before);
    kill_process(supervisor, Signal::CONT).expect("it lives");
    home.does(&["ps-lifecycle", "stop", "shop", "web.1"]);
    assert_eq!(home.run(&["ps-lifecycle", "status", "shop"]).stderr, "");
}

#[test]
fn what_is_over_is_woken_by_no_verb_that_asks_for_something_else() {
    let procfile = "web: faultapp --tick 60\njob: echo ran >>runs; until [ -e end ]; do sleep 0.05; done\n";
    let home = Home::running("shop", procfile, &["--scale", "web=2", "--scale", "job=1"]);
    let runs = || fs::read_to_string(home.path("shop/runs")).unwrap_or_default().lines().count();
    let is_done = || {
        eventually("the job is done", || match home.states("shop").get("job.1").map(String::as_str) {
            Some("stopped") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    let end = home.write("shop/end", "");
    is_done();
    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    home.does(&["ps-scale", "shop", "web=3"]);
    home.does(&["ps-lifecycle", "converge", "shop"]);
    kill_supervisor(&home);
    home.does(&["ps-lifecycle", "restore", "--all"]);
    home.power_cut();
    home.does(&["ps-lifecycle", "restore", "--all"]);
    let expected = [("job.1", "stopped"), ("web.1", "running"), ("web.2", "stopped"), ("web.3", "running")];
    assert_eq!((home.states("shop"), runs()), (table(&expected), 1));
    fs::remove_file(&end).expect("it was written");
    home.does(&["ps-lifecycle", "start", "shop"]);
    home.write("shop/end", "");
    is_done();
    assert_eq!(runs(), 2);
    assert_eq!(home.states("shop").get("web.2").map(String::as_str), Some("running"));
}

/// It waits to be started again, its supervisor dies, and its spec is garbage: nothing of it runs, so the stop is done.
#[test]
fn what_waits_to_be_started_again_has_ended_where_nobody_is_left_to_start_it() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    let stderr = home.run_directory("shop", "web.1").join("stderr");
    fs::remove_file(&stderr).expect("a FIFO");
    fs::write(&stderr, "no FIFO").expect("written");
    // It is to be started again in the same place, which cannot be used.
    let pid = i32::try_from(home.pids("shop")["web.1"]).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::KILL).expect("it runs");
    eventually("it waits", || match home.states("shop")["web.1"].as_str() {
        "backoff" => Ok(()),
        other => Err(other.to_owned()),
    });
    kill_supervisor(&home);
    fs::write(service(&home).join("spec2.json"), "garbage").expect("written");
    let ran = home.run(&["ps-lifecycle", "stop", "shop", "web.1"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(!ran.stderr.contains("would not end"), "{ran:?}");
}

#[test]
fn a_report_believes_a_supervisor_that_is_at_work_and_looks_itself_where_it_is_stopped_or_dead() {
    let home = Home::running("shop", "web: sleep 1000000\nworker: sleep 1000000\n", &["--scale", "worker=1"]);
    let pid =
        |slot: &str| Pid::from_raw(i32::try_from(home.pids("shop")[slot]).expect("a pid")).expect("a pid");
    let row = |slot: &str| home.does(&["ps-report", "shop", &format!("--status-{slot}")]);
    let (web, worker) = (pid("web.1"), pid("worker.1"));
    assert_eq!(row("web.1"), format!("running (PID: {})\n", web.as_raw_nonzero()));
    let supervisor = home.supervisors()[0];
    kill_process(supervisor, Signal::STOP).expect("it lives");
    kill_process(web, Signal::KILL).expect("it lives");
    eventually("the dead one is missing", || match row("web.1") {
        missing if missing == "missing\n" => Ok(()),
        other => Err(other),
    });
    assert_eq!(row("worker.1"), format!("running (PID: {})\n", worker.as_raw_nonzero()));
    kill_process(supervisor, Signal::CONT).expect("it lives");
    eventually("it runs again", || match row("web.1") {
        running if running.starts_with("running (PID: ") => Ok(()),
        other => Err(other),
    });
    home.without_root();
    kill_process(supervisor, Signal::KILL).expect("it lives");
    kill_process(worker, Signal::KILL).expect("it lives");
    eventually("nobody vouches for it", || match row("worker.1") {
        missing if missing == "missing\n" => Ok(()),
        other => Err(other),
    });
}
