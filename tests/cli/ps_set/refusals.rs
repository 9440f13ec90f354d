//! Bad input: one clear line, the right status, and everything as it was.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::run;
use crate::{PROGRAM, boxed, quietly, set, set_inside_dokku};

#[test]
fn bad_input_is_refused_in_one_line_and_nothing_changes() {
    let place = boxed();
    let (long, huge) = ("a".repeat(4096), "x".repeat(40_000));
    let rows: &[(&[&str], i32, &str)] = &[
        (&["nope", "restore", "true"], 20, "app nope does not exist"),
        (&["../x", "restore", "true"], 1, "\"../x\" is no app name"),
        (&["A", "restore"], 1, "\"A\" is no app name"),
        (&["", "restore"], 1, "app name is missing"),
        (&[&long, "restore"], 1, "128 are allowed"),
        (
            &["box", "bogus", "1"],
            1,
            "\"bogus\" is no ps property: use one of after, checks, constraints, cpu-max, dockerfile-start-cmd",
        ),
        (&["box", "../../x", "1"], 1, "is no ps property"),
        (&["box", "restart-policy=always"], 1, "put a space after restart-policy in place of ="),
        (&["box", "scale", "web=1"], 1, "is no ps property"),
        (&["box", "can-scale", "false"], 1, "is no ps property"),
        (&["--global", "start-cmd", "x"], 1, "start-cmd has no default for all apps"),
        (&["--global", "bogus", "x"], 1, "is no ps property"),
        (
            &["box", "restart-policy", "on-failure:abc"],
            1,
            "restart-policy cannot be \"on-failure:abc\": use no, always",
        ),
        (&["box", "restart-policy", "on-failure:"], 1, "use no, always"),
        (&["box", "stop-timeout-seconds", "-1"], 1, "use whole seconds"),
        (&["box", "stop-timeout-seconds", "abc"], 1, "use whole seconds"),
        (&["box", "stop-timeout", "abc"], 1, "use whole seconds"),
        (&["box", "skip-deploy", "maybe"], 1, "use true or false"),
        (&["box", "restore", "True"], 1, "use true or false"),
        (&["box", "procfile-path", "../../etc/passwd"], 1, "without .."),
        (&["box", "procfile-path", "a/../../b"], 1, "without .."),
        (&["--global", "procfile-path", ".."], 1, "without .."),
        (&["box", "start-cmd", "a\nb"], 1, "one line"),
        (&["box", "start-cmd", &huge], 1, "longer than 32 KiB"),
    ];
    let before = place.contents();
    for (words, status, part) in rows {
        let ran = set(&place, &[&["--quiet"], *words].concat());
        let last = ran.stderr.lines().last().unwrap_or_default();
        assert_eq!(quietly(&ran), (*status, ""), "{words:?} {}", ran.stderr);
        assert!(last.contains(part) && last.starts_with("ps-set: "), "{words:?} {}", ran.stderr);
        assert!(last.len() < 1_000, "{words:?} {}", ran.stderr);
        let hints = usize::from(words.contains(&"stop-timeout"));
        assert_eq!(ran.stderr.lines().count(), 1 + hints, "{words:?} {}", ran.stderr);
        let inside = set_inside_dokku(&place, words);
        assert_eq!((inside.status, &*inside.stdout), (*status, ""), "{words:?}");
        assert!(inside.stderr.starts_with(" !     "), "{words:?} {}", inside.stderr);
        assert!(place.contents() == before, "{words:?} left something behind");
    }
    let raw = run(place.command(PROGRAM).args(["box", "start-cmd"]).arg(OsStr::from_bytes(b"\xff")));
    assert_eq!(quietly(&raw), (1, ""));
    assert!(raw.stderr.contains("not UTF-8"), "{}", raw.stderr);
    assert_eq!(place.contents(), before);
}

#[test]
fn wrong_usage_is_status_2_on_our_own() {
    let place = boxed();
    let before = place.contents();
    for words in [&[][..], &["--global"], &["--nope", "box", "restore"], &["--list", "--get"]] {
        let ran = set(&place, words);
        assert_eq!(quietly(&ran), (2, ""), "{words:?} {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{words:?}");
    }
    assert_eq!(place.contents(), before);
    assert!(set(&place, &["--help"]).stdout.contains("stop-timeout-seconds"));
    assert!(set(&place, &["--version"]).stdout.starts_with("ps-set "));
}
