//! `--list`: value, source and default of each property.

use std::fs;

use serde_json::Value;

use crate::support::schema;
use crate::{boxed, quietly, set, set_inside_dokku};

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
        "host-commands",
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
        line(4),
        r#"{"app":"box","default":"on-failure:10","property":"restart-policy","source":"app","value":"no"}"#
    );
    assert_eq!(
        line(6),
        r#"{"app":"box","default":"false","property":"skip-deploy","source":"global","value":"true"}"#
    );
    assert_eq!(set(&place, &["--list", "--json"]).stdout.lines().count(), 18);
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
            "app,property,value,source,default\n--global,host-commands,false,default,false\n--global,procfile-path,Procfile,default,Procfile\n"
        ),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 6);
}

#[test]
fn json_is_what_its_schema_says() {
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/schemas/ps-set.json")).expect("JSON");
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
    assert_eq!((ran.status, ran.stdout.lines().count()), (1, 1 + 7));
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("config/ps/box/restore: is not a file"), "{}", ran.stderr);
    assert!(ran.stderr.contains("config/ps/box/start-cmd: holds NUL"), "{}", ran.stderr);
}

#[test]
fn an_app_alone_shows_what_everything_comes_to_and_who_set_it() {
    let place = boxed();
    let app_json = r#"{"formation": {"web": {"stop_timeout_seconds": 7, "restart_policy": "always"}}}"#;
    place.write("lib/data/app-json/box/app.json", app_json);
    for (words, value) in [
        (&["box", "restart-policy"], "no"),
        (&["box", "worker.restart-policy"], "on-failure:3"),
        (&["box", "web.port"], "3000"),
    ] {
        assert_eq!(set(&place, &[words[0], words[1], value]).status, 0, "{words:?}");
    }
    let ran = set(&place, &["box", "--format", "csv"]);
    for row in [
        "box,restart-policy,no,app,on-failure:10",
        "box,stop-timeout-seconds,30,default,30",
        "box,web.port,3000,type,",
        "box,web.stop-timeout-seconds,7,app.json,30",
        "box,worker.restart-policy,on-failure:3,type,on-failure:10",
    ] {
        assert!(ran.stdout.lines().any(|line| line == row), "{row}: {}", ran.stdout);
    }
    assert_eq!(set(&place, &["--get", "box", "worker.restart-policy"]).stdout, "on-failure:3\n");
    assert_eq!(
        set(&place, &["--get", "box", "web.restart-policy"]).stdout,
        "no\n",
        "a property wins over app.json"
    );
}
