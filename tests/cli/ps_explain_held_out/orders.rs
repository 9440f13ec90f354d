//! What people, releases and supervisors did.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::fault::{Fault, fault};
use crate::home::eventually;
use crate::stage::{APP, QUIET, Stage};

const STOPPED: &[&str] = &["stopped", "ps-lifecycle stop", "by hand"];
const NONE_WANTED: &[&str] = &["scale", "0", "count", "no instance"];
const NOT_DEPLOYED: &[&str] = &["not deployed", "never", "no deploy"];
const DEPLOY: &[&str] = &["deploy", "release", "rolled back", "put back"];
const RELEASE: &[&str] = &["release"];
const SUPERVISOR: &[&str] = &["supervisor"];
const WAITS: &[&str] = &["wait", "db", "after", "follows"];

pub(crate) fn faults() -> Vec<Fault> {
    [by_hand(), deploys(), supervisors(), others()].into_iter().flatten().collect()
}

fn well(stage: &Stage) {
    stage.procfile(&format!("web: {QUIET}\nworker: {QUIET}\n"));
    stage.deploys(&["--scale", "web=1", "worker=1"]);
}

fn by_hand() -> Vec<Fault> {
    vec![
        fault("stopped by hand", "the app", STOPPED, |stage| {
            well(stage);
            stage.does("stop", &[]);
        }),
        fault("stopped by hand", "one instance", STOPPED, |stage| {
            well(stage);
            stage.does("stop", &["web.1"]);
            stage.about(&["web.1"]);
        }),
        fault("stopped by hand", "one type, and the app is asked for", STOPPED, |stage| {
            well(stage);
            stage.does("stop", &["worker"]);
        }),
        fault("stopped by hand", "after it had crashed", STOPPED, |stage| {
            stage.crashes("echo boom; exit 7", &[]);
            stage.does("stop", &[]);
        }),
        fault("no instance is wanted", "of the only type", NONE_WANTED, |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.does("ps-scale", &["web=0"]);
        }),
        fault("no instance is wanted", "of the type that is asked for", NONE_WANTED, |stage| {
            well(stage);
            stage.does("ps-scale", &["worker=0"]);
            stage.about(&["worker"]);
        }),
        fault(
            "never deployed",
            "its first deploy failed, so nothing is left",
            &["not deployed", "does not exist"],
            |stage| {
                stage.procfile("web: exit 3\n");
                stage.fails_to_deploy(&[]);
            },
        ),
        fault("never deployed", "there is an app, and nothing else", NOT_DEPLOYED, |stage| {
            fs::create_dir_all(stage.home.path("home").join(APP)).expect("a directory");
        }),
    ]
}

fn deploys() -> Vec<Fault> {
    vec![
        fault("its release process fails", "before there is any instance", RELEASE, |stage| {
            stage.exists();
            stage.procfile(&format!("release: echo 'relation users does not exist'; exit 1\nweb: {QUIET}\n"));
            stage.fails_to_deploy(&["--scale", "web=1"]);
        }),
        fault(
            "its release process fails",
            "in the next one, and the earlier release runs",
            DEPLOY,
            |stage| {
                stage.procfile(&format!("web: {QUIET}\n"));
                stage.deploys(&[]);
                stage.procfile(&format!(
                    "release: echo 'relation users does not exist'; exit 1\nweb: {QUIET} \n"
                ));
                stage.fails_to_deploy(&[]);
            },
        ),
        fault("its release process fails", "a script predeploy", &["predeploy"], |stage| {
            stage.file("app.json", "{\"scripts\": {\"dokku\": {\"predeploy\": \"exit 5\"}}}\n");
            stage.fails_when_deployed(QUIET, &[]);
        }),
        fault(
            "a deploy was put back",
            "the new one crashes",
            &["deploy", "release", "status 1", "table"],
            |stage| {
                stage.is_replaced_badly("echo 'no such table: orders'; exit 1");
            },
        ),
        fault("a deploy was put back", "the new one has no program", DEPLOY, |stage| {
            stage.is_replaced_badly("gunicornn app:app");
        }),
        fault("a deploy was put back", "the new one never listens", &["deploy", "listen"], |stage| {
            stage.file("app.json", "{\"formation\": {\"web\": {\"start_timeout_seconds\": 2}}}\n");
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.set("web.ready", "listening");
            stage.fails_to_deploy(&[]);
        }),
        fault("a hook refuses", "pre-start", &["pre-start", "hook", "trigger"], |stage| {
            stage.exists();
            stage.home.hook("freeze/pre-start", "#!/bin/sh\necho 'no deploys on Fridays' >&2\nexit 1\n");
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.fails_to_deploy(&["--scale", "web=1"]);
        }),
        fault(
            "a deploy goes on",
            "its release process takes its time",
            &["has not ended", "goes on"],
            |stage| {
                stage.procfile(&format!("release: touch begun; sleep 3600\nweb: {QUIET}\n"));
                let deploy = stage.home.start(&[
                    "ps-lifecycle",
                    "deploy",
                    APP,
                    "--dir",
                    stage.path("").to_str().expect("text"),
                ]);
                stage.until_file("begun");
                stage.keep(Interrupted(deploy));
            },
        ),
        fault(
            "a deploy was cut off",
            "it was interrupted",
            &["interrupt", "sigint", "cut", "signal", "ctrl-c", "deploy"],
            |stage| {
                stage.exists();
                stage.procfile(&format!("release: touch begun; sleep 3600\nweb: {QUIET}\n"));
                let mut deploy = stage.home.start(&[
                    "ps-lifecycle",
                    "deploy",
                    APP,
                    "--dir",
                    stage.path("").to_str().expect("text"),
                ]);
                stage.until_file("begun");
                deploy.until_it_minds_signals();
                deploy.signal(Signal::INT);
                let ran = deploy.ended();
                assert!(ran.status != Some(0), "{ran:?}");
            },
        ),
        fault(
            "the Procfile was changed since",
            "and nobody deployed it",
            &["well", "running", "procfile", "healthy"],
            |stage| {
                stage.procfile(&format!("web: {QUIET}\n"));
                stage.deploys(&[]);
                stage.procfile("web: gunicornn app:app\n");
            },
        ),
    ]
}

/// A deploy that is ended in order, so that nothing of it is left.
struct Interrupted(crate::program::Running);

impl Drop for Interrupted {
    fn drop(&mut self) {
        if self.0.is_running() {
            self.0.signal(Signal::INT);
            eventually("the deploy has ended", || {
                if self.0.is_running() { Err("it runs".to_owned()) } else { Ok(()) }
            });
        }
    }
}

fn supervisors() -> Vec<Fault> {
    let kill = |stage: &Stage| {
        stage.home.without_root();
        for pid in stage.home.supervisors() {
            rustix::process::kill_process(pid, Signal::KILL).expect("it lives");
        }
        eventually("it is dead", || {
            let left = stage.home.supervisors();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    };
    vec![
        fault("its supervisor is gone", "it and the root were killed", SUPERVISOR, move |stage| {
            well(stage);
            kill(stage);
        }),
        fault("its supervisor is gone", "and then an instance died", SUPERVISOR, move |stage| {
            well(stage);
            let web = stage.pid("web.1");
            kill(stage);
            rustix::process::kill_process(web, Signal::KILL).expect("it lives");
            eventually("it is dead", || {
                let left = stage.home.processes();
                if left.iter().any(|(pid, _)| *pid == web) { Err(format!("{left:?}")) } else { Ok(()) }
            });
        }),
        fault("its supervisor does not answer", "it was stopped by a signal", SUPERVISOR, |stage| {
            well(stage);
            for pid in stage.home.supervisors() {
                rustix::process::kill_process(pid, Signal::STOP).expect("it lives");
            }
        }),
        fault(
            "the machine was started again",
            "and nothing restored the app",
            &["supervisor", "reboot", "boot", "restore", "not running", "machine"],
            |stage| {
                well(stage);
                stage.home.power_cut();
            },
        ),
    ]
}

fn others() -> Vec<Fault> {
    vec![
        fault("it waits for others", "which crash", WAITS, |stage| {
            stage.file(
                "app.json",
                r#"{"formation": {"db": {"quantity": 1}, "web": {"quantity": 1, "after": ["db"]}}}"#,
            );
            stage.file("db.sh", "exec sleep 3600\n");
            stage.procfile(&format!("db: sh db.sh\nweb: {QUIET}\n"));
            stage.deploys(&[]);
            stage.set("restart-policy", "on-failure:1");
            stage.does("stop", &[]);
            stage.file("db.sh", "exit 3\n");
            stage.fails("start", &[]);
            stage.until("db.1", &["crashed"]);
            stage.about(&["web.1"]);
        }),
        fault("it runs by a schedule", "and is not due", &["schedule", "due"], |stage| {
            stage.procfile("report: echo sent\n");
            stage.deploys(&["--scale", "report=0"]);
            stage.set("report.schedule", "0 4 1 1 *");
            stage.does("ps-scale", &["report=1"]);
            stage.until("report.1", &["scheduled"]);
            stage.about(&["report.1"]);
        }),
        fault(
            "a file was changed, and what is new does not come up",
            "watch-paths",
            &["watch", "changed", "app.sh", "did not come up", "put back"],
            |stage| {
                stage.file("app.sh", "exec sleep 3600\n");
                stage.procfile("web: sh app.sh\n");
                stage.deploys(&["--scale", "web=0"]);
                stage.set("web.watch-paths", ".");
                stage.does("ps-scale", &["web=1"]);
                stage.file("app.sh", "exit 9\n");
                let note =
                    |row: &Value| row["note"].as_str().is_some_and(|note| note.contains("did not come up"));
                stage.until_row("web.1", note);
            },
        ),
        fault("started a moment ago", "and it is well", &["well", "running", "healthy"], |stage| {
            well(stage);
        }),
    ]
}
