//! `jlist`: one line of JSON. The keys of each `pm2_env` are in the order that scripts expect.

use std::io::{self, Write};

use procfile_exchange::pm2::as_text;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::row::{Row, Status};

/// Prints it.
pub(crate) fn print(rows: &[Row<'_>]) -> io::Result<()> {
    let listed: Vec<Ordered> = rows.iter().map(|row| listed(row, Environment::Whole)).collect();
    let mut line = serde_json::to_vec(&listed)?;
    line.push(b'\n');
    io::stdout().lock().write_all(&line)
}

/// Whether variables are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    Whole,
    /// For those who may not be trusted with it.
    Left,
}

/// An object whose keys keep their order.
#[derive(Clone, Debug)]
pub(crate) struct Ordered(pub(crate) Vec<(String, Element)>);

/// A value in it.
#[derive(Clone, Debug)]
pub(crate) enum Element {
    Plain(Value),
    Object(Ordered),
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, element) in &self.0 {
            match element {
                Element::Plain(value) => map.serialize_entry(key, value)?,
                Element::Object(object) => map.serialize_entry(key, object)?,
            }
        }
        map.end()
    }
}

/// One instance.
pub(crate) fn listed(row: &Row<'_>, environment: Environment) -> Ordered {
    let plain = |value| Element::Plain(value);
    let of = |key: &str, element| (key.to_owned(), element);
    let described = described(row, environment).into_iter();
    let described = Ordered(described.map(|(key, value)| (key, plain(value))).collect());
    Ordered(vec![
        of("pid", plain(row.pid.into())),
        of("name", plain(row.app.name.clone().into())),
        of("pm2_env", Element::Object(described)),
        of("pm_id", plain(row.instance.id.into())),
        of(
            "monit",
            Element::Object(Ordered(vec![
                of("memory", plain(row.memory.into())),
                of("cpu", plain(row.cpu.into())),
            ])),
        ),
    ])
}

/// Its `pm2_env`: the keys of the declaration, then pm2's own.
pub(crate) fn described(row: &Row<'_>, environment: Environment) -> Vec<(String, Value)> {
    let (app, instance) = (row.app, row.instance);
    let mut keys = app.shown.clone();
    if !keys.iter().any(|(key, _)| key == "env") {
        keys.push(("env".to_owned(), Value::Null));
    }
    for (key, value) in &mut keys {
        if key == "env" {
            *value = if environment == Environment::Whole { variables(row, value) } else { json!({}) };
        }
    }
    // A file may say it in short: cluster, fork.
    let mode = if app.is_cluster { "cluster_mode" } else { "fork_mode" };
    match keys.iter_mut().find(|(key, _)| key == "exec_mode") {
        Some((_, said)) => *said = mode.into(),
        None => keys.push(("exec_mode".to_owned(), mode.into())),
    }
    let mut push = |key: &str, value: Value| keys.push((key.to_owned(), value));
    push("pm_exec_path", app.script.display().to_string().into());
    push("pm_out_log_path", app.out_of(instance.id).display().to_string().into());
    push("pm_err_log_path", app.err_of(instance.id).display().to_string().into());
    push("pm_pid_path", app.pid.display().to_string().into());
    push("pm_id", instance.id.into());
    push("restart_time", row.restarts.into());
    push("unstable_restarts", row.unstable.into());
    let is_errored = row.status == Status::Errored;
    push("created_at", if is_errored { Value::Null } else { instance.created_at.into() });
    push("pm_uptime", row.since.into());
    push("status", row.status.as_str().into());
    keys
}

/// Its variables. `declared`: what the declaration says of them, whose numbers are shown as numbers.
fn variables(row: &Row<'_>, declared: &Value) -> Value {
    let mut env = json!(row.app.env);
    for (name, value) in declared.as_object().into_iter().flatten() {
        if row.app.env.get(name) == Some(&as_text(value)) {
            env[name] = value.clone();
        }
    }
    env["pm_cwd"] = row.app.cwd.display().to_string().into();
    if let Some(port) = &row.app.port {
        env["PORT"] = port.clone();
    }
    env
}
