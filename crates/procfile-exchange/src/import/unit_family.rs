//! What units of systemd say of each other: which of them are instances of one process type, and of which app. foreman, honcho
//! and `procfile-util export` write a unit for each instance, each in its own way.

use std::collections::{BTreeMap, BTreeSet};

use crate::import::found::Instance;
use crate::import::unit::Unit;

/// Who wrote a unit. Each writer wraps the Procfile's command in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// `procfile-util export`.
    Ours,
    /// foreman or honcho.
    Foreman,
    Other,
}

/// What the units of an input say of each other.
pub(crate) struct Family<'a> {
    /// For each target the target that it is a part of, both without `.target`.
    parents: BTreeMap<&'a str, &'a str>,
    /// Templates of which there are instances.
    templates: BTreeSet<&'a str>,
}

impl<'a> Family<'a> {
    pub(crate) fn of(units: &'a [Unit]) -> Self {
        let mut family = Self { parents: BTreeMap::new(), templates: BTreeSet::new() };
        for unit in units {
            match unit.name.rsplit_once('.') {
                Some((stem, "target")) => {
                    let parts = unit.all("PartOf");
                    let part = parts.last().and_then(|part| part.strip_suffix(".target"));
                    family.parents.extend(part.map(|parent| (stem, parent)));
                }
                Some((stem, "service")) => {
                    let instance = stem.split_once('@').filter(|(_, instance)| !instance.is_empty());
                    family.templates.extend(instance.map(|(template, _)| template));
                }
                _ => {}
            }
        }
        family
    }

    /// Whether a unit is a template of which instances are there as well.
    pub(crate) fn is_mere_template(&self, stem: &str) -> bool {
        stem.strip_suffix('@').is_some_and(|template| self.templates.contains(template))
    }

    /// The process type whose target is `app-web`: `web`, if that target is part of `app`.
    fn process_type(&self, target: &'a str) -> &'a str {
        let parent = self.parents.get(target).copied();
        parent.and_then(|app| target.strip_prefix(app)?.strip_prefix('-')).unwrap_or(target)
    }
}

/// What a unit is among the processes of its app.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) instance: Instance,
    pub(crate) writer: Writer,
}

impl Member {
    /// Recognises who wrote a unit. foreman writes `app-web.1.service` as a part of `app.target`, with the variable `PS=web.1`. Earlier
    /// versions of foreman wrote `app-web@5000.service`, and honcho writes `app-web-1.service`, both as a part of
    /// `app-web.target`. `procfile-util export` writes the variable `PS=app-web.1`.
    pub(crate) fn of(stem: &str, unit: &Unit, family: &Family<'_>, environment: &[(String, String)]) -> Self {
        let ps = environment.iter().find(|(name, _)| name == "PS").map(|(_, value)| value.as_str());
        let parts = unit.all("PartOf");
        let targets: Vec<&str> = parts.iter().filter_map(|part| part.strip_suffix(".target")).collect();
        let numbered = |(_, number): &(&str, &str)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        };
        if let Some((base, number)) = ps.and_then(|ps| ps.rsplit_once('.')).filter(numbered) {
            if stem == format!("{base}.{number}") || stem == format!("{base}-{number}") {
                let of_app = |app: &&str| base.strip_prefix(*app)?.strip_prefix('-');
                let name = targets.iter().find_map(of_app).unwrap_or(base).to_owned();
                return Self { name, instance: Instance::OneOf, writer: Writer::Ours };
            }
            if targets.iter().any(|app| stem == format!("{app}-{base}.{number}")) {
                return Self::numbered(base, number);
            }
        }
        if let Some((base, number)) = stem.rsplit_once('-').filter(numbered)
            && targets.contains(&base)
        {
            return Self::numbered(family.process_type(base), number);
        }
        match stem.split_once('@') {
            Some((base, instance)) if targets.contains(&base) => Self {
                name: family.process_type(base).to_owned(),
                instance: if instance.is_empty() { Instance::Alone } else { Instance::OneOf },
                writer: Writer::Foreman,
            },
            Some((base, instance)) => Self {
                name: base.to_owned(),
                instance: if instance.is_empty() { Instance::Alone } else { Instance::OneOf },
                writer: Writer::Other,
            },
            None => Self {
                name: stem.to_owned(),
                instance: Instance::of_name(stem, false),
                writer: Writer::Other,
            },
        }
    }

    fn numbered(process_type: &str, number: &str) -> Self {
        let name = format!("{process_type}-{number}");
        Self { instance: Instance::of_name(&name, true), name, writer: Writer::Foreman }
    }
}
