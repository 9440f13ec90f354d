//! Formations on disk: the list properties `scale` and `scale.old` (docs/contract.md#files).
//!
//! `scale` says how many instances of each type are wanted. `scale.old` lists, with the count 0, types that are no longer
//! wanted, until a deploy has ended their instances. A reader takes both files together; where both name a type, `scale`
//! counts.
//!
//! Two files cannot be replaced in one step. They are therefore written in an order by which a reader, or a program that is
//! killed between two writes, finds the old formation or the new one and never a mixture. For example, `worker` goes from
//! `scale` (`worker=1`) to `scale.old`: first `scale.old` gets the line `worker=0`, which changes nothing yet because `scale`
//! still names `worker`; then `scale` loses its line, and from that moment on the count is 0.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use durable::{Directory, Pin};
use formation::{AppName, FIRST_TYPE, Formation, ProcessType, Quantity};
use serde::{Deserialize, Serialize};

use crate::property::StoredProperties;
use crate::scope::Scope;
use crate::state_file;
use crate::{Error, World};

const PLUGIN: &str = "ps";
const SCALE: &str = "scale";
const SCALE_OLD: &str = "scale.old";

/// How often a reader starts over because one of the two files was replaced while it read them.
const PAIR_TRIES: usize = 1000;

/// One line `<name>=<count>`. Dokku once accepted names and counts that we refuse today; they are kept as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEntry {
    /// The part before the first `=`.
    pub name: String,
    /// The part after it.
    pub count: i64,
}

impl StoredEntry {
    /// The entry as type and count; `None` if it would not be accepted today.
    pub fn accepted(&self) -> Option<(ProcessType, Quantity)> {
        let count = u64::try_from(self.count).ok()?;
        Some((self.name.parse().ok()?, Quantity::new(count).ok()?))
    }
}

/// The stored formation of an app, in the order of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredFormation {
    /// The wanted counts.
    pub scale: Vec<StoredEntry>,
    /// Types that are no longer wanted, until a deploy has ended them.
    pub old: Vec<StoredEntry>,
}

impl StoredFormation {
    /// What every new app has: `web=1`.
    pub fn of_a_new_app() -> Self {
        Self { scale: vec![StoredEntry { name: FIRST_TYPE.to_owned(), count: 1 }], old: Vec::new() }
    }

    /// The wanted counts that would be accepted today: those of `scale` alone.
    pub fn wanted(&self) -> Formation {
        wanted(&self.scale)
    }

    /// The count of each type that either list names, sorted by name. `scale` wins over `scale.old`, and the first of two
    /// lines with the same name over the second.
    pub fn effective(&self) -> BTreeMap<&str, i64> {
        let mut union = BTreeMap::new();
        for entry in self.scale.iter().chain(&self.old) {
            union.entry(entry.name.as_str()).or_insert(entry.count);
        }
        union
    }

    /// The types whose count differs from that in `before`, those of `scale` first, in the order of the lines.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let (was, is) = (before.effective(), self.effective());
        let count_in = |counts: &BTreeMap<&str, i64>, name: &str| counts.get(name).copied().unwrap_or(0);
        let mut seen = BTreeSet::new();
        let names = self.scale.iter().chain(&self.old).chain(&before.scale).map(|entry| entry.name.as_str());
        names
            .filter(|name| seen.insert(*name) && count_in(&was, name) != count_in(&is, name))
            .map(str::to_owned)
            .collect()
    }

    /// The entries that would not be accepted today: they are printed and kept, but never deployed.
    pub fn unacceptable(&self) -> impl Iterator<Item = &StoredEntry> {
        self.scale.iter().chain(&self.old).filter(|entry| entry.accepted().is_none())
    }
}

impl World {
    /// The formation of an app; empty lists if there are no files. A line without `=` (also an empty line), or with a count that is
    /// no whole number, is [`Error::Corrupt`], because a formation is never guessed. If one of the two files is replaced while they
    /// are read, both are read again.
    pub fn formation(&self, app: &AppName) -> Result<StoredFormation, Error> {
        let dir = self.config_dir(PLUGIN, Scope::App(app));
        let (scale, old) = (dir.join(SCALE), dir.join(SCALE_OLD));
        for _ in 0..PAIR_TRIES {
            let pin = Pin::of(&scale)?;
            let read =
                StoredFormation { scale: read_entries(&scale, true)?, old: read_entries(&old, false)? };
            if pin.holds()? {
                return Ok(read);
            }
        }
        let reason = "is rewritten again and again: find out which program does that".to_owned();
        Err(Error::Corrupt { path: scale, line: None, reason })
    }

    /// Reads, changes and writes an app's formation while other writers of this project wait. Nothing is written if `change`
    /// refuses, or if it changes nothing (except that a missing `scale.old` becomes an empty one, as in Dokku).
    pub fn update_formation<E: From<Error>>(
        &self,
        app: &AppName,
        change: impl FnOnce(&StoredFormation) -> Result<StoredFormation, E>,
    ) -> Result<StoredFormation, E> {
        self.in_directory(PLUGIN, Scope::App(app), |directory| {
            let before = self.formation(app)?;
            let after = change(&before)?;
            self.write_formation(directory, app, &before, &after, &[])?;
            Ok(after)
        })
    }

    /// Removes `scale.old`: a deploy has ended the types listed in it.
    pub fn forget_old_formation(&self, app: &AppName) -> Result<(), Error> {
        self.unset_property(PLUGIN, Scope::App(app), SCALE_OLD)
    }

    /// Writes a formation. `beside` are further files of the same directory, which are written last.
    pub(crate) fn write_formation(
        &self,
        directory: &Directory,
        app: &AppName,
        before: &StoredFormation,
        after: &StoredFormation,
        beside: &[(&'static str, Vec<u8>)],
    ) -> Result<(), Error> {
        let old_path = self.config_dir(PLUGIN, Scope::App(app)).join(SCALE_OLD);
        let is_old_missing = old_path.symlink_metadata().is_err();
        let mut steps = steps(before, after, is_old_missing);
        steps.extend_from_slice(beside);
        Ok(directory.write_in_turn(&steps, self.access(Scope::App(app)))?)
    }

    /// Writes the formation of an app that was just created: `web=1`.
    pub(crate) fn create_formation(&self, app: &AppName) -> Result<(), Error> {
        let directory = self.property_directory(PLUGIN, Scope::App(app))?;
        let access = self.access(Scope::Global);
        // `scale` is written last. If this process dies before that, there is no formation yet, and the next call starts over.
        let steps = [(SCALE_OLD, Vec::new()), (SCALE, b"web=1\n".to_vec())];
        Ok(directory.write_in_turn(&steps, access)?)
    }
}

impl StoredProperties {
    /// The same as [`StoredFormation::wanted`] of [`World::formation`], from the properties of the plugin ps that were listed
    /// before. Only the file `scale` is read. Meant for a caller that reads very many apps.
    pub fn wanted_formation(&self) -> Result<Formation, Error> {
        let entries = self.text(SCALE)?.map(|text| parse(&self.path().join(SCALE), &text)).transpose()?;
        Ok(wanted(&entries.unwrap_or_default()))
    }
}

/// The writes that lead from one formation to another, in an order in which a reader finds one or the other at each moment. A write
/// that would change nothing is left out.
fn steps(
    before: &StoredFormation,
    after: &StoredFormation,
    is_old_missing: bool,
) -> Vec<(&'static str, Vec<u8>)> {
    let mut planned = Vec::new();
    if before.scale != after.scale && before.old != after.old {
        planned = detour(before, after);
    }
    planned.extend([(SCALE, after.scale.clone()), (SCALE_OLD, after.old.clone())]);
    let mut now = before.clone();
    let mut steps = Vec::new();
    for (name, entries) in planned {
        let place = if name == SCALE { &mut now.scale } else { &mut now.old };
        if *place != entries {
            steps.push((name, render(&entries)));
            *place = entries;
        }
    }
    if is_old_missing && !steps.iter().any(|(name, _)| *name == SCALE_OLD) {
        steps.push((SCALE_OLD, render(&after.old)));
    }
    steps
}

/// The writes that must come first if both lists change, before the new `scale` and the new `scale.old`.
///
/// Usually it is one write: a `scale.old` with the old types of both formations. A type in it that `scale` still names makes no
/// difference to a reader, because `scale` takes precedence. For example, from `scale: web=1 worker=1` to `scale: web=1`,
/// `scale.old: worker=0`: first `scale.old` gets `worker=0`, then `scale` loses `worker`.
///
/// But if one of the two formations names such a type in neither of its files, a reader would see a type that is not part of that
/// formation. Then the old types are first moved into `scale`, one write of `scale` makes the whole change, and the last write moves
/// them back to `scale.old`.
fn detour(before: &StoredFormation, after: &StoredFormation) -> Vec<(&'static str, Vec<StoredEntry>)> {
    let both = union(&before.old, &after.old);
    let shows = |formation: &StoredFormation| {
        let meanwhile = StoredFormation { scale: formation.scale.clone(), old: both.clone() };
        meanwhile.effective() != formation.effective()
    };
    if !shows(before) && !shows(after) {
        return vec![(SCALE_OLD, both)];
    }
    vec![
        (SCALE, union(&before.scale, &before.old)),
        (SCALE_OLD, Vec::new()),
        (SCALE, union(&after.scale, &after.old)),
        (SCALE_OLD, after.old.clone()),
    ]
}

fn wanted(scale: &[StoredEntry]) -> Formation {
    scale.iter().filter_map(StoredEntry::accepted).collect()
}

fn union(first: &[StoredEntry], second: &[StoredEntry]) -> Vec<StoredEntry> {
    let mut all = first.to_vec();
    all.extend(second.iter().filter(|entry| !first.iter().any(|known| known.name == entry.name)).cloned());
    all
}

fn render(entries: &[StoredEntry]) -> Vec<u8> {
    entries.iter().flat_map(|entry| format!("{}={}\n", entry.name, entry.count).into_bytes()).collect()
}

fn read_entries(path: &Path, retry_empty: bool) -> Result<Vec<StoredEntry>, Error> {
    let text = state_file::read_text(path, retry_empty)?;
    parse(path, &text.unwrap_or_default())
}

fn parse(path: &Path, text: &str) -> Result<Vec<StoredEntry>, Error> {
    text.lines().enumerate().map(|(index, line)| parse_entry(path, index + 1, line)).collect()
}

fn parse_entry(path: &Path, line_number: usize, line: &str) -> Result<StoredEntry, Error> {
    let corrupt = |what: &str| Error::Corrupt {
        path: PathBuf::from(path),
        line: Some(line_number),
        reason: format!("{:?} {what}: correct the line, or remove the file and scale again", shorten(line)),
    };
    let (name, count) = line.split_once('=').ok_or_else(|| corrupt("has no ="))?;
    let (name, count) = (name.trim(), count.trim());
    if name.contains('\0') {
        return Err(corrupt("holds a NUL byte"));
    }
    let count = count.parse().map_err(|_| corrupt("has no whole number as its count"))?;
    Ok(StoredEntry { name: name.to_owned(), count })
}

fn shorten(line: &str) -> String {
    line.chars().take(60).collect()
}
