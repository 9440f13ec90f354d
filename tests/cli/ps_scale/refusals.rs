//! Bad input: one clear line, the right status, and everything as it was.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command as Program;

use crate::{hello, quietly, scale, scale_inside_dokku, shop, stored};

#[test]
fn bad_input_is_refused_in_one_line_and_nothing_changes() {
    let place = shop("web=1\nrelease=0\nworker=0\n");
    let long = "a".repeat(4096);
    let long_type = format!("{}=1", "t".repeat(70));
    let rows: &[(&[&str], i32, &str)] = &[
        (&["nope", "web=1"], 20, "app nope does not exist"),
        (&["nope"], 20, "app nope does not exist"),
        (&["../x"], 1, "\"../x\" is no app name"),
        (&["A", "web=1"], 1, "\"A\" is no app name"),
        (&[""], 1, "app name is missing"),
        (&[&long, "web=1"], 1, "128 are allowed"),
        (&["shop", "a.b=1"], 1, "\"a.b\" may contain only"),
        (&["shop", "$(x)=1"], 1, "may contain only"),
        (&["shop", &long_type], 1, "over 63"),
        (&["shop", "web"], 1, "web=2"),
        (&["shop", "web=-1"], 1, "negative"),
        (&["shop", "web=abc"], 1, "\"abc\" is not a whole number"),
        (&["shop", "web="], 1, "not a whole number"),
        (&["shop", "web=1.5"], 1, "not a whole number"),
        (&["shop", "web=10001"], 1, "over 10,000"),
        (&["shop", "web=99999999"], 1, "over 10,000"),
        (&["shop", "web=99999999999999999999999"], 1, "over 10,000"),
        (&["shop", "=1"], 1, "needs a name"),
        (&["shop", "web=1", "web=2"], 1, "web is named twice"),
        (&["shop", "web=2", "wroker=1"], 1, "did you mean worker?"),
        (&["shop", "clock=1"], 1, "not in the Procfile, which has release, web, worker"),
        (&["shop", "release=1"], 1, "release runs once"),
        (&["shop", "web-=2"], 1, "web has 1"),
        (&["shop", "web+=10000"], 1, "over 10,000"),
        (
            &["--from-trigger", "ps-set-scale", "shop", "true", "false", "nope=1"],
            1,
            "nope is not in the Procfile",
        ),
    ];
    let before = place.contents();
    for (words, status, part) in rows {
        let ran = scale(&place, words);
        assert_eq!(quietly(&ran), (*status, ""), "{words:?} {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{words:?} {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{words:?} {}", ran.stderr);
        assert!(ran.stderr.len() < 400, "{words:?} {}", ran.stderr);
        if !words.contains(&"release=1") {
            let inside = scale_inside_dokku(&place, words);
            assert_eq!(inside.status, *status, "{words:?} {}", inside.stderr);
            assert!(inside.stderr.starts_with(" !     "), "{words:?} {}", inside.stderr);
            assert!(place.contents() == before, "{words:?} left something behind");
        }
    }
}

#[test]
fn wrong_usage_is_status_2_on_our_own() {
    let place = hello("web=1\n");
    let before = place.contents();
    for words in [
        &[][..],
        &["--nope", "hello"],
        &["hello", "--format", "xml"],
        &["hello", "--wait", "18446744073709551615"],
    ] {
        let ran = scale(&place, words);
        assert_eq!(quietly(&ran), (2, ""), "{words:?} {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{words:?}");
    }
    assert_eq!(place.contents(), before);
    assert!(scale(&place, &["--help"]).stdout.contains("Exit status"));
    assert!(scale(&place, &["--version"]).stdout.starts_with("ps-scale "));
}

#[test]
fn a_corrupt_formation_or_procfile_is_named_and_never_guessed() {
    let rows: &[(&str, &[u8], &str)] = &[
        ("lib/config/ps/shop/scale", b"web=1\nworker\n", "scale, line 2: \"worker\" has no ="),
        ("lib/config/ps/shop/scale", b"web=1\n\nworker=2\n", "scale, line 2: \"\" has no ="),
        ("lib/config/ps/shop/scale", b"web=x\n", "scale, line 1"),
        ("lib/config/ps/shop/scale", b"web=1\n\xff\xfe=2\n", "scale, line 2: not UTF-8"),
        ("lib/config/ps/shop/scale", b"we\0b=1\n", "NUL"),
        ("lib/config/ps/shop/scale.old", b"gone\n", "scale.old, line 1"),
    ];
    for (path, bytes, part) in rows {
        let place = shop("web=1\n");
        fs::write(place.path().join(path), bytes).expect("a file");
        let before = place.contents();
        for words in [&["shop"][..], &["shop", "web=2"], &["shop", "--dry-run", "web=2"]] {
            let ran = scale(&place, words);
            assert_eq!(quietly(&ran), (1, ""), "{part} {words:?}");
            assert!(ran.stderr.contains(part), "{part} {}", ran.stderr);
            assert!(ran.stderr.contains("shop"), "{}", ran.stderr);
        }
        assert!(place.contents() == before, "{part}");
    }
    for (procfile, part) in [("", "no entries"), ("web serve\n", "line 1")] {
        let place = shop("web=1\n");
        place.write("lib/data/ps/shop/Procfile", procfile);
        let before = place.contents();
        let ran = scale(&place, &["shop", "web=2"]);
        assert_eq!(quietly(&ran), (1, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains("data/ps/shop/Procfile") && ran.stderr.contains(part), "{}", ran.stderr);
        assert_eq!(place.contents(), before);
        assert_eq!(scale(&place, &["shop"]).status, 0);
    }
}

#[test]
fn what_is_no_plain_file_or_too_large_is_refused() {
    type Spoil = fn(&Path);
    let path = "lib/config/ps/shop/scale";
    let spoil: [(&str, Spoil); 3] = [
        ("is not a file", |path| fs::create_dir(path).expect("a directory")),
        ("symbolic link", |path| symlink("/etc/passwd", path).expect("a link")),
        ("larger than 1 MiB", |path| fs::write(path, vec![b'x'; 100 << 20]).expect("a file")),
    ];
    for (part, spoil) in spoil {
        let place = shop("web=1\n");
        let path = place.path().join(path);
        fs::remove_file(&path).expect("it was there");
        spoil(&path);
        for words in [&["shop"][..], &["shop", "web=2"]] {
            let ran = scale(&place, words);
            assert_eq!(quietly(&ran), (1, ""), "{part}");
            assert!(
                ran.stderr.contains(part) && ran.stderr.contains("config/ps/shop/scale"),
                "{}",
                ran.stderr
            );
        }
    }
}

#[test]
fn line_ends_of_other_systems_and_a_pipe_in_place_of_a_file_do_no_harm() {
    let place = hello("web=1\r\nworker=2\r\n");
    assert_eq!(scale(&place, &["hello", "--quiet"]).stdout, "web:  1\nworker: 2\n");
    assert_eq!(scale(&place, &["hello", "web=2"]).status, 0);
    assert_eq!(stored(&place, "hello").0, "web=2\nworker=2\n");
    let path = place.path().join("lib/config/ps/hello/scale");
    fs::remove_file(&path).expect("it was there");
    assert!(Program::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    for words in [&["hello"][..], &["hello", "web=3"]] {
        let ran = scale(&place, words);
        assert_eq!(quietly(&ran), (1, ""));
        assert!(ran.stderr.contains("scale: is not a file"), "{}", ran.stderr);
    }
}
