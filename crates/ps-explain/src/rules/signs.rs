//! Evidence for a cause in the output of an instance.

use crate::case::Case;
use crate::facts::{Facts, Line};
use crate::finding::{Evidence, Said};
use crate::patterns::{self, Pattern};

/// A disk is full, as a text says.
pub(super) fn no_room(facts: &Facts, text: &str, evidence: Evidence) -> Said {
    let full = facts.full.first();
    let which = full.map(|full| format!(" ({} is full)", full.path.display())).unwrap_or_default();
    let files = full.map(|full| Evidence::File(full.path.clone()));
    let said = Said::new(
        format!("there is no room left on a disk{which}: {text}"),
        [evidence].into_iter().chain(files),
    );
    if full.is_some_and(|full| full.is_of_inodes) {
        return said
            .cause("inodes-full")
            .cure("remove files there: bytes are left, but no file can be made (df -i)");
    }
    said.cause("disk-full").cure("make room there (df -h, du -x)")
}

/// The narrowest sign in what the instance wrote, the last one of equals.
pub(super) fn sign(case: Case<'_>) -> Option<(&Line, &'static Pattern)> {
    let signs = case.it?.output.iter().rev().filter_map(|line| Some((line, patterns::of_line(&line.text)?)));
    let (line, (_, pattern)) = signs.min_by_key(|(_, (rank, _))| *rank)?;
    Some((line, pattern))
}

pub(super) fn of_pattern(case: Case<'_>, pattern: &Pattern, line: &Line) -> Said {
    let quoted = format!("{}, as it wrote: \"{}\"", pattern.says, line.text.trim());
    let evidence = Evidence::Output(line.clone());
    if pattern.cause == "disk-full" {
        return no_room(case.facts, line.text.trim(), evidence);
    }
    let said = Said::new(quoted, [evidence]).cause(pattern.cause);
    let holder = case.it.and_then(|it| it.holder.as_ref()).filter(|_| pattern.cause == "port-taken");
    let said = match holder {
        Some((port, holder)) => {
            let says = format!("{}; {holder} listens on port {port}", said.says);
            Said { says, evidence: [said.evidence, vec![Evidence::Sockets]].concat(), ..said }
        }
        None => said,
    };
    said.cure(pattern.cure.replace("<app>", &case.facts.app))
}
