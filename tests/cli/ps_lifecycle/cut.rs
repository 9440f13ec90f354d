//! A verb that is cut off leaves no work running without its lock, starts none beside it, and loses nothing that is healthy.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::home::{Home, eventually, table};
use crate::program::Running;

const WEB: &str = "web: faultapp --tick 60\n";

/// Waits until a process of this home has these words in its command line.
fn until_it_runs(home: &Home, words: &str) {
    eventually(words, || {
        let processes = home.processes();
        if processes.iter().any(|(_, line)| line.contains(words)) {
            Ok(())
        } else {
            Err(format!("{processes:?}"))
        }
    });
}

/// That soon nothing runs that has these words in its command line.
fn until_it_is_gone(home: &Home, words: &str) {
    eventually(words, || {
        let processes = home.processes();
        if processes.iter().any(|(_, line)| line.contains(words)) {
            Err(format!("{processes:?}"))
        } else {
            Ok(())
        }
    });
}

/// Kills a verb alone, not its group.
fn kill(mut verb: Running, signal: Signal) -> crate::program::Ran {
    let pid = i32::try_from(verb.pid()).ok().and_then(Pid::from_raw).expect("a pid");
    rustix::process::kill_process(pid, signal).expect("it runs");
    verb.ended()
}

fn restore(home: &Home) -> String {
    home.does(&["ps-set", "--get", "shop", "restore"]).trim().to_owned()
}

#[test]
fn a_release_whose_deploy_was_killed_keeps_the_lock_and_nothing_starts_beside_it() {
    let home = Home::running("shop", WEB, &[]);
    let (before, log) = (home.pids("shop"), home.path("log"));
    // What the release forks holds the lock as well.
    let (done, log_of) = (home.path("done"), log.display());
    let release =
        format!("(echo begin; until [ -e {} ]; do sleep 0.05; done; echo end) >> {log_of}", done.display());
    let source = home.source("next", &format!("{WEB}release: {release}\n"));
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    eventually("the release has begun", || match fs::read_to_string(&log) {
        Ok(text) if text == "begin\n" => Ok(()),
        seen => Err(format!("{seen:?}")),
    });
    kill(deploy, Signal::KILL);
    for verb in ["restart", "stop", "rebuild"] {
        let says = ["shop is locked", "left behind when it was killed"];
        home.run(&["ps-lifecycle", verb, "shop", "--wait", "0"]).is_refused(75, &says);
    }
    assert_eq!(home.pids("shop"), before);
    let mut waiting = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    waiting.until_it_minds_signals();
    home.write("done", "");
    let ran = waiting.ended();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(fs::read_to_string(log).expect("it ran"), "begin\nend\nbegin\nend\n", "one after the other");
}

#[test]
fn what_a_release_leaves_behind_ends_with_it() {
    let home = Home::new();
    for release in [
        "sleep 91 & true",
        "setsid sleep 92 & true",
        "(trap '' TERM HUP; sleep 93) & true",
        "sh -c 'sleep 94 &' && exit 3",
    ] {
        let source = home.source("shop", &format!("{WEB}release: {release}\n"));
        home.does(&["ps-set", "--global", "stop-timeout-seconds", "1"]);
        let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        assert_eq!(ran.status, Some(i32::from(release.contains("exit 3"))), "{ran:?}");
        until_it_is_gone(&home, "sleep 9");
        home.does(&["ps-lifecycle", "restore", "--all", "--wait", "0"]);
    }
    fs::remove_dir_all(home.path("lib/config/ps/--global")).expect("it was there");
}

#[test]
fn a_release_ends_in_order_whatever_the_terminal_sends() {
    let home = Home::running("shop", WEB, &[]);
    let source = home.source("slow", &format!("{WEB}release: yes & sleep 95\n"));
    let (before, pids) = (home.state(), home.pids("shop"));
    for signal in [Signal::HUP, Signal::QUIT, Signal::INT, Signal::TERM] {
        let deploy = home.start(&["ps-lifecycle", "--quiet", "deploy", "shop", "--dir", &source]);
        until_it_runs(&home, "sleep 95");
        kill(deploy, signal).is_refused(1, &["interrupted"]);
        until_it_is_gone(&home, "sleep 95");
        until_it_is_gone(&home, "yes");
        home.is_as(&before);
        assert_eq!(home.pids("shop"), pids);
    }
}

#[test]
fn a_hook_ends_with_its_verb_and_one_whose_verb_was_killed_is_waited_for() {
    let home = Home::running("shop", WEB, &[]);
    let before = home.pids("shop");
    home.hook(
        "slow/pre-start",
        "#!/bin/sh\necho begin >> \"$HOME/log\"\nsleep 9.97\necho end >> \"$HOME/log\"\n",
    );
    for signal in [Signal::TERM, Signal::HUP] {
        let restart = home.start(&["ps-lifecycle", "restart", "shop"]);
        until_it_runs(&home, "sleep 9.97");
        kill(restart, signal).is_refused(1, &["interrupted"]);
        until_it_is_gone(&home, "sleep 9.97");
    }
    fs::remove_file(home.path("log")).expect("it was there");
    let restart = home.start(&["ps-lifecycle", "restart", "shop"]);
    until_it_runs(&home, "sleep 9.97");
    kill(restart, Signal::KILL);
    assert_eq!(home.pids("shop"), before);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(
        home.path("log").exists().then(|| fs::read_to_string(home.path("log")).expect("text")).as_deref(),
        Some("begin\nend\nbegin\nend\n")
    );
    fs::remove_dir_all(home.path("lib/plugins")).expect("it was there");
}

#[test]
fn after_a_deploy_that_was_killed_the_next_verb_makes_true_what_is_recorded() {
    let home = Home::running("shop", "web: faultapp --tick 60 --say 0\n", &[]);
    for (round, delay) in (1..).zip([20, 60, 100, 150, 250, 500, 900, 1100]) {
        let source = home.source("next", &format!("web: faultapp --tick 60 --say {round}\n"));
        let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        // The moment is what is varied.
        std::thread::sleep(Duration::from_millis(delay));
        kill(deploy, Signal::KILL);
        let verb = ["start", "converge", "restart"][round % 3];
        home.does(&["ps-lifecycle", verb, "shop"]);
        let recorded = fs::read_to_string(home.path("lib/data/ps/shop/Procfile")).expect("recorded");
        let wanted = recorded.trim_end().trim_start_matches("web: ").to_owned();
        let running = eventually("one web process", || {
            let pid = home.pids("shop").get("web.1").copied().ok_or("none")?;
            let words = fs::read(format!("/proc/{pid}/cmdline")).map_err(|error| error.to_string())?;
            let words = String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned();
            if words.starts_with("faultapp") { Ok(words) } else { Err(words) }
        });
        assert_eq!(running, wanted, "killed after {delay} ms, then {verb}");
        assert_eq!(home.processes().iter().filter(|(_, line)| line.starts_with("faultapp")).count(), 1);
        assert_eq!(home.states("shop"), table(&[("web.1", "running")]));
    }
}

#[test]
fn a_deploy_that_is_killed_while_it_is_written_down_leaves_one_release_and_no_mix_of_two() {
    let home = Home::running("shop", "web: faultapp --tick 60 --say 0\n", &[]);
    let unfinished =
        ["deploying.json", "deployed.json"].map(|name| home.path("lib/data/apps/shop").join(name));
    let mut said_last = "0".to_owned();
    let mut deployed = 0;
    for round in 1..=4 {
        let source = home.source(&format!("r{round}"), &format!("web: faultapp --tick 60 --say {round}\n"));
        let mut strace = std::process::Command::new("strace");
        let inject = format!("inject=renameat2:signal=KILL:when={round}");
        strace.args(["-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", &inject]);
        let deploy = home.command(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        strace.arg(deploy.get_program()).args(deploy.get_args());
        strace.env_clear().envs(deploy.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let Ok(ran) = strace.output() else { return skipped::skip("strace is not there (scripts/setup)") };
        if ran.status.success() {
            assert!(round > 2, "{ran:?}");
            break;
        }
        // The root finishes it, without another verb.
        eventually("nothing is left to be written down", || {
            if unfinished.iter().any(|file| file.exists()) { Err(format!("{ran:?}")) } else { Ok(()) }
        });
        let read = |path: &str| fs::read_to_string(home.path(path)).expect("recorded").trim().to_owned();
        let place = read("lib/config/apps/shop/deploy-source-metadata");
        let procfile = read("lib/data/ps/shop/Procfile");
        let said = procfile.rsplit(' ').next().expect("a number").to_owned();
        assert!(said == said_last || said == round.to_string(), "{said}, {said_last} before");
        assert!(
            place.ends_with(&format!("/r{said}")) || (said == "0" && place.ends_with("/shop")),
            "{place}"
        );
        deployed += usize::from(said == round.to_string());
        until_it_runs(&home, &format!("--say {said}"));
        let web = home.processes().iter().filter(|(_, line)| line.starts_with("faultapp")).count();
        assert_eq!(web, 1, "{:?}", home.processes());
        said_last = said;
    }
    assert!(deployed > 0, "none was killed after its commit");
}

#[test]
fn a_first_deploy_that_was_killed_can_be_stopped_repeated_and_destroyed() {
    for verbs in [&["stop", "destroy"][..], &["deploy", "destroy"], &["destroy"]] {
        let home = Home::new();
        let source = home.source("shop", WEB);
        let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
        until_it_runs(&home, "faultapp --tick 60");
        kill(deploy, Signal::KILL);
        for verb in verbs {
            let mut words = vec!["ps-lifecycle", verb, "shop"];
            words.extend((*verb == "deploy").then_some(["--dir", &source]).into_iter().flatten());
            home.does(&words);
            let runs = *verb == "deploy";
            assert_eq!(
                home.processes().iter().any(|(_, line)| line.contains("faultapp --tick")),
                runs,
                "{verb}"
            );
        }
        home.is_silent();
    }
}

#[test]
fn a_stop_that_nobody_waits_for_goes_on_and_the_app_stays_stopped() {
    let home = Home::running("shop", "web: faultapp --ignore-term --tick 60\n", &[]);
    home.does(&["ps-set", "shop", "stop-timeout-seconds", "15"]);
    let mut stop = home.start(&["ps-lifecycle", "stop", "shop"]);
    stop.until_it_minds_signals();
    eventually("it is told to end", || {
        let states = home.states("shop");
        if states["web.1"] == "stopping" { Ok(()) } else { Err(format!("{states:?}")) }
    });
    let ran = kill(stop, Signal::INT);
    ran.is_refused(1, &["interrupted"]);
    assert!(ran.took < Duration::from_secs(15), "{ran:?}");
    assert_eq!(restore(&home), "false");
    until_it_is_gone(&home, "faultapp");
    // Its supervisor sees that a moment later.
    eventually("it is known to be stopped", || {
        let states = home.states("shop");
        if states == table(&[("web.1", "stopped")]) { Ok(()) } else { Err(format!("{states:?}")) }
    });
}

#[test]
fn a_start_or_a_stop_that_is_killed_leaves_no_wish_that_contradicts_what_runs() {
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    for words in [&["start", "shop"][..], &["deploy", "shop"]] {
        home.does(&["ps-lifecycle", "stop", "shop"]);
        let verb = home.start(&[&["ps-lifecycle"], words].concat());
        until_it_runs(&home, "faultapp --tick 60");
        let ran = kill(verb, Signal::KILL);
        eventually("it is to be brought back", || match restore(&home).as_str() {
            "true" => Ok(()),
            other => Err(format!("{words:?}: {other}: {ran:?}")),
        });
        home.does(&["ps-lifecycle", "start", "shop"]);
    }
    home.does(&["ps-set", "shop", "stop-timeout-seconds", "2"]);
    let source = home.source("shop", "web: faultapp --ignore-term --tick 60\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let stop = home.start(&["ps-lifecycle", "stop", "shop"]);
    eventually("it is told to end", || {
        let states = home.states("shop");
        if states["web.1"] == "stopping" { Ok(()) } else { Err(format!("{states:?}")) }
    });
    kill(stop, Signal::KILL);
    assert_eq!(restore(&home), "false");
    until_it_is_gone(&home, "faultapp");
}

#[test]
fn a_start_that_fails_leaves_the_wish_as_it_was() {
    let home = Home::running("shop", "web: faultapp --tick 60\n", &[]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    fs::rename(home.path("shop"), home.path("away")).expect("moved");
    assert_eq!(home.run(&["ps-lifecycle", "start", "shop"]).status, Some(1));
    assert_eq!(restore(&home), "false");
}

/// The variable `A` of the one process that runs, and the ENV file of the app.
fn variables(home: &Home) -> (Option<String>, String) {
    let pid = home.pids("shop")["web.1"];
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let of_process = environment
        .split(|byte| *byte == 0)
        .find_map(|entry| String::from_utf8_lossy(entry).strip_prefix("A=").map(str::to_owned));
    (of_process, fs::read_to_string(home.path("lib/config/shop/ENV")).unwrap_or_default())
}

#[test]
fn a_deploy_that_is_killed_before_its_commit_leaves_the_variables_as_they_were() {
    let home = Home::new();
    let old = home.write("old", "A=old\n").display().to_string();
    let new = home.write("new", "A=new\n").display().to_string();
    let source = home.source("shop", WEB);
    for before in ["", "A=old\n"] {
        let mut words = vec!["ps-lifecycle", "deploy", "shop", "--dir", &source];
        words.extend(["--env-file", &old].into_iter().filter(|_| !before.is_empty()));
        home.does(&words);
        let pids = home.pids("shop");
        let next = home.source("next", &format!("{WEB}release: exec sleep 9.96\n"));
        let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next, "--env-file", &new]);
        until_it_runs(&home, "sleep 9.96");
        assert_eq!(variables(&home).1, "A=new\n", "the release process has them");
        kill(deploy, Signal::KILL);
        eventually("they are as they were, without a verb", || match variables(&home) {
            (_, text) if text == before => Ok(()),
            seen => Err(format!("{seen:?}")),
        });
        assert_eq!(home.pids("shop"), pids);
        // The hooks come first, when there is no root that anybody could have left word with.
        home.hook("slow/pre-start", "#!/bin/sh\nexec sleep 9.95\n");
        let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--env-file", &new]);
        until_it_runs(&home, "sleep 9.95");
        home.without_root();
        kill(deploy, Signal::KILL);
        until_it_is_gone(&home, "sleep 9.95");
        fs::remove_dir_all(home.path("lib/plugins")).expect("it was there");
        home.does(&["ps-lifecycle", "restart", "shop"]);
        let of_process = before.strip_prefix("A=").map(|value| value.trim().to_owned());
        assert_eq!(variables(&home), (of_process, before.to_owned()));
        let left = home.path("lib/data/apps/shop/earlier-env.json");
        assert!(!left.exists(), "nothing is left of it");
    }
}

#[test]
fn a_deploy_that_is_killed_and_committed_all_the_same_has_its_variables() {
    let home = Home::running("shop", WEB, &[]);
    let new = home.write("new", "A=new\n").display().to_string();
    let next = home.source("next", "web: faultapp --tick 60 --say next\n");
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &next, "--env-file", &new]);
    until_it_runs(&home, "--say next");
    kill(deploy, Signal::KILL);
    let is_over = || match variables(&home) {
        (Some(value), text) if value == "new" && text == "A=new\n" => Ok(()),
        seen => Err(format!("{seen:?}")),
    };
    for (what, path) in [
        ("the supervisor finishes the rollout", "lib/data/scheduler-native/shop/spec2.json"),
        ("the root writes it down", "lib/data/ps/shop/Procfile"),
    ] {
        eventually(what, || match fs::read_to_string(home.path(path)).unwrap_or_default() {
            text if text.contains("--say next") => Ok(()),
            text => Err(text),
        });
    }
    eventually("its variables are the app's", is_over);
    eventually("what was before is forgotten", || {
        if home.path("lib/data/apps/shop/earlier-env.json").exists() { Err(String::new()) } else { Ok(()) }
    });
}
