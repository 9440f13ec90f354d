//! Ten years of schedules in three time zones, compared with times that another implementation has computed: `firings.py` beside
//! this file examines every minute of these years with Python's zoneinfo, and shares no code with the search here.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use timetable::{Course, Due, Schedule, Timetable};

const FIRINGS: &str = include_str!("firings.txt");
const BEGINNING: &str = "2026-01-01T00:00:00Z";

/// One schedule, and its expected times.
struct Case {
    timetable: Timetable,
    times: Vec<Timestamp>,
}

/// Parses a line: the zone, the schedule, the number of times, and the minutes between them, such as `1440x75` for 75 days in a
/// row.
fn case(line: &str) -> Case {
    let [zone, schedule, count, minutes] = line.split('|').collect::<Vec<_>>()[..] else {
        panic!("four parts: {line:.80}")
    };
    let mut at: Timestamp = BEGINNING.parse().expect("a time");
    let mut times = Vec::new();
    for run in minutes.split(' ') {
        let (minutes, often) = run.split_once('x').unwrap_or((run, "1"));
        let step = SignedDuration::from_mins(minutes.parse().expect("minutes"));
        for _ in 0..often.parse::<u32>().expect("a count") {
            at += step;
            times.push(at);
        }
    }
    assert_eq!(times.len().to_string(), count, "{zone} {schedule}");
    let schedule: Schedule = schedule.parse().expect("a schedule");
    let (zone_name, zone) = (zone.to_owned(), TimeZone::posix(zone).expect("a zone"));
    Case { timetable: Timetable { schedule, zone, zone_name }, times }
}

#[test]
fn ten_thousand_times_in_three_zones_are_those_of_another_implementation() {
    let (mut all, mut zones) = (0, Vec::new());
    for case in FIRINGS.lines().map(case) {
        let Timetable { schedule, zone, zone_name } = &case.timetable;
        let mut at: Timestamp = BEGINNING.parse().expect("a time");
        // The first minute itself may be one of the times.
        at -= SignedDuration::from_secs(1);
        for time in &case.times {
            let next = schedule.next(at, zone).expect("there is a next one");
            assert_eq!(next, *time, "{zone_name} {schedule} after {at}");
            at = next;
        }
        all += case.times.len();
        zones.push(zone_name.clone());
    }
    zones.dedup();
    assert!(all >= 10_000 && zones.len() >= 3, "{all} in {zones:?}");
}

#[test]
fn whoever_asks_at_any_moment_is_told_the_same_time() {
    for case in FIRINGS.lines().map(case) {
        let Timetable { schedule, zone, zone_name } = &case.timetable;
        for pair in case.times.windows(2).step_by(7) {
            let (from, until) = (pair[0], pair[1]);
            let apart = until.duration_since(from);
            for part in 0..5 {
                let at = from + apart * part / 5;
                assert_eq!(schedule.next(at, zone), Some(until), "{zone_name} {schedule} at {at}");
            }
        }
    }
}

#[test]
fn a_simulated_clock_runs_each_of_them_once() {
    for case in FIRINGS.lines().map(case) {
        let beginning: Timestamp = BEGINNING.parse().expect("a time");
        let mut course = Course::begin(&case.timetable, beginning - SignedDuration::from_secs(1));
        for (number, time) in case.times.iter().enumerate() {
            assert_eq!(course.next(), Some(*time), "{} {number}", case.timetable.schedule);
            // The check comes up to 20 s late, and sometimes without a time being due.
            let late = SignedDuration::from_secs(i64::try_from(number % 21).expect("small"));
            assert_eq!(course.look(&case.timetable, *time + late), Due::Run(*time));
            assert_eq!(course.look(&case.timetable, *time + late), Due::NotYet);
        }
    }
}
