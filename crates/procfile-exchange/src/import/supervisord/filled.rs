//! Values with `%(…)s` in them.

use super::section::Section;
use crate::import::words::{self, Atom};

/// What `%(…)s` stands for in the values of one program.
pub(super) struct Filling<'a> {
    pub(super) section: &'a Section<'a>,
    /// The group of the program, if it has one.
    pub(super) group: Option<&'a str>,
    pub(super) numprocs: u64,
    /// The directory of the file. It is known if the configuration is applied as a whole; then instances know their number by `PS` too.
    pub(super) here: Option<&'a str>,
}

impl Filling<'_> {
    /// A value with each `%(…)s` replaced; the error says why it cannot be.
    pub(super) fn fill(&self, text: &str) -> Result<Vec<Atom>, String> {
        let (mut atoms, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find('%') {
            atoms.extend(words::plain(&rest[..at]));
            let behind = &rest[at + 1..];
            if let Some(after) = behind.strip_prefix('%') {
                atoms.push(Atom::Char('%'));
                rest = after;
                continue;
            }
            let no_format = || format!("it holds a % that is neither %% nor %(name)s: {text}");
            let (name, after) =
                behind.strip_prefix('(').and_then(|behind| behind.split_once(')')).ok_or_else(no_format)?;
            let width = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let kind = after[width..].chars().next().filter(|kind| matches!(kind, 's' | 'd'));
            let kind = kind.ok_or_else(no_format)?;
            atoms.extend(self.value(name, &after[..width], kind)?);
            rest = &after[width + 1..];
        }
        atoms.extend(words::plain(rest));
        Ok(atoms)
    }

    /// What one name stands for. `width`: the digits before `kind`, as in `%(process_num)02d`.
    fn value(&self, name: &str, width: &str, kind: char) -> Result<Vec<Atom>, String> {
        let Self { section, group, numprocs, here } = self;
        let first = section.get("numprocs_start").unwrap_or("0").trim();
        Ok(match (name, here) {
            ("program_name", _) => words::plain(section.name),
            ("group_name", _) => words::plain(group.unwrap_or(section.name)),
            ("numprocs", _) if width.is_empty() => words::plain(&numprocs.to_string()),
            ("process_num", _) if *numprocs == 1 && width.is_empty() => words::plain(first),
            ("process_num", Some(_)) => {
                let first = first.parse().map_err(|_| format!("numprocs_start {first:?} is no number"))?;
                vec![Atom::Variable(process_number(first, width))]
            }
            ("process_num", None) => {
                return Err(
                    "it differs from process to process by %(process_num)s: name the processes one by one, each as a program of its own, or \
                     have the command read the number from $PS, which is type.number"
                        .to_owned(),
                );
            }
            ("here", Some(here)) => words::plain(here),
            _ => match name.strip_prefix("ENV_") {
                Some(name) if kind == 's' && !name.is_empty() && words::name_len(name) == name.len() => {
                    vec![Atom::Variable(format!("${{{name}}}"))]
                }
                _ => return Err(format!("it holds %({name}){kind}, which only supervisord can fill in")),
            },
        })
    }
}

/// What the shell of an instance makes of its `PS`, such as `web.2`: there the numbers begin with 1, and supervisord's with `first`.
fn process_number(first: i64, width: &str) -> String {
    let number = match first - 1 {
        0 => "${PS##*.}".to_owned(),
        more @ 1.. => format!("$((${{PS##*.}}+{more}))"),
        less => format!("$((${{PS##*.}}{less}))"),
    };
    if width.is_empty() { number } else { format!("$(printf %{width}d {number})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_process_is_computed_from_its_slot() {
        assert_eq!(process_number(0, ""), "$((${PS##*.}-1))");
        assert_eq!(process_number(1, ""), "${PS##*.}");
        assert_eq!(process_number(10, "02"), "$(printf %02d $((${PS##*.}+9)))");
    }
}
