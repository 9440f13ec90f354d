//! What a reader makes of the state: an own, small reading of the layout (docs/contract.md), so that a mistake in
//! ps-apps cannot hide itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What is asked of the state after each fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The formation of an app: the union of `scale` and `scale.old`, `scale` wins.
    Formation(String),
    /// One property, byte for byte.
    Property {
        /// Plugin that owns it.
        plugin: String,
        /// App, or `--global`.
        scope: String,
        /// Name of the property.
        key: String,
    },
    /// Whether the app is there, and its formation if it is.
    App(String),
    /// A file below `home`, byte for byte.
    File(String),
    /// The slots of a native app that were stopped by hand.
    Stopped(String),
}

impl Question {
    /// `formation <app>`, `property <plugin> <app> <key>`, `app <app>`, `file <path below home>` or `stopped <app>`.
    pub fn parse(words: &str) -> Result<Self> {
        match words.split_whitespace().collect::<Vec<_>>()[..] {
            ["formation", app] => Ok(Self::Formation(app.to_owned())),
            ["property", plugin, scope, key] => {
                Ok(Self::Property { plugin: plugin.to_owned(), scope: scope.to_owned(), key: key.to_owned() })
            }
            ["app", app] => Ok(Self::App(app.to_owned())),
            ["file", path] => Ok(Self::File(path.to_owned())),
            ["stopped", app] => Ok(Self::Stopped(app.to_owned())),
            _ => bail!("{words:?} is no question"),
        }
    }

    /// The answer as one line; `torn: …` for what nobody can have meant. `root` holds `home` and `lib`.
    pub fn ask(&self, root: &Path) -> Result<String> {
        match self {
            Self::Formation(app) => formation(root, app),
            Self::Property { plugin, scope, key } => {
                let path = root.join("lib/config").join(plugin).join(scope).join(key);
                shown(&path)
            }
            Self::File(path) => shown(&root.join("home").join(path)),
            Self::Stopped(app) => stopped(&root.join("lib/data/scheduler-native").join(app)),
            Self::App(app) if root.join("home").join(app).is_dir() => formation(root, app),
            Self::App(_) => Ok("no app".to_owned()),
        }
    }
}

fn shown(path: &Path) -> Result<String> {
    Ok(bytes(path)?.map_or_else(|| "unset".to_owned(), |value| value.escape_ascii().to_string()))
}

/// A list of its own counts for the revision that it names; otherwise the one in the spec does.
fn stopped(service: &Path) -> Result<String> {
    let document = |name: &str| -> Result<Option<Value>> {
        let Some(bytes) = bytes(&service.join(name))? else { return Ok(None) };
        Ok(Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| format!("torn: {name}").into())))
    };
    let Some(spec) = document("spec2.json")? else { return Ok("no spec".to_owned()) };
    let list = document("stopped.json")?;
    if let Some(torn) = [Some(&spec), list.as_ref()].into_iter().flatten().find_map(Value::as_str) {
        return Ok(torn.to_owned());
    }
    let list = list.filter(|list| list["revision"] == spec["revision"]);
    Ok(list.map_or_else(|| spec["stopped"].clone(), |list| list["slots"].clone()).to_string())
}

fn formation(root: &Path, app: &str) -> Result<String> {
    let dir = root.join("lib/config/ps").join(app);
    let mut union = BTreeMap::new();
    for name in ["scale.old", "scale"] {
        let Some(content) = bytes(&dir.join(name))? else { continue };
        let text = String::from_utf8_lossy(&content).into_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            return Ok(format!("torn: {name} holds {text:?}"));
        }
        for line in text.lines() {
            match line.split_once('=').map(|(process_type, count)| (process_type, count.parse::<u16>())) {
                Some((process_type, Ok(count))) => union.insert(process_type.to_owned(), count),
                _ => return Ok(format!("torn: {name} holds {text:?}")),
            };
        }
    }
    let words: Vec<_> =
        union.into_iter().map(|(process_type, count)| format!("{process_type}={count}")).collect();
    Ok(if words.is_empty() { "empty".to_owned() } else { words.join(" ") })
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_computes_the_union_and_calls_half_a_line_torn() {
        let root = tempfile::tempdir().expect("a directory");
        let dir = root.path().join("lib/config/ps/blog");
        fs::create_dir_all(&dir).expect("a directory");
        let put = |name: &str, text: &str| fs::write(dir.join(name), text).expect("a file");
        let asked = || Question::parse("formation blog").and_then(|q| q.ask(root.path())).expect("an answer");
        put("scale", "web=2\n");
        put("scale.old", "web=0\nworker=0\n");
        assert_eq!(asked(), "web=2 worker=0");
        put("scale", "web=2\nwor");
        assert!(asked().starts_with("torn"), "{}", asked());
    }
}
