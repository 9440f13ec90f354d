//! The files of one crate, which module each of them is, and whom it imports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::graph::{self, Graph};
use crate::paths::{self, Named};
use crate::tokens::tokens;

/// The modules of a crate, each under its path from the crate's root (empty for the root itself, `a::b` for `a/b.rs`).
pub(crate) struct House {
    directory: PathBuf,
    rooms: BTreeMap<String, Room>,
}

struct Room {
    file: PathBuf,
    named: Vec<Named>,
}

impl House {
    /// Reads the sources below a directory. `tests.rs` and what lies in `tests/` are tests.
    pub(crate) fn read(directory: &Path) -> io::Result<Self> {
        let mut house = Self { directory: directory.to_owned(), rooms: BTreeMap::new() };
        let mut left = vec![directory.to_owned()];
        while let Some(place) = left.pop() {
            for entry in fs::read_dir(&place)? {
                let path = entry?.path();
                match path.extension() {
                    _ if path.file_stem().is_some_and(|name| name == "tests") => {}
                    _ if path.is_dir() => left.push(path),
                    Some(extension) if extension == "rs" => house.add(path)?,
                    _ => {}
                }
            }
        }
        Ok(house)
    }

    fn add(&mut self, file: PathBuf) -> io::Result<()> {
        let named = paths::paths(&tokens(&fs::read_to_string(&file)?));
        let below = file.strip_prefix(&self.directory).expect("it was found below it").with_extension("");
        let mut words: Vec<&str> = below.iter().filter_map(|word| word.to_str()).collect();
        words.pop_if(|word| matches!(*word, "mod" | "lib" | "main"));
        self.rooms.insert(words.join("::"), Room { file, named });
        Ok(())
    }

    /// Each circle as text: its files, each with those of them that it imports and the names that it takes.
    pub(crate) fn circles(&self) -> Vec<String> {
        let graph = self.graph();
        graph::circles(&graph).iter().map(|circle| self.shown(&graph, circle)).collect()
    }

    fn graph(&self) -> Graph {
        let handed_on = self.handed_on();
        let mut graph = Graph::new();
        for (from, room) in &self.rooms {
            for path in room.named.iter().filter_map(|named| self.imported(from, named)) {
                let (owner, name) = self.owner(&path, &handed_on);
                if owner != *from {
                    graph.entry(from.clone()).or_default().entry(owner).or_default().insert(name);
                }
            }
        }
        graph
    }

    /// Where the names come from that a file hands on, by the file and the name.
    fn handed_on(&self) -> BTreeMap<(String, String), Vec<String>> {
        let all =
            self.rooms.iter().flat_map(|(from, room)| room.named.iter().map(move |named| (from, named)));
        let on = all.filter(|(_, named)| named.handed_on);
        on.filter_map(|(from, named)| {
            let path = self.absolute(from, &named.words)?;
            Some(((from.clone(), path.last()?.clone()), path))
        })
        .collect()
    }

    /// The path of a name that a file takes: not of one that it hands on from a module below itself, as whose face it stands there.
    fn imported(&self, from: &str, named: &Named) -> Option<Vec<String>> {
        let path = self.absolute(from, &named.words)?;
        let is_face = named.handed_on && path.join("::").starts_with(&below(from, ""));
        (!is_face).then_some(path)
    }

    /// A path from the root of the crate; nothing for one that leads out of it.
    fn absolute(&self, from: &str, words: &[String]) -> Option<Vec<String>> {
        let mut path: Vec<String> =
            from.split("::").filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let (first, rest) = words.split_first()?;
        match first.as_str() {
            "crate" => path.clear(),
            "self" => {}
            "super" => drop(path.pop()),
            child if self.rooms.contains_key(&below(from, child)) => path.push(child.to_owned()),
            _ => return None,
        }
        for word in rest {
            match word.as_str() {
                "super" => drop(path.pop()),
                "self" | "*" => {}
                name => path.push(name.to_owned()),
            }
        }
        Some(path)
    }

    /// The file that defines what a path names, and the name.
    fn owner(
        &self,
        path: &[String],
        handed_on: &BTreeMap<(String, String), Vec<String>>,
    ) -> (String, String) {
        let mut owner = String::new();
        for (at, word) in path.iter().enumerate() {
            let deeper = below(&owner, word);
            if self.rooms.contains_key(&deeper) {
                owner = deeper;
            } else if let Some(origin) =
                handed_on.get(&(owner.clone(), word.clone())).filter(|origin| origin.as_slice() != path)
            {
                let path: Vec<String> = origin.iter().chain(&path[at + 1..]).cloned().collect();
                return self.owner(&path, handed_on);
            } else {
                return (owner, word.clone());
            }
        }
        (owner, "itself".to_owned())
    }

    fn shown(&self, graph: &Graph, circle: &BTreeSet<String>) -> String {
        let mut text = format!("{} files import each other in a circle:", circle.len());
        for (from, to) in circle.iter().flat_map(|from| graph[from].iter().map(move |to| (from, to))) {
            if circle.contains(to.0) {
                let names: Vec<&str> = to.1.iter().map(String::as_str).collect();
                let (from, to) = (self.rooms[from].file.display(), self.rooms[to.0].file.display());
                write!(text, "\n  {from} -> {to}: {}", names.join(", "))
                    .expect("a string takes what is written to it");
            }
        }
        text
    }
}

fn below(module: &str, child: &str) -> String {
    if module.is_empty() { child.to_owned() } else { format!("{module}::{child}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate with these files.
    fn house(name: &str, files: &[(&str, &str)]) -> Vec<String> {
        let directory = std::env::temp_dir().join(format!("circles-{}-{name}", std::process::id()));
        for (file, text) in files {
            let path = directory.join(file);
            fs::create_dir_all(path.parent().expect("a file has a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        let found = House::read(&directory).expect("it is read").circles();
        fs::remove_dir_all(&directory).expect("it is removed");
        let shorter = format!("{}/", directory.display());
        found.into_iter().map(|circle| circle.replace(&shorter, "")).collect()
    }

    #[test]
    fn two_files_that_import_each_other_are_found() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\n"),
            ("a.rs", "use crate::b::{B, c};\n"),
            ("b.rs", "fn f(a: &super::a::A) {}\n"),
        ];
        let wanted = "2 files import each other in a circle:\n  a.rs -> b.rs: B, c\n  b.rs -> a.rs: A";
        assert_eq!(house("two", &files), [wanted]);
    }

    #[test]
    fn a_module_and_its_child_that_import_each_other_are_found() {
        let files = [
            ("lib.rs", "mod a;\n"),
            ("a/mod.rs", "mod b;\nfn f() { b::g() }\nstruct A;\n"),
            ("a/b.rs", "use super::A;\n"),
        ];
        let wanted =
            "2 files import each other in a circle:\n  a/mod.rs -> a/b.rs: g\n  a/b.rs -> a/mod.rs: A";
        assert_eq!(house("child", &files), [wanted]);
    }

    #[test]
    fn a_name_that_a_face_hands_on_belongs_to_the_file_that_it_comes_from() {
        let lib = "mod a;\nmod b;\npub use a::A;\npub use b::B;\n";
        let files = [("lib.rs", lib), ("a.rs", "use crate::B;\n"), ("b.rs", "")];
        assert!(house("face", &files).is_empty());
        let files = [("lib.rs", lib), ("a.rs", "use crate::B;\n"), ("b.rs", "use crate::A;\n")];
        assert_eq!(house("faces", &files).len(), 1);
    }

    #[test]
    fn tests_and_imports_with_a_reason_are_no_part_of_a_circle() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
            ("a.rs", "use crate::b::B;\nuse crate::c::C;\n"),
            ("b.rs", "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n"),
            ("c.rs", "use crate::a::A; // circle: the table has its own row\n"),
        ];
        assert!(house("reason", &files).is_empty());
    }
}
