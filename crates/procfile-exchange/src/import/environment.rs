//! The variables of all processes as one env file. An app has one environment, so a variable that has different values in different
//! processes is left out with a note.

use std::collections::{BTreeMap, BTreeSet};

use procfile::EnvFile;

/// Variables that Formation sets for each instance, and variables that other managers set for the same purpose.
pub(crate) const OWN: [&str; 4] = ["PORT", "PS", "HONCHO_PROCESS_NAME", "NODE_APP_INSTANCE"];

/// The variables that were found, in that order, each with its owners and values.
#[derive(Default)]
pub(crate) struct Environment {
    names: Vec<String>,
    values: BTreeMap<String, Vec<(String, String)>>,
    /// Whether a variable that has several values is kept under a name for each of them.
    sets_apart: bool,
}

/// The env file, and what there is to know of it.
pub(crate) struct Written {
    pub(crate) file: Vec<u8>,
    pub(crate) apart: Vec<SetApart>,
    /// The processes that each of its variables is for, by the name that it has in the file; none: for all.
    pub(crate) owners: BTreeMap<String, BTreeSet<String>>,
}

/// A variable that has another value for one process than for others.
pub(crate) struct SetApart {
    /// The process.
    pub(crate) owner: String,
    pub(crate) name: String,
    /// The name under which its value stands in the env file.
    pub(crate) stored: String,
}

impl Environment {
    /// No variables yet. `sets_apart`: one that has several values is kept under a name for each, and not left out.
    pub(crate) fn new(sets_apart: bool) -> Self {
        Self { sets_apart, ..Self::default() }
    }

    /// Sets a variable of a process; the owner `""` means all processes.
    pub(crate) fn set(&mut self, owner: &str, name: &str, value: &str) {
        if !self.values.contains_key(name) {
            self.names.push(name.to_owned());
        }
        self.values.entry(name.to_owned()).or_default().push((owner.to_owned(), value.to_owned()));
    }

    /// Sets variables of a process.
    pub(crate) fn set_all(&mut self, owner: &str, variables: &[(String, String)]) {
        for (name, value) in variables {
            self.set(owner, name, value);
        }
    }

    /// The env file. `note` is called for each variable that is left out, with its owner and the reason.
    pub(crate) fn file(&self, processes: usize, mut note: impl FnMut(&str, String)) -> Written {
        let mut file = String::new();
        let (mut apart, mut of_variables) = (Vec::new(), BTreeMap::new());
        for name in &self.names {
            let mut owners: Vec<&str> = Vec::new();
            let mut values: Vec<&str> = Vec::new();
            for (owner, value) in &self.values[name] {
                owners.push(owner);
                values.push(value);
            }
            owners.dedup();
            values.dedup();
            let what = format!("variable {}", shown(name));
            if OWN.contains(&name.as_str()) {
                note("", format!("{what} is left out: each instance gets its own"));
                continue;
            }
            if self.sets_apart && values.len() > 1 && is_for_a_shell(name) {
                self.set_apart(name, &mut file, &mut apart, &mut note);
                continue;
            }
            let [value] = values[..] else {
                note(
                    "",
                    format!(
                        "{what} is left out: it has several values ({}): set it in the commands",
                        owners.join(", ")
                    ),
                );
                continue;
            };
            let Some(line) = line(name, value) else {
                note("", format!("{what} is left out: an env file cannot hold it"));
                continue;
            };
            file.push_str(&line);
            let of_all = owners.contains(&"");
            let these = owners.iter().filter(|_| !of_all).map(|owner| (*owner).to_owned());
            of_variables.insert(name.clone(), these.collect());
            if owners.len() < processes && !owners.contains(&"") {
                note(
                    "",
                    format!(
                        "{what} was that of {} alone, and is that of the whole app now",
                        owners.join(", ")
                    ),
                );
            }
        }
        let of_one = apart.iter().map(|one| (one.stored.clone(), BTreeSet::from([one.owner.clone()])));
        of_variables.extend(of_one);
        Written { file: file.into_bytes(), apart, owners: of_variables }
    }

    /// Keeps each value of a variable: that of all processes under its own name, and that of one process beside it.
    fn set_apart(
        &self,
        name: &str,
        file: &mut String,
        apart: &mut Vec<SetApart>,
        note: &mut impl FnMut(&str, String),
    ) {
        let mut last: BTreeMap<&str, &str> = BTreeMap::new();
        last.extend(self.values[name].iter().map(|(owner, value)| (owner.as_str(), value.as_str())));
        for (owner, value) in last {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let of_owner = || format!("{name}__{}", owner.chars().map(plain).collect::<String>());
            let mut stored = if owner.is_empty() { name.to_owned() } else { of_owner() };
            while !owner.is_empty() && (self.values.contains_key(&stored) || is_taken(apart, &stored)) {
                stored.push('_');
            }
            match line(&stored, value) {
                Some(line) => file.push_str(&line),
                None => {
                    note(owner, format!("variable {} is left out: an env file cannot hold it", shown(name)));
                }
            }
            if !owner.is_empty() {
                apart.push(SetApart { owner: owner.to_owned(), name: name.to_owned(), stored });
            }
        }
    }
}

fn is_taken(apart: &[SetApart], stored: &str) -> bool {
    apart.iter().any(|one| one.stored == stored)
}

/// Whether a shell can set it.
fn is_for_a_shell(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

/// The line of a variable, which reads back as this variable whatever line stands before it. The name may be any that an env file can
/// hold, including names that a shell drops, such as `MY-KEY`.
fn line(name: &str, value: &str) -> Option<String> {
    let bare = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./:,@%+=-".contains(&byte));
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
    let escaped = escaped.replace('\n', "\\n").replace('\r', "\\r");
    let candidates =
        [bare.then(|| value.to_owned()), Some(format!("'{value}'")), Some(format!("\"{escaped}\""))];
    let lines = candidates.into_iter().flatten().map(|written| format!("{name}={written}\n"));
    let mut lines = lines.filter(|line| line.ends_with('\n') && line.lines().count() == 1);
    lines.find(|line| reads_back(line, name, value))
}

fn reads_back(line: &str, name: &str, value: &str) -> bool {
    EnvFile::parse(line.as_bytes())
        .is_ok_and(|read| read.len() == 1 && read.get_bytes(name.as_bytes()) == Some(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_behind_one_another() {
        let values = [
            "a",
            "",
            "a b",
            "it's",
            "$A",
            "say \"x\"",
            "two\nlines",
            "a\\",
            "# no",
            "a # b",
            "é",
            "'q'",
            " a ",
        ];
        let mut environment = Environment::default();
        for (at, value) in values.iter().enumerate() {
            environment.set("web", &format!("A{at}"), value);
        }
        environment.set("web", "A", "outer");
        let mut left_out = Vec::new();
        let Written { file, .. } = environment.file(1, |_, what| left_out.push(what));
        let read = EnvFile::parse(&file).expect("legal");
        for (at, value) in values.iter().enumerate() {
            let kept = read.get(&format!("A{at}"));
            assert!(kept == Some(value) || (kept.is_none() && !left_out.is_empty()), "{value:?}: {kept:?}");
        }
        assert!(left_out.len() <= 1, "{left_out:?}");
    }

    #[test]
    fn what_differs_between_processes_is_left_out() {
        let mut environment = Environment::default();
        environment.set("web", "A", "1");
        environment.set("worker", "A", "2");
        environment.set("web", "PORT", "5000");
        environment.set("web", "B C", "x");
        environment.set("", "D", "x");
        let mut notes = Vec::new();
        assert_eq!(environment.file(2, |_, what| notes.push(what)).file, b"D=x\n");
        assert_eq!(notes.len(), 3, "{notes:?}");
    }

    #[test]
    fn every_name_that_an_env_file_takes_is_carried_over() {
        let mut environment = Environment::default();
        for name in ["MY-KEY", "a.b", "A[0]", "1A", "é", "export"] {
            environment.set("", name, "x y");
        }
        for name in ["", "#a", "A=B", "a$b", "two\nlines", "export A"] {
            environment.set("", name, "x");
        }
        let mut left_out = Vec::new();
        let Written { file, .. } = environment.file(1, |_, what| left_out.push(what));
        let read = EnvFile::parse(&file).expect("legal");
        let names: Vec<&str> = read.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["MY-KEY", "a.b", "A[0]", "1A", "é", "export"]);
        assert!(read.iter().all(|(_, value)| value == "x y"));
        assert_eq!(left_out.len(), 6, "{left_out:?}");
    }
}
