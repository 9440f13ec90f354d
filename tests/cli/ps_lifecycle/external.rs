//! Apps whose scheduler is a plugin of Dokku's, whatever it is called: what their plugin counts is what `status` and `ps-report`
//! show, and everything else is refused before anything is done.

use crate::home::{Home, State, table};

/// A home whose apps go with it, because what Dokku runs is not Formation's to destroy.
struct Cluster(Home);

impl std::ops::Deref for Cluster {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.0
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for place in ["home", "lib", "source"] {
            let _ = std::fs::remove_dir_all(self.0.path(place));
        }
    }
}

/// A plugin that was never heard of is as good as the known ones.
const SCHEDULERS: [&str; 3] = ["k3s", "nomad", "made-up-by-this-test"];

/// An app `shop` with two web processes and one worker, by a scheduler whose plugin says this.
fn home(scheduler: &str, says: &str) -> Cluster {
    let home = Home::new();
    std::fs::create_dir_all(home.path("home/shop")).expect("an app");
    home.write("lib/config/scheduler/shop/selected", scheduler);
    home.write("lib/config/common/shop/deployed", "true");
    home.write("lib/config/ps/shop/scale", "web=2\nworker=1\n");
    let asked = format!("[ \"$*\" = '{scheduler} shop' ] || exit 9");
    home.hook(&format!("{scheduler}/scheduler-app-status"), &format!("{asked}\n{says}"));
    Cluster(home)
}

#[test]
fn status_and_report_say_what_the_plugin_of_any_scheduler_counts() {
    for scheduler in SCHEDULERS {
        let home = home(scheduler, "echo '3 true'");
        let running = [("web.1", "running"), ("web.2", "running"), ("worker.1", "running")];
        assert_eq!(home.states("shop"), table(&running), "{scheduler}");
        let rows = home.status("shop");
        assert!(rows.iter().all(|row| row["scheduler"] == scheduler), "{rows:?}");
        assert_eq!(home.does(&["ps-report", "shop", "--running"]).trim(), "true");
        assert_eq!(home.does(&["ps-report", "shop", "--processes"]).trim(), "3");
    }
}

#[test]
fn of_an_app_that_does_not_run_every_instance_is_stopped() {
    for scheduler in SCHEDULERS {
        let home = home(scheduler, "echo '3 false'");
        let stopped = [("web.1", "stopped"), ("web.2", "stopped"), ("worker.1", "stopped")];
        assert_eq!(home.states("shop"), table(&stopped), "{scheduler}");
        assert_eq!(home.does(&["ps-report", "shop", "--running"]).trim(), "false");
    }
}

#[test]
fn which_instances_run_is_never_guessed_from_a_count() {
    for says in ["echo '3 mixed'", "echo '2 true'", "echo 'many true'"] {
        let home = home("nomad", says);
        let ran = home.run(&["ps-lifecycle", "status", "shop", "--json"]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        let states: Vec<_> = ran.rows().iter().map(|row| row["state"].clone()).collect();
        assert_eq!(states, ["unknown", "unknown", "unknown"], "{says}");
        assert!(ran.stderr.contains("shop") && ran.stderr.contains("nomad"), "{ran:?}");
    }
}

#[test]
fn a_plugin_that_does_not_answer_is_named_and_hides_no_other_app() {
    for says in ["", "exit 3", "echo nonsense"] {
        let home = home("nomad", says);
        home.write("lib/config/scheduler/other/selected", "k3s");
        home.write("home/other/.keep", "");
        home.hook("k3s/scheduler-app-status", "[ $1 = k3s ] && echo '0 false'");
        let ran = home.run(&["ps-lifecycle", "status"]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("shop") && ran.stderr.contains("nomad"), "{ran:?}");
        assert_eq!(home.run(&["ps-report", "shop", "--running"]).stdout.trim(), "unknown");
    }
}

#[test]
fn what_only_dokku_can_do_is_refused_before_any_hook_hears_of_it_and_nothing_is_touched() {
    for scheduler in SCHEDULERS {
        let home = home(scheduler, "echo '3 true'");
        home.hook("more/pre-start", "#!/bin/sh\necho $* >>\"$HOME/heard\"\n");
        let source = home.source("source", "web: sleep 60\n");
        let before: State = home.state();
        for words in [&["deploy", "shop", "--dir", &source][..], &["logs", "shop"], &["inspect", "shop"]] {
            home.refuses(&[&["ps-lifecycle"], words].concat(), 1, &[scheduler, "okku"]);
        }
        let verbs =
            ["start", "stop", "restart", "reload", "reset", "restore", "rebuild", "converge", "destroy"];
        for verb in verbs {
            let says =
                format!("shop has the scheduler {scheduler}: it is Dokku's to {verb}, not Formation's");
            home.refuses(&["ps-lifecycle", verb, "shop"], 1, &[&says]);
        }
        for words in
            [&["ps-lifecycle", "signal", "HUP", "shop"][..], &["ps-lifecycle", "stop", "shop", "web.1"]]
        {
            home.refuses(words, 1, &[scheduler, "not Formation's"]);
        }
        let scaled = home.run(&["ps-scale", "shop", "web=5"]);
        assert!(scaled.status == Some(1) && scaled.stderr.contains("--skip-deploy"), "{scaled:?}");
        for verb in ["start", "stop", "restart", "restore", "rebuild"] {
            home.does(&["ps-lifecycle", verb, "--all"]);
        }
        home.is_as(&before);
        assert!(!home.path("heard").exists(), "a hook heard of what was refused");
        home.does(&["ps-lifecycle", "retire", "shop"]);
        home.does(&["ps-scale", "shop", "web=5", "--skip-deploy"]);
    }
}

#[test]
fn an_app_that_moves_away_from_a_plugin_is_deployed_and_what_the_plugin_runs_is_named() {
    let home = home("nomad", "echo '3 true'");
    let source = home.source("source", "web: exec sleep 1000\nworker: exec sleep 1000\n");
    let words = ["deploy", "shop", "--dir", &source, "--scheduler", "native"];
    let ran = home.run(&[&["ps-lifecycle"], &words[..]].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("what nomad runs of shop goes on: it is Dokku's to stop"), "{ran:?}");
    assert_eq!(home.pids("shop").len(), 3);
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}

#[test]
fn whether_an_app_was_deployed_is_asked_of_its_plugin_where_nobody_wrote_it_down() {
    for scheduler in SCHEDULERS {
        let home = home(scheduler, "echo '3 true'");
        let deployed = || home.does(&["ps-report", "shop", "--deployed"]).trim().to_owned();
        home.hook(
            &format!("{scheduler}/scheduler-is-deployed"),
            &format!("[ \"$*\" != '{scheduler} shop' ]"),
        );
        assert_eq!(deployed(), "true", "what is written down counts, whatever the plugin says");
        std::fs::remove_file(home.path("lib/config/common/shop/deployed")).expect("it was there");
        assert_eq!(deployed(), "false");
        home.refuses(&["ps-lifecycle", "start", "shop"], 1, &["shop is not deployed"]);
        home.hook(&format!("{scheduler}/scheduler-is-deployed"), &format!("[ \"$*\" = '{scheduler} shop' ]"));
        assert_eq!(deployed(), "true");
    }
}
