//! The progress of one schedule, and what has to be done at a moment. The caller passes the time whenever it checks the
//! clock. The clock may have been set in between, in either direction.
//!
//! For example, a schedule is due at 03:00. If the clock is checked at 3 s after three, the time is run. If it is
//! checked an hour later, because the machine slept, that time was missed. If the clock is then put back by a day,
//! 03:00 is not run a second time, and the next time is the one after it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::Schedule;

/// How late a time may still be run. After that it counts as missed.
pub const LATE: Duration = Duration::from_secs(60);
/// If the clock is put back by more than this, an interval starts again: it is then due by the new time.
const SLIGHTLY: Duration = Duration::from_secs(3600);
/// If the clock is put back by this much at most, no time of the day is run again. If it is put back by more, its earlier time was
/// wrong, and times of the day are due by the new time.
const PLAUSIBLY: Duration = Duration::from_secs(2 * 86_400);
/// 1 January 2026: a clock that shows an earlier time has not been set yet.
const FIRST_TIME: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// A schedule in a time zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    /// The schedule.
    pub schedule: Schedule,
    /// The rules of the zone.
    pub zone: TimeZone,
    /// The name of the zone, for people.
    pub zone_name: String,
}

/// The progress of a schedule. It is stored with the status of what runs by the schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// The text of the schedule and its zone. With another one the progress starts again.
    #[serde(default)]
    of: String,
    /// The next time at which it is due.
    next: Option<Timestamp>,
    /// The last time for which it was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
    /// The time that is due and whose run has not begun. It is stored because the process that was about to begin the
    /// run may die before it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owed: Option<Timestamp>,
}

/// What is to be done at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    NotYet,
    /// Run for this time.
    Run(Timestamp),
    /// The clock was not checked when this time came, or was set past it.
    Missed(Timestamp),
}

impl Timetable {
    fn name(&self) -> String {
        format!("{} {}", self.schedule, self.zone_name)
    }

    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.next(after, &self.zone)
    }
}

impl Course {
    /// The progress of a schedule of which nothing was run yet.
    pub fn begin(timetable: &Timetable, now: Timestamp) -> Self {
        Self { of: timetable.name(), next: timetable.next(now), last: None, owed: None }
    }

    /// This progress if it belongs to this timetable; otherwise a new one.
    #[must_use]
    pub fn carried_on(self, timetable: &Timetable, now: Timestamp) -> Self {
        if self.of == timetable.name() { self } else { Self::begin(timetable, now) }
    }

    /// The next time at which it is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// What has to be done now. A run stays due until [`Course::settle`] is called for it.
    pub fn look(&mut self, timetable: &Timetable, now: Timestamp) -> Due {
        if now < FIRST_TIME {
            return Due::NotYet;
        }
        let Some(due) = self.next.filter(|due| *due <= now) else {
            self.next = self.reckon(timetable, now);
            return Due::NotYet;
        };
        // If several times have come, only the last one is run, and only if it is recent.
        let recently = now.checked_sub(LATE).unwrap_or(Timestamp::MIN);
        let recent = if due < recently { timetable.next(recently) } else { Some(due) };
        let recent = recent.filter(|recent| *recent <= now);
        (self.last, self.owed) = (recent.or(self.last), recent);
        self.next = self.reckon(timetable, now);
        recent.map_or(Due::Missed(due), Due::Run)
    }

    /// Called when the run that was due is about to begin, or was left out.
    pub fn settle(&mut self) {
        self.owed = None;
    }

    /// The time that is due and whose run has not begun or been left out.
    pub fn owed(&self) -> Option<Timestamp> {
        self.owed
    }

    /// Continues after the owner died: a run that was due and had not begun is due again.
    pub fn resume(&mut self) {
        self.next = self.owed.take().or(self.next);
    }

    /// Records that another process has already begun the run of the present time.
    pub fn pass(&mut self, timetable: &Timetable, now: Timestamp) {
        if let Some(due) = self.next.filter(|due| *due <= now) {
            self.last = Some(due);
            self.next = self.reckon(timetable, now);
        }
    }

    fn reckon(&mut self, timetable: &Timetable, now: Timestamp) -> Option<Timestamp> {
        let patience = if timetable.schedule.is_interval() { SLIGHTLY } else { PLAUSIBLY };
        let ahead = |last: &Timestamp| last.duration_since(now).unsigned_abs();
        self.last = self.last.filter(|last| *last <= now || ahead(last) <= patience);
        timetable.next(self.last.map_or(now, |last| last.max(now)))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn timetable(schedule: &str) -> Timetable {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        Timetable { schedule: schedule.parse().expect("a schedule"), zone, zone_name: "CET".to_owned() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    /// A machine whose clock is checked as a supervisor does: when the next time has come, and when the clock is set.
    struct Machine {
        timetable: Timetable,
        course: Course,
        now: Timestamp,
        run: Vec<Timestamp>,
        missed: Vec<Timestamp>,
    }

    impl Machine {
        fn new(schedule: &str, now: Timestamp) -> Self {
            let timetable = timetable(schedule);
            let course = Course::begin(&timetable, now);
            Self { timetable, course, now, run: Vec::new(), missed: Vec::new() }
        }

        fn look(&mut self) {
            match self.course.look(&self.timetable, self.now) {
                Due::NotYet => (),
                Due::Run(time) => self.run.push(time),
                Due::Missed(time) => self.missed.push(time),
            }
        }

        /// Lets time pass.
        fn live(&mut self, duration: SignedDuration) {
            let until = self.now + duration;
            while let Some(next) = self.course.next().filter(|next| *next <= until) {
                self.now = next.max(self.now);
                self.look();
            }
            self.now = until;
        }

        /// Sets the clock.
        fn set(&mut self, by: SignedDuration) {
            self.now += by;
            self.look();
        }

        fn is_nothing_run_twice(&self) -> bool {
            let mut sorted = self.run.clone();
            sorted.sort();
            sorted.dedup();
            sorted.len() == self.run.len()
        }
    }

    #[test]
    fn a_clock_that_jumps_a_day_either_way_runs_nothing_twice_and_floods_nothing() {
        for (schedule, a_day) in [("0 3 * * *", 1), ("0 3,15 * * *", 2), ("30 8-17 * * mon-fri", 10)] {
            for hours in 0..24 * 7 {
                for by in [DAY, -DAY] {
                    let mut machine = Machine::new(schedule, at("2026-06-01T00:00:00Z"));
                    machine.live(HOUR * hours);
                    let before = machine.run.len();
                    machine.set(by);
                    assert!(machine.run.len() <= before + 1, "{schedule}: a flood at {hours}");
                    machine.live(DAY * 7);
                    machine.set(-by);
                    machine.live(DAY * 7);
                    assert!(machine.is_nothing_run_twice(), "{schedule}: {by} at {hours}: {:?}", machine.run);
                    assert!(machine.run.len() >= a_day * 8, "{schedule}: {} at {hours}", machine.run.len());
                }
            }
        }
    }

    #[test]
    fn an_interval_goes_on_by_the_new_time_and_a_small_correction_runs_nothing_again() {
        let mut machine = Machine::new("*/5 * * * *", at("2026-06-01T00:00:00Z"));
        machine.live(HOUR);
        assert_eq!(machine.run.len(), 12);
        machine.set(SignedDuration::from_secs(-2));
        machine.live(SignedDuration::from_secs(2) + HOUR);
        assert_eq!(machine.run.len(), 24);
        assert!(machine.is_nothing_run_twice());
        machine.set(-DAY);
        machine.live(HOUR);
        assert_eq!(machine.run.len(), 36, "the clock shows these times anew");
        machine.set(DAY);
        assert!(machine.run.len() <= 37 && machine.missed.len() <= 1, "no flood");
    }

    #[test]
    fn what_was_missed_is_said_once_and_what_has_just_come_is_run() {
        let mut machine = Machine::new("0 3 * * *", at("2026-06-01T00:00:00Z"));
        machine.set(DAY * 30);
        assert_eq!((machine.run.len(), machine.missed.len()), (0, 1));
        machine.live(DAY * 2);
        assert_eq!((machine.run.len(), machine.missed.len()), (2, 1));
        let mut machine = Machine::new("* * * * *", at("2026-06-01T00:00:00Z"));
        machine.set(HOUR + SignedDuration::from_secs(20));
        assert_eq!(machine.run, [at("2026-06-01T01:00:00Z")]);
    }

    #[test]
    fn a_clock_that_was_far_ahead_or_not_set_keeps_nothing_from_running_afterwards() {
        let mut machine = Machine::new("0 3 * * *", at("2026-06-01T00:00:00Z"));
        machine.live(DAY);
        machine.set(DAY * 365 * 50);
        machine.live(DAY * 3);
        machine.set(-DAY * 365 * 50);
        let before = machine.run.len();
        machine.live(DAY * 3);
        assert_eq!(machine.run.len(), before + 3);
        let (next, now) = (machine.course.next(), machine.now);
        machine.now = at("1970-01-01T00:00:10Z");
        machine.look();
        assert_eq!(machine.course.next(), next, "a clock that nobody has set");
        machine.now = now;
        machine.look();
        assert_eq!((machine.course.next(), machine.run.len()), (next, before + 3));
    }

    #[test]
    fn another_schedule_or_zone_begins_anew_and_the_same_goes_on_in_a_file() {
        let now = at("2026-06-01T00:00:00Z");
        let first = timetable("0 3 * * *");
        let mut course = Course::begin(&first, now);
        course.look(&first, at("2026-06-01T01:00:30Z"));
        let json = serde_json::to_string(&course).expect("plain data");
        let read: Course = serde_json::from_str(&json).expect("as written");
        assert_eq!(read.carried_on(&first, now), course);
        let zone = Timetable { zone: TimeZone::UTC, zone_name: "UTC".to_owned(), ..timetable("0 3 * * *") };
        for other in [timetable("0 4 * * *"), zone] {
            assert_eq!(course.clone().carried_on(&other, now), Course::begin(&other, now));
        }
    }

    #[test]
    fn a_run_that_was_due_and_not_begun_is_due_again_for_whoever_comes_next_or_was_missed() {
        let daily = timetable("0 3 * * *");
        let (begun, three) = (at("2026-06-01T00:00:00Z"), at("2026-06-01T01:00:00Z"));
        for (later, due) in
            [("2026-06-01T01:00:30Z", Due::Run(three)), ("2026-06-01T09:00:00Z", Due::Missed(three))]
        {
            let mut course = Course::begin(&daily, begun);
            assert_eq!(course.look(&daily, three), Due::Run(three));
            assert_eq!(course.look(&daily, three), Due::NotYet, "once for whoever lives on");
            course.resume();
            assert_eq!(course.look(&daily, at(later)), due);
            course.settle();
            course.resume();
            assert_eq!(course.look(&daily, at(later)), Due::NotYet);
            assert_eq!(course.next(), Some(at("2026-06-02T01:00:00Z")));
        }
    }

    #[test]
    fn what_somebody_else_has_begun_is_not_run_again() {
        let first = timetable("0 3 * * *");
        let mut course = Course::begin(&first, at("2026-06-01T00:00:00Z"));
        let now = at("2026-06-01T01:00:01Z");
        course.pass(&first, now);
        assert_eq!(course.look(&first, now), Due::NotYet);
        assert_eq!(course.next(), Some(at("2026-06-02T01:00:00Z")));
    }
}
