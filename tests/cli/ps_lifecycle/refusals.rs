//! What is refused: the status, one clear line, and everything as it was.

use crate::home::{Home, eventually};

const VERBS: [&str; 11] = [
    "converge", "destroy", "inspect", "logs", "rebuild", "restart", "restore", "retire", "start", "status",
    "stop",
];
const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\nrelease: true\n";

#[test]
fn an_unknown_app_is_20_for_each_verb() {
    let home = Home::new();
    for verb in VERBS {
        let directory = home.path("home");
        home.refuses(&["ps-lifecycle", verb, "ghost"], 20, &["ghost", directory.to_str().expect("text")]);
    }
}

#[test]
fn a_name_that_no_app_can_have_is_refused_by_each_verb() {
    let home = Home::new();
    let source = home.source("app", PROCFILE);
    let long = "a".repeat(4096);
    for (name, says) in
        [("../x", "\"../x\""), ("A", "\"A\""), ("", "an app name is missing"), (&long, "4096")]
    {
        for verb in VERBS {
            let ran = home.refuses(&["ps-lifecycle", verb, name], 1, &[says]);
            assert!(ran.stderr.len() < 300, "short enough to read: {ran:?}");
        }
        home.refuses(&["ps-lifecycle", "deploy", name, "--dir", &source], 1, &[says]);
    }
    for reserved in ["all", "retire"] {
        let deploy = ["ps-lifecycle", "deploy", reserved, "--dir", &source];
        home.refuses(&deploy, 1, &[reserved, "choose another name"]);
    }
}

#[test]
fn a_type_or_instance_that_is_not_there_is_named_with_those_that_are() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2"]);
    let before = home.pids("shop");
    for verb in ["start", "stop", "restart", "logs"] {
        for which in ["nope", "web.3", "web.65535", "worker.1"] {
            home.refuses(&["ps-lifecycle", verb, "shop", which], 1, &["shop", which, "web=2"]);
        }
        for which in ["web.0", "web.01", "w b", "../x", "web.99999", "", "web.1.1", "web."] {
            home.refuses(&["ps-lifecycle", verb, "shop", which], 1, &["for example web.1"]);
        }
    }
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn a_count_that_is_none_is_refused_before_anything_happens() {
    let home = Home::running("shop", PROCFILE, &[]);
    let source = home.path("shop").to_str().expect("text").to_owned();
    let before = home.pids("shop");
    for (scale, says) in [
        (&["web=-999"][..], "999"),
        (&["web=abc"], "abc"),
        (&["web=99999999"], "99999999"),
        (&["web=10001"], "10001"),
        (&["web="], "web"),
        (&["web"], "web"),
        (&["=1"], "process type"),
        (&["web=1", "web=2"], "web"),
        (&["release=1"], "release"),
        (&["nope=1"], "nope"),
        (&["a b=1"], "a b"),
    ] {
        for app in ["shop", "fresh"] {
            let words = [&["ps-lifecycle", "deploy", app, "--dir", &source, "--scale"], scale].concat();
            home.refuses(&words, 1, &[says]);
        }
    }
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn a_source_that_cannot_be_run_is_named_with_the_way_out() {
    let home = Home::new();
    home.write("none/README", "no Procfile here");
    home.write("file", "no directory");
    home.write("directory/Procfile/file", "a directory in its place");
    home.write("json/Procfile", PROCFILE);
    home.write("json/app.json", "{");
    home.write("many/Procfile", PROCFILE);
    home.write("many/app.json", r#"{"formation":{"web":{"quantity":100000}}}"#);
    home.source("empty", "");
    home.source("comment", "# nothing\n");
    home.source("bad", "web: true\nno colon\n");
    for (directory, says) in [
        ("gone", &["gone", "name a directory that is there"][..]),
        ("file", &["file", "not a directory"]),
        ("none", &["none", "no Procfile", "--command"]),
        ("empty", &["empty", "no entries", "procfile-util check"]),
        ("comment", &["comment", "no entries", "procfile-util check"]),
        ("bad", &["bad", "line 2", "procfile-util check"]),
        ("directory", &["directory/Procfile"]),
        ("json", &["app.json"]),
        ("many", &["app.json", "100000"]),
    ] {
        let directory = home.path(directory);
        home.refuses(
            &["ps-lifecycle", "deploy", "fresh", "--dir", directory.to_str().expect("text")],
            1,
            says,
        );
    }
    home.refuses(&["ps-lifecycle", "deploy", "fresh"], 1, &["fresh", "--dir"]);
    for image in ["", "a b"] {
        home.refuses(&["ps-lifecycle", "deploy", "fresh", "--image", image], 1, &[image, "image reference"]);
    }
    for command in ["", " ", "a\nworker: b"] {
        home.refuses(
            &["ps-lifecycle", "deploy", "fresh", "--command", command],
            1,
            &["--command", "one line"],
        );
    }
    let source = home.source("good", PROCFILE);
    for env in ["/nonexistent/env", home.write("env", "no equals sign\n").to_str().expect("text")] {
        let words = ["ps-lifecycle", "deploy", "fresh", "--dir", &source, "--env-file", env];
        home.refuses(&words, 1, &[env]);
    }
    let words = ["ps-lifecycle", "deploy", "fresh", "--image", "box:1", "--scheduler", "native"];
    home.refuses(&words, 1, &["box:1", "--scheduler docker-local"]);
    let words = ["ps-lifecycle", "deploy", "fresh", "--dir", &source, "--scheduler", "docker-local"];
    home.refuses(&words, 1, &[&source, "--base"]);
    home.is_silent();
}

#[test]
fn wrong_usage_is_2_and_touches_nothing() {
    let home = Home::new();
    for words in [
        &["bogus"][..],
        &[],
        &["start"],
        &["deploy"],
        &["deploy", "a", "--dir", "x", "--image", "y"],
        &["deploy", "a", "--scheduler", "nomad"],
        &["start", "--all", "web"],
        &["start", "--all", "--parallel", "-2"],
        &["start", "--all", "--parallel", "many"],
        &["status", "--format", "yaml"],
        &["status", "--json", "--format", "csv"],
        &["stop", "a", "--wait", "-1"],
        &["logs", "a", "-n", "some"],
    ] {
        let before = home.state();
        let ran = home.run(&[&["ps-lifecycle"], words].concat());
        assert_eq!(ran.status, Some(2), "{words:?}: {ran:?}");
        assert!(!ran.stderr.contains("panicked") && ran.stdout.is_empty(), "{ran:?}");
        home.is_as(&before);
    }
}

#[test]
fn a_verb_that_another_program_has_names_that_program() {
    let home = Home::new();
    for (verb, program) in
        [("scale", "ps-scale <app>"), ("explain", "ps-explain <app>"), ("ls", "ps-lifecycle status")]
    {
        home.refuses(&["ps-lifecycle", verb, "shop"], 2, &[verb, program]);
    }
}

#[test]
fn what_was_made_but_never_deployed_says_so() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("home/draft")).expect("an app");
    for verb in ["start", "stop", "restart", "logs", "converge", "inspect", "rebuild"] {
        home.refuses(&["ps-lifecycle", verb, "draft"], 1, &["draft", "deploy"]);
    }
    for verb in ["status", "retire", "restore"] {
        home.does(&["ps-lifecycle", verb, "draft"]);
    }
}

#[test]
fn a_deadline_beyond_all_clocks_is_only_long() {
    let home = Home::running("shop", PROCFILE, &[]);
    home.does(&["ps-lifecycle", "stop", "shop", "--wait", "18446744073709551615"]);
    eventually("it is down", || {
        let states = home.states("shop");
        if states["web.1"] == "stopped" { Ok(()) } else { Err(format!("{states:?}")) }
    });
}

#[test]
fn a_reason_that_the_system_gave_is_said_once() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.hook("broken/pre-start", "#!/no/such/interpreter\n");
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!((ran.status, ran.stderr.matches("os error").count()), (Some(1), 1), "{ran:?}");
}

/// Every path below a directory, those of the journal and the lock left out.
fn all_paths(home: &Home) -> Vec<String> {
    let all = std::process::Command::new("find").args(["home", "lib"]).current_dir(home.path("")).output();
    let all = String::from_utf8_lossy(&all.expect("find runs").stdout).into_owned();
    let mut paths: Vec<String> = all.lines().map(str::to_owned).collect();
    paths.retain(|path| !path.starts_with("lib/data/formation") && path != "lib/data");
    paths.sort();
    paths
}

#[test]
fn a_deploy_that_is_refused_writes_nothing_down_and_starts_no_root() {
    let home = Home::new();
    // An app that was made and never deployed.
    std::fs::create_dir_all(home.path("home/shop")).expect("made");
    home.does(&["ps-set", "shop", "restart-policy", "always"]);
    let before = all_paths(&home);
    let source = home.source("shop", "web: exec sleep 600\n");
    for (file, content, says) in [
        ("app.json", r#"{"formation": {"web": {"user": "nobody-is-called-so"}}}"#, "nobody-is-called-so"),
        (
            "app.json",
            r#"{"formation": {"web": {"schedule": "@daily", "schedule_zone": "Europe/Brelin"}}}"#,
            "Europe/Brelin",
        ),
        ("Procfile", "web: if\n", "the shell does not understand"),
        (".env", "no equals sign\n", ".env"),
    ] {
        let path = home.write(&format!("shop/{file}"), content);
        let words = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=1"];
        home.run(&words).is_refused(1, &[says]);
        std::fs::remove_file(path).expect("it was there");
        home.write("shop/Procfile", "web: exec sleep 600\n");
        assert_eq!(all_paths(&home), before, "{says}");
        assert!(home.processes().is_empty(), "{says}: {:?}", home.processes());
    }
}

#[test]
fn a_start_a_restart_and_a_scale_that_are_refused_start_no_root() {
    let home = Home::running("shop", "web: exec sleep 600\n", &[]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.is_silent();
    std::fs::rename(home.path("shop"), home.path("moved")).expect("it is there");
    let root = home.path("lib/data/scheduler-native/.root");
    for words in [
        &["ps-lifecycle", "start", "shop"][..],
        &["ps-lifecycle", "restart", "shop"],
        &["ps-lifecycle", "start", "shop", "web.1"],
    ] {
        std::fs::remove_dir_all(&root).expect("a root was there");
        let ran = home.run(words);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(!root.exists(), "{words:?} started a root");
        std::fs::create_dir(&root).expect("made");
    }
    std::fs::remove_dir_all(&root).expect("it was made");
    std::fs::rename(home.path("moved"), home.path("shop")).expect("it is there");
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert!(root.exists(), "this one does");
}
