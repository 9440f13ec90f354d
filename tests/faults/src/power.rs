//! What a disk may hold after the power failed: every state that the deeds of a program allow, where only a sync
//! promises anything. Bytes may be old, new, half or zeroed until their file is synced; a name may be as before or as
//! after until one of its directories is synced, in any order. A rename is atomic. Nothing here is measured on a real
//! disk: it is the worst that POSIX allows, built in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::script::Deed;

/// The most names that may hang in the balance at once: 2 to the power of it states.
const MOST_PENDING: usize = 12;

type File = usize;

/// What a name may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(File),
    Directory,
}

/// One step in the life of the disk.
#[derive(Debug)]
enum Step {
    /// A file's content from here on.
    Content(File, Vec<u8>),
    SyncFile(File),
    /// Names that change together, and the directories of which one must be synced to make it last.
    Names(Vec<(PathBuf, Option<Node>)>, BTreeSet<PathBuf>),
    SyncDirectory(PathBuf),
}

/// The life of a disk from a world before to the end of a program.
#[derive(Debug)]
pub struct History {
    names: BTreeMap<PathBuf, Node>,
    contents: Vec<Vec<u8>>,
    steps: Vec<Step>,
}

/// One disk after a power failure, by path: the bytes of a file, none for a directory.
pub type State = BTreeMap<PathBuf, Option<Vec<u8>>>;

impl History {
    /// From the world as it lies at `world`, and what a program then did to it.
    pub fn of(world: &Path, deeds: &[Deed]) -> Result<Self> {
        let mut history = Self { names: BTreeMap::new(), contents: Vec::new(), steps: Vec::new() };
        history.load(world)?;
        let mut now =
            Now { names: history.names.clone(), contents: history.contents.clone(), open: BTreeMap::new() };
        for deed in deeds {
            let steps = now.follow(deed).with_context(|| format!("{deed:?}"))?;
            history.steps.extend(steps);
        }
        history.contents.resize(now.contents.len(), Vec::new());
        Ok(history)
    }

    /// The same life without any promise that files (or directories) are synced: a control.
    #[must_use]
    pub fn without_syncs(mut self, of_files: bool) -> Self {
        self.steps.retain(|step| match step {
            Step::SyncFile(_) => !of_files,
            Step::SyncDirectory(_) => of_files,
            Step::Content(..) | Step::Names(..) => true,
        });
        self
    }

    /// How many moments there are at which the power may fail; the last is after the program's end.
    pub fn moments(&self) -> usize {
        self.steps.len() + 1
    }

    /// The moment just before the last step that takes the name `path` away.
    pub fn before_removal_of(&self, path: &Path) -> Option<usize> {
        let takes_away = |step: &Step| matches!(step, Step::Names(changes, _) if changes.iter().any(|(name, node)| name == path && node.is_none()));
        self.steps.iter().rposition(takes_away)
    }

    /// Whether the first `moment` steps allow one disk alone.
    pub fn is_settled(&self, moment: usize) -> bool {
        let steps = &self.steps[..moment];
        let mut names = self.names.clone();
        for step in steps {
            if let Step::Names(changes, _) = step {
                apply(&mut names, changes);
            }
        }
        let is_certain = |(path, node): (&PathBuf, &Node)| match node {
            Node::File(file) => is_staged(path) || self.possible(steps, *file).len() == 1,
            Node::Directory => true,
        };
        !(0..moment).any(|index| is_pending(steps, index)) && names.iter().all(is_certain)
    }

    /// Every disk that the first `moment` steps allow.
    pub fn states(&self, moment: usize) -> Result<Vec<State>> {
        let steps = &self.steps[..moment];
        let pending: Vec<usize> = (0..moment).filter(|index| is_pending(steps, *index)).collect();
        ensure!(pending.len() <= MOST_PENDING, "{} names are in the balance", pending.len());
        let mut states = Vec::new();
        for chosen in 0..1_usize << pending.len() {
            let is_lost =
                |index| pending.iter().position(|p| *p == index).is_some_and(|bit| chosen >> bit & 1 == 0);
            let mut names = self.names.clone();
            for (index, step) in steps.iter().enumerate() {
                if let (Step::Names(changes, _), false) = (step, is_lost(index)) {
                    apply(&mut names, changes);
                }
            }
            states.extend(self.with_contents(steps, &names));
        }
        Ok(states)
    }

    fn load(&mut self, dir: &Path) -> Result<()> {
        self.names.insert(dir.to_owned(), Node::Directory);
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                self.load(&path)?;
            } else {
                self.names.insert(path.clone(), Node::File(self.contents.len()));
                self.contents.push(fs::read(&path)?);
            }
        }
        Ok(())
    }

    /// One state for each content that each reachable file may have.
    fn with_contents(&self, steps: &[Step], names: &BTreeMap<PathBuf, Node>) -> Vec<State> {
        let mut states = vec![State::new()];
        for (path, node) in names {
            if !path.ancestors().skip(1).all(|parent| is_there(names, parent)) || is_staged(path) {
                continue;
            }
            let possible = match node {
                Node::File(file) => self.possible(steps, *file).into_iter().map(Some).collect(),
                Node::Directory => vec![None],
            };
            let with = |state: &State, bytes: &Option<Vec<u8>>| {
                let mut state = state.clone();
                state.insert(path.clone(), bytes.clone());
                state
            };
            states =
                states.iter().flat_map(|state| possible.iter().map(|bytes| with(state, bytes))).collect();
        }
        states
    }

    fn possible(&self, steps: &[Step], file: File) -> Vec<Vec<u8>> {
        let mut possible = vec![self.contents[file].clone()];
        let mut newest = self.contents[file].clone();
        for step in steps {
            match step {
                Step::Content(of, bytes) if *of == file => {
                    possible.extend([bytes.clone(), bytes[..bytes.len() / 2].to_vec(), vec![0; bytes.len()]]);
                    newest.clone_from(bytes);
                }
                Step::SyncFile(of) if *of == file => possible = vec![newest.clone()],
                _ => (),
            }
        }
        possible.sort();
        possible.dedup();
        possible
    }
}

/// The disk as the running program sees it.
struct Now {
    names: BTreeMap<PathBuf, Node>,
    contents: Vec<Vec<u8>>,
    open: BTreeMap<u32, File>,
}

impl Now {
    fn follow(&mut self, deed: &Deed) -> Result<Vec<Step>> {
        Ok(match deed {
            Deed::Open { path, fd, empties } => self.open(path, *fd, *empties),
            Deed::Write { fd, bytes } => {
                let file = *self.open.get(fd).context("an open file")?;
                self.contents[file].extend(bytes);
                vec![Step::Content(file, self.contents[file].clone())]
            }
            Deed::Sync { path, fd } => vec![match self.names.get(path) {
                Some(Node::Directory) => Step::SyncDirectory(path.clone()),
                Some(Node::File(file)) => Step::SyncFile(*file),
                None => Step::SyncFile(*self.open.get(fd).context("an open file")?),
            }],
            Deed::Rename { from, to, exchanges } => {
                let moved = self.names.get(from).copied();
                let left = if *exchanges { self.names.get(to).copied() } else { None };
                vec![self.change(vec![(to.clone(), moved), (from.clone(), left)])]
            }
            Deed::Remove(path) => vec![self.change(vec![(path.clone(), None)])],
            Deed::MakeDirectory(path) => vec![self.change(vec![(path.clone(), Some(Node::Directory))])],
        })
    }

    fn open(&mut self, path: &Path, fd: u32, empties: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let file = if let Some(Node::File(file)) = self.names.get(path) {
            *file
        } else {
            self.contents.push(Vec::new());
            let file = self.contents.len() - 1;
            steps.push(self.change(vec![(path.to_owned(), Some(Node::File(file)))]));
            file
        };
        self.open.insert(fd, file);
        if empties {
            self.contents[file].clear();
            steps.push(Step::Content(file, Vec::new()));
        }
        steps
    }

    fn change(&mut self, changes: Vec<(PathBuf, Option<Node>)>) -> Step {
        apply(&mut self.names, &changes);
        let parents = changes.iter().filter_map(|(path, _)| path.parent()).map(Path::to_owned).collect();
        Step::Names(changes, parents)
    }
}

fn apply(names: &mut BTreeMap<PathBuf, Node>, changes: &[(PathBuf, Option<Node>)]) {
    for (path, node) in changes {
        match node {
            Some(node) => names.insert(path.clone(), *node),
            None => names.remove(path),
        };
    }
}

/// Whether no sync before the end of `steps` has made the names at `index` last. What happens in a stage alone is seen
/// by no reader.
fn is_pending(steps: &[Step], index: usize) -> bool {
    let Step::Names(changes, parents) = &steps[index] else { return false };
    let is_synced = |step: &Step| matches!(step, Step::SyncDirectory(path) if parents.contains(path));
    let is_seen = changes.iter().any(|(path, _)| !is_staged(path));
    is_seen && !steps[index..].iter().any(is_synced)
}

fn is_staged(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == ".stage")
}

/// Directories above the world are there whatever happens.
fn is_there(names: &BTreeMap<PathBuf, Node>, parent: &Path) -> bool {
    let is_above = names.keys().next().is_some_and(|world| world.starts_with(parent));
    is_above || names.get(parent) == Some(&Node::Directory)
}
