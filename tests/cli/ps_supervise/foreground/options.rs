//! What runs, how many of it, with which variables; and `run`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use super::Source;

const THREE: &str = "web: echo $PS\nworker: echo $PS\nrelease: echo $PS\nclock: echo $PS\n";

#[test]
fn types_and_counts_are_chosen_on_the_command_line() {
    let source = Source::new(THREE);
    for (args, ran) in [
        (&[][..], &["clock.1", "web.1", "worker.1"][..]),
        (&["worker"], &["worker.1"]),
        (&["web", "clock"], &["clock.1", "web.1"]),
        (&["release"], &["release.1"]),
        (&["-m", "web=2,worker=1"], &["web.1", "web.2", "worker.1"]),
        (&["-m", "all=1,web=2,clock=0"], &["web.1", "web.2", "worker.1"]),
        (&["--formation", "web=2", "web"], &["web.1", "web.2"]),
        (&[".", "web"], &["web.1"]),
    ] {
        let ended = source.run(args);
        assert_eq!(ended.lines(), ran, "{args:?}: {}", ended.err);
        assert_eq!(ended.code(), 0);
    }
}

#[test]
fn an_unknown_type_is_refused_with_those_that_there_are() {
    let source = Source::new(THREE);
    fs::create_dir(source.path().join("shop")).expect("made");
    for (args, hint) in [
        (&["wrker"][..], "did you mean worker?"),
        (&["shop"], "write ./shop"),
        (&["web=2"], "given with -m web=2"),
        (&["Procfile"], "-f Procfile runs the Procfile of that name"),
        (&["-m", "cron=1"], "there are web, worker, release, clock"),
        (&["--stdin", "cron"], "there are web, worker, release, clock"),
    ] {
        let ended = source.run(args);
        let words = &ended.err;
        assert!(words.contains("there are web, worker") && words.contains(hint), "{words}");
        assert_eq!((words.lines().count(), ended.code(), ended.out.len()), (1, 1, 0), "{words}");
    }
    let ended = source.run(&["./Procfile"]);
    let file = source.path().join("Procfile");
    assert!(ended.err.contains(&format!(": -f {} runs the Procfile", file.display())), "{}", ended.err);
    assert_eq!((ended.err.lines().count(), ended.code()), (1, 1), "{}", ended.err);
}

#[test]
fn files_of_the_directory_say_how_many_and_who_is_left_out_is_said() {
    let none = Source::new(THREE).file("DOKKU_SCALE", "web=0\n").run(&[]);
    assert!(none.err.contains("nothing to run (DOKKU_SCALE has no instance of "), "{}", none.err);
    let source = Source::new(THREE).file("DOKKU_SCALE", "worker=2\n");
    let ended = source.run(&[]);
    assert_eq!(ended.lines(), ["worker.1", "worker.2"]);
    assert!(ended.err.contains("DOKKU_SCALE has no instance of web, clock: not started"), "{}", ended.err);
    let source = source.file(
        "app.json",
        "{ // how many\n\"formation\": {\"web\": {\"quantity\": 2}, \"other\": {\"quantity\": 1}}}",
    );
    assert_eq!(source.run(&[]).lines(), ["web.1", "web.2"]);
    assert_eq!(source.run(&["clock"]).lines(), ["clock.1"]);
    assert_eq!(source.run(&["-m", "clock=1"]).lines(), ["clock.1"]);
    for wrong in [
        "{\"formation\": {\"web\": {\"quantity\": \"2\"}}}",
        "{\"formation\": {\"web\": {\"quantity\": 1.5}}}",
    ] {
        let ended = Source::new(THREE).file("app.json", wrong).run(&[]);
        assert!(ended.err.contains("formation.web.quantity"), "{}", ended.err);
        assert_eq!((ended.err.lines().count(), ended.code()), (1, 1));
    }
}

#[test]
fn another_procfile_runs_in_its_own_directory() {
    let source = Source::new(THREE);
    fs::create_dir(source.path().join("sub")).expect("made");
    let source = source.file("sub/Procfile.dev", "x: pwd; echo $A\n").file("sub/.env", "A=of sub\n");
    let sub = source.path().join("sub").canonicalize().expect("there");
    for args in [
        &["-f", "sub/Procfile.dev"][..],
        &["./sub", "-f", "Procfile.dev"],
        &["-d", "sub", "-f", "Procfile.dev"],
    ] {
        let ended = source.run(args);
        let mut expected = vec![sub.display().to_string(), "of sub".to_owned()];
        expected.sort();
        assert_eq!(ended.lines(), expected, "{args:?} {}", ended.err);
    }
    let mut piped = source.command(&["-f", "/dev/stdin"]);
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(b"x: pwd\n").expect("it is empty");
    drop(writer);
    piped.stdin(reader);
    let here = source.path().canonicalize().expect("there").display().to_string();
    assert_eq!(source.start_command(piped).end().lines(), [here], "a pipe lies nowhere");
    let ended = source.run(&["-f", "nowhere"]);
    assert!(ended.err.contains("nowhere"), "{}", ended.err);
    assert_eq!(ended.code(), 1);
}

#[test]
fn files_with_variables_are_named_and_the_last_wins() {
    let source = Source::new("a: echo $A$B$C\n").variable("C", "c").file(".env", "A=no\n");
    let source = source.file("one", "A=1\nB=1\n").file("two", "B=2\n");
    assert_eq!(source.run(&["-e", "one,two"]).lines(), ["12c"]);
    assert_eq!(source.run(&["-e", "two", "-e", "one"]).lines(), ["11c"]);
    assert_eq!(source.run(&["-e", "/dev/null"]).lines(), ["c"]);
    assert_eq!(source.run(&["-e", "three"]).code(), 1);
}

#[test]
fn a_file_with_variables_that_cannot_be_read_is_one_line_and_nothing_starts() {
    let long = format!("A=1\nK={}\n", "x".repeat(200_000));
    for (content, named) in [("A=1\nB='x\n", "line 2"), (&long, "K"), ("A=1\n\nbad line\n", "line 3")] {
        let ended = Source::new("a: echo ran\n").file(".env", content).run(&[]);
        assert!(ended.err.contains(".env") && ended.err.contains(named), "{}", ended.err);
        assert_eq!((ended.err.lines().count(), ended.code(), ended.out.len()), (1, 1, 0), "{}", ended.err);
    }
    let source = Source::new("a: echo ran\n");
    fs::create_dir(source.path().join(".env")).expect("made");
    let ended = source.run(&[]);
    assert_eq!((ended.err.lines().count(), ended.code(), ended.out.len()), (1, 1, 0), "{}", ended.err);
    for (target, told) in [("nowhere", "to a file that is not there"), (".env", "that leads to itself")] {
        let source = Source::new("a: echo ran\n");
        symlink(target, source.path().join(".env")).expect("made");
        let ended = source.run(&[]);
        assert!(ended.err.contains(&format!(".env: is a symbolic link {told}")), "{}", ended.err);
        assert_eq!((ended.err.lines().count(), ended.code(), ended.out.len()), (1, 1, 0), "{}", ended.err);
    }
}

#[test]
fn run_is_a_type_or_a_command_in_the_environment_of_the_app() {
    let source = Source::new("web: echo $A $PORT; sh -c 'exit 5'\nrelease: echo migrated $A\n")
        .file(".env", "A=env\n");
    for (args, out, code) in [
        (&["run", "web", "-x", "a  b", "$A"][..], "env 7500\n", 5),
        (&["run", "release"], "migrated env\n", 0),
        (&["run", "sh", "-c", "echo $A; exit 9"], "env\n", 9),
        (&["run", "echo $A | tr e E"], "Env\n", 0),
        (&["run", "sh", "-c", "kill -9 $$"], "", -9),
        (&["run", "nosuchthing"], "", 127),
        (&["run", "/etc/passwd"], "", 126),
    ] {
        let args = [&["-p", "7500"], args].concat();
        let ended = source.run(&args);
        assert_eq!((ended.text().as_str(), ended.code()), (out, code), "{args:?} {}", ended.err);
    }
    let ended = source.run(&["run", "wbe"]);
    assert!(ended.err.contains("not found: wbe (nor is it a type of the Procfile: there are web, release)"));
    let ended = Source::new("web: echo\n").run(&["run", "web", "-x", "a  b", "$A"]);
    assert_eq!(ended.text(), "-x a  b $A\n");
}

#[test]
fn a_program_that_ends_because_its_stdin_is_empty_is_told_of_the_option() {
    let source = Source::new("css: cat; echo done\nweb: exec sleep 1\n");
    let ended = source.run(&[]);
    assert!(ended.err.contains("css.1 | ended with status 0 (its stdin is /dev/null"), "{}", ended.err);
    assert!(ended.err.contains("--stdin css"), "{}", ended.err);
    assert_eq!(ended.err.matches("--stdin").count(), 1, "{}", ended.err);
    let jobs = Source::new("a: seq 10\nb: echo x; exit 0\nc: sh -c 'printf done'\n").run(&[]);
    assert!(!jobs.err.contains("stdin"), "a job is told nothing: {}", jobs.err);
    let is_hinted = || {
        let fled = Source::new("web: sleep 1000 & echo fled\n").run(&[]);
        assert!(!fled.err.contains("stdin"), "{}", fled.err);
        fled.err.contains("run it in the foreground")
    };
    // On a busy machine it may have lived too long for the hint by chance.
    assert!((0..5).any(|_| is_hinted()), "one that puts itself into the background is told that each time");
}

#[test]
fn stdin_goes_to_the_type_that_was_named_and_to_nobody_else() {
    let source = Source::new("css: cat\nweb: cat; echo empty\n").file("typed", "one\ntwo\n");
    let mut command = source.command(&["--stdin", "css"]);
    command.stdin(fs::File::open(source.path().join("typed")).expect("there"));
    let ended = source.start_command(command).end();
    assert_eq!(ended.lines(), ["empty", "one", "two"]);
}

#[test]
fn a_service_directory_takes_no_types_and_a_source_directory_may_have_a_spec() {
    let source = Source::new("web: echo ran\n").file("spec.json", "{}");
    assert_eq!(source.run(&[]).lines(), ["ran"]);
    fs::remove_file(source.path().join("Procfile")).expect("it is ours");
    let ended = source.run(&["web"]);
    assert!(ended.err.contains("service directory"), "{}", ended.err);
    assert_eq!(ended.code(), 2);
}

#[test]
fn start_is_no_type_but_what_others_call_the_same_unless_there_is_such_a_type() {
    let source = Source::new("css: echo css\nweb: echo web\n");
    let ended = source.run(&["start"]);
    let mut lines = ended.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["css", "web"]);
    assert_eq!(source.run(&["start", "css"]).lines(), ["css"]);
    let named = Source::new("start: echo start\nweb: echo web\n");
    assert_eq!(named.run(&["start"]).lines(), ["start"]);
}
