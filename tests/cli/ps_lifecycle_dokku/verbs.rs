//! What a caller inside Dokku sees of the verbs beyond what was recorded: refusals, failures of hooks, other schedulers.

use std::fs::File;
use std::process::{Command as Program, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{DEADLINE, run};
use crate::world::{Dokku, program_beside};

#[test]
fn a_trigger_that_fails_is_named_with_its_plugin_and_its_exit_status_is_ours() {
    let dokku = Dokku::new();
    dokku.hook("pre-start", "exit 3");
    let ran = dokku.run(&["start", "demo"]);
    assert_eq!(ran.status, 3);
    let named = " !     Failure in pre-start hook: trigger pre-start failed with exit status 3: the hook of plugin other\n";
    assert_eq!(ran.stderr, named);
    // Our own plugin has a post-stop, too, and plugn does not say whose it was.
    dokku.hook("post-stop", "exit 3");
    let ran = dokku.run(&["stop", "demo"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (3, "-----> Stopping demo\n"));
    let named =
        " !     trigger post-stop failed with exit status 3: a hook of one of the plugins other, ps\n";
    assert_eq!(ran.stderr, named);
    dokku.place.write("lib/config/ps/demo/restore", "true");
    dokku.hook("scheduler-stop", "echo it does not stop >&2\nexit 4");
    let ran = dokku.run(&["stop", "demo"]);
    let named = " !     trigger scheduler-stop failed with exit status 4: the hook of plugin other\n";
    assert_eq!((ran.status, ran.stderr), (4, format!("it does not stop\n{named}")));
    assert_eq!(
        dokku.calls().iter().filter(|call| *call == "trigger post-stop demo").count(),
        1,
        "not stopped"
    );
    assert_eq!(dokku.place.read("lib/config/ps/demo/restore"), "true");
    for (verb, trigger) in [
        ("start", "deployed-app-image-tag"),
        ("retire", "scheduler-retire"),
        ("restore", "pre-restore"),
        ("restore", "scheduler-pre-restore"),
    ] {
        let dokku = Dokku::new();
        dokku.hook(trigger, "exit 5");
        let ran = dokku.run(&[verb, "demo"]);
        let named = format!("trigger {trigger} failed with exit status 5: the hook of plugin other\n");
        assert!(ran.status == 5 && ran.stderr.ends_with(&named), "{verb} {ran:?}");
    }
}

#[test]
fn what_a_failed_deploy_said_is_the_last_word_once_more_as_dokku_has_it() {
    let dokku = Dokku::new();
    let cannot = "Could not start due to 1 failed checks (web.1)";
    for (verb, trigger) in [
        ("rebuild", "receive-app"),
        ("restart", "deploy"),
        ("start", "release-and-deploy"),
        ("restore", "release-and-deploy"),
    ] {
        dokku.hook(trigger, &format!("echo first >&2\necho ' !     {cannot}' >&2\necho on stdout\nexit 9"));
        let ran = dokku.run(&[verb, "demo"]);
        assert_eq!(ran.status, 9, "{verb} {}", ran.stderr);
        // Dokku's build says why itself.
        let named = match verb {
            "rebuild" => String::new(),
            _ => format!(" !     trigger {trigger} failed with exit status 9: the hook of plugin other\n"),
        };
        let words = format!("first\n !     {cannot}\n");
        let expected = format!("{words} !     {words}{named}");
        assert!(ran.stderr.ends_with(&expected), "{verb} {}", ran.stderr);
        assert_eq!(ran.stderr.matches(cannot).count(), 2, "{verb}");
        assert!(!ran.stderr.contains("on stdout"), "{verb}");
    }
    let mut scale = dokku.place.command_inside_dokku(program_beside("ps-scale"));
    let ran = run(scale.args(["demo", "web=2"]).env("PATH", Dokku::path()));
    assert_eq!((ran.status, ran.stderr.matches(cannot).count()), (9, 2), "{}", ran.stderr);
}

#[test]
fn of_a_deploy_that_says_very_much_the_end_is_said_once_more() {
    let dokku = Dokku::new();
    dokku.hook("deploy", "seq 200000 >&2\nexit 1");
    let ran = dokku.run(&["restart", "demo"]);
    let (first, rest) = ran.stderr.split_once("\n200000\n").expect("all of it");
    assert_eq!(first.lines().count(), 199_999);
    assert!(
        rest.len() < 300_000 && rest.contains("\n200000\n !     trigger deploy failed"),
        "{}",
        rest.len()
    );
}

#[test]
fn what_a_hook_leaves_behind_keeps_no_deploy_waiting_whether_it_fails_or_not() {
    for status in [0, 7] {
        let dokku = Dokku::new();
        let pid = dokku.place.path().join("pid");
        dokku.hook(
            "deploy",
            &format!("sleep 60 >/dev/null &\necho $! >{}\necho left >&2\nexit {status}", pid.display()),
        );
        let began = Instant::now();
        let ps = dokku.ps(&["restart", "demo"]);
        let said = File::create(dokku.place.path().join("said")).expect("a file");
        let child = Program::new(ps.get_program())
            .args(ps.get_args())
            .envs(ps.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdout(Stdio::null())
            .stderr(said)
            .status();
        let (ended, waited) = (child.expect("it runs").code(), began.elapsed());
        drop(ps);
        let left = dokku.place.read("pid");
        let _ = Program::new("kill").arg(left.trim()).status();
        assert_eq!(ended, Some(status));
        assert!(waited < Duration::from_secs(30), "{waited:?}");
        let said = dokku.place.read("said");
        assert_eq!(said.matches("left\n").count(), if status == 0 { 1 } else { 2 }, "{said}");
    }
}

#[test]
fn a_deploy_runs_on_to_its_end_and_is_heard_when_its_command_is_killed() {
    let dokku = Dokku::new();
    let place = dokku.place.path().to_owned();
    let here = place.display();
    dokku.hook(
        "deploy",
        &format!("echo $PPID >/dev/null\ntouch {here}/began\nuntil [ -e {here}/killed ]; do sleep 0.05; done\necho still here >&2\necho on >&2\ntouch {here}/done"),
    );
    let ps = dokku.ps(&["restart", "demo"]);
    let mut child = Program::new(ps.get_program())
        .args(ps.get_args())
        .envs(ps.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdout(Stdio::null())
        .stderr(File::create(place.join("said")).expect("a file"))
        .spawn()
        .expect("it runs");
    let until = Instant::now() + DEADLINE;
    let wait_for = |name: &str| {
        while !place.join(name).exists() {
            assert!(Instant::now() < until, "no {name} in time");
            thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for("began");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    dokku.place.write("killed", "");
    wait_for("done");
    while dokku.place.read("said") != "still here\non\n" {
        assert!(Instant::now() < until, "{}", dokku.place.read("said"));
        thread::sleep(Duration::from_millis(20));
    }
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
    assert!(ran.stderr.contains("it is not known whether demo runs"), "{}", ran.stderr);
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
