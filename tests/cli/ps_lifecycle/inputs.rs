//! What a change needs is read and judged before the first healthy process is touched.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::home::{Home, table};

const PROCFILE: &str = "web: ./run\nworker: faultapp --tick 60\n";
const RUN: &str = "#!/bin/sh\nexec faultapp --tick 60\n";

/// A home whose `web` is a script in the app's directory.
fn running() -> Home {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    script(&home, RUN, 0o755);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "worker=1"]);
    home
}

/// Puts a script in place, not written to where it lies: somebody may run it.
fn script(home: &Home, text: &str, mode: u32) {
    let staged = home.write("shop/run.new", text);
    fs::set_permissions(&staged, Permissions::from_mode(mode)).expect("it is ours");
    fs::rename(staged, home.path("shop/run")).expect("in place");
}

type Break = fn(&Home);

#[test]
fn a_restart_that_cannot_work_is_refused_and_the_same_processes_run_on() {
    let broken: [(&str, Break, &[&str]); 10] = [
        (
            "no directory",
            |home| fs::remove_dir_all(home.path("shop")).expect("removed"),
            &["shop", "cannot be opened"],
        ),
        (
            "a file in its place",
            |home| {
                fs::remove_dir_all(home.path("shop")).expect("removed");
                home.write("shop", "no directory");
            },
            &["is not a directory"],
        ),
        ("an open quote", |home| drop(home.write("lib/config/shop/ENV", "A='x\n")), &["ENV"]),
        (
            "a directory for ENV",
            |home| fs::create_dir_all(home.path("lib/config/shop/ENV")).expect("made"),
            &["ENV"],
        ),
        (
            "a value that is too large",
            |home| drop(home.write("lib/config/shop/ENV", &format!("BIG={}\n", "x".repeat(200_000)))),
            &["BIG", "128 KiB"],
        ),
        ("an open quote in .env", |home| drop(home.write("shop/.env", "A=\"x\n")), &[".env"]),
        ("no program", |home| fs::remove_file(home.path("shop/run")).expect("removed"), &["run", "127"]),
        ("no right to run it", |home| script(home, RUN, 0o644), &["run", "126"]),
        ("no interpreter", |home| script(home, "#!/opt/gone/python3\n", 0o755), &["/opt/gone/python3"]),
        ("no PATH", |home| drop(home.write("lib/config/shop/ENV", "PATH=/nowhere\n")), &["PATH", "faultapp"]),
    ];
    for (what, damage, says) in broken {
        let home = running();
        let before = home.pids("shop");
        damage(&home);
        let which: &[&str] = if what == "no PATH" { &["worker"] } else { &["web"] };
        for which in [&[][..], which] {
            let words = [&["ps-lifecycle", "restart", "shop"], which].concat();
            let says = [says, &["runs on"]].concat();
            let ran = home.run(&words);
            ran.is_refused(1, &says);
            assert_eq!(home.pids("shop"), before, "{what}: {ran:?}");
        }
        let states = table(&[("web.1", "running"), ("worker.1", "running")]);
        assert_eq!(home.states("shop"), states, "{what}");
    }
}

#[test]
fn a_scale_a_start_and_a_deploy_are_refused_before_they_touch_what_runs() {
    let home = running();
    home.does(&["ps-lifecycle", "stop", "shop", "worker"]);
    let before = home.pids("shop");
    fs::rename(home.path("shop"), home.path("elsewhere")).expect("moved");
    for words in [
        &["ps-lifecycle", "start", "shop"][..],
        &["ps-lifecycle", "start", "shop", "worker"],
        &["ps-lifecycle", "rebuild", "shop"],
        &["ps-lifecycle", "deploy", "shop"],
        &["ps-scale", "shop", "web=2"],
    ] {
        let ran = home.run(words);
        assert_eq!(ran.status, Some(1), "{words:?} {ran:?}");
        assert!(ran.stderr.contains(home.path("shop").to_str().expect("text")), "{ran:?}");
        assert_eq!(home.pids("shop"), before, "{words:?}");
    }
    fs::rename(home.path("elsewhere"), home.path("shop")).expect("moved");
    home.does(&["ps-lifecycle", "start", "shop"]);
    let source = home.source("next", "web: sh -c 'no end\nworker: faultapp --tick 60\n");
    let before = home.pids("shop");
    home.refuses(
        &["ps-lifecycle", "deploy", "shop", "--dir", &source],
        1,
        &["web.1", "the shell", "runs on"],
    );
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn a_record_that_is_gone_or_makes_no_sense_ends_nothing() {
    let home = running();
    let before = home.pids("shop");
    let records: [(&str, Option<&str>); 3] = [
        ("lib/data/ps/shop/Procfile", None),
        ("lib/data/ps/shop/Procfile", Some("\0\0")),
        ("lib/config/ps/shop/scale", Some("garbage\n")),
    ];
    for (path, content) in records {
        let kept = fs::read(home.path(path)).expect("recorded");
        match content {
            Some(content) => drop(home.write(path, content)),
            None => fs::remove_file(home.path(path)).expect("removed"),
        }
        for verb in ["restart", "converge", "start"] {
            home.refuses(&["ps-lifecycle", verb, "shop"], 1, &[path]);
            assert_eq!(home.pids("shop"), before, "{verb} with {path} {content:?}");
        }
        fs::write(home.path(path), kept).expect("put back");
    }
}

#[test]
fn a_shell_line_that_begins_with_a_program_that_is_gone_is_refused_too() {
    let home = running();
    let before = home.pids("shop");
    for line in ["exec ./gone --x 2>&1", "./gone && true", "/opt/gone/app > log"] {
        let source = home.source("next", &format!("web: {line}\nworker: faultapp --tick 60\n"));
        home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &source], 1, &["gone", "127"]);
        assert_eq!(home.pids("shop"), before, "{line}");
    }
    for line in
        ["./gone || faultapp --tick 60", "cd . && faultapp --tick 60", "test -x ./gone; faultapp --tick 60"]
    {
        let source = home.source("next", &format!("web: {line}\nworker: faultapp --tick 60\n"));
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    }
}

#[test]
fn what_ends_instances_needs_no_directory_and_no_environment() {
    let home = running();
    fs::remove_dir_all(home.path("shop")).expect("removed");
    home.write("lib/config/shop/ENV", "A='x\n");
    home.does(&["ps-scale", "shop", "worker=0"]);
    assert_eq!(home.states("shop"), table(&[("web.1", "running")]));
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}

#[test]
fn a_program_that_the_release_builds_is_not_missed_before_it_ran() {
    let home = Home::new();
    let source = home.source("shop", "release: cp run.in run\nweb: ./run\n");
    let staged = home.write("shop/run.in", RUN);
    fs::set_permissions(staged, Permissions::from_mode(0o755)).expect("it is ours");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let source = home.source("fresh", "release: true\nweb: ./run\n");
    home.refuses(
        &["ps-lifecycle", "deploy", "fresh", "--dir", &source],
        1,
        &["web.1", "run", "nothing was started"],
    );
}

#[test]
fn files_that_are_no_files_are_refused_at_once() {
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    let before = home.pids("shop");
    for name in ["Procfile", "app.json", "DOKKU_SCALE"] {
        let source = home.source("odd", "web: faultapp --tick 60\n");
        let path = home.path(&format!("odd/{name}"));
        let _ = fs::remove_file(&path);
        let fifo = rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        );
        fifo.expect("a FIFO");
        let ran = home.refuses(
            &["ps-lifecycle", "deploy", "shop", "--dir", &source],
            1,
            &[name, "is not a file but a FIFO"],
        );
        assert!(ran.took.as_secs() < 60, "{ran:?}");
        fs::remove_file(&path).expect("it was there");
        std::os::unix::fs::symlink("/dev/zero", &path).expect("a link");
        home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &source], 1, &[name]);
        fs::remove_file(&path).expect("it was there");
    }
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn counts_that_are_refused_in_an_apply_are_not_kept() {
    let home = Home::new();
    let declare = |web: u8| {
        let text = format!("processes:\n  web:\n    command: exec sleep 1000\n    replicas: {web}\n");
        home.write("shop/process-compose.yaml", &text).to_str().expect("text").to_owned()
    };
    let file = declare(1);
    home.does(&["ps-lifecycle", "apply", &file]);
    let before = (home.pids("shop"), home.does(&["ps-scale", "shop"]));
    home.write("lib/config/shop/ENV", &format!("BIG={}\n", "x".repeat(200_000)));
    declare(2);
    let refused = home.run(&["ps-lifecycle", "apply", &file]);
    refused.is_refused(1, &["the counts of shop stay as they were", "BIG"]);
    assert_eq!((home.pids("shop"), home.does(&["ps-scale", "shop"])), before);
    fs::remove_file(home.path("lib/config/shop/ENV")).expect("it was written");
    home.does(&["ps-lifecycle", "apply", &file]);
    assert_eq!(home.pids("shop").len(), 2);
}
