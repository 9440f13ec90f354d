//! `deploy --archive`.

use std::fs;
use std::process::{Command, Stdio};

use crate::engine::{IMAGE, has_engine, name};
use crate::home::Home;

/// Packs a directory of this home; the archive's path.
fn pack(home: &Home, directory: &str, archive: &str, words: &[&str]) -> String {
    let path = home.path(archive).to_str().expect("text").to_owned();
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(home.path(directory)).args(["-cf", &path]).args(words);
    assert!(tar.status().expect("tar runs").success());
    path
}

/// Where archives are unpacked.
fn trees(home: &Home, app: &str) -> Vec<String> {
    let entries = fs::read_dir(home.path(&format!("lib/data/formation/{app}/sources"))).into_iter().flatten();
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_archive_is_deployed_rebuilt_and_kept_for_each_release_that_runs_from_it() {
    let home = Home::new();
    home.source("src", "web: faultapp --say one --tick 60\n");
    let archive = pack(&home, "src", "one.tar", &["."]);
    home.does(&["ps-lifecycle", "deploy", "shop", "--archive", &archive]);
    fs::remove_file(&archive).expect("it was there");
    assert!(home.does(&["ps-lifecycle", "logs", "shop"]).contains("web.1 | one"));
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    assert_eq!(trees(&home, "shop"), ["1"], "the recorded one is run again");

    // From a pipe, compressed, and with everything in one directory.
    home.source("src", "web: faultapp --say two --tick 60\n");
    let archive = pack(&home, ".", "two.tar.gz", &["-z", "src"]);
    let mut deploy = home.command(&["ps-lifecycle", "deploy", "shop", "--archive", "-"]);
    deploy.stdin(Stdio::from(fs::File::open(&archive).expect("there")));
    let ran = crate::program::run(deploy);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(home.does(&["ps-lifecycle", "logs", "shop"]).contains("web.1 | two"));
    assert_eq!(trees(&home, "shop"), ["1", "3"]);
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    assert!(!home.path("lib/data/formation/shop").exists());
}

#[test]
fn an_archive_that_is_none_or_leads_out_is_refused_and_nothing_is_left() {
    let home = Home::new();
    home.source("src", "web: faultapp --tick 60\n");
    std::os::unix::fs::symlink("/etc/passwd", home.path("src/passwd")).expect("a link");
    let evil = pack(&home, "src", "evil.tar", &["."]);
    fs::remove_file(home.path("src/passwd")).expect("it was there");
    let cut = pack(&home, "src", "cut.tar", &["."]);
    fs::write(&cut, &fs::read(&cut).expect("there")[..700]).expect("written");
    let wrong = home.write("wrong.tar", "this is no archive").to_str().expect("text").to_owned();
    let directory = home.path("src").to_str().expect("text").to_owned();
    fs::remove_file(home.path("src/Procfile")).expect("it was there");
    home.write("src/README", "");
    let empty = pack(&home, "src", "empty.tar", &["."]);
    for (archive, says) in [
        (evil.as_str(), "leads out, to /etc/passwd"),
        (&cut, "not whole"),
        (&wrong, "no tar archive"),
        (&directory, "--dir"),
        (&empty, "no Procfile"),
        ("/nowhere.tar", "/nowhere.tar"),
    ] {
        home.refuses(&["ps-lifecycle", "deploy", "shop", "--archive", archive], 1, &[says]);
        assert!(!home.path("lib/data/formation/shop").exists(), "{archive}");
    }
}

#[test]
fn an_archive_whose_writer_says_nothing_is_left_at_ctrl_c() {
    let home = Home::new();
    let fifo = home.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    let mut running =
        home.start(&["ps-lifecycle", "deploy", "shop", "--archive", fifo.to_str().expect("text")]);
    running.until_it_minds_signals();
    crate::home::eventually("it waits for the archive", || {
        let trees = trees(&home, "shop");
        if trees.is_empty() { Err("no directory to unpack into".to_owned()) } else { Ok(()) }
    });
    running.signal(rustix::process::Signal::INT);
    let ran = running.ended();
    assert!(ran.status == Some(1) && ran.stderr.contains("interrupted"), "{ran:?}");
    assert!(!home.path("lib/data/formation/shop").exists());
}

#[test]
fn an_archive_with_a_dockerfile_becomes_an_image() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("packed"));
    home.write("src/Dockerfile", &format!("FROM {IMAGE}\nCOPY . /app/\nCMD exec sleep 1000\n"));
    let archive = pack(&home, "src", "a.tar", &["."]);
    home.does(&["ps-lifecycle", "deploy", &app, "--archive", &archive]);
    fs::remove_file(&archive).expect("it was there");
    home.does(&["ps-lifecycle", "rebuild", &app]);
    assert_eq!(home.states(&app).len(), 1);
    home.does(&["ps-lifecycle", "destroy", &app]);
}
