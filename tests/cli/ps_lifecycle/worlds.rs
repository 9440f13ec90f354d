//! Several worlds of one user: programs show one, and name or show the others where that is asked for.

use std::fs::{self, File};
use std::io::Read;
use std::process::Command;

use serde_json::Value;

use crate::home::{Home, kill};
use crate::program::{Ran, run};
use crate::pseudo_terminal;

/// A home with the app shop, and beside it a world in `blue` with the app box.
struct Two(Home);

impl Two {
    fn new() -> Self {
        let two = Self(Home::running("shop", "web: echo of shop; exec sleep 1000\n", &[]));
        fs::create_dir(two.0.path("blue")).expect("a directory");
        let source = two.0.source("box", "web: echo of box; exec sleep 1000\n");
        two.0.write("box/app.json", crate::home::ALIVE);
        let words =
            ["ps-lifecycle", "deploy", "box", "--dir", &source, "--listen", "none", "--world", "blue"];
        two.0.does(&words);
        two
    }

    fn blue(&self) -> String {
        self.0.path("blue").display().to_string()
    }

    /// What each line says of its world and its app.
    fn rows(&self, words: &[&str]) -> Vec<(String, String)> {
        let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let ran = self.0.run(words);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{words:?}: {ran:?}");
        ran.rows().iter().map(|row| (text(row, "world"), text(row, "app"))).collect()
    }
}

/// What a program writes on a terminal.
fn on_a_terminal(mut command: Command) -> String {
    let (master, slave) = pseudo_terminal::pair();
    let status = command.stdout(slave).status().expect("it runs");
    drop(command);
    assert!(status.success());
    let mut shown = Vec::new();
    // A terminal that nobody has open any more ends with an error.
    let _ = File::from(master).read_to_end(&mut shown);
    String::from_utf8(shown).expect("text")
}

impl Drop for Two {
    fn drop(&mut self) {
        self.0.run(&["ps-lifecycle", "destroy", "box", "--world", "blue"]);
    }
}

#[test]
fn a_world_is_made_by_a_verb_and_every_program_works_in_it() {
    let two = Two::new();
    let home = &two.0;
    assert_eq!(home.does(&["ps-lifecycle", "status", "-q"]), "shop web.1\n");
    assert_eq!(home.does(&["ps-lifecycle", "--world", "blue", "status", "-q"]), "box web.1\n");
    home.does(&["ps-scale", "--world", "blue", "box", "web=2", "--wait", "20"]);
    assert!(home.does(&["ps-scale", "box", "--world", "blue", "--json"]).contains("\"quantity\":2"));
    home.does(&["ps-set", "--world", "blue", "box", "restart-policy", "no"]);
    assert_eq!(home.does(&["ps-set", "--get", "box", "restart-policy", "--world", "blue"]), "no\n");
    assert_eq!(home.does(&["ps-report", "box", "--running", "--world", "blue"]), "true\n");
    assert!(home.does(&["ps-logs", "box", "--no-prefix", "--world", "blue"]).starts_with("of box\n"));
    assert!(home.does(&["ps-explain", "--world", "blue", "box"]).contains("box"));
    // What a program runs is in the same world: here the scheduler's own journal.
    assert!(home.does(&["ps-lifecycle", "events", "box", "--world", "blue"]).contains("scale"));
    assert_eq!(home.does(&["ps-lifecycle", "status", "-q"]), "shop web.1\n");
    home.refuses(&["ps-lifecycle", "status", "box"], 20, &["another world has it: --world ", "/blue"]);
    home.refuses(&["ps-lifecycle", "status", "--world", "shop"], 1, &["shop is no world", "/blue"]);
    home.refuses(&["ps-lifecycle", "status", "--world", "pm2"], 1, &["pm2 is no world"]);
}

#[test]
fn the_status_names_worlds_that_it_does_not_show_aside_or_on_a_terminal_and_never_to_a_script() {
    let two = Two::new();
    let status = |words: &[&str]| two.0.run(&[&["ps-lifecycle", "status"], words].concat());
    let line = format!("not shown are the worlds {} (1 app): --all-worlds, or --world NAME", two.blue());
    let aside = status(&[]);
    assert_eq!(aside.stderr, format!(" !     {line}\n"));
    assert!(!aside.stdout.contains("not shown"), "{aside:?}");
    for words in [&["--json"][..], &["--format", "csv"], &["-q"], &["shop"], &["--quiet"]] {
        assert_eq!(status(words).stderr, "", "{words:?}");
    }
    let shown = on_a_terminal(two.0.command(&["ps-lifecycle", "status"]));
    assert!(shown.ends_with(&format!("{line}\r\n")), "{shown}");
    two.0.does(&["ps-lifecycle", "destroy", "box", "--world", "blue"]);
    assert_eq!(status(&[]).stderr, "", "a world without apps is not named");
}

#[test]
fn all_worlds_are_shown_one_after_the_other_and_to_a_script_with_a_name_in_each_row() {
    let two = Two::new();
    let (home, blue) = (&two.0, two.blue());
    let here = home.path("").components().collect::<std::path::PathBuf>().display().to_string();
    let both = [(here.clone(), "shop".to_owned()), (blue.clone(), "box".to_owned())];
    let sorted = |words: &[&str]| {
        let mut rows = two.rows(words);
        rows.sort_by_key(|(world, _)| *world == blue);
        rows
    };
    assert_eq!(sorted(&["ps-lifecycle", "status", "--all-worlds", "--json"]), both);
    assert_eq!(sorted(&["ps-report", "--all-worlds", "--json"])[..], both);
    assert_eq!(sorted(&["ps-logs", "--all-worlds", "--json"])[..], both);
    let text = home.run(&["ps-lifecycle", "status", "--all-worlds"]);
    let heads: Vec<&str> =
        text.stdout.lines().filter_map(|line| line.strip_prefix("=====> World ")).collect();
    assert_eq!((heads, &*text.stderr), (vec![&*here, &*blue], ""));
    let of_one = home.does(&["ps-lifecycle", "status", "box", "--all-worlds", "--columns", "app,process"]);
    assert_eq!(of_one, format!("=====> World {blue}\nAPP  PROCESS\nbox  web.1\n"));
    let table = home.does(&["ps-lifecycle", "status", "--all-worlds", "--format", "csv"]);
    let mut lines: Vec<&str> = table.lines().collect();
    assert!(lines.remove(0).starts_with("world,app,"), "{table}");
    assert!(
        lines.len() == 2 && lines.iter().any(|line| line.starts_with(&format!("{blue},box,"))),
        "{table}"
    );
    assert!(home.does(&["ps-logs", "box", "--all-worlds", "--no-prefix"]).ends_with("/blue: of box\n"));
    assert_eq!(home.run(&["ps-explain", "box", "--all-worlds", "--json"]).rows()[0]["world"], *blue);
    for (words, status, says) in [
        (&["ps-explain", "none", "--all-worlds"][..], 20, "app none does not exist"),
        (&["ps-report", "--all-worlds", "--world", "blue"], 2, "leave one of them out"),
    ] {
        let ran = home.run(words);
        assert!(ran.status == Some(status) && ran.stderr.contains(says), "{ran:?}");
    }
    home.refuses(&["ps-lifecycle", "status", "--all-worlds", "--watch"], 2, &["--watch shows one world"]);
}

#[test]
fn a_world_that_has_gone_from_the_disk_is_in_no_list() {
    let two = Two::new();
    let home = &two.0;
    home.does(&["ps-lifecycle", "destroy", "box", "--world", "blue"]);
    fs::remove_dir_all(home.path("blue")).expect("it is there");
    let rows = two.rows(&["ps-lifecycle", "status", "--all-worlds", "--json"]);
    assert!(rows.iter().all(|(world, _)| *world != two.blue()), "{rows:?}");
    home.refuses(&["ps-lifecycle", "status", "--world", "blue"], 1, &["is no world"]);
}

/// A copy of the home's whole world, its running app included, as `cp -a` makes one.
struct Copied<'a> {
    home: &'a Home,
    lib: String,
    root: String,
}

impl<'a> Copied<'a> {
    fn of(home: &'a Home) -> Self {
        let copy = |what: &str| {
            let to = home.path(&format!("copy/{what}"));
            fs::create_dir_all(home.path("copy")).expect("made");
            let copied = Command::new("cp").arg("-a").args([home.path(what), to.clone()]).status();
            assert!(copied.expect("it runs").success());
            to.display().to_string()
        };
        Self { home, lib: copy("lib"), root: copy("home") }
    }

    fn run(&self, words: &[&str]) -> Ran {
        let mut command = self.home.command(words);
        command.env("DOKKU_LIB_ROOT", &self.lib).env("DOKKU_ROOT", &self.root);
        run(command)
    }

    fn pids(&self) -> Vec<Option<u64>> {
        self.run(&["ps-lifecycle", "status", "shop", "--json"])
            .rows()
            .iter()
            .map(|row| row["pid"].as_u64())
            .collect()
    }
}

impl Drop for Copied<'_> {
    fn drop(&mut self) {
        self.run(&["ps-lifecycle", "destroy", "shop"]);
    }
}

#[test]
fn a_copy_of_a_world_takes_nothing_from_the_one_that_it_was_copied_from() {
    let home = Home::running("shop", "web: exec sleep 1000\n", &["--scale", "web=2"]);
    let before = home.pids("shop");
    let copied = Copied::of(&home);
    let status = copied.run(&["ps-lifecycle", "status", "shop"]);
    assert!(status.stdout.contains("missing") && !status.stdout.contains("running"), "{status:?}");
    assert!(status.stderr.contains("is a copy of"), "{status:?}");
    for verb in ["stop", "start", "restart", "stop"] {
        let done = copied.run(&["ps-lifecycle", verb, "shop"]);
        assert_eq!(done.status, Some(0), "{verb}: {done:?}");
        let own = copied.pids();
        assert!(
            own.iter().flatten().all(|pid| !before.values().any(|other| other == pid)),
            "{verb}: {own:?}"
        );
        assert_eq!(own.iter().flatten().count(), if verb == "stop" { 0 } else { 2 }, "{verb}");
        assert_eq!(home.pids("shop"), before, "{verb} in the copy");
    }
    assert_eq!(copied.run(&["ps-lifecycle", "status", "shop"]).stderr, "");
    copied.run(&["ps-lifecycle", "start", "shop"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    assert_eq!(copied.pids().iter().flatten().count(), 2, "the copy keeps its own");
}

#[test]
fn a_world_that_was_moved_keeps_what_runs_in_it() {
    let home = Home::running("shop", "web: exec sleep 1000\n", &[]);
    let before = home.pids("shop");
    home.without_root();
    home.supervisors().into_iter().for_each(kill);
    let copied = Copied::of(&home);
    fs::remove_dir_all(home.path("lib/data/scheduler-native/shop")).expect("removed");
    assert_eq!(copied.pids(), before.values().map(|pid| Some(*pid)).collect::<Vec<_>>());
    let started = copied.run(&["ps-lifecycle", "start", "shop"]);
    assert_eq!(started.status, Some(0), "{started:?}");
    assert_eq!(copied.pids(), before.values().map(|pid| Some(*pid)).collect::<Vec<_>>());
}
