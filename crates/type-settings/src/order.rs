//! The order in which the types of one app start and end, from the setting `after` of each of them.

use std::collections::{BTreeMap, BTreeSet};

use formation::{Milestone, ProcessType, RestartPolicy, Slot, Wait};

use crate::settings::TypeSettings;

/// What each type waits for before it starts. A type that waits for nothing is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order(BTreeMap<ProcessType, Vec<Wait>>);

/// Why a type could never start because of its `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disorder {
    /// The type that could not start.
    pub process_type: ProcessType,
    /// The reason, as a fragment for people.
    pub what: String,
}

impl Order {
    /// The order of these types, each with its settings.
    pub fn of(types: &[(&ProcessType, &TypeSettings)]) -> Self {
        let mut order = BTreeMap::new();
        for (process_type, settings) in types {
            let Some(after) = &settings.after else { continue };
            let wait = |awaited: &crate::Awaited| {
                let other = types.iter().find(|(name, _)| **name == awaited.process_type);
                let is_one_shot =
                    other.is_some_and(|(_, other)| other.restart_policy == Some(RestartPolicy::No));
                let usual = if is_one_shot { Milestone::Done } else { Milestone::Ready };
                Wait {
                    process_type: awaited.process_type.clone(),
                    milestone: awaited.milestone.unwrap_or(usual),
                }
            };
            order.insert((*process_type).clone(), after.iter().map(wait).collect());
        }
        Self(order)
    }

    /// Whether no type waits for another one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The types that a type waits for.
    pub fn waits(&self, process_type: &ProcessType) -> &[Wait] {
        self.0.get(process_type).map_or(&[], Vec::as_slice)
    }

    /// The types that wait for this one.
    pub fn dependents<'a>(&'a self, of: &'a ProcessType) -> impl Iterator<Item = &'a ProcessType> {
        let waits = |waits: &[Wait]| waits.iter().any(|wait| wait.process_type == *of);
        self.0.iter().filter(move |(_, list)| waits(list)).map(|(process_type, _)| process_type)
    }

    /// These slots in the order in which they end. Each part ends once all instances of the part before have ended.
    pub fn ends(&self, mut slots: Vec<Slot>) -> Vec<Vec<Slot>> {
        let mut parts = Vec::new();
        while !slots.is_empty() {
            let types: BTreeSet<ProcessType> = slots.iter().map(|slot| slot.process_type.clone()).collect();
            let is_needed =
                |slot: &Slot| self.dependents(&slot.process_type).any(|other| types.contains(other));
            let (later, now): (Vec<Slot>, Vec<Slot>) = slots.into_iter().partition(is_needed);
            // Types that wait for each other in a circle end together.
            let is_stuck = now.is_empty();
            parts.push(if is_stuck { later.clone() } else { now });
            slots = if is_stuck { Vec::new() } else { later };
        }
        parts
    }

    /// Whether others wait until this type is done.
    pub fn is_awaited_to_be_done(&self, process_type: &ProcessType) -> bool {
        let is_it = |wait: &Wait| wait.process_type == *process_type && wait.milestone == Milestone::Done;
        self.0.values().flatten().any(is_it)
    }

    /// The length of the longest chain of types that wait for each other; 1 if none waits.
    pub fn longest_row(&self) -> u32 {
        let rows = self.0.keys().map(|process_type| self.row(process_type, &mut Vec::new()));
        rows.max().unwrap_or(1)
    }

    fn row<'a>(&'a self, process_type: &'a ProcessType, path: &mut Vec<&'a ProcessType>) -> u32 {
        if path.contains(&process_type) {
            return 0;
        }
        path.push(process_type);
        let rows = self.waits(process_type).iter().map(|wait| self.row(&wait.process_type, path));
        let longest = rows.max().unwrap_or(0);
        path.pop();
        longest + 1
    }

    /// Why one of the types could never start; `None` if all can. `known` are the types of the app (`None`: not all are
    /// known), and `policy` returns what happens to an instance of a type that ends.
    pub fn disorder(
        &self,
        known: Option<&BTreeSet<ProcessType>>,
        policy: impl Fn(&ProcessType) -> RestartPolicy,
        has_schedule: impl Fn(&ProcessType) -> bool,
    ) -> Option<Disorder> {
        for (process_type, waits) in &self.0 {
            let refuse = |what: String| Some(Disorder { process_type: process_type.clone(), what });
            if process_type.is_release() {
                return refuse(
                    "release runs before anything else is started, so it can be after nothing".into(),
                );
            }
            if has_schedule(process_type) {
                return refuse("it has a schedule, and starts when it is due: take it out, or after".into());
            }
            for Wait { process_type: other, milestone } in waits {
                if has_schedule(other) {
                    return refuse(format!(
                        "after names {other}, which has a schedule, and is not there all the time"
                    ));
                }
                if other == process_type {
                    return refuse(format!("{process_type} would wait for itself: take it out of after"));
                }
                if let Some(known) = known.filter(|known| !known.contains(other)) {
                    let names: Vec<&str> = known.iter().map(ProcessType::as_str).collect();
                    return refuse(format!("after names {other}, and the app has {}", names.join(", ")));
                }
                if *milestone == Milestone::Done && is_endless(policy(other)) {
                    return refuse(format!(
                        "after waits for {other} to be done, and it is started again whenever it ends \
                         (restart-policy {}): say {other}:ready, or set another policy",
                        policy(other)
                    ));
                }
            }
        }
        let circle = self.0.keys().find_map(|process_type| self.circle(process_type))?;
        let names: Vec<&str> = circle.iter().map(|process_type| process_type.as_str()).collect();
        let what =
            format!("after leads round in a circle, {}, in which nothing can start", names.join(" → "));
        Some(Disorder { process_type: circle.first().map(|first| (*first).clone())?, what })
    }

    /// The types from this one back to itself, if each waits for the next.
    fn circle<'a>(&'a self, start: &'a ProcessType) -> Option<Vec<&'a ProcessType>> {
        let mut paths = vec![vec![start]];
        let mut seen = BTreeSet::new();
        while let Some(path) = paths.pop() {
            let Some(last) = path.last() else { continue };
            for wait in self.waits(last) {
                let next = &wait.process_type;
                let longer = || path.iter().copied().chain([next]).collect();
                if next == start {
                    return Some(longer());
                }
                if seen.insert(next) {
                    paths.push(longer());
                }
            }
        }
        None
    }
}

fn is_endless(policy: RestartPolicy) -> bool {
    match policy {
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        RestartPolicy::No | RestartPolicy::OnFailure(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> ProcessType {
        name.parse().expect("a legal process type")
    }

    /// Types with their `after` and `restart-policy`; an empty text: not set.
    fn types(texts: &[(&str, &str, &str)]) -> Vec<(ProcessType, TypeSettings)> {
        let of = |(name, after, policy): &(&str, &str, &str)| {
            let (after, restart_policy) = (after.parse().ok(), policy.parse().ok());
            (named(name), TypeSettings { after, restart_policy, ..TypeSettings::default() })
        };
        texts.iter().map(of).collect()
    }

    fn order(types: &[(ProcessType, TypeSettings)]) -> Order {
        let types: Vec<_> = types.iter().map(|(name, settings)| (name, settings)).collect();
        Order::of(&types)
    }

    /// Why an order of these types is refused.
    fn refusal(texts: &[(&str, &str, &str)]) -> Option<String> {
        let types = types(texts);
        let known = types.iter().map(|(name, _)| name.clone()).collect();
        let policy = |of: &ProcessType| {
            let found = types.iter().find(|(name, _)| name == of);
            found.and_then(|(_, settings)| settings.restart_policy).unwrap_or_default()
        };
        order(&types)
            .disorder(Some(&known), policy, |name| name.as_str() == "nightly")
            .map(|found| format!("{}: {}", found.process_type, found.what))
    }

    #[test]
    fn without_a_word_a_type_waits_until_the_other_is_ready_and_until_a_one_shot_is_done() {
        let types = types(&[
            ("web", "db,migrate,cache:started", ""),
            ("db", "", ""),
            ("migrate", "db", "no"),
            ("cache", "", "no"),
        ]);
        let order = order(&types);
        let wait = |name: &str, milestone| Wait { process_type: named(name), milestone };
        let expected = [
            wait("db", Milestone::Ready),
            wait("migrate", Milestone::Done),
            wait("cache", Milestone::Started),
        ];
        assert_eq!(order.waits(&named("web")), expected);
        assert_eq!(order.waits(&named("db")), []);
        assert_eq!(
            order.dependents(&named("db")).map(ProcessType::as_str).collect::<Vec<_>>(),
            ["migrate", "web"]
        );
        assert!(
            order.is_awaited_to_be_done(&named("migrate")) && !order.is_awaited_to_be_done(&named("cache"))
        );
        assert_eq!((order.longest_row(), Order::default().longest_row()), (3, 1));
    }

    #[test]
    fn what_could_never_start_is_refused_and_a_circle_is_named() {
        let refused = |texts, part: &str| {
            let said = refusal(texts).expect("it is refused");
            assert!(said.contains(part), "{said}");
        };
        refused(&[("web", "db", ""), ("db", "web:started", "")], "db → web → db");
        refused(&[("a", "b", ""), ("b", "c", ""), ("c", "b", "")], "b → c → b");
        refused(&[("web", "web", "")], "web: web would wait for itself");
        refused(&[("web", "bd", ""), ("db", "", "")], "web: after names bd, and the app has db, web");
        refused(&[("web", "db:done", ""), ("db", "", "always")], "restart-policy always");
        refused(
            &[("web", "nightly", ""), ("nightly", "", "")],
            "web: after names nightly, which has a schedule",
        );
        refused(&[("nightly", "db", ""), ("db", "", "")], "nightly: it has a schedule");
        refused(&[("release", "db", ""), ("db", "", "")], "release runs before anything else");
        assert_eq!(refusal(&[("web", "db:done,cache", ""), ("db", "cache", ""), ("cache", "", "")]), None);
        assert_eq!(refusal(&[("web", "release", ""), ("release", "", "")]), None, "it has run");
    }

    #[test]
    fn a_row_that_leads_round_in_a_circle_has_an_end_all_the_same() {
        assert_eq!(order(&types(&[("a", "b", ""), ("b", "a", "")])).longest_row(), 2);
    }

    #[test]
    fn what_depends_on_another_ends_before_it_and_what_is_left_alone_is_waited_for_by_nobody() {
        let ends = |texts, names: &[&str]| -> Vec<String> {
            let slots = names.iter().map(|name| name.parse().expect("a slot")).collect();
            let part = |slots: Vec<Slot>| slots.iter().map(Slot::to_string).collect::<Vec<_>>().join(" ");
            order(&types(texts)).ends(slots).into_iter().map(part).collect()
        };
        let row = &[("web", "db,cache", ""), ("db", "cache", ""), ("cache", "", "")];
        assert_eq!(ends(row, &["cache.1", "db.1", "web.1", "web.2"]), ["web.1 web.2", "db.1", "cache.1"]);
        assert_eq!(ends(row, &["cache.1", "web.1"]), ["web.1", "cache.1"]);
        assert_eq!(ends(row, &["db.1"]), ["db.1"]);
        assert_eq!(ends(&[("a", "b", ""), ("b", "a", "")], &["a.1", "b.1"]), ["a.1 b.1"]);
    }
}
