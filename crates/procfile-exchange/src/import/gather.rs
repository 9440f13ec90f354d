//! Makes a Procfile of the processes that a reader found: names become legal process types, commands become lines, and the variables
//! one env file.

use std::collections::BTreeSet;
use std::fmt::Display;

use formation::{Formation, MAX_NAME_BYTES, MAX_QUANTITY, ProcessType, Quantity};
use procfile::{MAX_LINE_BYTES, Procfile};

use crate::import::command::entering;
use crate::import::directory;
use crate::import::environment::Environment;
use crate::import::error::ImportError;
use crate::import::found::{Found, Instance};
use crate::import::imported::Imported;
use crate::import::instances;

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
}

/// What was found so far.
#[derive(Default)]
pub(crate) struct Gathering {
    /// The processes, each with the number of notes that there were when it was found.
    found: Vec<(usize, Found)>,
    /// The app. It is cut off the beginning of names, with the dash behind it.
    app: String,
    enter_directories: bool,
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
    /// A gathering without processes. `app` and a dash are cut off names.
    pub(crate) fn of(app: &str, enter_directories: bool) -> Self {
        Self { app: app.to_owned(), enter_directories, ..Self::default() }
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
            self.note(of, format_args!("no place in a Procfile for {}", names.join(", ")));
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
    fn keep(&mut self, found: Found) {
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
        let Found { name, count, directory, .. } = found;
        self.kept.push(Kept { process_type, name, line, directory, count, instance: is_one_of_several });
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
        self.enter();
        let environment = std::mem::take(&mut self.environment);
        let env_file = environment.file(self.kept.len(), |of, what| self.note(of, what));
        let procfile = self.procfile()?;
        let mut notes: Vec<String> = self.notes.into_iter().map(|(_, note)| note).collect();
        if self.unsaid > 0 {
            notes.push(format!("… and {} more", self.unsaid));
        }
        Ok(Imported { procfile, formation, env_file, notes })
    }

    /// Puts a `cd` before each command that starts in another directory than the app's.
    fn enter(&mut self) {
        let directories: Vec<Option<String>> = self.kept.iter().map(|kept| kept.directory.clone()).collect();
        let home = directory::home(directories.iter().flatten());
        for (at, start) in directories.iter().enumerate() {
            let Some(start) = start.as_deref().filter(|start| !directory::is_here(start)) else { continue };
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
                    if below.starts_with('/') {
                        self.note(
                            &name,
                            format_args!("its command begins with cd {below}, which must be there"),
                        );
                    }
                }
            }
        }
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
