//! Evidence for a cause in the output of an instance.

use formation::State;
use jiff::Timestamp;

use super::headline::is_of_report;
use super::report::{self, Sign};
use super::{frames, last_words};
use crate::case::Case;
use crate::facts::{Facts, Line};
use crate::finding::{Evidence, Said};
use crate::patterns::Pattern;
use crate::words::time;

/// A disk is full, as a text says.
pub(super) fn no_room(facts: &Facts, text: &str, evidence: Evidence) -> Said {
    let full = facts.full.first();
    let which = full.map(|full| format!(" ({} is full)", full.path.display())).unwrap_or_default();
    let files = full.map(|full| Evidence::File(full.path.clone()));
    let said = Said::new(
        format!("there is no room left on a disk{which}: {text}"),
        [evidence].into_iter().chain(files),
    );
    if let Some(full) = full.filter(|full| full.is_of_inodes) {
        let says = format!(
            "no more files can be made on a disk, which has no inodes left ({}): {text}",
            full.path.display()
        );
        return Said { says, ..said }
            .cause("inodes-full")
            .cure("remove files there: bytes are left, but no file can be made (df -i)");
    }
    said.cause("disk-full").cure("make room there (df -h, du -x)")
}

/// What the instance wrote right before it ended, as a sign of a cause.
pub(super) fn sign(case: Case<'_>) -> Option<Sign<'_>> {
    sign_before(case, case.it?.end.as_ref().and_then(|end| end.at))
}

/// What it wrote right before that moment, as a sign of a cause; `None`: the last of what it wrote.
pub(super) fn sign_before(case: Case<'_>, ended: Option<Timestamp>) -> Option<Sign<'_>> {
    let it = case.it?;
    // A line may claim a full disk or a taken port. It counts only if that can be seen now.
    let is_seen = |pattern: &Pattern| match pattern.cause {
        "disk-full" => !case.facts.full.is_empty(),
        "port-taken" => it.holder.is_some(),
        _ => false,
    };
    report::sign(&it.output, ended, &is_seen)
}

/// `as it wrote: "a", "b"`
pub(super) fn quoted(lines: &[&Line]) -> String {
    let quoted: Vec<String> = lines.iter().map(|line| format!("\"{}\"", line.text.trim())).collect();
    format!("as it wrote: {}", quoted.join(", "))
}

/// The lines in which the message of an error of Python goes on, behind its first one.
fn continued<'a>(output: &'a [Line], first: &Line) -> Vec<&'a Line> {
    const GOES_ON: usize = 3;
    let own: Vec<&Line> = output.iter().filter(|line| line.stream == first.stream).collect();
    let at = own.iter().position(|line| std::ptr::eq(*line, first));
    let Some(at) = at.filter(|at| *at > 0 && own[at - 1].written.starts_with("  ")) else {
        return Vec::new();
    };
    let is_other = |line: &&&Line| {
        let text = line.written.trim_start();
        let is_mark = !line.written.starts_with(' ') && is_of_report(&line.written);
        ["at ", "File \"", "Traceback ("].iter().any(|begin| text.starts_with(begin)) || is_mark
    };
    own[at + 1..].iter().take_while(|line| !is_other(line)).take(GOES_ON).copied().collect()
}

pub(super) fn of_sign(case: Case<'_>, Sign { line, pattern, is_report, behind }: Sign<'_>) -> Said {
    // What is known of an error is what it tells itself: then all of it.
    let told = case.it.filter(|_| pattern.is_wide()).map(|it| last_words::of(&it.output, None));
    let told = told.filter(|told| told.iter().any(|other| std::ptr::eq(*other, line)));
    let more =
        case.it.filter(|_| pattern.is_wide()).map(|it| continued(&it.output, line)).unwrap_or_default();
    let told = if more.is_empty() { told.unwrap_or_else(|| vec![line]) } else { [vec![line], more].concat() };
    let is_placed = is_report || pattern.is_wide();
    let place = case.it.filter(|_| is_placed).and_then(|it| frames::of(&it.output, line));
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    let behind = behind
        .map(|line| {
            format!("; before that it had met \"{}\"", line.text.trim().trim_start_matches("[cause]: "))
        })
        .unwrap_or_default();
    let quoted = format!("{}, {}{place}{behind}", pattern.says, quoted(&told));
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
    come_back(case, said.cure(pattern.cure.replace("<app>", &case.facts.app)))
}

/// The same of an instance that runs again: what it met may be over.
fn come_back(case: Case<'_>, said: Said) -> Said {
    let end = case.it.filter(|it| it.state == State::Running).and_then(|it| it.end.as_ref());
    let Some(end) = end else { return said };
    let when = end.at.map(|at| format!(" {}", time(at))).unwrap_or_default();
    let says = format!("it is running again; when it ended{when}, this was why: {}", said.says);
    let cure = said.cure.map(|cure| format!("if it ends like that again, {cure}"));
    Said { says, cure, ..said }
}
