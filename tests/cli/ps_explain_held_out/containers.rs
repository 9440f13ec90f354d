//! docker-local, with a real engine.

use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fault::{Fault, fault};
use crate::home::eventually;
use crate::stage::Stage;

/// What `scripts/setup` makes.
pub(crate) const IMAGE: &str = "formation-test/busybox:latest";
const ENGINE: &[&str] = &["engine"];

const GONE: &[&str] = &["gone", "removed", "missing", "no container", "not there"];
const OUTSIDE: &[&str] = &["outside", "somebody", "docker", "another", "foreign", "not by", "signal"];

/// A container of an image that is this test's, with this command.
pub(crate) fn contained(stage: &Stage, command: &str, more: &[&str]) -> String {
    static NTH: AtomicUsize = AtomicUsize::new(0);
    let app = format!("held-{}-{}", std::process::id(), NTH.fetch_add(1, Ordering::SeqCst));
    stage.of_app(&app);
    stage.file("Dockerfile", &format!("FROM {IMAGE}\nENV BUILT_FOR={app}\nWORKDIR /app\nCOPY . ./\n"));
    stage.procfile(&format!("web: {command}\n"));
    let ran = deploy(stage, more);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    app
}

pub(crate) fn deploy(stage: &Stage, more: &[&str]) -> crate::program::Ran {
    let directory = stage.path("");
    let words = ["--dir", directory.to_str().expect("text"), "--scheduler", "docker-local"];
    stage.tries("deploy", &[&words, more].concat())
}

pub(crate) fn docker(words: &[&str]) {
    let ran = Command::new("docker").args(words).output().expect("docker runs");
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

pub(crate) fn container(stage: &Stage) -> String {
    let row = stage.until_row("web.1", |row| row["container_id"].is_string());
    row["container_id"].as_str().expect("text").to_owned()
}

/// What the engine says of the container in this place of its description.
pub(crate) fn until(id: &str, what: &str, value: &str) {
    eventually("the container has come to that", || {
        let words = ["inspect", "--format", &format!("{{{{{what}}}}}"), id];
        let seen = Command::new("docker").args(words).output().expect("docker runs").stdout;
        let seen = String::from_utf8_lossy(&seen).trim().to_owned();
        if seen == value { Ok(()) } else { Err(format!("{what}: {seen}")) }
    });
}

pub(crate) fn faults() -> Vec<Fault> {
    [ends(), engines(), deploys()].into_iter().flatten().map(|fault| fault.needing(ENGINE)).collect()
}

const STAYS: &str = "sleep 3600";

pub(crate) fn without_restart(stage: &Stage, command: &str) -> String {
    contained(stage, command, &["--scale", "web=0"]);
    stage.set("restart-policy", "no");
    stage.tries("ps-scale", &["web=1"]);
    container(stage)
}

fn ends() -> Vec<Fault> {
    let kind = "a container ends by itself";
    vec![
        fault(
            kind,
            "with its last words",
            &["status 1", "refused", "exception", "error", "no such table"],
            |stage| {
                let id = without_restart(
                    stage,
                    "sh -c 'sleep 2; echo \"fatal: no such table: orders\" >&2; exit 1'",
                );
                until(&id, ".State.Status", "exited");
            },
        ),
        fault(kind, "with a status, and no word", &["42", "unknown"], |stage| {
            let id = without_restart(stage, "sh -c 'sleep 2; exit 42'");
            until(&id, ".State.Status", "exited");
        }),
        fault(kind, "again and again", &["7", "restart", "unknown"], |stage| {
            contained(stage, "sh -c 'sleep 2; exit 7'", &[]);
            let id = container(stage);
            until(&id, "and (eq .State.ExitCode 7) .State.Restarting", "true");
        }),
        fault("a container is ended from outside", "docker kill", OUTSIDE, |stage| {
            let id = without_restart(stage, STAYS);
            docker(&["kill", &id]);
            until(&id, ".State.Status", "exited");
        }),
        fault("a container is ended from outside", "docker stop", OUTSIDE, |stage| {
            let id = without_restart(stage, "exec sleep 3600");
            docker(&["stop", "--time", "1", &id]);
            until(&id, ".State.Status", "exited");
        }),
        fault("a container is gone", "docker rm", GONE, |stage| {
            let id = without_restart(stage, STAYS);
            docker(&["rm", "--force", &id]);
        }),
        fault("a container is paused", "docker pause", &["paused", "frozen"], |stage| {
            let id = without_restart(stage, STAYS);
            docker(&["pause", &id]);
            stage.keep(Unpaused(id));
        }),
        fault("more memory than its limit", "a container", &["memory"], |stage| {
            contained(stage, "sh -c 'sleep 2; exec tail /dev/zero'", &["--scale", "web=0"]);
            stage.set("restart-policy", "no");
            stage.set("web.memory-max", "16m");
            stage.tries("ps-scale", &["web=1"]);
            let id = container(stage);
            until(&id, ".State.Status", "exited");
        }),
        fault("stopped by hand", "a container", &["stopped", "by hand"], |stage| {
            contained(stage, STAYS, &[]);
            stage.does("stop", &[]);
        }),
        fault("it is well", "a container", &["well", "running", "healthy"], |stage| {
            contained(
                stage,
                "sh -c 'echo \"connect: connection refused, trying again\"; exec sleep 3600'",
                &[],
            );
        }),
    ]
}

struct Unpaused(String);

impl Drop for Unpaused {
    fn drop(&mut self) {
        // It may be gone.
        let _ = Command::new("docker").args(["unpause", &self.0]).output();
    }
}

fn engines() -> Vec<Fault> {
    vec![
        fault("its image is gone", "and its container too", &["image"], |stage| {
            let id = without_restart(stage, STAYS);
            let image = Command::new("docker").args(["inspect", "--format", "{{.Image}}", &id]).output();
            let image = String::from_utf8(image.expect("docker runs").stdout).expect("text");
            docker(&["rm", "--force", &id]);
            docker(&["rmi", "--force", image.trim()]);
        }),
        fault("the engine is away", "no socket", &["engine", "docker"], |stage| {
            contained(stage, STAYS, &[]);
            stage.with("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        }),
        fault("the engine is away", "it never answers", &["engine", "docker"], |stage| {
            contained(stage, STAYS, &[]);
            let socket = stage.home.path("mute.sock");
            stage.keep(UnixListener::bind(&socket).expect("a socket"));
            stage.with("DOCKER_HOST", &format!("unix://{}", socket.display()));
        }),
    ]
}

fn deploys() -> Vec<Fault> {
    vec![
        fault(
            "a program is missing",
            "in an image",
            &["not found", "missing", "gunicornn", "no such"],
            |stage| {
                fails(stage, "exec gunicornn app:app", "{}");
            },
        ),
        fault(
            "a check fails",
            "it never answers with 2xx, in a container",
            &["500", "did not answer"],
            |stage| {
                let check = r#"{"healthchecks": {"web": [{"type": "startup", "path": "/up", "attempts": 1, "wait": 1}]}}"#;
                fails(
                    stage,
                    "sh -c 'while :; do printf \"HTTP/1.0 500 Internal Server Error\\r\\n\\r\\n\" | nc -l -p $PORT; done'",
                    check,
                );
            },
        ),
        fault("an image cannot be had", "nobody has it", &["image", "pull"], |stage| {
            contained(stage, STAYS, &["--scale", "web=0"]);
            stage.fails("deploy", &["--image", "formation-test/absent:1", "--scale", "web=1"]);
        }),
        fault("a build fails", "a step of its Dockerfile", &["build", "dockerfile", "step"], |stage| {
            contained(stage, STAYS, &["--scale", "web=0"]);
            stage.file("Dockerfile", &format!("FROM {IMAGE}\nRUN echo compiling && exit 3\n"));
            let ran = deploy(stage, &["--scale", "web=1"]);
            assert!(ran.status != Some(0), "{ran:?}");
        }),
    ]
}

fn fails(stage: &Stage, command: &str, app_json: &str) {
    contained(stage, STAYS, &["--scale", "web=0"]);
    stage.file("app.json", app_json);
    stage.procfile(&format!("web: {command}\n"));
    let ran = deploy(stage, &["--scale", "web=1"]);
    assert!(ran.status != Some(0), "{ran:?}");
}
