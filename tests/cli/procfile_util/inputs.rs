//! The files that every verb reads: missing ones, pipes, directories.

use std::process::Command;

use crate::{PROGRAM, Ran, World};

#[test]
fn a_missing_file_is_an_error_also_when_stdin_is_a_pipe() {
    let world = World::new();
    let ran = world.feed(&["list"], b"web: a\n");
    assert_eq!(ran.all(), (1, String::new(), " !     open Procfile: no such file or directory\n"));
    assert_eq!(world.feed(&["list", "-P", "-"], b"web: a\n").all(), (0, "web\n".to_owned(), ""));
    assert_eq!(world.feed(&["set", "-P", "-", "-p", "x", "-c", "y"], b"web: a\n").text(), "web: a\nx: y\n");
    assert_eq!(world.run(&["list", "-P", "."]).stderr, " !     read .: is a directory\n");
}

#[test]
fn a_file_whose_name_is_nearly_that_of_the_missing_one_is_named() {
    for name in ["procfile", "PROCFILE", "Procfile.txt", "Profile"] {
        let world = World::new();
        world.put(name, "web: a\n");
        let told =
            format!(" !     open Procfile: no such file or directory (but {name}: call it Procfile)\n");
        for command in ["check", "list"] {
            assert_eq!(world.run(&[command]).all(), (1, String::new(), &*told), "{name}");
        }
    }
    let world = World::new();
    world.put("Procfile.dev", "web: a\n");
    assert_eq!(world.run(&["list"]).stderr, " !     open Procfile: no such file or directory\n");
}

#[test]
fn a_file_that_is_named_may_be_a_pipe_and_a_directory_is_none() {
    let world = World::with("web: $A\n");
    let mut command = Command::new("bash");
    let script = "\"$0\" show -p web -P <(printf 'web: $A $B\\n') -e <(printf 'A=1\\nB=$A\\n')";
    command.args(["-c", script, PROGRAM]).current_dir(world.0.path());
    assert_eq!(Ran::of(command, b"").all(), (0, "1 1\n".to_owned(), ""));
    assert_eq!(world.feed(&["show", "-p", "web", "-e", "-"], b"A=2\n").text(), "2\n");
    let refused = world.run(&["show", "-p", "web", "-e", "."]);
    assert_eq!(
        refused.all(),
        (1, String::new(), " !     Error processing command: read .: is a directory\n")
    );
}
