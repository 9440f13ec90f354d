//! The processes that `pm2 save` wrote (`dump.pm2`) or that `pm2 jlist` prints: a list with an entry for each process that ran, with
//! its whole environment. That environment contains the variables of the login session in which pm2 was started, and variables
//! of pm2 itself. Neither belong to the app, so both are left out.

use std::collections::BTreeSet;

use procfile::is_simple_command;

use crate::import::command::{Command, Word};
use crate::import::found::{Asked, Found, Instance};
use crate::import::gather::Gathering;
use crate::import::node::Node;
use crate::import::pm2_setting::{arguments, note_cluster, stem};
use crate::import::{directory, words};

/// Settings that change how a process runs. Everything else in an entry is what pm2 recorded about the process.
const SETTINGS: &[&str] = &[
    "cron_restart",
    "exp_backoff_restart_delay",
    "gid",
    "ignore_watch",
    "kill_timeout",
    "listen_timeout",
    "max_memory_restart",
    "max_restarts",
    "min_uptime",
    "restart_delay",
    "shutdown_with_message",
    "stop_exit_codes",
    "uid",
    "wait_ready",
    "watch",
    "watch_delay",
];

/// Variables of pm2, besides those whose names begin as below.
const OF_PM2: &[&str] = &[
    "args",
    "automation",
    "autorestart",
    "created_at",
    "env",
    "exec_interpreter",
    "exec_mode",
    "exit_code",
    "filter_env",
    "instance_var",
    "instances",
    "kill_retry_time",
    "km_link",
    "merge_logs",
    "name",
    "namespace",
    "node_args",
    "node_version",
    "pmx",
    "prev_restart_delay",
    "restart_time",
    "status",
    "treekill",
    "unique_id",
    "unstable_restarts",
    "username",
    "version",
    "versioning",
    "vizion",
    "vizion_running",
    "watch",
    "windowsHide",
    "NODE_APP_INSTANCE",
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
];
const BEGINNINGS_OF_PM2: &[&str] = &["PM2_", "pm_", "axm_"];

/// Variables of a login session, of systemd, and of npm when it starts a program.
const OF_THE_SESSION: &[&str] = &[
    "_",
    "COLOR",
    "COLORTERM",
    "DISPLAY",
    "EDITOR",
    "HISTCONTROL",
    "HISTFILE",
    "HISTSIZE",
    "HOME",
    "HOSTNAME",
    "INIT_CWD",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LESSCLOSE",
    "LESSOPEN",
    "LOGNAME",
    "LS_COLORS",
    "MAIL",
    "MOTD_SHOWN",
    "NODE",
    "OLDPWD",
    "PAGER",
    "PATH",
    "PROMPT_COMMAND",
    "PS1",
    "PWD",
    "SHELL",
    "SHLVL",
    "STY",
    "SYSTEMD_EXEC_PID",
    "TERM",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "USER",
    "USERNAME",
    "VISUAL",
    "WINDOW",
    "WINDOWID",
    "XAUTHORITY",
    "which_declare",
];
const BEGINNINGS_OF_THE_SESSION: &[&str] =
    &["BASH_FUNC_", "DBUS_", "GPG_", "NVM_", "SSH_", "SUDO_", "TMUX", "VSCODE_", "WSL", "XDG_", "npm_"];

/// Whether an entry of a list is a process that ran, rather than the declaration of an app.
pub(crate) fn is_process(entry: &Node) -> bool {
    entry.get("pm2_env").unwrap_or(entry).get("pm_exec_path").is_some()
}

/// Reads processes; those of one name and command are counted together.
pub(crate) fn read(gathering: &mut Gathering, entries: &[Node]) {
    let mut named = BTreeSet::new();
    let mut session = BTreeSet::new();
    for entry in entries {
        let process = entry.get("pm2_env").unwrap_or(entry);
        let Some(path) = text(process, "pm_exec_path") else {
            gathering.note(&text(process, "name").unwrap_or_default(), "left out: it is no process");
            continue;
        };
        let name = text(process, "name").or_else(|| text(entry, "name"));
        let name = name.unwrap_or_else(|| stem(&path).to_owned());
        let is_first = named.insert(name.clone());
        read_process(gathering, &name, &path, process, is_first, &mut session);
    }
    if !session.is_empty() {
        let names: Vec<&str> = session.iter().map(String::as_str).collect();
        gathering.note("", format_args!("variables of the session in which pm2 ran: {}", names.join(", ")));
    }
}

fn read_process(
    gathering: &mut Gathering,
    name: &str,
    path: &str,
    process: &Node,
    is_first: bool,
    session: &mut BTreeSet<String>,
) {
    if process.get("pmx_module").is_some_and(|module| !module.is_empty()) {
        return gathering.note(name, "left out: it is a module of pm2");
    }
    let start = text(process, "pm_cwd").or_else(|| text(process.get("env")?, "pm_cwd"));
    let command = match command(process, path, start.as_deref()) {
        Ok(command) => command,
        Err(why) => return gathering.note(name, format_args!("left out: {why}")),
    };
    if is_first {
        note_settings(gathering, name, process);
    }
    let is_stopped = text(process, "status").is_some_and(|status| status == "stopped");
    if is_stopped {
        gathering.note(name, "an instance that was stopped is not counted");
    }
    gathering.add(Found {
        name: name.to_owned(),
        command,
        count: u64::from(!is_stopped),
        environment: environment(process, session),
        directory: start.map(|path| directory::plain(&path)),
        instance: Instance::OneOf,
        asked: Asked::default(),
    });
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::scalar).filter(|text| !text.is_empty())
}

fn command(process: &Node, path: &str, start: Option<&str>) -> Result<Command, &'static str> {
    let args = arguments(process.get("args"))?;
    let interpreter = text(process, "exec_interpreter").filter(|interpreter| interpreter != "none");
    if interpreter.is_none()
        && let Some(script) = line_for_a_shell(path, &args)
    {
        return Ok(Command::Script(script));
    }
    let mut argv: Vec<Word> = Vec::new();
    let script = below(path, start);
    match interpreter {
        Some(interpreter) => {
            argv.push(words::whole(words::plain(&interpreter)));
            argv.extend(arguments(process.get("node_args"))?);
            argv.push(words::whole(words::plain(&script)));
        }
        None if script.contains('/') => argv.push(words::whole(words::plain(&script))),
        None => argv.push(words::whole(words::plain(&format!("./{script}")))),
    }
    argv.extend(args);
    Ok(Command::Argv(argv))
}

/// The script of a process that pm2 runs as `bash -c`, as it does for `pm2 start "bin/serve -p 1"`. Only a simple command is taken,
/// because it means the same to any shell.
fn line_for_a_shell(path: &str, args: &[Word]) -> Option<String> {
    let is_bash = path == "bash" || path.ends_with("/bash");
    let text = |word: &Word| words::literal(word).map(str::to_owned);
    let [flag, script] = args else { return None };
    let (flag, script) = (text(flag)?, text(script)?);
    (is_bash && flag == "-c" && is_simple_command(&script)).then_some(script)
}

/// A path as it is seen from the directory that the process starts in.
fn below(path: &str, start: Option<&str>) -> String {
    let start = start.map(|start| start.trim_end_matches('/')).filter(|start| !start.is_empty());
    let rest = start.and_then(|start| path.strip_prefix(start)?.strip_prefix('/'));
    rest.filter(|rest| !rest.is_empty() && !rest.starts_with('-')).unwrap_or(path).to_owned()
}

/// The variables that are the app's. The names of those that are the login session's are added to `session`.
fn environment(process: &Node, session: &mut BTreeSet<String>) -> Vec<(String, String)> {
    let begins = |name: &str, with: &[&str]| with.iter().any(|start| name.starts_with(start));
    let own_number = text(process, "instance_var");
    let mut variables = Vec::new();
    for (name, value) in process.get("env").map(Node::entries).unwrap_or_default() {
        // pm2 has a variable for each app, named like the app, which holds settings of pm2.
        let Some(value) = value.scalar().filter(|value| value != "{}" && value != "[object Object]") else {
            continue;
        };
        if OF_PM2.contains(&name.as_str())
            || begins(name, BEGINNINGS_OF_PM2)
            || own_number.as_ref() == Some(name)
        {
            continue;
        }
        if OF_THE_SESSION.contains(&name.as_str()) || begins(name, BEGINNINGS_OF_THE_SESSION) {
            session.insert(name.clone());
            continue;
        }
        variables.retain(|(other, _)| other != name);
        variables.push((name.clone(), value));
    }
    variables
}

fn note_settings(gathering: &mut Gathering, name: &str, process: &Node) {
    let is_set = |key: &&str| process.get(key).is_some_and(|value| !value.is_empty());
    let mut settings: Vec<&str> = SETTINGS.iter().copied().filter(is_set).collect();
    if process.get("autorestart") == Some(&Node::Truth(false)) {
        settings.push("autorestart");
    }
    note_cluster(gathering, name, process);
    gathering.note_settings(name, settings);
}
