//! process-compose's configuration: each process becomes a process type. Its own variables (`${X}`) are left to the shell that runs
//! the command, and `$$` is a dollar sign.

mod asked;

use std::collections::BTreeSet;

use procfile::EnvFile;

use crate::import::command::{Command, Word, literal};
use crate::import::compose::interpolated;
use crate::import::directory;
use crate::import::error::ImportError;
use crate::import::found::{Found, Instance};
use crate::import::gather::Gathering;
use crate::import::node::Node;
use crate::import::surroundings::ReadFile;
use crate::import::words;
use crate::import::yaml::{self, Octal};

/// The keys of the whole file.
const TOP: &[&str] = &[
    "version",
    "name",
    "processes",
    "environment",
    "env_cmds",
    "vars",
    "shell",
    "log_level",
    "log_location",
    "log_length",
    "log_format",
    "log_configuration",
    "is_strict",
    "is_tui_disabled",
    "ordered_shutdown",
    "disable_env_expansion",
    "extends",
];
/// Those that ask for something that is not done.
const TOP_UNHEEDED: &[&str] =
    &["env_cmds", "vars", "shell", "extends", "log_location", "log_configuration", "disable_env_expansion"];
/// The keys of a process.
const OF_PROCESS: &[&str] = &[
    "command",
    "entrypoint",
    "working_dir",
    "environment",
    "env_file",
    "dotenv",
    "replicas",
    "disabled",
    "availability",
    "shutdown",
    "depends_on",
    "readiness_probe",
    "liveness_probe",
    "description",
    "namespace",
    "log_location",
    "log_configuration",
    "logger",
    "ready_log_line",
    "is_daemon",
    "is_foreground",
    "is_tty",
    "is_elevated",
    "is_interactive",
    "is_template_disabled",
    "is_dotenv_disabled",
    "is_disabled",
    "disable_ansi_colors",
    "launch_timeout_seconds",
    "schedule",
    "vars",
];
/// Those that ask for something that is not done.
const UNHEEDED: &[&str] =
    &["log_location", "logger", "is_daemon", "is_tty", "is_elevated", "ready_log_line", "schedule", "vars"];

/// Reads a configuration.
pub(crate) fn read(
    gathering: &mut Gathering,
    files: Option<ReadFile<'_>>,
    text: &str,
) -> Result<(), ImportError> {
    let no = |why: &str| ImportError::Syntax("configuration of process-compose", why.to_owned());
    let document = yaml::read(text, Octal::Legacy, "configuration of process-compose")?;
    let Some(Node::Map(processes)) = document.get("processes") else {
        return Err(no("it has no processes"));
    };
    let keys = || document.entries().iter().map(|(key, _)| key.as_str());
    let is_own = |key: &&str| !key.starts_with("x-");
    gathering.list_unknown("", keys().filter(is_own), TOP);
    gathering.note_settings("", keys().filter(|key| TOP_UNHEEDED.contains(key)));
    gathering.name = document.get("name").and_then(Node::scalar);
    for (name, value) in variables(gathering, "", document.get("environment")).fixed {
        gathering.set_for_all(&name, &value);
    }
    for (name, process) in processes {
        read_process(gathering, files, name, process);
    }
    Ok(())
}

fn read_process(gathering: &mut Gathering, files: Option<ReadFile<'_>>, name: &str, process: &Node) {
    let keys = || process.entries().iter().map(|(key, _)| key.as_str());
    gathering.list_unknown(&format!("processes.{name}"), keys(), OF_PROCESS);
    let is_asked = |key: &&str| process.get(key).is_some_and(|value| !value.is_empty());
    gathering.note_settings(name, UNHEEDED.iter().copied().filter(is_asked));
    let command = match command(process) {
        Ok(command) => command,
        Err(why) => return gathering.note(name, format_args!("left out: {why}")),
    };
    let mut asked = asked::of(gathering, name, process);
    let is_disabled = process.get("disabled").or_else(|| process.get("is_disabled"));
    let is_disabled = is_disabled.and_then(Node::scalar).is_some_and(|word| word == "true");
    let replicas = process.get("replicas").and_then(Node::scalar);
    let count = if is_disabled { 0 } else { replicas.and_then(|word| word.parse().ok()).unwrap_or(1) };
    if is_disabled {
        asked.count = Some("0".to_owned());
    }
    let mut environment = files.map_or_else(Vec::new, |files| env_files(gathering, files, name, process));
    if files.is_none() && process.get("env_file").is_some() {
        gathering.note_settings(name, ["env_file"]);
    }
    let Variables { fixed, computed } = variables(gathering, name, process.get("environment"));
    let command = match with_computed(command, computed) {
        Ok(command) => command,
        Err(why) => return gathering.note(name, format_args!("left out: {why}")),
    };
    for (key, value) in fixed {
        environment.retain(|(other, _)| *other != key);
        environment.push((key, value));
    }
    let directory = process.get("working_dir").and_then(Node::scalar);
    gathering.add(Found {
        name: name.to_owned(),
        command,
        count,
        environment,
        directory: directory.map(|path| directory::plain(&path)),
        instance: Instance::Alone,
        asked,
    });
}

/// What is run: a line for a shell.
fn command(process: &Node) -> Result<Command, &'static str> {
    let mut given = Vec::new();
    match process.get("entrypoint") {
        Some(Node::List(items)) => {
            for item in items {
                given.push(item.scalar().ok_or("its entrypoint is no list of words")?);
            }
        }
        None | Some(Node::Nothing) => {}
        Some(_) => return Err("its entrypoint is no list of words"),
    }
    if !given.is_empty() {
        let word = |word: &String| interpolated(word).map(words::whole);
        return Ok(Command::Argv(given.iter().map(word).collect::<Result<_, _>>()?));
    }
    let text = process.get("command").and_then(Node::scalar).ok_or("it has no command")?;
    if text.contains("{{") {
        return Err("its command has a template that only process-compose can fill in");
    }
    Ok(Command::Script(joined(&text.replace("$$", "$"))))
}

/// A command of several lines as one, if each line is a simple command.
fn joined(text: &str) -> String {
    let text = text.trim().replace("\\\n", " ");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_plain = lines.iter().copied().all(procfile::is_simple_command);
    if is_plain { lines.join("; ") } else { text }
}

/// The variables of a process.
#[derive(Default)]
struct Variables {
    /// Those whose value the file gives.
    fixed: Vec<(String, String)>,
    /// Those whose value holds other variables, as words for `export`.
    computed: Vec<Word>,
}

/// The command with these variables set before it.
fn with_computed(command: Command, variables: Vec<Word>) -> Result<Command, &'static str> {
    if variables.is_empty() {
        return Ok(command);
    }
    let before = |program: &str| [vec![literal(program)], variables].concat();
    Ok(match command {
        Command::Argv(words) => Command::Argv([before("env"), words].concat()),
        Command::Script(script) => {
            Command::Script(format!("{}; {script}", Command::Argv(before("export")).line()?))
        }
    })
}

/// The variables of a list of `NAME=value`, or of a map. A value that holds other variables is computed before the command of a process
/// that is applied, and left out with a note elsewhere.
fn variables(gathering: &mut Gathering, name: &str, node: Option<&Node>) -> Variables {
    let pairs: Vec<(String, Option<String>)> = match node {
        Some(Node::List(items)) => {
            let pair = |item: String| match item.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (item, None),
            };
            items.iter().filter_map(Node::scalar).map(pair).collect()
        }
        Some(map) => map.entries().iter().map(|(key, value)| (key.clone(), value.scalar())).collect(),
        None => Vec::new(),
    };
    let can_compute = gathering.is_whole() && !name.is_empty();
    let (mut said, mut variables) = (BTreeSet::new(), Variables::default());
    for (key, value) in pairs {
        let filled = value.as_ref().map(|value| value.replace("$$", "\u{0}"));
        if let Some(value) = filled.filter(|value| !value.contains('$')) {
            variables.fixed.retain(|(other, _)| *other != key);
            variables.fixed.push((key, value.replace('\u{0}', "$")));
        } else if let Some(atoms) = value.filter(|_| can_compute).and_then(|value| interpolated(&value).ok())
        {
            variables.computed.push(words::whole([words::plain(&format!("{key}=")), atoms].concat()));
        } else if said.insert(key.clone()) {
            gathering.note(name, format_args!("variable {key} is left out: process-compose fills it in"));
        }
    }
    variables
}

/// The variables of the env file that a process names.
fn env_files(
    gathering: &mut Gathering,
    files: ReadFile<'_>,
    name: &str,
    process: &Node,
) -> Vec<(String, String)> {
    let Some(path) = process.get("env_file").and_then(Node::scalar) else { return Vec::new() };
    let read = files(&path).and_then(|bytes| EnvFile::parse(&bytes).map_err(|why| why.to_string()));
    match read {
        Ok(file) => file.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        Err(why) => {
            gathering.note(name, format_args!("env_file {path} is left out: {why}"));
            Vec::new()
        }
    }
}
