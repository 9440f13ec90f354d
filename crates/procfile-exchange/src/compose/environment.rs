//! The variables of a service: those of its env files, overridden by its own.

use procfile::EnvFile;

use super::fields;
use super::model::{Around, ComposeError};
use crate::import::node::Node;

/// `NAME=value` each, every name once.
pub(crate) fn read(
    place: &str,
    service: &Node,
    around: &Around<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<String>, ComposeError> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut set = |name: String, value: String| {
        variables.retain(|(other, _)| *other != name);
        variables.push((name, value));
    };
    for (path, is_required) in files(place, service.get("env_file"))? {
        let place = format!("{place}.env_file");
        let whole = fields::absolute(around, &path);
        let bytes = match (around.file)(&whole) {
            Ok(bytes) => bytes,
            Err(_) if !is_required => continue,
            Err(why) => return Err(ComposeError::at(place, format!("{path}: {why}"))),
        };
        let file =
            EnvFile::parse(&bytes).map_err(|why| ComposeError::at(&place, format!("{path}: {why}")))?;
        file.iter().for_each(|(name, value)| set(name.to_owned(), value.to_owned()));
    }
    let own = format!("{place}.environment");
    for (name, value) in fields::pairs(&own, service.get("environment"), &['='])? {
        match value.or_else(|| (around.variable)(&name)) {
            Some(value) => set(name, value),
            None => notes.push(format!(
                "{own}: {name} is left out: it has no value here, and none where the deploy is called"
            )),
        }
    }
    Ok(variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

/// The env files, and whether each must be there.
fn files(place: &str, node: Option<&Node>) -> Result<Vec<(String, bool)>, ComposeError> {
    let items = match node {
        Some(Node::List(items)) => items.as_slice(),
        Some(item) => std::slice::from_ref(item),
        None => &[],
    };
    let place = format!("{place}.env_file");
    let mut files = Vec::new();
    for item in items.iter().filter(|item| !item.is_empty()) {
        match (item.scalar(), fields::text(item.get("path"))) {
            (Some(path), _) => files.push((path, true)),
            (None, Some(path)) => {
                files.push((path, fields::truth(&place, item.get("required"))?.unwrap_or(true)));
            }
            (None, None) => return Err(ComposeError::at(&place, "a path is wanted")),
        }
    }
    Ok(files)
}
