//! An older package is installed over a newer one: what the newer programs wrote, these cannot read. They say which file that is, and
//! do not guess what it may mean.

use std::fs;
use std::path::Path;

use crate::home::{Home, eventually, kill};
use crate::program::run;

/// Gives a file the format of a version to come.
fn make_later(path: &Path) {
    let text = fs::read(path).expect("it is there");
    let mut value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    assert!(value["format"].is_u64(), "{} has a format: {value}", path.display());
    value["format"] = 99.into();
    fs::write(path, value.to_string()).expect("written");
}

#[test]
fn files_of_a_native_app_that_a_later_version_wrote_are_named_and_its_processes_run_on() {
    for file in ["spec2.json", "stopped.json"] {
        let home = Home::running(
            "shop",
            "web: exec sleep 100021\nworker: exec sleep 100022\n",
            &["--scale", "web=1", "--scale", "worker=1"],
        );
        home.does(&["ps-lifecycle", "stop", "shop", "worker.1"]);
        let before = home.pids("shop");
        home.without_root();
        home.supervisors().into_iter().for_each(kill);
        eventually("there is no supervisor", || {
            let left = home.supervisors();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
        let path = home.path("lib/data/scheduler-native/shop").join(file);
        make_later(&path);

        let ran = home.run(&["ps-lifecycle", "status", "shop"]);
        let wanted = format!("{}: it is of format 99, which a later version wrote", path.display());
        assert!(ran.status == Some(0) && ran.stderr.contains(&wanted), "{file}: {ran:?}");
        assert_eq!(home.pids("shop"), before, "{file}: what runs is seen all the same");

        // A verb that changes something has it written anew, from what is recorded elsewhere. What was stopped by hand is recorded in
        // that file alone, so that it may be started.
        home.does(&["ps-lifecycle", "start", "shop", "web.1"]);
        let after = home.pids("shop");
        assert_eq!(after["web.1"], before["web.1"], "{file}: the same process");
        // The advice of the message.
        if file == "stopped.json" {
            home.does(&["ps-lifecycle", "rebuild", "shop"]);
        } else {
            assert_eq!(after, before, "{file}");
        }
        let ran = home.run(&["ps-lifecycle", "status", "shop"]);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{file}: {ran:?}");
    }
}

#[test]
fn a_release_that_a_later_version_wrote_is_not_rolled_back_to() {
    let home = Home::running("shop", "web: exec sleep 100023\n", &[]);
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    let before = home.pids("shop");
    let releases = home.path("lib/data/formation/shop/releases");
    for number in [1, 2] {
        make_later(&releases.join(format!("{number}.json")));
    }
    let ran = home.run(&["ps-lifecycle", "rollback", "shop"]);
    ran.is_refused(1, &["/releases/", "format 99 is of a later version: use that version"]);
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn a_list_of_apps_that_a_later_ps_pm2_wrote_is_left_alone() {
    let home = Home::new();
    let pm2 = |words: &[&str]| {
        let mut command = home.command(&[&["ps-pm2"], words].concat());
        command.env("PM2_HOME", home.path("pm2"));
        run(command)
    };
    let script = home.write("job.sh", "exec sleep 100024\n");
    let started = pm2(&["start", script.to_str().expect("text"), "--name", "job"]);
    assert_eq!(started.status, Some(0), "{started:?}");
    let list = home.path("pm2/formation/apps.json");
    let written = fs::read(&list).expect("it is there");
    make_later(&list);
    let later = fs::read(&list).expect("it is there");
    for words in [&["ls"][..], &["restart", "job"], &["stop", "job"], &["kill"]] {
        let ran = pm2(words);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let wanted = "pm2/formation/apps.json is of a later version of ps-pm2: use that one";
        assert!(ran.status == Some(1) && said.contains(wanted), "{words:?}: {ran:?}");
        assert_eq!(fs::read(&list).expect("it is there"), later, "{words:?}");
    }
    assert!(home.processes().iter().any(|(_, words)| words.contains("100024")), "it runs on");
    fs::write(&list, written).expect("written");
    assert_eq!(pm2(&["kill"]).status, Some(0));
}
