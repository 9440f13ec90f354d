//! Makes a Procfile of the processes that a reader found: names become legal process types, commands become lines, and the variables
//! one env file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use formation::{Formation, MAX_NAME_BYTES, MAX_QUANTITY, ProcessType, Quantity};
use procfile::{MAX_LINE_BYTES, Procfile};
use serde_json::Value;

use crate::import::command::{entering, with_variables};
use crate::import::directory;
use crate::import::environment::{Environment, SetApart, Written};
use crate::import::error::ImportError;
use crate::import::found::{Asked, Found, Instance};
use crate::import::imported::{Imported, UnknownKey, Whole};
use crate::import::instances;
use crate::import::surroundings::Surroundings;
use crate::near::nearest;

/// The most process types that are imported.
const MAX_IMPORTED: usize = 1000;
/// How many notes are kept, and how many characters of each.
const MAX_NOTES: usize = 1000;
const MAX_NOTE_CHARS: usize = 400;

struct Kept {
    process_type: ProcessType,
    /// Its name in the configuration.
    name: String,
    line: String,
    directory: Option<String>,
    count: u64,
    instance: bool,
    asked: Asked,
}

/// What was found so far.
#[derive(Default)]
pub(crate) struct Gathering {
    /// The processes, each with the number of notes that there were when it was found.
    found: Vec<(usize, Found)>,
    /// The app. It is cut off the beginning of names, with the dash behind it.
    app: String,
    enter_directories: bool,
    /// The directory of the file, if the configuration is to be applied as a whole.
    whole: Option<String>,
    /// What is put before the command of a program whose instances share their ports.
    sharing: Option<Vec<String>>,
    unknown: Vec<UnknownKey>,
    /// The name that the configuration has for all of it.
    pub(crate) name: Option<String>,
    kept: Vec<Kept>,
    taken: BTreeSet<String>,
    environment: Environment,
    /// The notes, each with its place in the order. A note about a process belongs where the process was found, even if it is made only
    /// when all have been read.
    notes: Vec<(Place, String)>,
    keeping: Option<usize>,
    unsaid: usize,
}

/// How many notes there were before, and whether the note was made while the input was read; the others come first.
type Place = (usize, bool);

impl Gathering {
    /// A gathering without processes.
    pub(crate) fn of(around: &Surroundings<'_>) -> Self {
        Self {
            app: around.app.to_owned(),
            enter_directories: around.enter_directories || around.whole.is_some(),
            whole: around.whole.map(str::to_owned),
            sharing: around.sharing.map(<[String]>::to_vec),
            environment: Environment::new(around.whole.is_some()),
            ..Self::default()
        }
    }

    /// Whether the configuration is to be applied as a whole, so that settings have a place.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// The directory of the file, if the configuration is to be applied as a whole.
    pub(crate) fn directory(&self) -> Option<&str> {
        self.whole.as_deref()
    }

    /// What is put before the command of a program whose instances share their ports, if they can.
    pub(crate) fn sharing(&self) -> Option<&[String]> {
        self.sharing.as_deref()
    }

    /// Lists the keys of a place that are not among these.
    pub(crate) fn list_unknown<'a>(
        &mut self,
        place: &str,
        keys: impl Iterator<Item = &'a str>,
        known: &[&'static str],
    ) {
        for key in keys.filter(|key| !known.contains(key)) {
            let place = if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
            self.list(&place, nearest(key, known.iter().copied()));
        }
    }

    /// Lists an unknown key.
    pub(crate) fn list(&mut self, place: &str, meant: Option<&'static str>) {
        let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        if self.unknown.len() < MAX_NOTES {
            let place = place.chars().take(MAX_NOTE_CHARS).map(plain).collect();
            self.unknown.push(UnknownKey { place, meant });
        }
    }

    /// Notes something that could not be carried over; `of` names the process, and is empty for the whole configuration.
    pub(crate) fn note(&mut self, of: &str, what: impl Display) {
        if self.notes.len() >= MAX_NOTES {
            self.unsaid += 1;
            return;
        }
        let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        let note = if of.is_empty() { what.to_string() } else { format!("{of}: {what}") };
        let place = self.keeping.map_or((self.notes.len(), true), |before| (before, false));
        self.notes.push((place, note.chars().take(MAX_NOTE_CHARS).map(plain).collect()));
    }

    /// Notes the names of settings that have no place in a Procfile, all in one note; without names there is no note.
    pub(crate) fn note_settings<'a>(&mut self, of: &str, settings: impl IntoIterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        let names: Vec<&str> = settings.into_iter().filter(|name| seen.insert(*name)).collect();
        if !names.is_empty() {
            let what = if self.is_whole() { "not carried over:" } else { "no place in a Procfile for" };
            self.note(of, format_args!("{what} {}", names.join(", ")));
        }
    }

    /// A variable of all processes.
    pub(crate) fn set_for_all(&mut self, name: &str, value: &str) {
        self.environment.set("", name, value);
    }

    /// Adds a process.
    pub(crate) fn add(&mut self, mut found: Found) {
        found.name = self.without_app(found.name);
        if let Instance::Numbered { process_type, .. } = &mut found.instance {
            *process_type = self.without_app(std::mem::take(process_type));
        }
        self.found.push((self.notes.len(), found));
    }

    fn without_app(&self, name: String) -> String {
        let short = name.strip_prefix(&self.app).and_then(|rest| rest.strip_prefix('-'));
        short.filter(|_| !self.app.is_empty()).map(str::to_owned).unwrap_or(name)
    }

    /// Keeps a process, or notes why not.
    fn keep(&mut self, mut found: Found) {
        if self.is_whole() {
            found.take_port();
        }
        let line = match found.command.line() {
            Ok(line) if line.len() + MAX_NAME_BYTES + 2 <= MAX_LINE_BYTES => line,
            Ok(_) => return self.note(&found.name, "left out: the command is over 1 MiB"),
            Err(why) => return self.note(&found.name, format_args!("left out: {why}")),
        };
        let is_one_of_several = matches!(found.instance, Instance::OneOf);
        let twin = |kept: &&mut Kept| {
            kept.instance
                && kept.name == found.name
                && (&kept.line, &kept.directory) == (&line, &found.directory)
        };
        if let Some(twin) = self.kept.iter_mut().find(twin).filter(|_| is_one_of_several) {
            twin.count = twin.count.saturating_add(found.count);
            let owner = twin.process_type.to_string();
            self.environment.set_all(&owner, &found.environment);
            return;
        }
        if self.kept.len() >= MAX_IMPORTED {
            return self.note(&found.name, "left out: 1,000 process types are the most");
        }
        let process_type = self.legal(&found.name);
        self.taken.insert(process_type.to_string());
        if process_type.as_str() != found.name {
            self.note(&found.name, format_args!("is called {process_type} in the Procfile"));
        }
        self.environment.set_all(process_type.as_str(), &found.environment);
        let Found { name, count, directory, asked, .. } = found;
        let instance = is_one_of_several;
        self.kept.push(Kept { process_type, name, line, directory, count, instance, asked });
    }

    /// A legal name that no other process type has: `-` stands for each character that is not legal, and a number is added if the
    /// name is taken.
    fn legal(&self, name: &str) -> ProcessType {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let mapped: String = name.chars().take(MAX_NAME_BYTES).map(plain).collect();
        let base = match mapped.trim_matches('-') {
            _ if name.parse::<ProcessType>().is_ok() => name,
            "" => "process",
            trimmed => trimmed,
        };
        let numbered = |number: usize| {
            let suffix = if number == 1 { String::new() } else { format!("-{number}") };
            let room = MAX_NAME_BYTES - suffix.len();
            format!("{}{suffix}", &base[..base.len().min(room)])
        };
        let free = (1..=MAX_IMPORTED).map(numbered).find(|word| !self.taken.contains(word));
        let free = free.expect("fewer than 1,000 names are taken");
        ProcessType::of_legal(&free)
    }

    /// Keeps the processes that were found. Instances of one process type are counted together.
    fn keep_all(&mut self) {
        let (before, mut found): (Vec<usize>, Vec<Found>) =
            std::mem::take(&mut self.found).into_iter().unzip();
        let mut said = Vec::new();
        instances::unite(&mut found, |of, what| said.push((of.to_owned(), what)));
        for (before, found) in before.into_iter().zip(found) {
            self.keeping = Some(before);
            self.keep(found);
        }
        self.keeping = None;
        self.notes.sort_by_key(|(place, _)| *place);
        for (of, what) in said {
            self.note(&of, what);
        }
    }

    /// The result. The Procfile is parsed again and compared, so that nothing in the input can have added a line.
    pub(crate) fn finish(mut self) -> Result<Imported, ImportError> {
        self.keep_all();
        let mut formation = Formation::new();
        for at in 0..self.kept.len() {
            let Kept { process_type, count, .. } = &self.kept[at];
            let (process_type, count) = (process_type.clone(), *count);
            let quantity = Quantity::new(count.min(MAX_QUANTITY.into())).expect("10,000 at most");
            if u64::from(quantity.get()) != count {
                self.note(
                    process_type.as_str(),
                    format_args!("{count} instances are wanted, 10,000 are the most"),
                );
            }
            formation.set(process_type, quantity);
        }
        let environment = std::mem::take(&mut self.environment);
        let Written { file: env_file, apart, owners } =
            environment.file(self.kept.len(), |of, what| self.note(of, what));
        self.set_apart(&apart);
        let directory = self.enter();
        let whole = Whole { variables: owners, ..self.take_whole(directory) };
        let procfile = self.procfile()?;
        let mut notes: Vec<String> = self.notes.into_iter().map(|(_, note)| note).collect();
        if self.unsaid > 0 {
            notes.push(format!("… and {} more", self.unsaid));
        }
        Ok(Imported { procfile, formation, env_file, notes, whole })
    }

    /// Gives each process the variables of which others have another value.
    fn set_apart(&mut self, apart: &[SetApart]) {
        for kept in &mut self.kept {
            let own = apart.iter().filter(|one| one.owner == kept.process_type.as_str());
            let own: Vec<(&str, &str)> = own.map(|one| (one.name.as_str(), one.stored.as_str())).collect();
            kept.line = with_variables(&own, &kept.line);
        }
    }

    /// What else the configuration says, where it is to be applied as a whole.
    fn take_whole(&mut self, directory: String) -> Whole {
        if !self.is_whole() {
            return Whole::default();
        }
        let (name, unknown) = (self.name.take(), std::mem::take(&mut self.unknown));
        let mut whole = Whole { name, directory, unknown, ..Whole::default() };
        let types: BTreeMap<String, String> =
            self.kept.iter().map(|kept| (kept.name.clone(), kept.process_type.to_string())).collect();
        let mut absent = Vec::new();
        for kept in &mut self.kept {
            let name = kept.process_type.to_string();
            let Asked { count, mut settings, checks, after, restarts, shares_ports } =
                std::mem::take(&mut kept.asked);
            let mut awaited = Vec::new();
            for (other, milestone) in after {
                match types.get(&other) {
                    Some(other) => awaited.push(Value::from(format!("{other}:{milestone}"))),
                    None => absent.push((kept.name.clone(), other)),
                }
            }
            if !awaited.is_empty() {
                settings.insert("after".to_owned(), awaited.into());
            }
            let count = if kept.instance { Some(kept.count.to_string()) } else { count };
            whole.counts.extend(count.map(|count| (name.clone(), count)));
            whole.shared.extend(shares_ports.then(|| name.clone()));
            whole.restarts.extend(restarts.map(|schedule| (name.clone(), schedule)));
            whole.checks.insert(name.clone(), checks);
            whole.settings.insert(name, settings);
        }
        for (name, other) in absent {
            self.note(&name, format_args!("it does not wait for {other}, which is not run"));
        }
        whole
    }

    /// Puts a `cd` before each command that starts in another directory than the app's, which is returned where the configuration is
    /// to be applied as a whole.
    fn enter(&mut self) -> String {
        let start = |kept: &Kept| match (&self.whole, &kept.directory) {
            (None, directory) => directory.clone(),
            (Some(beside), directory) => {
                Some(directory::plain(&directory::from(beside, directory.as_deref().unwrap_or_default())))
            }
        };
        let directories: Vec<Option<String>> = self.kept.iter().map(start).collect();
        let home = directory::home(directories.iter().flatten()).or_else(|| self.whole.clone());
        // Without a word, a command starts in the app's directory.
        let app = home.clone().filter(|_| self.is_whole());
        for (at, start) in directories.iter().enumerate() {
            let is_elsewhere = |start: &&str| !directory::is_here(start) && Some(*start) != app.as_deref();
            let Some(start) = start.as_deref().filter(is_elsewhere) else { continue };
            let below = directory::below(home.as_deref(), start).filter(|_| self.enter_directories);
            let kept = &mut self.kept[at];
            let entered = below.and_then(|below| entering(&below, &kept.line).map(|line| (below, line)));
            let name = kept.name.clone();
            match entered {
                None => {
                    let what = format!("commands start in the app's directory, not in {start}");
                    self.note(&name, what);
                }
                Some((below, line)) => {
                    kept.line = line;
                    if below.starts_with('/') && self.whole.is_none() {
                        self.note(
                            &name,
                            format_args!("its command begins with cd {below}, which must be there"),
                        );
                    }
                }
            }
        }
        home.unwrap_or_default()
    }

    fn procfile(&self) -> Result<Vec<u8>, ImportError> {
        let lines: Vec<String> =
            self.kept.iter().map(|kept| format!("{}: {}\n", kept.process_type, kept.line)).collect();
        let bytes = lines.concat().into_bytes();
        if bytes.is_empty() {
            return Ok(bytes);
        }
        let read = Procfile::parse(&bytes).map_err(|_| ImportError::Unfaithful)?;
        let meant = self.kept.iter().map(|kept| (kept.process_type.as_str(), kept.line.as_bytes()));
        if !read.entries().map(|entry| (entry.name, entry.command)).eq(meant) {
            return Err(ImportError::Unfaithful);
        }
        Ok(bytes)
    }
}
