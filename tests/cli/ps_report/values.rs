//! What stands in a report on our own: rows, values and where they come from, one flag at a time.

use std::fs;

use crate::{Home, json_lines, native_status, said};

#[test]
fn on_our_own_wanted_and_running_stand_side_by_side_where_they_differ() {
    let home = Home::new();
    home.app("hello").property("common", "hello", "deployed", "true");
    home.property("ps", "hello", "scale", "web=3\nworker=0\nrelease=0\n");
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, after_name) = stat.rsplit_once(") ").expect("proc(5)");
    let ours = after_name.split(' ').nth(19).expect("proc(5)");
    home.write("lib/data/scheduler-native/hello/web.1/status.json", &native_status("web.1", ours));
    home.write("lib/data/scheduler-native/hello/clock.1/status.json", &native_status("clock.1", ours));
    let gaps = said(&mut home.report(&["hello"]));
    assert_eq!(gaps.status, 0, "what was asked for is known, and so is what runs");
    let expected =
        "ps-report: hello: clock: 0 wanted, 1 running\nps-report: hello: web: 3 wanted, 1 running\n";
    assert_eq!(gaps.stderr, expected);
    assert!(!gaps.stdout.contains("wanted"), "{}", gaps.stdout);
    home.property("ps", "hello", "scale", "web=1\nclock=1\n");
    assert_eq!(said(&mut home.report(&["hello"])).stderr, "");
    home.property("ps", "hello", "scale", "web=9\n").property("ps", "hello", "restore", "false");
    assert_eq!(said(&mut home.report(&["hello"])).stderr, "", "it was stopped on purpose");
}

#[test]
fn values_come_from_the_app_then_from_all_apps_then_from_the_default() {
    let home = Home::new();
    home.app("blog").property("ps", "--global", "restart-policy", "always");
    let value = |arguments: &[&str]| said(&mut home.report(arguments)).stdout;
    assert_eq!(value(&["blog", "--ps-computed-restart-policy"]), "always\n");
    assert_eq!(value(&["blog", "--ps-restart-policy"]), "\n");
    assert_eq!(value(&["--global", "--ps-global-restart-policy"]), "always\n");
    home.property("ps", "blog", "restart-policy", "no");
    assert_eq!(value(&["blog", "--ps-computed-restart-policy"]), "no\n");
    assert_eq!(value(&["blog", "--ps-computed-stop-timeout-seconds"]), "30\n");
    home.property("ps", "blog", "restore", "false").property("ps", "blog", "can-scale", "false");
    assert_eq!(value(&["blog", "--restore"]), "false\n");
    assert_eq!(value(&["blog", "--ps-can-scale"]), "false\n");
    for (stored, can_scale) in [("true", "true"), ("TRUE", "false"), ("1", "false"), ("", "false")] {
        home.property("ps", "blog", "can-scale", stored);
        assert_eq!(value(&["blog", "--ps-can-scale"]), format!("{can_scale}\n"), "{stored:?}");
    }
}

#[test]
fn each_info_flag_is_the_value_that_json_has_under_its_key() {
    let home = Home::new();
    home.app("blog").property("ps", "blog", "skip-deploy", "true").property(
        "scheduler",
        "blog",
        "selected",
        "x",
    );
    home.property("ps", "blog", "listen", "127.0.0.1:5000");
    home.script("lib/plugins/enabled/x/scheduler-app-status", "#!/bin/sh\n[ $1 = x ] && echo '3 mixed'\n");
    let all = said(&mut home.report(&["blog", "--json"]));
    let row = &json_lines(&all.stdout)[0];
    assert_eq!([&row["processes"], &row["running"]], ["3", "mixed"], "{}", all.stderr);
    let usage = said(&mut home.report(&["blog", "--nope"]));
    assert_eq!(usage.status, 2);
    let listed = usage.stderr.rsplit(": ").next().expect("a list").trim();
    let flags: Vec<&str> = listed.split(", ").collect();
    assert_eq!(flags.len(), 22, "{flags:?}");
    for flag in flags {
        let said = said(&mut home.report(&["blog", flag]));
        let key = flag.trim_start_matches("--");
        assert_eq!(said.stdout.trim_end_matches('\n'), row[key].as_str().expect("a string"), "{flag}");
        assert_eq!(said.status, 0, "{flag}");
    }
}

#[test]
fn restore_is_shown_as_it_is_stored() {
    let home = Home::new();
    home.app("blog");
    let restore = || said(&mut home.dokku(&["blog", "--restore"])).stdout;
    assert_eq!(restore(), "true\n");
    for stored in ["false", "true", "no", "1", ""] {
        home.property("ps", "blog", "restore", stored);
        assert_eq!(restore(), format!("{stored}\n"));
    }
}

#[test]
fn one_app_that_cannot_be_read_does_not_hide_the_others() {
    let home = Home::new();
    home.app("a").app("bad").app("c").property("ps", "bad", "restart-policy", "no\0");
    let said_json = said(&mut home.report(&["--json"]));
    assert_eq!(said_json.status, 1);
    let rows = json_lines(&said_json.stdout);
    assert_eq!(rows.len(), 3);
    assert!(rows[1]["error"].as_str().expect("an error").contains("bad/restart-policy"), "{}", rows[1]);
    assert_eq!([&rows[1]["restart-policy"], &rows[1]["procfile-path"]], ["unknown", ""]);
    assert!(rows[0].get("error").is_none() && rows[2].get("error").is_none());
    assert!(said_json.stderr.starts_with("ps-report: bad: "), "{}", said_json.stderr);
    let text = said(&mut home.report(&[]));
    assert_eq!((text.status, text.stdout.matches(" ps information").count()), (1, 3));
    assert!(text.stdout.contains("       Error:"), "{}", text.stdout);
    // What is not asked for is not read.
    assert_eq!(said(&mut home.report(&["--restore"])).status, 0);
}

#[test]
fn no_apps_are_no_failure() {
    let home = Home::new();
    let ours = said(&mut home.report(&[]));
    assert_eq!((ours.status, &*ours.stdout), (0, ""));
    assert!(ours.stderr.contains("no apps"), "{}", ours.stderr);
    let dokkus = said(&mut home.dokku(&["--format", "json"]));
    assert_eq!((dokkus.status, &*dokkus.stdout), (0, ""));
    assert_eq!(dokkus.stderr, " !     You haven't deployed any applications yet\n");
}
