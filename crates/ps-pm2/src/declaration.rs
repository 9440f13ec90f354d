//! What a file says of one app: its keys in their order, in pm2's spelling or in that of today, and numbers also as strings.

use std::fmt;

use anyhow::{Context, Result, bail};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::say;

/// Each key that is understood, with its other names. camelCase is understood of each.
const KEYS: &[(&str, &[&str])] = &[
    ("name", &[]),
    ("script", &["pm_exec_path"]),
    ("args", &[]),
    ("instances", &[]),
    ("exec_mode", &[]),
    ("exec_interpreter", &["interpreter"]),
    ("node_args", &["interpreter_args"]),
    ("cwd", &["pm_cwd"]),
    ("env", &[]),
    ("port", &[]),
    ("out_file", &["out", "output", "pm_out_log_path"]),
    ("error_file", &["err", "error", "err_file", "pm_err_log_path"]),
    ("pid_file", &["pid", "pm_pid_path"]),
    ("merge_logs", &["combine_logs"]),
    ("cron_restart", &["cron"]),
    ("min_uptime", &[]),
    ("max_restarts", &[]),
    ("max_memory_restart", &[]),
    ("autorestart", &[]),
    ("restart_delay", &[]),
    ("exp_backoff_restart_delay", &[]),
    ("stop_exit_codes", &[]),
    ("kill_timeout", &[]),
    ("wait_ready", &[]),
    ("shutdown_with_message", &[]),
    ("listen_timeout", &[]),
    ("watch", &[]),
    ("ignore_watch", &[]),
    ("uid", &["user"]),
    ("gid", &[]),
    ("force", &[]),
];
/// Keys whose meaning is pm2's own and changes nothing here, and those that a dump has beside a declaration.
const WITHOUT_EFFECT: &[&str] = &[
    "namespace",
    "version",
    "vizion",
    "post_update",
    "pmx",
    "automation",
    "source_map_support",
    "instance_var",
    "treekill",
    "axm_options",
    "axm_dynamic",
    "vizion_running",
    "km_link",
    "node_version",
    "username",
    "windows_hide",
    "versioning",
    "command",
    "started_inside",
    "filter_env",
];

/// What differs between the instances of one app, in what pm2 says of them.
pub(crate) const OF_INSTANCE: [&str; 13] = [
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

/// The keys of one object, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Declaration(pub(crate) Vec<(String, Value)>);

/// One object or a list of them; an ecosystem file has the list below `apps`.
#[derive(Debug)]
pub(crate) struct Declarations(pub(crate) Vec<Declaration>);

impl Declaration {
    /// What is said of a key, by any of its names.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let others = KEYS.iter().find(|(name, _)| *name == key).map_or(&[][..], |(_, others)| *others);
        let is_it = |name: &str| {
            let name = snake(name);
            name == key || others.contains(&name.as_str())
        };
        self.0.iter().find(|(name, value)| is_it(name) && !value.is_null()).map(|(_, value)| value)
    }

    /// The same as text.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(value @ (Value::String(_) | Value::Number(_))) => Ok(Some(as_text(value))),
            Some(other) => bail!("{key}: a string is wanted, not {other}"),
        }
    }

    /// The same as a whole number, also of a string that is one.
    pub(crate) fn number(&self, key: &str) -> Result<Option<u64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = as_text(value).trim().parse();
        number.map(Some).with_context(|| format!("{key}: a whole number is wanted, not {value}"))
    }

    /// The same as yes or no.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(Some(text == "true")),
            Some(other) => bail!("{key}: true or false is wanted, not {other}"),
        }
    }

    /// Sets a key, in its place if it is there.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        match self.0.iter_mut().find(|(name, _)| snake(name) == key) {
            Some((_, there)) => *there = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Warns of keys that nobody knows, with the one that was probably meant.
    pub(crate) fn remark(&self) {
        let names = || KEYS.iter().flat_map(|(name, others)| std::iter::once(name).chain(others.iter()));
        for (key, _) in &self.0 {
            let word = snake(key);
            let is_known = names().any(|name| *name == word);
            if is_known
                || WITHOUT_EFFECT.contains(&word.as_str())
                || OF_INSTANCE.contains(&word.as_str())
                || word.starts_with("env_")
            {
                continue;
            }
            let nearest = names().max_by(|a, b| strsim::jaro(a, &word).total_cmp(&strsim::jaro(b, &word)));
            let hint = nearest.filter(|name| strsim::jaro(name, &word) > 0.8);
            let hint = hint.map_or_else(String::new, |name| format!(", is {name} meant?"));
            say::warning(format_args!("{key} is kept and has no effect{hint}"));
        }
    }
}

/// A string as it is, and anything else as JSON writes it.
pub(crate) fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `execMode` is `exec_mode`.
fn snake(key: &str) -> String {
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
pub(crate) fn parse(json: &[u8]) -> Result<Declarations, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Ecosystem {
        apps: Vec<Declaration>,
    }
    if let Ok(Ecosystem { apps }) = serde_json::from_slice(json) {
        return Ok(Declarations(apps));
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
        assert_eq!(parse(br#"{"apps":[{},{}]}"#).expect("JSON").0.len(), 2);
        assert_eq!(parse(b" [{}]").expect("JSON").0.len(), 1);
    }
}
