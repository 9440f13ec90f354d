//! Translates the healthcheck of a service into that of the engine's API.

use serde_json::{Value, json};

use super::model::ComposeError;
use super::{fields, sizes};
use crate::import::node::Node;

/// The engine's description of the check; `None`: the image has the last word.
pub(crate) fn read(place: &str, service: &Node) -> Result<Option<Value>, ComposeError> {
    let Some(check) = service.get("healthcheck").filter(|check| !check.is_empty()) else { return Ok(None) };
    let place = format!("{place}.healthcheck");
    if fields::truth(&place, check.get("disable"))? == Some(true) {
        return Ok(Some(json!({ "Test": ["NONE"] })));
    }
    let test = match check.get("test") {
        None | Some(Node::Nothing) => Vec::new(),
        Some(list @ Node::List(_)) => fields::texts(&place, Some(list))?,
        Some(text) => {
            let text = text.scalar().ok_or_else(|| ComposeError::at(&place, "a test is wanted"))?;
            vec!["CMD-SHELL".to_owned(), text]
        }
    };
    if !matches!(test.first().map(String::as_str), None | Some("NONE" | "CMD" | "CMD-SHELL")) {
        return Err(ComposeError::at(&place, "a test begins with CMD, CMD-SHELL or NONE"));
    }
    let span = |key: &str| match fields::text(check.get(key)) {
        None => Ok::<u64, ComposeError>(0),
        Some(text) => {
            let span = sizes::span(&text);
            let span = span.ok_or_else(|| {
                ComposeError::at(format!("{place}.{key}"), format!("{text:?} is no span of time"))
            })?;
            Ok(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
        }
    };
    let retries: u64 = match fields::text(check.get("retries")) {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| ComposeError::at(format!("{place}.retries"), format!("{text:?} is no number")))?,
    };
    let mut health = json!({
        "Test": test,
        "Interval": span("interval")?,
        "Timeout": span("timeout")?,
        "StartPeriod": span("start_period")?,
        "Retries": retries,
    });
    if check.get("start_interval").is_some() {
        health["StartInterval"] = span("start_interval")?.into();
    }
    Ok(Some(health))
}
