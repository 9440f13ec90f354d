//! Several entries that are instances of one process type. For managers that know no counts, foreman, honcho and `procfile-util export`
//! write one entry for each instance: `app-web-1` and `app-web-2` for `web=2`. Such entries are counted together if they differ
//! only in their number and in the variables that each instance has for itself, such as `PORT`.

use std::collections::{BTreeMap, BTreeSet};

use crate::import::command::{Command, Piece};
use crate::import::environment::OWN;
use crate::import::found::{Found, Instance};

/// Gives the instances of a process type the name of the type. Entries that differ keep their own names, with a note.
pub(crate) fn unite(found: &mut [Found], mut note: impl FnMut(&str, String)) {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for (at, process) in found.iter().enumerate() {
        match &process.instance {
            Instance::Numbered { process_type, .. } => {
                groups.entry(process_type.clone()).or_default().push(at);
            }
            Instance::Alone => {
                taken.insert(process.name.clone());
            }
            Instance::OneOf => {}
        }
    }
    for (process_type, group) in groups {
        let mut members: Vec<Found> = group.iter().map(|at| found[*at].clone()).collect();
        let same = is_same(&members) || with_port_by_name(&mut members, &mut note);
        if same && is_series(&members) && !taken.contains(&process_type) {
            for (at, member) in group.into_iter().zip(members) {
                found[at] = Found { name: process_type.clone(), instance: Instance::OneOf, ..member };
            }
        } else if group.len() > 1 {
            let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
            let why = if same { "their numbers are no series of their own" } else { "they are not the same" };
            note("", format!("{} are not counted as {process_type}: {why}", names.join(", ")));
        }
    }
}

/// Whether the numbers can be those of instances: no number occurs twice. If nothing but the names says that the entries are
/// instances, the numbers must also begin at 0 or 1 and have no gap.
fn is_series(members: &[Found]) -> bool {
    let mut numbers = Vec::new();
    let mut all_certain = true;
    for member in members {
        let Instance::Numbered { number, certain, .. } = member.instance else { return false };
        numbers.push(number);
        all_certain &= certain;
    }
    numbers.sort_unstable();
    let is_gapless = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
    let is_unique = numbers.windows(2).all(|pair| pair[1] != pair[0]);
    if all_certain { is_unique } else { is_gapless && numbers[0] <= 1 && numbers.len() > 1 }
}

fn is_same(members: &[Found]) -> bool {
    let are_twins = |pair: &[Found]| {
        pair[0].command == pair[1].command
            && pair[0].directory == pair[1].directory
            && shared(&pair[0]) == shared(&pair[1])
    };
    members.windows(2).all(are_twins)
}

/// The variables other than those that each instance has for itself.
fn shared(member: &Found) -> BTreeMap<&str, &str> {
    let all = member.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    all.filter(|(name, _)| !OWN.contains(name)).collect()
}

/// Puts `$PORT` in the place of each instance's own port in its command, if the commands are the same then. Says whether they are.
fn with_port_by_name(members: &mut [Found], note: &mut impl FnMut(&str, String)) -> bool {
    let mut changed = members.to_vec();
    for member in &mut changed {
        let port = member.environment.iter().find(|(name, _)| name == "PORT").map(|(_, port)| port.clone());
        let Some(port) =
            port.filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            return false;
        };
        let Some(command) = by_name(&member.command, &port) else { return false };
        member.command = command;
    }
    if !is_same(&changed) {
        return false;
    }
    for (member, changed) in members.iter_mut().zip(changed) {
        note(&member.name, "its port stands in its command: $PORT is written there".to_owned());
        *member = changed;
    }
    true
}

/// The command with `$PORT` in the place of its port; `None` if single quotes could keep the shell from expanding it.
fn by_name(command: &Command, port: &str) -> Option<Command> {
    match command {
        Command::Script(script) => (!script.contains('\''))
            .then(|| Command::Script(numbers_replaced(script, port, "${PORT}").concat())),
        Command::Argv(words) => {
            let piece = |piece: &Piece| match piece {
                Piece::Variable { .. } => vec![piece.clone()],
                Piece::Literal(text) => {
                    let parts = numbers_replaced(text, port, "");
                    let mut pieces = Vec::new();
                    for part in parts {
                        pieces.push(if part.is_empty() {
                            Piece::Variable { written: "${PORT}".to_owned(), quoted: true }
                        } else {
                            Piece::Literal(part)
                        });
                    }
                    pieces
                }
            };
            Some(Command::Argv(words.iter().map(|word| word.iter().flat_map(piece).collect()).collect()))
        }
    }
}

/// The parts of a text, with `by` in the place of each number that is the port. Parts between are left out where they are empty.
fn numbers_replaced(text: &str, port: &str, by: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (run, behind) = rest.split_at(if digits > 0 { digits } else { first.len_utf8() });
        if run == port {
            parts.push(by.to_owned());
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push_str(run);
        }
        rest = behind;
    }
    let is_word = |(at, part): &(usize, String)| at % 2 == 1 || !part.is_empty();
    parts.into_iter().enumerate().filter(is_word).map(|(_, part)| part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_replaced_where_the_whole_number_is_it() {
        let replaced = |text: &str| numbers_replaced(text, "5000", "$").concat();
        assert_eq!(replaced("a -p 5000 -x 15000:5000"), "a -p $ -x 15000:$");
        assert_eq!(replaced("50005000 é5000"), "50005000 é$");
        assert_eq!(numbers_replaced(":5000", "5000", ""), [":", ""]);
        assert_eq!(numbers_replaced("", "5000", ""), [""; 0]);
    }
}
