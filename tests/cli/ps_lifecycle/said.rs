//! What is said of a change: each fact once, after somebody looked, and never without bounds.

use crate::home::{Home, table};

#[test]
fn the_last_lines_of_a_failed_deploy_are_few_and_short() {
    let home = Home::new();
    let floods = [
        "sh -c 'seq 1 2000000; exit 3'",
        "sh -c 'head -c 30000000 /dev/zero | tr \"\\0\" x; exit 3'",
        "sh -c 'printf \"\\033[2J\\007bell\\n\" >&2; exit 3'",
    ];
    for flood in floods {
        let source = home.source("shop", &format!("web: {flood}\n"));
        let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        assert_eq!(ran.status, Some(1));
        assert!(ran.stderr.len() < 8000, "{} bytes", ran.stderr.len());
        assert!(ran.stderr.lines().count() < 16, "{ran:?}");
        assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{7}'), "{ran:?}");
    }
}

#[test]
fn an_instance_is_called_up_only_after_it_lived_and_held_its_checks() {
    let _listening = crate::home::listening();
    let home = Home::new();
    let source =
        home.source("shop", "web: faultapp --tick 60\nworker: faultapp --exit-after 300 --exit-code 4\n");
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "worker=1"];
    let ran = home.run(&deploy);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(!ran.stderr.contains("is up"), "nothing had lived for its second: {ran:?}");
    let source = home.source("shop", "web: faultapp --listen $PORT --answer 500\n");
    let check = r#"{"type": "startup", "path": "/", "attempts": 1, "wait": 1, "timeout": 1}"#;
    home.write("shop/app.json", &format!(r#"{{"healthchecks": {{"web": [{check}]}}}}"#));
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(!ran.stderr.contains("web.1 is up"), "it did not hold its check: {ran:?}");
}

#[test]
fn each_instance_that_ends_is_told_of_once() {
    let home = Home::running(
        "shop",
        "web: faultapp --tick 60\nworker: faultapp --tick 60\n",
        &["--scale", "web=3", "worker=2"],
    );
    for words in [
        &["ps-scale", "shop", "web=1"][..],
        &["ps-scale", "shop", "worker=0"],
        &["ps-scale", "shop", "web=2", "worker=1"],
        &["ps-lifecycle", "stop", "shop", "worker"],
        &["ps-lifecycle", "restart", "shop"],
        &["ps-lifecycle", "stop", "shop"],
        &["ps-lifecycle", "start", "shop"],
    ] {
        let ran = home.run(words);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let mut facts: Vec<&str> =
            ran.stderr.lines().map(|line| line.split(" (").next().unwrap_or(line)).collect();
        let all = facts.len();
        facts.sort_unstable();
        facts.dedup();
        assert_eq!(facts.len(), all, "said twice: {ran:?}");
    }
    assert_eq!(
        home.states("shop"),
        table(&[("web.1", "running"), ("web.2", "running"), ("worker.1", "running")])
    );
}

#[test]
fn a_process_that_puts_itself_into_the_background_is_told_what_to_do() {
    let home = Home::new();
    for daemon in [
        "sh -c 'sleep 96 & exit 0'",
        "sh -c 'setsid sleep 97 >/dev/null 2>&1 &'",
        "sh -c '(sleep 98 &) ; exit 0'",
    ] {
        let source = home.source("shop", &format!("web: {daemon}\n"));
        let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        ran.is_refused(1, &["ended within its first second (exit status 0)", "run it in the foreground"]);
    }
    let source = home.source("shop", "web: true\n");
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    ran.is_refused(1, &["ended within its first second (exit status 0)"]);
    assert!(!ran.stderr.contains("background"), "nothing was left: {ran:?}");
    // What is not started again may be done at once, but what it leaves running is still not what was asked for.
    let source = home.source("shop", "web: sh -c 'sleep 99 & exit 0'\n");
    home.write("shop/app.json", r#"{"formation": {"web": {"ready": "alive", "restart_policy": "no"}}}"#);
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    ran.is_refused(1, &["run it in the foreground"]);
    home.is_silent();
}
