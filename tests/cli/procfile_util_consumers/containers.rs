//! The formats of containers, and launchd's, whose own programs no Linux has: what an independent reader of each finds is
//! started as its manual says.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cage::{self, Cage};
use crate::stage::{self, Habits, Stage, quoted, say};
use crate::{RUNIT, app};

const COMPOSE: Habits = Habits {
    format: "compose",
    shell: &["busybox", "sh", "-c"],
    refuses: &[],
    adds: &["HOSTNAME"],
    ps: None,
    nice: None,
    has_user: false,
    ..RUNIT
};

/// Containers of one project, which end with it.
struct Project {
    compose: PathBuf,
    arguments: Vec<String>,
}

impl Project {
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(&self.compose);
        command.args(&self.arguments).args(arguments).stdin(Stdio::null());
        let done = command.output().expect("compose runs");
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.run(&["down", "--timeout", "0"]);
    }
}

fn engine_answers() -> bool {
    let asked = Command::new("docker").args(["image", "inspect", "formation-test/busybox:latest"]).output();
    let answers = asked.is_ok_and(|asked| asked.status.success());
    if !answers {
        say("skipped: no engine, or no image formation-test/busybox:latest");
    }
    answers
}

/// The stage's folders in every container, where they are here.
fn volumes(stage: &Stage) -> String {
    let root = stage.path("").canonicalize().expect("the stage is there").display().to_string();
    let services =
        stage.types.keys().map(|name| (*name, serde_json::json!({"volumes": [format!("{root}:{root}")]})));
    serde_json::json!({"services": services.collect::<BTreeMap<_, _>>()}).to_string()
}

#[test]
fn compose_starts_what_was_meant() {
    if !engine_answers() || !cage::has("busybox") {
        return;
    }
    let all = ["docker-compose", "docker-compose-v2", "docker-compose-v1"];
    for compose in all.into_iter().filter_map(cage::program) {
        let stage = Stage::new(&COMPOSE, app::types());
        stage.export(&[]);
        let expected = stage.expected();
        stage::put(&stage.path("volumes.json"), volumes(&stage).as_bytes(), 0o644);
        let project = format!("procfile-consumers-{}", std::process::id());
        let files = [stage.text("o/compose.yaml"), stage.text("volumes.json")];
        // Compose 1 heeds the number of replicas only so; to Compose 2 it means little.
        let arguments =
            ["--compatibility", "--project-name", &project, "--file", &files[0], "--file", &files[1]];
        let project = Project { compose: compose.clone(), arguments: arguments.map(str::to_owned).into() };
        let (started, said) = project.run(&["up", "--detach"]);
        assert!(started, "{said}");
        stage.compare(&compose.display().to_string(), &expected, stage.collect(expected.len()));
    }
}

const QUADLET: Habits = Habits { format: "quadlet", ps: Some('.'), ..COMPOSE };

/// A stand-in for podman, which writes down its words: the containers are started with them below.
const PODMAN: &str = r#"#!/bin/sh
[ "$1" = run ] || exit 0
out=$(mktemp FOLDER/words.XXXXXX) && printf '%s\0' "$@" >"$out" && mv "$out" "$out.done"
systemd-notify --ready
exec sleep 600
"#;

/// Podman's own generator makes services of the units, systemd reads those, and what it would run is run.
#[test]
fn podman_is_told_what_was_meant() {
    if !cage::can_be_built() || !cage::has("systemctl") || !cage::has("busybox") {
        return;
    }
    let known = ["quadlet", "quadlet-v4.4.1", "quadlet-v4.9.5", "quadlet-v5.0.0", "quadlet-v5.3.1"];
    let known = known.into_iter().filter_map(cage::program);
    let installed = ["/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet"].map(PathBuf::from);
    for quadlet in known.chain(installed.into_iter().filter(|quadlet| quadlet.exists())) {
        let stage = Stage::new(&QUADLET, app::types());
        stage.export(&["--image", "localhost/formation-test/busybox:latest"]);
        let expected = stage.expected();
        stage::put(
            &stage.path("bin/podman"),
            PODMAN.replace("FOLDER", &quoted(&stage.text("bin"))).as_bytes(),
            0o755,
        );
        fs::copy(&quadlet, stage.path("bin/quadlet")).expect("the generator");
        let script = format!(
            "{}cp -r {}/. /; mkdir -p /run/systemd/system; rm -f /usr/bin/podman; ln -s {} /usr/bin/podman
{} --no-kmsg-log /run/systemd/generator || exit 1
cp -r /run/systemd/generator/. /etc/systemd/system; {}",
            crate::BOOT,
            quoted(&stage.text("o")),
            quoted(&stage.text("bin/podman")),
            quoted(&stage.text("bin/quadlet")),
            crate::INIT
        );
        let cage = Cage::run(&stage, &script);
        let words = stage.eventually(expected.len(), || podman_words(&stage));
        drop(cage);
        for words in words {
            start_as_podman_would(&stage, &words);
        }
        stage.compare(&quadlet.display().to_string(), &expected, stage.collect(expected.len()));
    }
}

fn podman_words(stage: &Stage) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(stage.path("bin")).expect("podman's folder").flatten() {
        if entry.path().extension().is_some_and(|end| end == "done") {
            let words = fs::read_to_string(entry.path()).expect("podman's words");
            found.push(words.split_terminator('\0').map(str::to_owned).collect());
            fs::remove_file(entry.path()).expect("they have been read");
        }
    }
    found
}

/// `podman run [OPTION…] IMAGE [ARGUMENT…]`, with the options that quadlet gives.
fn start_as_podman_would(stage: &Stage, words: &[String]) {
    let mut words = words.iter().skip(1).map(String::as_str);
    let (mut entrypoint, mut directory, mut variables) = (None, None, Vec::new());
    let image = loop {
        let word = words.next().expect("an image behind the options");
        let (option, mut value) =
            word.split_once('=').map_or((word, None), |(option, value)| (option, Some(value)));
        match option {
            "-d" | "--replace" | "--rm" => {}
            "--name" | "--cidfile" | "--cgroups" | "--sdnotify" | "--stop-timeout" | "--log-driver"
            | "--runtime" | "--entrypoint" | "--workdir" | "--env" | "-e" => {
                value = value.or_else(|| words.next());
                match option {
                    "--entrypoint" => entrypoint = value,
                    "--workdir" => directory = value,
                    "--env" | "-e" => variables.extend(value.and_then(|value| value.split_once('='))),
                    _ => {}
                }
            }
            option => {
                assert!(!option.starts_with('-'), "an option that was not meant: {option}");
                break word;
            }
        }
    };
    assert_eq!(image, "localhost/formation-test/busybox:latest");
    start(
        stage,
        &[entrypoint.expect("an entry point")].into_iter().chain(words).collect::<Vec<_>>(),
        variables,
        directory,
    );
}

/// Starts what a reader found, in busybox's own shell where it is one's.
fn start<'a>(
    stage: &Stage,
    words: &[&str],
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    directory: Option<&str>,
) {
    assert_eq!(words[..2], ["/bin/sh", "-c"]);
    assert_eq!(words.len(), 3, "{words:?}");
    let mut command = Command::new(stage.habits.shell[0]);
    command.args(&stage.habits.shell[1..]).arg(words[2]).env_clear().envs(variables);
    command.current_dir(directory.expect("a directory")).stdin(Stdio::null());
    stage.start_briefly(&mut command);
}
