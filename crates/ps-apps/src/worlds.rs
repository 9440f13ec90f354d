//! The worlds of a user: the usual one, that of pm2, and those in a list in the user's state directory. The program that creates the first
//! app of a world outside Dokku adds the world to the list. A world that is no longer on disk is ignored, and removed from the list by the
//! next addition.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::places;
use crate::{Error, World, variable};

/// The list: one world a line, its two roots with a tabulator between them.
const FILE: &str = "worlds";
const MAX_BYTES: u64 = 1 << 20;
/// The command line's word for the usual world.
const USUAL: &str = "default";
/// The command line's word for the world of the apps of ps-pm2.
const PM2: &str = "pm2";

impl World {
    /// The world in which programs work by default, regardless of `DOKKU_ROOT` and `DOKKU_LIB_ROOT`.
    ///
    /// # Errors
    /// [`Error::NoRoots`].
    pub fn usual() -> Result<Self, Error> {
        Ok(Self::below(&places::usual(&variable)?))
    }

    /// The world of the apps of a `PM2_HOME`.
    pub fn of_pm2(home: &Path) -> Self {
        Self::below(&home.join("formation")).listed_in(places::list(&variable))
    }

    /// The world that a word of the command line names: `default`, `pm2`, or a directory. The directory contains `home` and `lib`, is a
    /// `PM2_HOME`, is the `DOKKU_ROOT` of a world in the list, or is empty; in an empty one a new world begins.
    ///
    /// # Errors
    /// [`Error::NoWorld`], or [`Error::NoRoots`] for the usual world.
    pub fn named(word: &Path) -> Result<Self, Error> {
        let world = match word.to_str() {
            Some(USUAL) => return Self::usual(),
            Some(PM2) => pm2_home().map(|home| Self::of_pm2(&home)).filter(Self::is_there),
            _ => {
                let place = std::path::absolute(word).unwrap_or_else(|_| word.to_owned());
                let place: PathBuf = place.components().collect();
                let below = [place.clone(), place.join("formation")].map(|base| Self::below(&base));
                let listed = || known().into_iter().find(|world| world.root() == place);
                let new = || may_begin_in(&place).then(|| Self::below(&place));
                // The root directory is no world, although every machine has a `/home` and a `/lib`.
                let is_root = place.parent().is_none();
                below.into_iter().find(|world| !is_root && world.is_there()).or_else(listed).or_else(new)
            }
        };
        world.ok_or_else(|| Error::NoWorld {
            word: word.display().to_string(),
            known: known().iter().map(Self::name).collect(),
        })
    }

    /// The other worlds of this user that are on disk: the usual one first, then that of pm2, then those of the list.
    pub fn others(&self) -> Vec<Self> {
        let mut others = known();
        others.retain(|world| !world.is_same(self));
        others
    }

    /// The word by which [`Self::named`] finds this world.
    pub fn name(&self) -> String {
        let is = |base: Option<PathBuf>| base.is_some_and(|base| Self::below(&base).is_same(self));
        if is(places::usual(&variable).ok()) {
            return USUAL.to_owned();
        }
        if is(pm2_home().map(|home| home.join("formation"))) {
            return PM2.to_owned();
        }
        let base = self.root().parent().filter(|base| Self::below(base).is_same(self));
        base.unwrap_or(self.root()).display().to_string()
    }

    /// The directory that contains its roots as `home` and `lib`; if they are elsewhere, `DOKKU_LIB_ROOT`.
    pub fn base(&self) -> &Path {
        let base = self.lib().parent().filter(|base| Self::below(base).is_same(self));
        base.unwrap_or(self.lib())
    }

    /// Whether both have the same roots.
    pub fn is_same(&self, other: &Self) -> bool {
        self.root() == other.root() && self.lib() == other.lib()
    }

    fn below(base: &Path) -> Self {
        Self::new(base.join("home"), base.join("lib"))
    }

    fn is_there(&self) -> bool {
        self.root().is_dir() && self.lib().is_dir()
    }

    /// Adds the world to the list, if it belongs there. If the list cannot be written, the app exists all the same.
    pub(crate) fn note(&self) {
        let is_usual = places::usual(&variable).is_ok_and(|base| Self::below(&base).is_same(self));
        if let (Some(directory), Some(line), false) =
            (self.list(), self.line(), is_usual || self.inside_dokku())
        {
            let _ = add(directory, &line);
        }
    }

    /// The line of this world in the list; `None` if no line can hold its paths.
    fn line(&self) -> Option<String> {
        let text = |path: &Path| Some(path.to_str()?.to_owned()).filter(|path| !path.contains(['\t', '\n']));
        Some(format!("{}\t{}", text(self.root())?, text(self.lib())?))
    }
}

/// `PM2_HOME`, or `.pm2` in the user's home; `None` if neither is known.
pub fn pm2_home() -> Option<PathBuf> {
    places::pm2_home(&variable)
}

/// The worlds that exist on disk, each once.
fn known() -> Vec<World> {
    let usual = places::usual(&variable).ok().map(|base| World::below(&base));
    let pm2 = pm2_home().map(|home| World::of_pm2(&home));
    let listed = places::list(&variable).map(|directory| listed(&directory)).unwrap_or_default();
    let mut known: Vec<World> = Vec::new();
    for world in usual.into_iter().chain(pm2).chain(listed) {
        if world.is_there() && !known.iter().any(|there| there.is_same(&world)) {
            known.push(world);
        }
    }
    known
}

/// The worlds in the list; none if the list cannot be read.
fn listed(directory: &Path) -> Vec<World> {
    let bytes = durable::state(&directory.join(FILE), MAX_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let worlds = text.lines().filter_map(|line| line.split_once('\t'));
    worlds.map(|(root, lib)| World::new(root, lib)).collect()
}

fn add(directory: &Path, line: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let lock = File::open(directory)?;
    durable::take_turn(&lock)?;
    let there = listed(directory).into_iter().filter(World::is_there);
    let mut lines: Vec<String> = there.filter_map(|world| world.line()).collect();
    if lines.iter().any(|there| there == line) {
        return Ok(());
    }
    lines.push(line.to_owned());
    durable::replace(directory, FILE, format!("{}\n", lines.join("\n")).as_bytes())
}

/// Whether a new world may begin in a directory: it is empty, in no root of another world, and has a path that the list can
/// hold.
fn may_begin_in(directory: &Path) -> bool {
    let is_empty = fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none());
    let is_root_of_world = |above: &Path| {
        // `/home` and `/lib` are no roots of a world in `/`.
        let base = above.parent().filter(|base| base.parent().is_some());
        let world = base.map(World::below).filter(World::is_there);
        world.is_some_and(|world| above == world.root() || above == world.lib())
    };
    let is_in_world = directory.ancestors().any(is_root_of_world);
    is_empty && !is_in_world && World::below(directory).line().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_each_world_once_and_forgets_what_has_gone_from_the_disk() {
        let place = tempfile::tempdir().expect("a directory");
        let world = |name: &str| {
            let world = World::below(&place.path().join(name));
            fs::create_dir_all(world.root()).and_then(|()| fs::create_dir_all(world.lib())).expect("roots");
            world.listed_in(Some(place.path().join("state")))
        };
        let worlds = ["blue", "green"].map(world);
        for world in worlds.iter().chain(&worlds) {
            world.note();
        }
        let names =
            || -> Vec<String> { listed(&place.path().join("state")).iter().map(World::name).collect() };
        let name = |name: &str| place.path().join(name).display().to_string();
        assert_eq!(names(), [name("blue"), name("green")]);
        fs::remove_dir_all(place.path().join("blue")).expect("it is there");
        world("red").note();
        assert_eq!(names(), [name("green"), name("red")]);
    }

    #[test]
    fn a_directory_names_the_world_in_it_or_that_of_a_pm2_home_or_a_new_one_and_nothing_else() {
        let place = tempfile::tempdir().expect("a directory");
        for path in [
            "w/home",
            "w/lib",
            "p/formation/home",
            "p/formation/lib",
            "new",
            "other/home",
            "w/home/app",
            "w/lib/data/shop",
            "w/beside",
            "a\tb",
        ] {
            fs::create_dir_all(place.path().join(path)).expect("a directory");
        }
        let root = |word: &str| World::named(&place.path().join(word)).map(|world| world.root().to_owned());
        let found = [
            ("w", "w/home"),
            ("w/", "w/home"),
            ("p", "p/formation/home"),
            ("new", "new/home"),
            ("w/beside", "w/beside/home"),
        ];
        for (word, home) in found {
            assert_eq!(root(word).expect("a world"), place.path().join(home), "{word}");
        }
        for word in ["other", "absent", "w/home/app", "w/lib/data/shop", "w/lib/data", "a\tb"] {
            assert!(matches!(root(word), Err(Error::NoWorld { .. })), "{word}");
        }
        assert!(matches!(World::named(Path::new("/")), Err(Error::NoWorld { .. })));
    }
}
