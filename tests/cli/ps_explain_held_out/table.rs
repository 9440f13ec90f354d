//! What came of all faults, by kind.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

use crate::fault::{Fault, Said};

/// Of a hundred faults at least so many are named, or told by the right line of the program's own. None is named wrongly.
const NAMED_OF_A_HUNDRED: usize = 95;

/// How many were named, and so on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sum {
    named: usize,
    quoted: usize,
    unknown: usize,
    wrong: usize,
    skipped: usize,
    not_made: usize,
}

impl Sum {
    pub(crate) fn of(said: &[(&Fault, Said)]) -> Self {
        let mut sum = Self::default();
        for (_, said) in said {
            sum.count(said);
        }
        sum
    }

    fn count(&mut self, said: &Said) {
        *match said {
            Said::Named(_) => &mut self.named,
            Said::Quoted(_) => &mut self.quoted,
            Said::Unknown(_) => &mut self.unknown,
            Said::Wrong(_) => &mut self.wrong,
            Said::Skipped => &mut self.skipped,
            Said::NotMade(_) => &mut self.not_made,
        } += 1;
    }

    fn judged(self) -> usize {
        self.named + self.quoted + self.unknown + self.wrong
    }

    pub(crate) fn holds(self) -> bool {
        self.wrong == 0
            && self.not_made == 0
            && (self.named + self.quoted) * 100 >= self.judged() * NAMED_OF_A_HUNDRED
    }
}

impl Display for Sum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { named, quoted, unknown, wrong, skipped, not_made } = self;
        let judged = self.judged();
        write!(
            out,
            "{judged} faults: {named} named, {quoted} quoted, {unknown} unknown, {wrong} wrong; {skipped} skipped, {not_made} not made"
        )
    }
}

/// A table of kinds, the sum, and what was not named.
pub(crate) fn of_all(said: &[(&Fault, Said)], is_whole: bool) -> String {
    let mut kinds: BTreeMap<&str, Sum> = BTreeMap::new();
    for (fault, said) in said {
        kinds.entry(fault.kind).or_default().count(said);
    }
    let mut text =
        String::from("| kind | faults | named | quoted | unknown | wrong |\n|---|---|---|---|---|---|\n");
    for (kind, sum) in &kinds {
        let Sum { named, quoted, unknown, wrong, .. } = sum;
        // A string takes everything.
        let _ = writeln!(text, "| {kind} | {} | {named} | {quoted} | {unknown} | {wrong} |", sum.judged());
    }
    let _ = writeln!(text, "\n{} kinds, {}\n", kinds.len(), Sum::of(said));
    text + &lines(said, is_whole)
}

pub(crate) fn what_went_wrong(said: &[(&Fault, Said)]) -> String {
    lines(said, false)
}

fn lines(said: &[(&Fault, Said)], is_whole: bool) -> String {
    let mut text = String::new();
    for (fault, said) in said {
        let (word, told) = match said {
            Said::Named(told) if is_whole => ("named", told),
            Said::Quoted(told) if is_whole => ("quoted", told),
            Said::Named(_) | Said::Quoted(_) | Said::Skipped => continue,
            Said::Unknown(told) => ("unknown", told),
            Said::Wrong(told) => ("wrong", told),
            Said::NotMade(why) => ("not made", why),
        };
        let _ = writeln!(text, "- {word}: {}, {}: {told}", fault.kind, fault.name);
    }
    text
}
