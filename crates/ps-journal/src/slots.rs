//! Joins the changes of slots: an app may have ten thousand slots, and most of them change in the same way.

use std::collections::BTreeMap;

use formation::Slot;

use crate::event::Change;

/// The most changes of one event. The rest is summed up in one last change, without slots.
const MOST: usize = 200;

/// Changes of slots. Equal ones of the same process type are joined: `web.1` and `web.2` become `web.1-2`.
pub fn grouped<'a>(changes: impl IntoIterator<Item = (&'a Slot, &'a str, &'a str)>) -> Vec<Change> {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<u16>> = BTreeMap::new();
    for (slot, change, reason) in changes {
        groups.entry((slot.process_type.as_str(), change, reason)).or_default().push(slot.index);
    }
    let left_out = groups.len().saturating_sub(MOST);
    let group = |((process_type, change, reason), indices): ((&str, &str, &str), Vec<u16>)| Change {
        slots: format!("{process_type}.{}", ranges(indices)),
        change: change.to_owned(),
        reason: reason.to_owned(),
    };
    let mut changes: Vec<Change> = groups.into_iter().take(MOST).map(group).collect();
    if left_out > 0 {
        let reason = format!("{left_out} more");
        changes.push(Change { slots: String::new(), change: String::new(), reason });
    }
    changes
}

/// `1-3,7`.
fn ranges(mut indices: Vec<u16>) -> String {
    indices.sort_unstable();
    indices.dedup();
    let runs = indices.chunk_by(|before, after| before + 1 == *after);
    let words = runs.map(|run| match run {
        [single] => single.to_string(),
        _ => format!("{}-{}", run[0], run[run.len() - 1]),
    });
    words.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_which_the_same_is_said_stand_together() {
        let slots: Vec<Slot> = ["web.10", "web.1", "web.2", "worker.1", "web.3"]
            .map(|slot| slot.parse().expect("a slot"))
            .into();
        let changes = slots.iter().map(|slot| match slot.index {
            3 => (slot, "stop", "no longer wanted"),
            _ => (slot, "start", "missing"),
        });
        let found: Vec<_> =
            grouped(changes).into_iter().map(|change| (change.slots, change.change)).collect();
        let expected = [("web.1-2,10", "start"), ("web.3", "stop"), ("worker.1", "start")];
        assert_eq!(found, expected.map(|(slots, change)| (slots.to_owned(), change.to_owned())));
    }

    #[test]
    fn ten_thousand_slots_are_few_words_and_too_many_groups_are_counted() {
        let slots: Vec<Slot> =
            (1..=10_000).map(|index| Slot { process_type: "web".parse().expect("a type"), index }).collect();
        let alike = grouped(slots.iter().map(|slot| (slot, "start", "missing")));
        assert_eq!(alike.len(), 1);
        assert_eq!(alike[0].slots, "web.1-10000");
        let reasons: Vec<String> = (0..1000).map(|number| format!("reason {number}")).collect();
        let unlike =
            grouped(slots.iter().zip(&reasons).map(|(slot, reason)| (slot, "start", reason.as_str())));
        assert_eq!(unlike.len(), MOST + 1);
        assert_eq!(unlike[MOST].reason, "800 more");
    }
}
