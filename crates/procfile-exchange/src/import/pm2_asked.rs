//! Translates the settings of a pm2 app, other than its script, into keys of app.json.

use crate::import::error::ImportError;
use crate::import::found::Asked;
use crate::import::gather::Gathering;
use crate::import::node::Node;
use crate::import::pm2_values::declaration;
use crate::pm2::{self, Declaration, KILL_TIMEOUT};

/// Keys that become settings, or that have a place in a Procfile.
const HAS_A_PLACE: &[&str] = &[
    "name",
    "script",
    "exec",
    "args",
    "instances",
    "exec_mode",
    "exec_interpreter",
    "interpreter",
    "node_args",
    "interpreter_args",
    "cwd",
    "env",
    "port",
    "min_uptime",
    "max_restarts",
    "max_memory_restart",
    "autorestart",
    "restart_delay",
    "cron_restart",
    "exp_backoff_restart_delay",
    "stop_exit_codes",
    "kill_timeout",
    "listen_timeout",
    "watch",
    "ignore_watch",
    "watch_delay",
    "treekill",
    "uid",
    "user",
    "gid",
];

/// What has a place only where the instances share their ports.
const OF_SHARED: &[&str] = &["wait_ready", "shutdown_with_message"];

/// Reads what one app asks for, where that has a place. `is_shared`: its instances share their ports.
///
/// # Errors
/// A value makes no sense.
pub(crate) fn of(
    gathering: &mut Gathering,
    name: &str,
    app: &Node,
    is_shared: bool,
) -> Result<Asked, ImportError> {
    let Node::Map(entries) = app else { return Ok(Asked::default()) };
    let declared = declaration(entries);
    for (key, meant) in declared.unknown() {
        gathering.list(&format!("{name}.{key}"), meant);
    }
    note_rest(gathering, name, &declared, is_shared);
    if pm2::loses_seconds(&declared) {
        gathering.note(
            name,
            "cron_restart: its seconds have no effect, the type is restarted once in each minute that fits",
        );
    }
    for difference in pm2::differences(&declared) {
        gathering.note(name, difference);
    }
    note_other_environments(gathering, name, &declared);
    asked(&declared).map_err(|why| ImportError::Syntax("process file of pm2", format!("{name}: {why}")))
}

fn asked(declared: &Declaration) -> Result<Asked, pm2::InvalidValue> {
    let count = declared.get("instances").map(pm2::as_text);
    // In a file, no instance at all means as many as there are CPUs.
    let count = count.map(|word| if word == "0" { "max".to_owned() } else { word });
    let mut asked = Asked { count, settings: pm2::settings(declared)?, ..Asked::default() };
    let pattern = declared.text("cron_restart")?;
    asked.restarts = pattern.map(|pattern| pm2::schedule(&pattern)).transpose().map_err(|_| {
        pm2::InvalidValue::new("cron_restart", "the five or six fields of a schedule are wanted")
    })?;
    asked.set("ready", "alive");
    let kill = declared.number("kill_timeout")?.unwrap_or(KILL_TIMEOUT);
    asked.set("stop_timeout_seconds", kill.div_ceil(1000));
    for (theirs, ours) in [("uid", "user"), ("gid", "group")] {
        if let Some(value) = declared.text(theirs)? {
            asked.set(ours, value);
        }
    }
    if let Some(port) = declared.get("port") {
        let text = pm2::as_text(port);
        asked.set("port", text.trim().parse::<u16>().map_or_else(|_| port.clone(), Into::into));
    }
    Ok(asked)
}

/// What `--env` of pm2 chooses is often what matters: `env` alone is the development there.
fn note_other_environments(gathering: &mut Gathering, name: &str, declared: &Declaration) {
    let others = declared.0.iter().filter_map(|(key, _)| key.strip_prefix("env_"));
    let others: Vec<&str> = others.filter(|other| !other.is_empty()).collect();
    if let [first, ..] = others[..] {
        gathering.note(
            name,
            format_args!(
                "only the variables of env are taken, none of {}: move what is needed into env, or use ps-pm2 start FILE --env {first}",
                others.iter().map(|other| format!("env_{other}")).collect::<Vec<_>>().join(", ")
            ),
        );
    }
}

fn note_rest(gathering: &mut Gathering, name: &str, declared: &Declaration, is_shared: bool) {
    let unknown: Vec<&str> = declared.unknown().into_iter().map(|(key, _)| key).collect();
    let is_empty = |value: &serde_json::Value| {
        value.is_null() || *value == serde_json::json!(false) || *value == serde_json::json!("")
    };
    let rest = declared.0.iter().filter(|(key, value)| {
        let snake = pm2::snake(key);
        let has_a_place =
            HAS_A_PLACE.contains(&snake.as_str()) || (is_shared && OF_SHARED.contains(&snake.as_str()));
        !is_empty(value) && !has_a_place && !unknown.contains(&key.as_str()) && !key.starts_with("env_")
    });
    gathering.note_settings(name, rest.map(|(key, _)| key.as_str()));
}
