//! Masked values that are names or places: a branch, an image's source, a directory. They are no secrets, and a container whose
//! name contains the same word must stay readable. So they are searched for in command lines, but not in names. If such a value
//! looks like a secret, or is under a secret's name, it is searched for everywhere.
//!
//! For example, a label `branch=payments` is masked. A container called `payments-web-1` is still shown, and a word `payments` in
//! a command line is not.

use crate::placeholder::Kind;
use crate::scan::{self, Scanner};
use crate::show_list::Class;
use crate::taint::Taint;
use crate::{decode, hex, key_name, shape};

/// Directories directly below the root that every machine has.
const ROOTS: &[&str] = &[
    "app",
    "apps",
    "bin",
    "build",
    "code",
    "data",
    "etc",
    "home",
    "lib",
    "mnt",
    "opt",
    "root",
    "run",
    "site",
    "sites",
    "src",
    "srv",
    "tmp",
    "usr",
    "var",
    "work",
    "workdir",
    "workspace",
    "www",
];

/// Values that were masked, by how far they are searched for.
#[derive(Default)]
pub(crate) struct Masked {
    /// Searched for everywhere.
    pub(crate) everywhere: Taint,
    /// Searched for in command lines.
    pub(crate) in_commands: Taint,
}

impl Masked {
    /// Stores a masked value, by what stands around it.
    pub(crate) fn add(&mut self, scanner: &Scanner, surroundings: &Surroundings<'_>, value: &str) {
        if !surroundings.is_gentle(value) || scan::gives_itself_away(value) {
            return self.everywhere.add(value);
        }
        self.in_commands.add(value);
        for word in value.split_whitespace() {
            // Digests and commits look as random as keys, but are as public as the image.
            let bare: String = word
                .split_inclusive(is_edge)
                .filter(|part| !is_digest(part.trim_end_matches(is_edge)))
                .collect();
            if scanner.hit(&bare).is_some() {
                self.everywhere.add(word);
            }
            let is_odd = |part: &&str| !is_digest(part) && (!is_plain(part) || scanner.hit(part).is_some());
            for part in word.split(is_edge).filter(is_odd) {
                self.everywhere.add(part);
            }
        }
    }

    /// Excludes a value from the search, because a place shows it.
    pub(crate) fn forgive(&mut self, value: &str) {
        self.everywhere.forgive(value);
        self.in_commands.forgive(value);
    }

    /// Ends the collecting: from now on values are searched for, and none is added.
    pub(crate) fn freeze(&mut self) {
        self.everywhere.freeze();
        self.in_commands.freeze();
    }
}

/// The surroundings of a masked value, which decide where else it is searched for.
pub(crate) struct Surroundings<'a> {
    pub(crate) class: Option<Class>,
    /// The key of the object that contains the value.
    pub(crate) key: &'a str,
    /// The text before the value in the same string, such as `NAME=`.
    pub(crate) lead: &'a str,
    pub(crate) kind: Kind,
}

impl Surroundings<'_> {
    fn is_gentle(&self, value: &str) -> bool {
        if matches!(self.kind, Kind::User | Kind::UrlPassword | Kind::Query) {
            return false;
        }
        match self.class {
            Some(Class::Label) => !key_name::is_secret(self.key),
            Some(Class::Source | Class::Bind | Class::Url | Class::Free(_)) => true,
            Some(Class::Env) => self.is_gentle_variable(self.lead.trim_end_matches('='), value),
            _ => false,
        }
    }

    fn is_gentle_variable(&self, name: &str, value: &str) -> bool {
        let is_work_directory = matches!(name, "PWD" | "OLDPWD") && is_usual_directory(value);
        if name.is_empty() || (key_name::is_secret(name) && !is_work_directory) {
            return false;
        }
        let is_place = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/:-".contains(&b));
        matches!(self.kind, Kind::Host | Kind::Path)
            || is_usual_directory(value)
            || (is_place && key_name::names_a_place(name))
            || key_name::names_a_text(name)
    }
}

/// A path below a directory that every machine has.
fn is_usual_directory(value: &str) -> bool {
    let first = value.strip_prefix('/').and_then(|rest| rest.split('/').next());
    shape::is_directory(value)
        && !value.contains([':', ' ', '\\'])
        && first.is_some_and(|first| ROOTS.contains(&first))
}

fn is_edge(c: char) -> bool {
    !c.is_alphanumeric()
}

/// Whether the part is a commit or a digest, which contains no words.
fn is_digest(part: &str) -> bool {
    hex::is_hex(part, 7..=64) && !decode::hides_text(part)
}

/// Whether the part is a name as people and machines choose it: a word, a word followed by a digit or a short number, or a number
/// with a letter. Any other mixture of letters and digits may be a password.
fn is_plain(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let letters = part.len() - digits;
    let stem = part.trim_end_matches(|c: char| c.is_ascii_digit());
    part.len() <= 5
        || matches!(part, "sha256" | "sha512")
        || (part.bytes().all(|b| b.is_ascii_alphanumeric())
            && part.len() <= 32
            && (digits <= 1 || letters <= 1 || (digits == 2 && part.len() == stem.len() + 2)))
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn names_are_made_of_plain_parts_and_passwords_seldom() {
        for part in
            ["web", "shop2", "web12", "48213", "oauth2proxy", "383203372Z", "x86", "k8s", "JIRA", "Payments"]
        {
            assert!(is_plain(part), "{part}");
        }
        for part in ["hunter2secret9", "tavomuri2024", "Tr0ub4dor", "pässwörd", "q1w2e3r4t5"] {
            assert!(!is_plain(part), "{part}");
        }
    }
}
