//! What every verb says where: to a terminal, to a reader that goes away, to a full disk.

use std::process::Command;

use crate::{PROGRAM, Ran, World, has};

#[test]
fn a_person_at_a_terminal_is_told_the_way_out_and_a_script_is_not() {
    if !has("script") {
        return;
    }
    let world = World::with("web: a\nworker: b\n");
    for (args, way_out) in [
        (&["show", "-p", "wbe"][..], "did you mean web?"),
        (&["exists", "-p", "clock"], "there is no clock, but web, worker"),
        (&["delete", "-p", "workre"], "did you mean worker?"),
        (&["list", "-P", "nope"], "-P names another file"),
        (&["show", "web"], "name the process type with -p"),
        (&["check", "--wran"], "did you mean --warn?"),
        (&["set", "-p", "my.web", "-c", "x"], "a name is letters"),
        (&["export", "--location", "o", "--formation", "web:2"], "web=2,worker=1"),
    ] {
        assert!(!world.run(args).stderr.contains(way_out), "{args:?}");
        let mut command = Command::new("script");
        command.args(["-qec", &[&[PROGRAM][..], args].concat().join(" "), "/dev/null"]);
        command.current_dir(world.0.path()).env("TERM", "dumb");
        let seen = Ran::of(command, b"").text();
        assert!(seen.contains(way_out), "{way_out:?} in {seen}");
    }
    assert!(world.run(&["chekc"]).stderr.ends_with("\n\"chekc\" is no command: did you mean check?\n"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let world = World::with((0..50_000).map(|n| format!("type-{n}: x")).collect::<Vec<_>>().join("\n"));
    let mut command = Command::new("sh");
    command.args(["-c", "{ \"$0\" list; echo $? >&2; } | head -1", PROGRAM]).current_dir(world.0.path());
    let ran = Ran::of(command, b"");
    assert_eq!(ran.all(), (0, "type-0\n".to_owned(), "0\n"));
}

#[test]
fn a_full_disk_is_a_failure_that_is_named() {
    let world = World::with("web: a\n");
    for subcommand in ["list", "check", "expand"] {
        let mut command = Command::new("sh");
        command.args(["-c", "\"$0\" \"$1\" > /dev/full", PROGRAM, subcommand]).current_dir(world.0.path());
        let words = " !     write standard output: no space left on device\n";
        assert_eq!(Ran::of(command, b"").all(), (1, String::new(), words), "{subcommand}");
    }
}
