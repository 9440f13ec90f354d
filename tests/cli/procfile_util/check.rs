//! `check`: what is told of a Procfile, to a person, a script and CI.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::World;

#[test]
fn every_real_procfile_gets_one_verdict_from_all_commands() {
    let Some(corpus) = skipped::corpus("corpus/procfile") else { return };
    let mut files = 0;
    for entry in fs::read_dir(corpus).expect("the corpus is readable") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file of the corpus");
        let world = World::with(&bytes);
        let (check, list) = (world.run(&["check"]), world.run(&["list"]));
        assert_eq!(check.status, list.status, "{}", path.display());
        let names = list.text();
        if list.status == 0 {
            let joined = names.lines().collect::<Vec<_>>().join(", ");
            assert_eq!(check.text(), format!("valid procfile detected {joined}\n"));
        } else {
            let first = check.stderr.lines().next().unwrap_or_default();
            assert_eq!(Some(first), list.stderr.lines().next(), "{}", path.display());
        }
        for name in names.lines() {
            assert_eq!(world.run(&["show", "-p", name]).status, 0, "{name} of {}", path.display());
        }
        files += 1;
    }
    assert!(files > 50, "only {files} files in the corpus");
}

#[test]
fn check_reports_all_problems_of_all_files() {
    let world = World::with("web; a\nweb: b\nweb: c\nx: # y\n");
    let plain = world.run(&["check"]);
    assert_eq!(
        plain.all(),
        (
            1,
            String::new(),
            " !     invalid line in procfile, line 1\n !     process names must be unique, line 3\n !     comment specified in place of command, line 4\n"
        )
    );
    world.put("sub/Procfile.dev", "web: a\n");
    world.put("sub/.git/Procfile", "broken\n");
    let several = world.run(&["check", "-P", "Procfile", "-P", "sub", "-P", "nope"]);
    assert_eq!(several.status, 1);
    assert_eq!(several.text(), "sub/Procfile.dev: valid procfile detected web\n");
    assert!(
        several.stderr.starts_with(" !     Procfile: invalid line in procfile, line 1\n"),
        "{}",
        several.stderr
    );
    assert!(
        several.stderr.ends_with(" !     nope: open nope: no such file or directory\n"),
        "{}",
        several.stderr
    );
}

#[test]
fn a_directory_without_a_procfile_hides_nothing_of_the_others() {
    let world = World::with("web: a\n");
    fs::create_dir(world.path("empty")).expect("a directory");
    let ran = world.run(&["check", "-P", "empty", "-P", "Procfile"]);
    let words = " !     empty: read empty: is a directory without a Procfile\n";
    assert_eq!(ran.all(), (1, "Procfile: valid procfile detected web\n".to_owned(), words));
    let made = Command::new("mkfifo").arg(world.path("empty/Procfile")).status().expect("mkfifo runs");
    assert!(made.success());
    let alone = world.run(&["check", "-P", "empty"]);
    assert_eq!(alone.stderr, " !     read empty: is a directory without a Procfile\n");
}

#[test]
fn a_rich_report_shows_the_line_a_caret_and_a_proposal() {
    let world = World::with("web; bin/serve\n");
    let text = world.run(&["check", "--format", "text"]).stderr;
    for part in [
        " !     invalid line in procfile, line 1\n",
        "Procfile:1:4",
        "1 | web; bin/serve",
        "   ^ expected",
        "write `web: bin/serve`",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
}

#[test]
fn ci_gets_json_and_annotations() {
    let world = World::with("web; a\n");
    let json: Value =
        serde_json::from_slice(&world.run(&["check", "--format", "json"]).stdout).expect("JSON");
    assert_eq!(json["valid"], false);
    assert_eq!(json["findings"][0]["code"], "invalid-line");
    assert_eq!(json["findings"][0]["suggestion"], "web: a");
    let github = world.run(&["check", "--format", "github"]).text();
    assert!(github.starts_with("::error file=Procfile,line=1,col=4,title=invalid-line::"), "{github}");
    let world = World::with("web: a $PORT\n");
    let listed: Value =
        serde_json::from_slice(&world.run(&["list", "--format", "json"]).stdout).expect("JSON");
    assert_eq!(listed[0]["process_type"], "web");
    let shown = world.run(&["show", "-p", "web", "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(shown["command"], "a 5000");
}

#[test]
fn warnings_are_said_when_asked_for_and_fail_when_denied() {
    let world = World::with("wbe: a\n");
    assert_eq!(world.run(&["check"]).all(), (0, "valid procfile detected wbe\n".to_owned(), ""));
    let warned = world.run(&["check", "--warn"]);
    assert_eq!(warned.status, 0);
    assert!(warned.stderr.contains("did you mean web?"), "{}", warned.stderr);
    assert_eq!(world.run(&["check", "--deny-warnings"]).status, 1);
}

#[test]
fn a_command_of_which_a_part_will_run_is_told_unasked_and_changes_neither_stdout_nor_status() {
    for (procfile, line) in [
        ("web: sh -c \"echo joined #general; sleep 99\"\n", 1),
        ("# a\nweb: sh -c 'x // y'\n", 2),
        ("web: serve \\\nworker: b\n", 1),
    ] {
        let world = World::with(procfile);
        let ran = world.run(&["check"]);
        let names = if procfile.contains("worker") { "web, worker" } else { "web" };
        assert_eq!(
            (ran.status, ran.text()),
            (0, format!("valid procfile detected {names}\n")),
            "{procfile:?}"
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{procfile:?}: {}", ran.stderr);
        let told = format!(", line {line}: ");
        assert!(ran.stderr.starts_with(" !     warning: ") && ran.stderr.contains(&told), "{}", ran.stderr);
    }
    let world = World::with("web: serve -p $PORT # it's \"public\"\nworker: \"a\tb\" ${X:-1} 'c'\n");
    assert_eq!(world.run(&["check"]).stderr, "");
}

#[test]
fn a_file_in_utf_16_is_told_by_that_word() {
    let utf16: Vec<u8> = "web: a\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [utf16.clone(), [&b"\xff\xfe"[..], &utf16].concat()] {
        let world = World::with(bytes);
        for words in [&["check"][..], &["list"], &["show", "-p", "web"]] {
            let told = " !     invalid character in procfile, line 1: the file is UTF-16: save it as UTF-8\n";
            assert_eq!(world.run(words).all(), (1, String::new(), told), "{words:?}");
        }
    }
}

#[test]
fn limits_are_refused_in_little_time() {
    let world = World::new();
    for (bytes, message) in [
        (vec![b'\n'; 17 << 20], "procfile is too large: over 16 MiB"),
        ([b"web: ", vec![b'a'; 2 << 20].as_slice()].concat(), "line 1 is too long"),
        (b"web: a\0b\n".to_vec(), "invalid character in procfile, line 1"),
    ] {
        let ran = world.feed(&["check", "-P", "-"], &bytes);
        assert_eq!(ran.all(), (1, String::new(), format!(" !     {message}\n").as_str()));
    }
    assert_eq!(world.feed(&["show", "-P", "-", "-p", "web"], b"\xef\xbb\xbfweb: a\xff\n").stdout, b"a\xff\n");
}
