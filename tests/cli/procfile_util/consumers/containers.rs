//! The formats of containers, and launchd's, whose own programs no Linux has: what an independent reader of each finds is
//! started as its manual says.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use yaml_rust2::{Yaml, YamlLoader};

use super::cage::{self, Cage};
use super::stage::{self, Habits, Stage, quoted};
use super::{RUNIT, app};

pub(crate) const COMPOSE: Habits = Habits {
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
        skipped::skip("no engine, or no image formation-test/busybox:latest");
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
    let plugins = ["/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins"];
    for compose in cage::versions("docker-compose", &plugins) {
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

pub(crate) const QUADLET: Habits = Habits { format: "quadlet", ps: Some('.'), ..COMPOSE };

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
    for quadlet in cage::versions("quadlet", &["/usr/libexec/podman", "/usr/lib/podman"]) {
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
            "cp -r {}/. /; mkdir -p /run/systemd/system; rm -f /usr/bin/podman; ln -s {} /usr/bin/podman
{} --no-kmsg-log /run/systemd/generator || exit 1
cp -r /run/systemd/generator/. /etc/systemd/system",
            quoted(&stage.text("o")),
            quoted(&stage.text("bin/podman")),
            quoted(&stage.text("bin/quadlet"))
        );
        let cage = Cage::boot(&stage.path("."), &script);
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

pub(crate) const KUBERNETES: Habits = Habits { format: "kubernetes", ..COMPOSE };

/// No kubelet runs here: its manual says what it makes of arguments and variables. Whether a Deployment is what the API
/// takes, `kubernetes-validate` says.
#[test]
fn kubernetes_is_told_what_was_meant() {
    if !cage::has("busybox") {
        return;
    }
    let validate = cage::program("kubernetes-validate");
    let stage = Stage::new(&KUBERNETES, app::types());
    stage.export(&[]);
    let expected = stage.expected();
    let mut seen = Vec::new();
    for (name, count) in &stage.counts {
        // Names are DNS labels there; PS keeps that of the Procfile.
        let label = name.to_lowercase().replace('_', "-");
        let file = stage.path(&format!("o/kubernetes/app-{}.yaml", label.trim_matches('-')));
        let text = fs::read_to_string(&file).expect("a Deployment");
        let documents = YamlLoader::load_from_str(&text).expect("a document of YAML");
        let spec = &documents[0]["spec"];
        assert_eq!(spec["replicas"].as_i64(), i64::try_from(*count).ok(), "{text}");
        for _ in 0..*count {
            start_as_a_kubelet_would(&stage, &spec["template"]["spec"]["containers"][0]);
            seen.extend(stage.collect(1));
        }
        if let Some(validate) = &validate {
            let done = Command::new(validate).arg("--strict").arg(&file).output().expect("it runs");
            let said = String::from_utf8_lossy(&done.stdout).into_owned();
            assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
        }
    }
    stage.compare("kubernetes", &expected, seen);
}

fn start_as_a_kubelet_would(stage: &Stage, container: &Yaml) {
    let texts = |list: &Yaml| -> Vec<String> {
        list.as_vec().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
    };
    let mut variables = BTreeMap::new();
    for variable in container["env"].as_vec().expect("variables") {
        let (name, value) = (variable["name"].as_str(), variable["value"].as_str());
        let value = expanded(value.expect("a value"), &variables);
        variables.insert(name.expect("a name").to_owned(), value);
    }
    let words = [texts(&container["command"]), texts(&container["args"])].concat();
    let words: Vec<String> = words.iter().map(|word| expanded(word, &variables)).collect();
    let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    start(stage, &words, variables, container["workingDir"].as_str());
}

/// `$(NAME)` is a variable where there is one, `$$` is `$`, and any other `$` stays.
fn expanded(text: &str, variables: &BTreeMap<String, String>) -> String {
    let (mut result, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once('$') {
        result.push_str(before);
        let reference = behind.strip_prefix('(').and_then(|behind| behind.split_once(')'));
        let found = reference.and_then(|(name, behind)| Some((variables.get(name)?.as_str(), behind)));
        let (value, behind) = found.unwrap_or(("$", behind.strip_prefix('$').unwrap_or(behind)));
        result.push_str(value);
        rest = behind;
    }
    result + rest
}

pub(crate) const LAUNCHD: Habits =
    Habits { format: "launchd", ps: Some('.'), shell: &["/bin/sh", "-c"], adds: &[], ..COMPOSE };

/// Prints the directory, the arguments with a word `--` behind them, and the variables of a property list.
const PROPERTIES: &str = "import plistlib, sys
d = plistlib.load(open(sys.argv[1], 'rb'))
words = [d['WorkingDirectory'], *d['ProgramArguments'], '--', *(k + '=' + v for k, v in d['EnvironmentVariables'].items())]
sys.stdout.buffer.write(b''.join(word.encode() + b'\\0' for word in words))";

/// Apple's property list, through libplist where it is installed, and Python's reader.
#[test]
fn launchd_is_told_what_was_meant() {
    let Some(python) = cage::program("python3") else { return };
    let plistutil = cage::program("plistutil");
    let stage = Stage::new(&LAUNCHD, app::types());
    stage.export(&[]);
    let expected = stage.expected();
    let mut seen = Vec::new();
    for entry in fs::read_dir(stage.path("o/Library/LaunchDaemons")).expect("the daemons") {
        let mut file = entry.expect("an entry").path();
        if let Some(plistutil) = &plistutil {
            let binary = stage.path("binary.plist");
            let done = Command::new(plistutil).arg("-i").arg(&file).arg("-o").arg(&binary).output();
            assert!(done.is_ok_and(|done| done.status.success()), "plistutil: {}", file.display());
            file = binary;
        }
        let read = Command::new(&python).args(["-c", PROPERTIES]).arg(&file).output().expect("python runs");
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let text = String::from_utf8(read.stdout).expect("UTF-8");
        let words: Vec<&str> = text.split_terminator('\0').collect();
        let end = words.iter().position(|word| *word == "--").expect("the end of the arguments");
        let variables = words[end + 1..].iter().filter_map(|pair| pair.split_once('='));
        start(&stage, &words[1..end], variables, Some(words[0]));
        seen.extend(stage.collect(1));
    }
    stage.compare("launchd", &expected, seen);
}
