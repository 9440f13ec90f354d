//! The mounts of a service: volumes, directories of the host, memory, secrets and configs.

use serde_json::{Map, Value, json};

use super::fields;
use super::model::{Around, ComposeError};
use crate::import::node::Node;

/// What is mounted, in the engine's words.
#[derive(Default)]
pub(crate) struct Mounts {
    /// `source:target:options` each.
    pub(crate) binds: Vec<String>,
    /// Targets of volumes without a name.
    pub(crate) anonymous: Map<String, Value>,
    /// Targets in memory, with their options.
    pub(crate) memory: Map<String, Value>,
    /// Whether something is mounted that lasts, and may be written to.
    pub(crate) is_written: bool,
}

impl Mounts {
    /// Reads `volumes`, `tmpfs`, `secrets` and `configs`.
    pub(crate) fn read(
        place: &str,
        service: &Node,
        document: &Node,
        around: &Around<'_>,
    ) -> Result<Self, ComposeError> {
        let mut mounts = Self::default();
        if let Some(Node::List(items)) = service.get("volumes") {
            let place = format!("{place}.volumes");
            for item in items {
                match item.scalar() {
                    Some(text) => mounts.short(&place, &text, document, around)?,
                    None => mounts.long(&place, item, document, around)?,
                }
            }
        }
        for text in fields::texts(&format!("{place}.tmpfs"), service.get("tmpfs"))? {
            let (target, options) = text.split_once(':').unwrap_or((&text, ""));
            mounts.memory.insert(target.to_owned(), json!(options));
        }
        for (kind, folder) in [("secrets", "/run/secrets/"), ("configs", "/")] {
            mounts.files(
                &format!("{place}.{kind}"),
                service.get(kind),
                document.get(kind),
                folder,
                around,
            )?;
        }
        Ok(mounts)
    }

    fn short(
        &mut self,
        place: &str,
        text: &str,
        document: &Node,
        around: &Around<'_>,
    ) -> Result<(), ComposeError> {
        let mut parts = text.splitn(3, ':');
        let (first, target, options) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let Some(target) = target else {
            self.anonymous.insert(first.to_owned(), json!({}));
            self.is_written = true;
            return Ok(());
        };
        self.bind(place, first, target, options.unwrap_or_default(), document, around)
    }

    fn long(
        &mut self,
        place: &str,
        item: &Node,
        document: &Node,
        around: &Around<'_>,
    ) -> Result<(), ComposeError> {
        let target = fields::text(item.get("target"));
        let target = target.ok_or_else(|| ComposeError::at(place, "a volume without a target"))?;
        let kind = fields::text(item.get("type")).unwrap_or_else(|| "volume".to_owned());
        let options = if fields::truth(place, item.get("read_only"))? == Some(true) { "ro" } else { "" };
        match (kind.as_str(), fields::text(item.get("source"))) {
            ("tmpfs", _) => drop(self.memory.insert(target, json!(""))),
            ("volume", None) => {
                self.anonymous.insert(target, json!({}));
                self.is_written = true;
            }
            ("volume" | "bind", Some(source)) => {
                self.bind(place, &source, &target, options, document, around)?;
            }
            (kind, _) => {
                return Err(ComposeError::at(place, format!("a mount of the type {kind} is not known here")));
            }
        }
        Ok(())
    }

    fn bind(
        &mut self,
        place: &str,
        source: &str,
        target: &str,
        options: &str,
        document: &Node,
        around: &Around<'_>,
    ) -> Result<(), ComposeError> {
        let is_at_home = fields::at_home(around, source).is_some();
        if source.starts_with('~') && !is_at_home {
            return Err(ComposeError::at(
                place,
                format!("{source}: write the whole path: only ~/ is known, where HOME is set"),
            ));
        }
        let source = if is_at_home || source.starts_with(['/', '.']) {
            fields::absolute(around, source)
        } else {
            volume(place, source, document, around)?
        };
        let is_read_only = options.split(',').any(|option| option == "ro");
        self.is_written |= !is_read_only;
        let tail = if options.is_empty() { String::new() } else { format!(":{options}") };
        self.binds.push(format!("{source}:{target}{tail}"));
        Ok(())
    }

    fn files(
        &mut self,
        place: &str,
        wanted: Option<&Node>,
        known: Option<&Node>,
        folder: &str,
        around: &Around<'_>,
    ) -> Result<(), ComposeError> {
        let Some(Node::List(items)) = wanted else { return Ok(()) };
        for item in items {
            let name = item.scalar().or_else(|| fields::text(item.get("source")));
            let name = name.ok_or_else(|| ComposeError::at(place, "a name is wanted"))?;
            let file = known.and_then(|known| fields::text(known.get(&name)?.get("file")));
            let Some(file) = file else {
                return Err(ComposeError::at(
                    place,
                    format!("{name} is no file: only one with file: can be mounted here"),
                ));
            };
            let target = fields::text(item.get("target")).unwrap_or_else(|| name.clone());
            let target = if target.starts_with('/') { target } else { format!("{folder}{target}") };
            self.binds.push(format!("{}:{target}:ro", fields::absolute(around, &file)));
        }
        Ok(())
    }
}

/// The engine's name of a volume of the file.
fn volume(place: &str, name: &str, document: &Node, around: &Around<'_>) -> Result<String, ComposeError> {
    let Some(declared) = document.get("volumes").and_then(|volumes| {
        volumes.entries().iter().find(|(other, _)| other == name).map(|(_, declared)| declared)
    }) else {
        return Err(ComposeError::at(place, format!("there is no volume called {name}: name it in volumes")));
    };
    let is_external = declared.get("external").is_some_and(|external| !external.is_empty());
    let own = fields::text(declared.get("name"))
        .or_else(|| fields::text(declared.get("external").and_then(|external| external.get("name"))));
    Ok(own
        .unwrap_or_else(|| if is_external { name.to_owned() } else { format!("{}_{name}", around.project) }))
}
