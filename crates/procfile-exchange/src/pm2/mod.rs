//! One app of a pm2 process file: its keys in their order, in the old or the present spelling of pm2, with numbers also
//! as strings; and the translation of its settings into keys of app.json.

mod settings;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::near::nearest;

pub use settings::{KILL_TIMEOUT, differences, loses_seconds, schedule, settings};

/// Each key that is understood, with its other names. camelCase is understood of each.
const KEYS: &[(&str, &[&str])] = &[
    ("name", &[]),
    ("script", &["exec", "pm_exec_path"]),
    ("args", &[]),
    ("instances", &[]),
    ("exec_mode", &[]),
    ("exec_interpreter", &["interpreter"]),
    ("node_args", &["interpreter_args"]),
    ("cwd", &["pm_cwd"]),
    ("env", &[]),
    ("port", &[]),
    ("out_file", &["out", "output", "out_log", "pm_out_log_path"]),
    ("error_file", &["err", "error", "err_file", "err_log", "pm_err_log_path"]),
    ("pid_file", &["pid", "pm_pid_path"]),
    ("merge_logs", &["combine_logs"]),
    ("cron_restart", &["cron"]),
    ("min_uptime", &[]),
    ("max_restarts", &[]),
    ("max_memory_restart", &[]),
    ("autorestart", &[]),
    ("autostart", &[]),
    ("restart_delay", &[]),
    ("exp_backoff_restart_delay", &[]),
    ("stop_exit_codes", &[]),
    ("kill_timeout", &[]),
    ("wait_ready", &[]),
    ("shutdown_with_message", &[]),
    ("listen_timeout", &[]),
    ("watch", &[]),
    ("ignore_watch", &[]),
    ("watch_delay", &[]),
    ("treekill", &[]),
    ("log_date_format", &[]),
    ("time", &[]),
    ("uid", &["user"]),
    ("gid", &[]),
    ("force", &[]),
    ("disable_logs", &[]),
    ("instance_var", &[]),
];
/// Keys of pm2 that ask for something that is not done here.
const NOT_DONE: &[&str] =
    &["append_env_to_name", "log", "log_file", "log_type", "watch_options", "increment_var", "filter_env"];
/// Keys whose meaning is pm2's own and changes nothing here, and those that a dump has beside a declaration.
const WITHOUT_EFFECT: &[&str] = &[
    "namespace",
    "version",
    "vizion",
    "post_update",
    "pmx",
    "automation",
    "source_map_support",
    "axm_options",
    "axm_dynamic",
    "vizion_running",
    "km_link",
    "node_version",
    "username",
    "windows_hide",
    "deep_monitoring",
    "disable_source_map_support",
    "disable_trace",
    "event_loop_inspector",
    "io",
    "kill_retry_time",
    "trace",
    "v8",
    "versioning",
    "command",
    "started_inside",
];

/// The keys in pm2's lists that differ between the instances of one app.
pub const OF_INSTANCE: [&str; 13] = [
    "pm_id",
    "restart_time",
    "unstable_restarts",
    "created_at",
    "pm_uptime",
    "status",
    "exit_code",
    "unique_id",
    "prev_restart_delay",
    "axm_monitor",
    "axm_actions",
    "_tree_pids",
    "NODE_APP_INSTANCE",
];

/// A program for `node -e`, followed by the path of the module, that prints the declarations of a JavaScript file. What the file itself
/// prints goes to stderr, as some versions of dotenv print a line, and what it leaves open does not keep node from ending.
pub const PRINT_MODULE: &str = "var out = process.stdout, write = out.write;
    out.write = process.stderr.write.bind(process.stderr);
    var read = require(process.argv[1]);
    if (read && read.__esModule && read.default) read = read.default;
    write.call(out, JSON.stringify(read) || '', function () { process.exit(0); });";

/// A value that makes no sense, with its key and what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct InvalidValue {
    /// The key, in pm2's spelling.
    pub key: &'static str,
    /// What is expected, and what was found.
    pub what: String,
}

impl InvalidValue {
    pub(crate) fn new(key: &'static str, what: impl Into<String>) -> Self {
        Self { key, what: what.into() }
    }
}

/// The keys of one object, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declaration(pub Vec<(String, Value)>);

/// One object or a list of them; an ecosystem file has either below `apps`.
#[derive(Debug)]
pub struct Declarations(pub Vec<Declaration>);

impl Declaration {
    /// The value of a key, by any of its names.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let others = KEYS.iter().find(|(name, _)| *name == key).map_or(&[][..], |(_, others)| *others);
        let is_it = |name: &str| {
            let name = snake(name);
            name == key || others.contains(&name.as_str())
        };
        self.0.iter().find(|(name, value)| is_it(name) && !value.is_null()).map(|(_, value)| value)
    }

    /// Whether it has a value for a key, whichever of its names either of them has.
    pub fn says(&self, key: &str) -> bool {
        self.get(&canonical(key)).is_some()
    }

    /// The same as text.
    ///
    /// # Errors
    /// It is neither a string nor a number.
    pub fn text(&self, key: &'static str) -> Result<Option<String>, InvalidValue> {
        match self.get(key) {
            None => Ok(None),
            Some(value @ (Value::String(_) | Value::Number(_))) => Ok(Some(as_text(value))),
            Some(other) => Err(InvalidValue::new(key, format!("a string is wanted, not {other}"))),
        }
    }

    /// The same as a whole number, also of a string that is one.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&self, key: &'static str) -> Result<Option<u64>, InvalidValue> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = as_text(value).trim().parse();
        let wanted = |_| InvalidValue::new(key, format!("a whole number is wanted, not {value}"));
        number.map(Some).map_err(wanted)
    }

    /// The same as yes or no.
    ///
    /// # Errors
    /// It is neither.
    pub fn flag(&self, key: &'static str) -> Result<Option<bool>, InvalidValue> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(Some(text == "true")),
            Some(other) => Err(InvalidValue::new(key, format!("true or false is wanted, not {other}"))),
        }
    }

    /// Sets a key; an existing one, by any of its names, keeps its name and place.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.0.iter_mut().find(|(name, _)| canonical(name) == key) {
            Some((_, there)) => *there = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// The unknown keys, each with the one that was probably meant.
    pub fn unknown(&self) -> Vec<(&str, Option<&'static str>)> {
        let names = || KEYS.iter().flat_map(|(name, others)| std::iter::once(name).chain(others.iter()));
        let mut unknown = Vec::new();
        for (key, _) in &self.0 {
            let word = snake(key);
            let is_known = names().any(|name| *name == word)
                || NOT_DONE.contains(&word.as_str())
                || WITHOUT_EFFECT.contains(&word.as_str())
                || OF_INSTANCE.contains(&word.as_str())
                || word.starts_with("env_");
            if !is_known {
                unknown.push((key.as_str(), nearest(&word, names().copied())));
            }
        }
        unknown
    }

    /// Its keys that pm2 knows and that are not done here, unless they ask for nothing.
    pub fn not_done(&self) -> impl Iterator<Item = &str> {
        let asks = |value: &Value| !matches!(value, Value::Null | Value::Bool(false)) && !is_empty(value);
        let is_one = move |key: &str, value: &Value| NOT_DONE.contains(&key) && asks(value);
        self.0.iter().filter(move |(key, value)| is_one(&snake(key), value)).map(|(key, _)| key.as_str())
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

/// A string unchanged, and any other value as JSON.
pub fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The name in [`KEYS`] of a key with any of its names: `interpreter` is `exec_interpreter`.
fn canonical(key: &str) -> String {
    let word = snake(key);
    let is_it = |(_, others): &&(&str, &[&str])| others.contains(&word.as_str());
    KEYS.iter().find(is_it).map_or_else(|| word.clone(), |(name, _)| (*name).to_owned())
}

/// `execMode` is `exec_mode`.
pub(crate) fn snake(key: &str) -> String {
    let mut word = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
    }
    // Variables keep their spelling: env_PRODUCTION is no camelCase.
    if key.starts_with("env_") { key.to_owned() } else { word }
}

impl<'de> Deserialize<'de> for Declaration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Declaration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object that describes an app")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Declaration, M::Error> {
                let mut keys: Vec<(String, Value)> = Vec::new();
                while let Some((key, value)) = map.next_entry()? {
                    keys.retain(|(there, _)| *there != key);
                    keys.push((key, value));
                }
                Ok(Declaration(keys))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// Reads JSON, whatever encloses the list.
///
/// # Errors
/// It is no JSON, or none that describes apps.
pub fn parse(json: &[u8]) -> Result<Declarations, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Ecosystem {
        apps: Vec<Declaration>,
    }
    #[derive(serde::Deserialize)]
    struct OfOne {
        apps: Declaration,
    }
    if let Ok(Ecosystem { apps }) = serde_json::from_slice(json) {
        return Ok(Declarations(apps));
    }
    if let Ok(OfOne { apps }) = serde_json::from_slice(json) {
        return Ok(Declarations(vec![apps]));
    }
    let is_list = json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_list {
        return serde_json::from_slice(json).map(Declarations);
    }
    serde_json::from_slice(json).map(|one| Declarations(vec![one]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_are_found_by_each_of_their_names() {
        let read = parse(br#"{"script":"a.js","execMode":"fork_mode","max_restarts":"3"}"#).expect("JSON");
        let one = &read.0[0];
        let names: Vec<&str> = one.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["script", "execMode", "max_restarts"]);
        assert_eq!(one.text("exec_mode").expect("text").as_deref(), Some("fork_mode"));
        assert_eq!(one.number("max_restarts").expect("a number"), Some(3));
        let read = parse(br#"{"exec":"a.js","outLog":"o.log","deep_monitoring":true}"#).expect("JSON");
        let one = &read.0[0];
        assert_eq!(one.text("script").expect("text").as_deref(), Some("a.js"));
        assert_eq!(one.text("out_file").expect("text").as_deref(), Some("o.log"));
        let mut other = one.clone();
        other.set("script", "b.js".into());
        assert_eq!((other.0.len(), &*other.0[0].0, other.get("script")), (3, "exec", Some(&"b.js".into())));
        assert!(one.says("pm_exec_path") && one.says("out_file") && !one.says("cwd"));
        assert_eq!(one.unknown(), []);
        assert_eq!(parse(br#"{"apps":[{},{}]}"#).expect("JSON").0.len(), 2);
        assert_eq!(parse(b" [{}]").expect("JSON").0.len(), 1);
        let read = parse(br#"{"apps":{"script":"a.js"}}"#).expect("JSON");
        assert_eq!(read.0[0].text("script").expect("text").as_deref(), Some("a.js"));
    }
}
