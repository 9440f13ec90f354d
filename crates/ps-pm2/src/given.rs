//! What the options of the command line say of an app that `start` is to make.

use std::path::Path;

use anyhow::{Context, Result};
use procfile_exchange::pm2::Declaration;

use crate::args::Args;
use crate::command::Command;
use crate::declared::basename;
use crate::interpreter;
use crate::session::Session;

/// The mode in which a program runs as it is.
const FORK: &str = "fork_mode";

/// The declaration that the options of the command line make of a script. `command`: what was given in one word, if it was.
pub(crate) fn declaration(
    session: &Session,
    script: &Path,
    command: Option<&Command>,
) -> Result<Declaration> {
    let args = &session.args;
    let mut declared = Declaration::default();
    let usual = basename(script);
    let usual = command.map_or_else(|| usual.strip_suffix(".js").unwrap_or(&usual), Command::name);
    declared.set("script", text(script)?.into());
    declared.set("name", usual.into());
    set_surroundings(args, &mut declared)?;
    let is_fork = args.execute_command || !interpreter::is_cluster(script) || interpreter::is_on_path(script);
    declared.set("exec_mode", if is_fork { FORK } else { "cluster_mode" }.into());
    let shown = args.interpreter.as_deref().unwrap_or_else(|| interpreter::shown(script));
    declared.set("exec_interpreter", shown.into());
    set_words(args, command, &mut declared)?;
    set_settings(args, &mut declared);
    complete(session, &mut declared);
    Ok(declared)
}

/// What the options of the command line say about an app that is known, or that a file declares, and nothing else.
pub(crate) fn said(args: &Args) -> Result<Declaration> {
    let mut declared = Declaration::default();
    set_surroundings(args, &mut declared)?;
    if args.execute_command {
        declared.set("exec_mode", FORK.into());
    }
    if let Some(interpreter) = &args.interpreter {
        declared.set("exec_interpreter", interpreter.as_str().into());
    }
    set_words(args, None, &mut declared)?;
    set_settings(args, &mut declared);
    Ok(declared)
}

/// Adds what the keys are that nothing is said of.
pub(crate) fn complete(session: &Session, declared: &mut Declaration) {
    for (key, value) in &session.args.usual {
        if declared.get(key).is_none() {
            declared.set(key, value.clone());
        }
    }
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("{} is no UTF-8", path.display()))
}

/// The name, the count, the files and the schedule.
fn set_surroundings(args: &Args, declared: &mut Declaration) -> Result<()> {
    if let Some(name) = args.name.as_deref().filter(|name| !name.is_empty()) {
        declared.set("name", name.into());
    }
    if let Some(instances) = &args.instances {
        declared.set("instances", instances.as_str().into());
    }
    for (key, path) in [("error_file", &args.error), ("out_file", &args.output), ("pid_file", &args.pid)] {
        if let Some(path) = path {
            declared.set(key, text(path)?.into());
        }
    }
    if let Some(pattern) = &args.cron {
        declared.set("cron_restart", pattern.as_str().into());
    }
    Ok(())
}

/// The arguments of the app, and where it runs.
fn set_words(args: &Args, command: Option<&Command>, declared: &mut Declaration) -> Result<()> {
    let words: Vec<&String> = command.into_iter().flat_map(Command::arguments).chain(&args.of_app).collect();
    if !words.is_empty() {
        declared.set("args", serde_json::to_string(&words)?.into());
    } else if let Some(words) = &args.args {
        declared.set("args", words.as_str().into());
    }
    if let Some(cwd) = &args.cwd {
        declared.set("cwd", text(cwd)?.into());
    }
    Ok(())
}

/// The options that are keys of a declaration with the value as it was given.
fn set_settings(args: &Args, declared: &mut Declaration) {
    let texts = [
        ("node_args", &args.node_args),
        ("max_memory_restart", &args.max_memory_restart),
        ("max_restarts", &args.max_restarts),
        ("min_uptime", &args.min_uptime),
        ("restart_delay", &args.restart_delay),
        ("exp_backoff_restart_delay", &args.exp_backoff_restart_delay),
        ("kill_timeout", &args.kill_timeout),
        ("listen_timeout", &args.listen_timeout),
        ("uid", &args.uid),
        ("gid", &args.gid),
        ("namespace", &args.namespace),
        ("log_file", &args.log),
        ("log_date_format", &args.log_date_format),
        ("log_type", &args.log_type),
        ("watch_delay", &args.watch_delay),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            declared.set(key, value.as_str().into());
        }
    }
    if let Some(statuses) = &args.stop_exit_codes {
        declared.set("stop_exit_codes", statuses.split(',').map(str::trim).collect::<Vec<_>>().into());
    }
    if !args.ignore_watch.is_empty() {
        declared.set("ignore_watch", args.ignore_watch.clone().into());
    }
    let flags = [
        ("autorestart", args.no_autorestart, false),
        ("autostart", args.no_autostart, false),
        ("treekill", args.no_treekill, false),
        ("disable_logs", args.disable_logs, true),
        ("merge_logs", args.merge_logs, true),
        ("wait_ready", args.wait_ready, true),
        ("shutdown_with_message", args.shutdown_with_message, true),
        ("watch", args.watch, true),
        ("time", args.time, true),
    ];
    for (key, is_given, value) in flags {
        if is_given {
            declared.set(key, value.into());
        }
    }
}
