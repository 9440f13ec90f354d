//! What a caller inside Dokku sees of the verbs beyond what was recorded: refusals, failures of hooks, other schedulers.

use crate::support::run;
use crate::world::Dokku;

#[test]
fn a_failing_hook_has_the_last_word_and_its_exit_status_is_ours() {
    let dokku = Dokku::new();
    dokku.hook("deploy", "echo said it >&2\nexit 9");
    let ran = dokku.run(&["restart", "demo"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (9, "said it\n"));
    dokku.hook("pre-start", "exit 3");
    let ran = dokku.run(&["start", "demo"]);
    assert_eq!(ran.status, 3);
    assert!(ran.stderr.starts_with(" !     Failure in pre-start hook: "), "{}", ran.stderr);
    dokku.hook("scheduler-stop", "exit 4");
    assert_eq!(dokku.run(&["stop", "demo"]).status, 4);
    assert!(!dokku.calls().contains(&"trigger post-stop demo".to_owned()), "it was not stopped");
    assert_eq!(dokku.place.read("lib/config/ps/demo/restore"), "true");
}

#[test]
fn a_hook_that_a_signal_ended_is_told() {
    let dokku = Dokku::new();
    dokku.hook("deploy", "kill -9 $$");
    let ran = dokku.run(&["restart", "demo"]);
    assert_eq!(ran.status, 137);
    assert!(ran.stderr.contains("was ended by signal 9"), "{}", ran.stderr);
}

#[test]
fn one_app_that_fails_does_not_keep_the_others_from_their_turn() {
    let dokku = Dokku::new();
    dokku.place.app("other");
    dokku.place.write("lib/config/common/other/deployed", "true");
    dokku.hook("deploy", "[ \"$1\" != demo ]");
    for (parallel, last) in [
        ("1", " !     restart command returned 1 errors\n"),
        ("2", " !     Encountered 1 errors during parallel run\n"),
    ] {
        let ran = dokku.run(&["restart", "--all", "--parallel", parallel]);
        assert_eq!(ran.status, 1);
        assert!(
            ran.stderr.contains("Error running restart against") && ran.stderr.ends_with(last),
            "{}",
            ran.stderr
        );
    }
    let deployed = dokku.calls().iter().filter(|call| *call == "trigger deploy other latest").count();
    assert_eq!(deployed, 2);
    let refused = dokku.run(&["restart", "--all", "--parallel", "-2"]);
    assert_eq!(
        (refused.status, refused.stderr.as_str()),
        (1, " !     Invalid value -2 for --parallel flag\n")
    );
}

#[test]
fn a_part_of_an_app_is_never_taken_for_the_whole() {
    let dokku = Dokku::new();
    for words in [
        &["stop", "demo", "web"][..],
        &["start", "demo", "web.1"],
        &["restart", "demo", "web.1"],
        &["restart", "demo", "nope"],
        &["restart", "demo", "$(touch canary)"],
        &["restart", "demo", "web\nworker"],
    ] {
        let ran = dokku.run(words);
        assert_eq!((ran.status, ran.stdout.as_str()), (1, ""), "{words:?} {ran:?}");
        assert!(ran.stderr.starts_with(" !     "), "{words:?} {}", ran.stderr);
    }
    assert_eq!(dokku.calls(), Vec::<String>::new());
    assert_eq!(dokku.run(&["stop", "--all", "demo"]).status, 2);
    assert_eq!(dokku.calls(), Vec::<String>::new());
}

#[test]
fn names_that_are_none_are_refused_in_dokkus_words_and_reach_no_shell() {
    let dokku = Dokku::new();
    for word in
        ["$(touch canary)", "`touch canary`", "a b", "../demo", "demo\nidle", "UPPER", "';touch canary;'"]
    {
        for verb in ["start", "stop", "restart", "rebuild", "retire", "inspect"] {
            let ran = dokku.run(&[verb, word]);
            assert!([1, 20].contains(&ran.status), "{verb} {word:?} {ran:?}");
            assert!(ran.stderr.starts_with(" !     "), "{verb} {word:?} {}", ran.stderr);
        }
    }
    for verb in ["start", "stop", "restart", "rebuild", "inspect"] {
        let ran = dokku.run(&[verb]);
        assert_eq!(
            (ran.status, ran.stderr.as_str()),
            (1, " !     Please specify an app to run the command on\n")
        );
    }
    assert_eq!(dokku.calls(), Vec::<String>::new());
    assert!(!dokku.place.path().join("canary").exists());
}

#[test]
fn a_user_defined_tag_is_what_is_deployed() {
    let dokku = Dokku::new();
    dokku.hook("deployed-app-image-tag", "echo '  v7 '");
    assert_eq!(dokku.run(&["restart", "demo", "worker"]).status, 0);
    assert_eq!(dokku.calls()[1], "trigger deploy demo v7 worker");
}

#[test]
fn another_scheduler_is_asked() {
    let dokku = Dokku::new();
    dokku.place.write("lib/config/scheduler/demo/selected", "k3s");
    dokku.hook("scheduler-app-status", "echo '2 mixed'");
    let ran = dokku.run(&["start", "demo"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, " !     App is running in mixed mode, releasing\n"));
    assert!(dokku.calls().contains(&"trigger scheduler-app-status k3s demo".to_owned()));
    dokku.hook("scheduler-app-status", "");
    let ran = dokku.run(&["start", "demo"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("nobody can tell whether demo runs"), "{}", ran.stderr);
    dokku.hook("scheduler-inspect", "echo '[{}]'");
    assert_eq!(dokku.run(&["inspect", "demo"]).stdout, "[{}]\n");
    dokku.place.write("lib/config/scheduler/idle/selected", "k3s");
    dokku.hook("scheduler-is-deployed", "exit 1");
    assert_eq!(dokku.run(&["stop", "idle"]).stderr, " !     App idle has not been deployed\n");
    dokku.hook("scheduler-is-deployed", "exit 0");
    assert_eq!(dokku.run(&["stop", "idle"]).stdout, "-----> Stopping idle\n");
}

#[test]
fn an_engine_that_does_not_answer_is_no_reason_to_deploy() {
    let dokku = Dokku::new();
    dokku.container("demo", &"0".repeat(64));
    let ran = run(dokku.ps(&["start", "demo"]).env("DOCKER_HOST", "unix:///nonexistent/docker.sock"));
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(!dokku.calls().iter().any(|call| call.contains("release-and-deploy")), "{:?}", dokku.calls());
}

#[test]
fn an_app_without_containers_has_not_been_deployed() {
    let dokku = Dokku::new();
    for verb in ["inspect", "processes"] {
        let ran = dokku.run(&[verb, "idle"]);
        assert_eq!(
            (ran.status, ran.stderr.as_str()),
            (1, " !     App idle has not been deployed\n"),
            "{verb}"
        );
    }
}

#[test]
fn an_app_that_a_plugin_hides_does_not_exist() {
    let dokku = Dokku::new();
    dokku.hook("user-auth-app", "echo idle");
    let ran = dokku.run(&["stop", "demo"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (20, " !     App demo does not exist\n"));
    assert_eq!(dokku.run(&["stop", "--all"]).stdout, "-----> Running stop against app idle\n");
}

#[test]
fn quiet_keeps_quiet_what_dokku_does() {
    let dokku = Dokku::new();
    let ran = run(dokku.ps(&["stop", "--all"]).env("DOKKU_QUIET_OUTPUT", "1"));
    assert_eq!(ran.stdout, "-----> Running stop against app demo\n-----> Running stop against app idle\n");
}

#[test]
fn deploys_and_destroys_go_through_dokkus_own_commands() {
    let dokku = Dokku::new();
    for words in [&["deploy", "demo"][..], &["converge", "demo"], &["destroy", "demo"]] {
        let ran = dokku.run(words);
        assert_eq!(ran.status, 1);
        assert!(ran.stderr.contains("by its own commands"), "{}", ran.stderr);
    }
}
