//! Which process types are restarted when files change, and when: after the changes have stopped for a while, so that many
//! changes in a row cause one restart.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use file_watch::{FileWatch, Ignored};
use formation::Slot;
use type_settings::{Paths, Patterns, Span};

use crate::diary::Occasion;
use crate::spec::Spec;

/// How long nothing must have changed before a restart, if the type does not say it.
const QUIET: Duration = Duration::from_millis(300);
/// How long a restart waits for changes to stop, unless the type asks for more.
const LONGEST: Duration = Duration::from_secs(10);
/// How many directories one supervisor watches for each list of paths.
const MOST_DIRECTORIES: usize = 8192;

/// The watch of types with the same list of paths.
#[derive(Debug)]
pub(crate) struct WatchedPaths {
    wish: Wish,
    /// The types that are restarted.
    pub(crate) types: Vec<String>,
    /// The watch, or the reason why files cannot be watched.
    pub(crate) watch: Result<FileWatch, String>,
    changed: Option<Changed>,
}

/// A type's list of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    directory: PathBuf,
    paths: Paths,
    ignored: Option<Patterns>,
    /// How long nothing must have changed.
    quiet: Duration,
}

/// Changes that have not caused a restart yet.
#[derive(Debug)]
struct Changed {
    /// The first file that changed.
    file: PathBuf,
    others: bool,
    since: Instant,
    last: Instant,
}

/// A restart in progress because of changed files.
#[derive(Debug)]
pub(crate) struct Refresh {
    /// What caused it.
    pub(crate) occasion: Occasion,
    /// The slots that are restarted.
    pub(crate) slots: Vec<Slot>,
    /// Which file changed, or how much memory was used, for people.
    pub(crate) why: String,
}

/// The watches that a spec asks for; types with the same list share one.
pub(crate) fn wanted(spec: &Spec) -> Vec<WatchedPaths> {
    let mut all: Vec<WatchedPaths> = Vec::new();
    for process in spec.processes.iter().filter(|process| process.process_type != formation::RELEASE) {
        // What runs by a schedule begins with the files that are there.
        if process.settings.schedule.is_some() {
            continue;
        }
        let Some(paths) = process.settings.watch_paths.clone() else { continue };
        let ignored = process.settings.watch_ignore.clone();
        let quiet = process.settings.watch_delay.map_or(QUIET, Span::get);
        let wish = Wish { directory: spec.directory.clone(), paths, ignored, quiet };
        if let Some(watched) = all.iter_mut().find(|watched| watched.wish == wish) {
            watched.types.push(process.process_type.clone());
        } else {
            let (types, watch) = (vec![process.process_type.clone()], Err(String::new()));
            all.push(WatchedPaths { wish, types, watch, changed: None });
        }
    }
    all
}

impl WatchedPaths {
    /// Whether it is for the same files and the same types as another one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.wish == other.wish && self.types == other.types
    }

    /// Whether nothing would be gained by beginning anew.
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.watch.as_ref().is_ok_and(FileWatch::is_up_to_date)
    }

    /// Takes over the changes that have not caused a restart yet.
    pub(crate) fn inherit(&mut self, earlier: &mut [Self]) {
        let earlier = earlier.iter_mut().find(|earlier| earlier.is_same(self));
        self.changed = earlier.and_then(|earlier| earlier.changed.take());
    }

    /// Begins to watch.
    pub(crate) fn begin(&mut self) {
        let Wish { directory, paths, ignored, quiet: _ } = &self.wish;
        let ignored = Ignored::new(ignored.iter().flat_map(Patterns::iter));
        let all: Vec<&str> = paths.iter().collect();
        let watch = FileWatch::of(directory, &all, ignored, MOST_DIRECTORIES);
        self.watch =
            watch.map_err(|error| format!("watch-paths {paths} in {}: {error}", directory.display()));
    }

    /// A warning for people if it cannot watch everything.
    pub(crate) fn trouble(&self) -> Option<String> {
        match &self.watch {
            Ok(watch) => watch.shortfall().map(|shortfall| format!("watch-paths: {shortfall}")),
            Err(reason) => Some(reason.clone()),
        }
    }

    /// Reads the changes.
    pub(crate) fn look(&mut self, now: Instant) {
        let Ok(watch) = &mut self.watch else { return };
        let mut files = watch.changes().into_iter();
        let Some(file) = files.next() else { return };
        let others = files.next().is_some();
        let changed =
            self.changed.get_or_insert_with(|| Changed { file: file.clone(), others, since: now, last: now });
        changed.others |= others || changed.file != file;
        changed.last = now;
    }

    /// When the restart is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let quiet = self.wish.quiet;
        let of = |changed: &Changed| (changed.last + quiet).min(changed.since + LONGEST.max(quiet));
        self.changed.as_ref().map(of)
    }

    /// Puts the restart off, because it is not possible now.
    pub(crate) fn postpone(&mut self, now: Instant) {
        if let Some(changed) = &mut self.changed {
            (changed.since, changed.last) = (now, now);
        }
    }

    /// The change for people; the pending changes are cleared.
    pub(crate) fn take(&mut self) -> Option<String> {
        let Changed { file, others, .. } = self.changed.take()?;
        Some(named(&file, others))
    }
}

fn named(file: &Path, others: bool) -> String {
    let name = if file == Path::new(".") { "many files".to_owned() } else { file.display().to_string() };
    if others { format!("{name} and others changed") } else { format!("{name} changed") }
}
