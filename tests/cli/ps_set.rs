//! `ps-set` as a shell sees it, in a world of its own: what it stores, clears, lists and refuses.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::{Duration, Instant};

use ps_apps::World;
use serde_json::Value;
use support::recorded::{self, Difference};
use support::{Place, Ran, run, schema};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ps-set");

fn set(place: &Place, words: &[&str]) -> Ran {
    run(place.command(PROGRAM).args(words))
}

fn set_inside_dokku(place: &Place, words: &[&str]) -> Ran {
    run(place.command_inside_dokku(PROGRAM).args(words))
}

fn stored(place: &Place, scope: &str, property: &str) -> Option<String> {
    fs::read_to_string(place.lib().join("config/ps").join(scope).join(property)).ok()
}

fn quietly(ran: &Ran) -> (i32, &str) {
    (ran.status, &ran.stdout)
}

fn boxed() -> Place {
    Place::with_app("box", "web=1\n")
}

// ---- What a real Dokku said and did.

const DIFFERENCES: &[Difference] = &[
    Difference { name: "set-stop-timeout-bad", reason: "seconds are a whole number" },
    Difference { name: "set-stop-timeout-neg", reason: "seconds are not negative" },
    Difference { name: "set-procfile-path-dots", reason: "a path outside the app's source is refused" },
    Difference {
        name: "set-start-cmd-words",
        reason: "flags end at the property: all further words are the value",
    },
];

#[test]
fn inside_dokku_every_recorded_case_is_answered_as_dokku_answered_it() {
    recorded::replay(&["reads.jsonl", "changes.jsonl", "hooks.jsonl"], DIFFERENCES, |place, case| {
        let words: Vec<&str> = case.argv.iter().map(String::as_str).collect();
        let mut command = place.command_inside_dokku(PROGRAM);
        match &words[..] {
            ["dokku", "ps:set", rest @ ..] => command.args(rest),
            ["dokku", "plugin:trigger", "ps-get-property", rest @ ..] | ["ps-get-property", rest @ ..] => {
                command.args(["--from-trigger", "ps-get-property"]).args(rest)
            }
            _ => return None,
        };
        Some(command)
    });
}

#[test]
fn the_golden_cases_hold() {
    support::golden::holds("ps-set", PROGRAM, 25);
}

// ---- Setting and clearing.

#[test]
fn a_property_is_stored_verbatim_told_where_talk_belongs_and_cleared_by_no_value_or_an_empty_one() {
    let place = boxed();
    let ran = set(&place, &["box", "restart-policy", "on-failure:20"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, ""), "=====> Setting restart-policy to on-failure:20\n"));
    assert_eq!(stored(&place, "box", "restart-policy").as_deref(), Some("on-failure:20"));
    for clear in
        [&["box", "restart-policy"][..], &["box", "restart-policy", ""], &["box", "restart-policy", "--"]]
    {
        assert_eq!(
            set(&place, &["box", "restart-policy", "no", "--quiet"]).status,
            1,
            "a flag is part of the value"
        );
        assert_eq!(
            set(&place, &["--quiet", "box", "restart-policy", "no"]),
            Ran { status: 0, stdout: String::new(), stderr: String::new() }
        );
        let ran = set_inside_dokku(&place, clear);
        assert_eq!((quietly(&ran), &*ran.stderr), ((0, "=====> Unsetting restart-policy\n"), ""));
        assert_eq!(stored(&place, "box", "restart-policy"), None);
    }
}

#[test]
fn flags_end_at_the_property_and_its_words_are_joined_by_one_blank() {
    let place = boxed();
    let rows: &[(&[&str], &str)] = &[
        (&["node", "--harmony", "server.js"], "node --harmony server.js"),
        (&["--", "--harmony", "server.js"], "--harmony server.js"),
        (&["--harmony server.js"], "--harmony server.js"),
        (&["a", "b c", "-d"], "a b c -d"),
        (&["sh", "-c", "a  b"], "sh -c a  b"),
        (&["run", "--list", "--help", "--global"], "run --list --help --global"),
        (&["größe", "'x'", "$Y"], "größe 'x' $Y"),
    ];
    for (words, value) in rows {
        assert_eq!(set(&place, &[&["box", "start-cmd"], *words].concat()).status, 0, "{words:?}");
        assert_eq!(stored(&place, "box", "start-cmd").as_deref(), Some(*value), "{words:?}");
        assert_eq!(set(&place, &["--get", "box", "start-cmd"]).stdout, format!("{value}\n"));
    }
}

#[test]
fn a_global_value_is_for_every_app_without_one_of_its_own() {
    let place = boxed();
    place.app("other");
    assert_eq!(set(&place, &["--global", "stop-timeout-seconds", "60"]).status, 0);
    assert_eq!(set(&place, &["box", "stop-timeout-seconds", "5"]).status, 0);
    assert_eq!(set(&place, &["--get", "box", "stop-timeout-seconds"]).stdout, "5\n");
    assert_eq!(set(&place, &["--get", "other", "stop-timeout-seconds"]).stdout, "60\n");
    assert_eq!(set(&place, &["--get", "--global", "stop-timeout-seconds"]).stdout, "60\n");
    assert_eq!(set(&place, &["--global", "stop-timeout-seconds"]).status, 0);
    assert_eq!(set(&place, &["--get", "other", "stop-timeout-seconds"]).stdout, "30\n");
}

#[test]
fn the_old_spelling_of_the_stop_timeout_is_taken_with_a_hint() {
    let place = boxed();
    let ran = set(&place, &["--quiet", "box", "stop-timeout", "45"]);
    assert_eq!(quietly(&ran), (0, ""));
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("stop-timeout-seconds"), "{}", ran.stderr);
    assert_eq!(stored(&place, "box", "stop-timeout-seconds").as_deref(), Some("45"));
    assert_eq!(stored(&place, "box", "stop-timeout"), None);
    assert_eq!(set(&place, &["--get", "box", "stop-timeout"]).stdout, "45\n");
}

#[test]
fn what_only_a_dokku_does_is_refused_on_our_own_by_name_and_can_be_cleared() {
    let place = boxed();
    for scope in ["box", "--global"] {
        let ran = set(&place, &[scope, "skip-deploy", "true"]);
        assert_eq!(quietly(&ran), (1, ""));
        assert!(ran.stderr.starts_with("ps-set: skip-deploy cannot be true here: "), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert_eq!(stored(&place, scope, "skip-deploy"), None);
        assert_eq!(set_inside_dokku(&place, &[scope, "skip-deploy", "true"]).status, 0);
        assert_eq!(set(&place, &[scope, "skip-deploy", "false"]).status, 0);
        assert_eq!(stored(&place, scope, "skip-deploy").as_deref(), Some("false"));
        assert_eq!(set(&place, &[scope, "skip-deploy"]).status, 0);
    }
}

#[test]
fn inside_dokku_an_app_that_a_plugin_hides_does_not_exist() {
    let place = Place::with_app("yours", "web=1\n");
    place.app("mine");
    place.hide_yours_from_ann();
    let before = place.tree();
    let ask = |user: &str, words: &[&str]| {
        run(place.command_inside_dokku(PROGRAM).args(words).env("SSH_USER", user).env_remove("SSH_NAME"))
    };
    for words in [
        &["yours", "restart-policy", "no"][..],
        &["yours", "restart-policy"],
        &["yours"],
        &["--get", "yours", "restart-policy"],
        &["--list", "yours"],
    ] {
        let ran = ask("ann", words);
        assert_eq!(
            (quietly(&ran), &*ran.stderr),
            ((20, ""), " !     App yours does not exist\n"),
            "{words:?}"
        );
    }
    let ran = ask("ann", &["yours", "restart-policy", "maybe"]);
    assert_eq!((ran.status, &*ran.stderr), (1, " !     Invalid restart-policy specified\n"), "Dokku's order");
    assert!(!ask("ann", &["--list"]).stdout.contains("yours"));
    assert_eq!(place.tree(), before);
    assert_eq!(ask("bob", &["--list", "--json"]).stdout.lines().count(), 14);
    assert_eq!(set(&place, &["yours", "restart-policy", "no"]).status, 0, "on our own nobody hides");
}

#[test]
fn inside_dokku_the_order_of_checks_and_the_words_are_dokkus() {
    let place = boxed();
    let before = place.tree();
    let names = "dockerfile-start-cmd, procfile-path, restart-policy, restore, skip-deploy, start-cmd, \
                 stop-timeout-seconds";
    let invalid = format!("Invalid property specified, valid properties include: {names}");
    for (words, status, said) in [
        (&["nope", "restart-policy", "maybe"][..], 1, "Invalid restart-policy specified"),
        (&["--global", "restart-policy", "maybe"], 1, "Invalid restart-policy specified"),
        (&["box", "restart-policy", " no"], 1, "Invalid restart-policy specified"),
        (&["nope", "bogus", "x"], 20, "App nope does not exist"),
        (&["", "bogus", "x"], 1, "Please specify an app to run the command on"),
        (&["--global"], 1, "Property cannot be specified globally"),
        (&["--global", "bogus", "x"], 1, "Property cannot be specified globally"),
        (&["--global", "restore", "true"], 1, "Property cannot be specified globally"),
        (&["box", "--global", "restart-policy", "no"], 1, "Property cannot be specified globally"),
        (&["box", ""], 1, "No property specified"),
        (&["box", "restart-policy ", "maybe"], 1, &invalid),
        (&["box", "Restore", "true"], 1, &invalid),
        (&["box", "scale", "web=9"], 1, &invalid),
        (&["box", "../box/scale", "web=9"], 1, &invalid),
    ] {
        let ran = set_inside_dokku(&place, words);
        let said = format!(" !     {said}\n");
        assert_eq!((quietly(&ran), &*ran.stderr), ((status, ""), &*said), "{words:?}");
    }
    assert_eq!(place.tree(), before);
    for (words, value) in [
        (&["box", "start-cmd", "  "][..], Some("  ")),
        (&["box", "start-cmd", "a ", " b"], Some("a   b")),
        (&["box", "start-cmd", ""], None),
    ] {
        let mut command = place.command_inside_dokku(PROGRAM);
        let ran = run(command.args(words).env("DOKKU_QUIET_OUTPUT", "x"));
        assert_eq!((quietly(&ran), &*ran.stderr), ((0, ""), ""), "{words:?}");
        assert_eq!(stored(&place, "box", "start-cmd").as_deref(), value, "{words:?}");
    }
    let ran = set_inside_dokku(&place, &["box", "start-cmd", "two\nlines"]);
    assert_eq!((ran.status, stored(&place, "box", "start-cmd")), (1, None));
}

// ---- Listing.

#[test]
fn a_list_says_value_source_and_default_of_each_property() {
    let place = boxed();
    place.app("other");
    assert_eq!(set(&place, &["box", "restart-policy", "no"]).status, 0);
    assert_eq!(set_inside_dokku(&place, &["--global", "skip-deploy", "true"]).status, 0);
    let ran = set(&place, &["--list", "box", "--json"]);
    let rows: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let names: Vec<_> = rows.iter().map(|row| row["property"].as_str().expect("a name")).collect();
    let all = [
        "dockerfile-start-cmd",
        "port",
        "procfile-path",
        "restart-policy",
        "restore",
        "skip-deploy",
        "start-cmd",
        "stop-timeout-seconds",
    ];
    assert_eq!((ran.status, &names[..]), (0, &all[..]));
    let line = |n: usize| rows[n].to_string();
    assert_eq!(
        line(0),
        r#"{"app":"box","default":null,"property":"dockerfile-start-cmd","source":"default","value":null}"#
    );
    assert_eq!(
        line(3),
        r#"{"app":"box","default":"on-failure:10","property":"restart-policy","source":"app","value":"no"}"#
    );
    assert_eq!(
        line(5),
        r#"{"app":"box","default":"false","property":"skip-deploy","source":"global","value":"true"}"#
    );
    assert_eq!(set(&place, &["--list", "--json"]).stdout.lines().count(), 16);
    let text = set(&place, &["--list", "box"]).stdout;
    assert!(text.starts_with("=====> box ps properties\n"), "{text}");
    assert!(text.contains("       restart-policy:        app      no (default: on-failure:10)\n"), "{text}");
    assert_eq!(set(&place, &["box", "restore", "true"]).status, 0);
    let text = set(&place, &["--list", "box"]).stdout;
    assert!(
        text.contains("       restore:               app      true\n"),
        "the default is said once: {text}"
    );
    let csv = set(&place, &["--list", "--format", "csv", "--global"]).stdout;
    assert!(
        csv.starts_with(
            "app,property,value,source,default\n--global,procfile-path,Procfile,default,Procfile\n"
        ),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 5);
}

#[test]
fn a_port_is_a_whole_number_of_one_app_and_no_property_of_dokkus() {
    let place = boxed();
    assert_eq!(set(&place, &["box", "port", "3000"]).status, 0);
    assert_eq!(set(&place, &["--get", "box", "port"]).stdout, "3000\n");
    for value in ["0", "65536", "-1", "http", "80 81", "0x50", "3000.5"] {
        let ran = set(&place, &["box", "port", value]);
        assert_eq!(ran.status, 1, "{value}: {ran:?}");
        assert!(ran.stderr.contains("1 to 65535"), "{ran:?}");
        assert_eq!(stored(&place, "box", "port").as_deref(), Some("3000"));
    }
    assert_eq!(set(&place, &["--global", "port", "3000"]).status, 1);
    let ran = set_inside_dokku(&place, &["box", "port", "3000"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stderr.contains("Invalid property specified") && !ran.stderr.contains("port,"), "{ran:?}");
    assert_eq!(set(&place, &["box", "port"]).status, 0);
    assert_eq!(set(&place, &["--get", "box", "port"]).stdout, "\n");
}

#[test]
fn json_is_what_its_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("../../docs/schemas/ps-set.json")).expect("JSON");
    let place = boxed();
    assert_eq!(set(&place, &["box", "start-cmd", "\"a\"\t<&>"]).status, 0);
    assert_eq!(set(&place, &["--global", "restart-policy", "always"]).status, 0);
    for scope in ["box", "--global"] {
        let text = set(&place, &["--list", "--json", scope]).stdout;
        for line in text.lines() {
            let row = serde_json::from_str(line).expect("an object a line");
            assert_eq!(schema::complaints(&schema, &row), [""; 0], "{line}");
        }
        assert!(text.lines().count() >= 4, "{text}");
    }
}

#[test]
fn a_value_that_was_stored_before_and_makes_no_sense_is_shown_with_a_warning_and_the_default_counts() {
    let place = boxed();
    for (property, bad, default) in [
        ("restart-policy", "on-failure:abc", "on-failure:10"),
        ("stop-timeout-seconds", "-1", "30"),
        ("skip-deploy", "maybe", "false"),
        ("restore", "1", "true"),
        ("procfile-path", "../../etc/passwd", "Procfile"),
    ] {
        place.write(&format!("lib/config/ps/box/{property}"), bad);
        let ran = set(&place, &["--get", "box", property]);
        assert_eq!(quietly(&ran), (0, &*format!("{default}\n")));
        assert!(ran.stderr.contains(bad) && ran.stderr.contains("box"), "{}", ran.stderr);
        let ran = set(&place, &["--list", "box", "--format", "csv"]);
        assert!(ran.stdout.contains(&format!("box,{property},{bad},app,{default}\n")), "{}", ran.stdout);
        assert!(ran.stderr.contains(bad), "{}", ran.stderr);
        fs::remove_file(place.lib().join("config/ps/box").join(property)).expect("it was there");
    }
}

#[test]
fn a_stored_value_that_makes_no_sense_is_warned_of_once_and_its_default_stands_beside_it() {
    let place = boxed();
    place.app("other");
    place.write("lib/config/ps/--global/restart-policy", "on-failure:abc");
    place.write("lib/config/ps/box/stop-timeout-seconds", "soon");
    for ran in [set(&place, &["--list"]), set_inside_dokku(&place, &["--list"])] {
        let warnings: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!((ran.status, warnings.len()), (0, 2), "{}", ran.stderr);
        assert!(
            warnings[0].contains("--global: restart-policy cannot be \"on-failure:abc\""),
            "{}",
            ran.stderr
        );
        assert!(warnings[1].contains("box: stop-timeout-seconds cannot be \"soon\""), "{}", ran.stderr);
        let policy =
            "       restart-policy:        global   on-failure:abc (makes no sense: on-failure:10 counts)\n";
        assert_eq!(ran.stdout.matches(policy).count(), 2, "{}", ran.stdout);
        let timeout = "       stop-timeout-seconds:  app      soon (makes no sense: 30 counts)\n";
        assert!(ran.stdout.contains(timeout), "{}", ran.stdout);
        assert!(ran.stdout.contains("       stop-timeout-seconds:  default  30\n"), "{}", ran.stdout);
    }
}

#[test]
fn one_property_that_cannot_be_read_does_not_hide_the_others() {
    let place = boxed();
    fs::create_dir_all(place.lib().join("config/ps/box/restore")).expect("a directory");
    place.write("lib/config/ps/box/start-cmd", "a\0b");
    let ran = set(&place, &["--list", "box", "--format", "csv"]);
    assert_eq!((ran.status, ran.stdout.lines().count()), (1, 1 + 6));
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("config/ps/box/restore: is not a file"), "{}", ran.stderr);
    assert!(ran.stderr.contains("config/ps/box/start-cmd: holds NUL"), "{}", ran.stderr);
}

// ---- Bad input: one clear line, the right status, and everything as before.

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
        (&["box", "bogus", "1"], 1, "\"bogus\" is no ps property: use one of dockerfile-start-cmd"),
        (&["box", "../../x", "1"], 1, "is no ps property"),
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
    let before = place.tree();
    for (words, status, part) in rows {
        let ran = set(&place, &[&["--quiet"], *words].concat());
        let last = ran.stderr.lines().last().unwrap_or_default();
        assert_eq!(quietly(&ran), (*status, ""), "{words:?} {}", ran.stderr);
        assert!(last.contains(part) && last.starts_with("ps-set: "), "{words:?} {}", ran.stderr);
        assert!(last.len() < 400, "{words:?} {}", ran.stderr);
        let hints = usize::from(words.contains(&"stop-timeout"));
        assert_eq!(ran.stderr.lines().count(), 1 + hints, "{words:?} {}", ran.stderr);
        let inside = set_inside_dokku(&place, words);
        assert_eq!((inside.status, &*inside.stdout), (*status, ""), "{words:?}");
        assert!(inside.stderr.starts_with(" !     "), "{words:?} {}", inside.stderr);
        assert!(place.tree() == before, "{words:?} left something behind");
    }
    let raw = run(place.command(PROGRAM).args(["box", "start-cmd"]).arg(OsStr::from_bytes(b"\xff")));
    assert_eq!(quietly(&raw), (1, ""));
    assert!(raw.stderr.contains("not UTF-8"), "{}", raw.stderr);
    assert_eq!(place.tree(), before);
}

#[test]
fn wrong_usage_is_status_2_on_our_own() {
    let place = boxed();
    let before = place.tree();
    for words in [&[][..], &["box"], &["--global"], &["--nope", "box", "restore"], &["--list", "--get"]] {
        let ran = set(&place, words);
        assert_eq!(quietly(&ran), (2, ""), "{words:?} {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{words:?}");
    }
    assert_eq!(place.tree(), before);
    assert!(set(&place, &["--help"]).stdout.contains("stop-timeout-seconds"));
    assert!(set(&place, &["--version"]).stdout.starts_with("ps-set "));
}

#[test]
fn an_app_that_is_being_changed_is_busy_and_its_holder_is_named() {
    let place = boxed();
    let world = World::new(place.root(), place.lib());
    let held = world.lock_app(&"box".parse().expect("a name"), Duration::ZERO).expect("nobody holds it");
    let before = place.tree();
    let ran = set(&place, &["--wait", "0", "box", "restore", "false"]);
    assert_eq!(quietly(&ran), (75, ""));
    assert!(ran.stderr.contains(&format!("pid {}", std::process::id())), "{}", ran.stderr);
    assert_eq!(place.tree(), before);
    assert_eq!(set(&place, &["--list", "box"]).status, 0);
    let (name, token) = held.token();
    let ran = run(place.command(PROGRAM).args(["--wait", "0", "box", "restore", "false"]).env(name, token));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    drop(held);
    assert_eq!(set(&place, &["--wait", "20", "box", "restore"]).status, 0);
}

#[test]
fn what_no_change_writes_is_set_at_once_while_one_is_under_way() {
    for run_set in [set, set_inside_dokku] {
        let place = boxed();
        let world = World::new(place.root(), place.lib());
        let held = world.lock_app(&"box".parse().expect("a name"), Duration::ZERO).expect("nobody holds it");
        for (property, value) in [
            ("dockerfile-start-cmd", "node app.js"),
            ("procfile-path", "deep/Procfile"),
            ("restart-policy", "always"),
            ("skip-deploy", "false"),
            ("start-cmd", "node app.js"),
            ("stop-timeout-seconds", "5"),
        ] {
            let began = Instant::now();
            assert_eq!(run_set(&place, &["box", property, value]).status, 0, "{property}");
            assert_eq!(stored(&place, "box", property).as_deref(), Some(value));
            assert_eq!(run_set(&place, &["box", property]).status, 0, "{property}");
            assert!(began.elapsed() < Duration::from_secs(20), "{property} waited for the lock");
        }
        drop(held);
    }
}

#[test]
fn inside_dokku_restore_is_set_at_once_and_what_a_deploy_will_do_to_it_is_said() {
    let place = boxed();
    let world = World::new(place.root(), place.lib());
    let held = world.lock_app(&"box".parse().expect("a name"), Duration::ZERO).expect("nobody holds it");
    let ran = set_inside_dokku(&place, &["box", "restore", "false"]);
    assert_eq!((ran.status, stored(&place, "box", "restore").as_deref()), (0, Some("false")));
    let told = format!(" !     box is locked by pid {} ", std::process::id());
    assert!(ran.stderr.starts_with(&told) && ran.stderr.contains("set it again then"), "{}", ran.stderr);
    assert_eq!(set_inside_dokku(&place, &["box", "restore", "true"]).stderr, "", "it will be true anyway");
    drop(held);
    let ran = set_inside_dokku(&place, &["box", "restore", "false"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "nobody changes it");
}

#[test]
fn a_write_that_fails_leaves_the_old_value() {
    let place = boxed();
    place.write("lib/config/ps/box/restore", "true");
    place.write("lib/config/ps/box/.stage", "a file where a directory belongs");
    let before = place.state();
    let ran = set(&place, &["box", "restore", "false"]);
    assert_eq!(quietly(&ran), (1, ""));
    assert!(ran.stderr.contains("config/ps/box/.stage"), "{}", ran.stderr);
    assert_eq!(place.state(), before);
}

#[test]
fn writers_of_different_properties_disturb_nobody() {
    let place = boxed();
    let values =
        [("start-cmd", "a b"), ("restore", "false"), ("procfile-path", "P"), ("stop-timeout-seconds", "7")];
    let writers: Vec<_> = values
        .iter()
        .cycle()
        .take(40)
        .map(|(property, value)| {
            let mut command = place.command(PROGRAM);
            command.args(["--quiet", "box", property, value]);
            thread::spawn(move || run(&mut command))
        })
        .collect();
    for writer in writers {
        let ran = writer.join().expect("a writer");
        assert_eq!((ran.status, &*ran.stderr), (0, ""));
    }
    for (property, value) in values {
        assert_eq!(stored(&place, "box", property).as_deref(), Some(value));
    }
    assert_eq!(stored(&place, "box", "scale").as_deref(), Some("web=1\n"));
}
