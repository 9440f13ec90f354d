//! Dokku's rule, from the description in its documentation: environment values are masked unless their name begins with
//! one of a few prefixes, and nothing else is looked at. It is here to leak: a harness that it passes is broken.

use serde_json::Value;

const KEPT: &[&str] = &["CACHE_PATH=", "DOCKER_", "DOKKU_", "DYNO=", "PATH=", "PORT=", "USER="];

pub(crate) fn dokkus_rule(mut value: Value) -> Value {
    let documents = match &mut value {
        Value::Array(items) => items.iter_mut().collect(),
        other => vec![other],
    };
    for env in
        documents.into_iter().filter_map(|document| document.pointer_mut("/Config/Env")?.as_array_mut())
    {
        for entry in env {
            let text = entry.as_str().unwrap_or_default();
            if !KEPT.iter().any(|prefix| text.starts_with(prefix)) {
                let name = text.split('=').next().unwrap_or_default();
                *entry = Value::String(format!("{name}=XXXXXX"));
            }
        }
    }
    value
}
