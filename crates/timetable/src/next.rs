//! Computes the next time of a schedule. Between two changes of the clock (such as to summer time) the displayed time advances
//! evenly, so the next time is searched from change to change.
//!
//! A schedule with fixed hours means times of the day: a time that the clock skips is due when the clock is put forward, and a time
//! that the clock shows twice is due the first time. A schedule whose hours begin with `*` means intervals: it follows the
//! displayed time, so a skipped time is not due, and a time that is shown twice is due twice.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::Schedule;

/// The most changes that are searched. Clocks change a few times a year, and the rarest schedule is due once in forty years: a 29
/// February that is a Monday, around the year 2100.
const MOST_CHANGES: usize = 1000;
const INSTANT: SignedDuration = SignedDuration::from_nanos(1);

impl Schedule {
    /// The first time after a moment, in a time zone; `None` only at the end of the range of timestamps.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let (mut begins, mut is_first) = (after, true);
        for _ in 0..MOST_CHANGES {
            let offset = zone.to_offset(begins);
            let shown = offset.to_datetime(begins);
            let from = if is_first { minute_of(shown)?.checked_add(1.minute()).ok()? } else { whole(shown)? };
            let from = self.first_unshown(begins, offset, zone).map_or(from, |unshown| from.max(unshown));
            let change = zone.following(begins).next();
            let until = change.as_ref().map(|change| offset.to_datetime(change.timestamp()));
            if let Some(found) = self.matching(from, until) {
                return offset.to_timestamp(found).ok();
            }
            let change = change?;
            if self.is_passed_over(change.timestamp(), offset, change.offset()) {
                return Some(change.timestamp());
            }
            (begins, is_first) = (change.timestamp(), false);
        }
        None
    }

    /// Whether its hours mean an interval, and not times of the day.
    pub(crate) fn is_interval(&self) -> bool {
        self.hours.is_open
    }

    /// The end of the times that the clock shows a second time; `None` if there are none, or if times that are shown twice are due
    /// twice.
    fn first_unshown(&self, moment: Timestamp, offset: Offset, zone: &TimeZone) -> Option<DateTime> {
        if self.is_interval() {
            return None;
        }
        let change = zone.preceding(moment.checked_add(INSTANT).ok()?).next()?;
        let before = zone.to_offset(change.timestamp().checked_sub(INSTANT).ok()?);
        if before <= offset { None } else { whole(before.to_datetime(change.timestamp())) }
    }

    /// Whether the clock skips a time of the day that is due, when it changes from one offset to another.
    fn is_passed_over(&self, change: Timestamp, before: Offset, after: Offset) -> bool {
        let from = whole(before.to_datetime(change));
        let until = after.to_datetime(change);
        !self.is_interval()
            && from.is_some_and(|from| from < until && self.matching(from, Some(until)).is_some())
    }

    /// The first matching time from `from` on, which must be a whole minute, and before `until`.
    pub(crate) fn matching(&self, from: DateTime, until: Option<DateTime>) -> Option<DateTime> {
        let (mut date, mut hour, mut minute) = (from.date(), bits_of(from.hour()), bits_of(from.minute()));
        while until.is_none_or(|until| date <= until.date()) {
            if !self.months.has(bits_of(date.month())) {
                date = date.first_of_month().checked_add(1.month()).ok()?;
                (hour, minute) = (0, 0);
                continue;
            }
            if self.has_day(date)
                && let Some((hour, minute)) = self.time_from(hour, minute)
            {
                let found = date.at(hour, minute, 0, 0);
                return Some(found).filter(|found| until.is_none_or(|until| *found < until));
            }
            date = date.tomorrow().ok()?;
            (hour, minute) = (0, 0);
        }
        None
    }

    fn has_day(&self, date: jiff::civil::Date) -> bool {
        let is_day = self.days.has(bits_of(date.day()));
        let is_weekday = self.weekdays.has(bits_of(date.weekday().to_sunday_zero_offset()));
        if self.days.is_open || self.weekdays.is_open { is_day && is_weekday } else { is_day || is_weekday }
    }

    fn time_from(&self, hour: u32, minute: u32) -> Option<(i8, i8)> {
        let this_hour =
            self.minutes.from(minute).filter(|_| self.hours.has(hour)).map(|minute| (hour, minute));
        let (hour, minute) = match this_hour {
            Some(time) => time,
            None => (self.hours.from(hour + 1)?, self.minutes.from(0)?),
        };
        Some((i8::try_from(hour).ok()?, i8::try_from(minute).ok()?))
    }
}

/// The minute that contains a time.
fn minute_of(time: DateTime) -> Option<DateTime> {
    time.with().second(0).subsec_nanosecond(0).build().ok()
}

/// The first whole minute at or after a time.
fn whole(time: DateTime) -> Option<DateTime> {
    let minute = minute_of(time)?;
    if minute == time { Some(minute) } else { minute.checked_add(1.minute()).ok() }
}

/// A part of a date or a time as an unsigned number; it is never negative.
fn bits_of(part: i8) -> u32 {
    u32::from(part.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(schedule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule: Schedule = schedule.parse().expect("a schedule");
        let zone = TimeZone::posix(zone).expect("a zone");
        let mut at: Timestamp = after.parse().expect("a time");
        let mut found = Vec::new();
        for _ in 0..count {
            at = schedule.next(at, &zone).expect("there is a next one");
            found.push(at.to_zoned(zone.clone()).strftime("%d %H:%M%:z").to_string());
        }
        found
    }

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    #[test]
    fn a_time_of_the_day_that_is_passed_over_is_due_when_the_clock_is_put_forward() {
        let spring = "2026-03-28T10:00:00Z";
        assert_eq!(times("30 2 * * *", BERLIN, spring, 2), ["29 03:00+02:00", "30 02:30+02:00"]);
        // Several skipped times are due once, and a time that is due then anyway is not added.
        assert_eq!(
            times("*/10 2,3 * * *", BERLIN, spring, 3),
            ["29 03:00+02:00", "29 03:10+02:00", "29 03:20+02:00"]
        );
        assert_eq!(
            times("30 1,3 * * *", BERLIN, spring, 3),
            ["29 01:30+01:00", "29 03:30+02:00", "30 01:30+02:00"]
        );
        assert_eq!(times("0 3 * * *", BERLIN, spring, 2), ["29 03:00+02:00", "30 03:00+02:00"]);
    }

    #[test]
    fn a_time_of_the_day_that_is_shown_twice_is_due_once() {
        let autumn = "2026-10-24T10:00:00Z";
        assert_eq!(times("30 2 * * *", BERLIN, autumn, 2), ["25 02:30+02:00", "26 02:30+01:00"]);
        assert_eq!(
            times("*/30 2,3 * * *", BERLIN, autumn, 4),
            ["25 02:00+02:00", "25 02:30+02:00", "25 03:00+01:00", "25 03:30+01:00"]
        );
        // The same if the question is asked during the second 02:30.
        assert_eq!(times("30 2 * * *", BERLIN, "2026-10-25T01:10:00Z", 1), ["26 02:30+01:00"]);
    }

    #[test]
    fn an_interval_goes_by_what_the_clock_shows() {
        let hours = |after| times("30 * * * *", BERLIN, after, 3);
        assert_eq!(hours("2026-03-29T00:00:00Z"), ["29 01:30+01:00", "29 03:30+02:00", "29 04:30+02:00"]);
        assert_eq!(hours("2026-10-25T00:00:00Z"), ["25 02:30+02:00", "25 02:30+01:00", "25 03:30+01:00"]);
    }

    #[test]
    fn a_day_is_either_of_two_that_are_named_and_both_where_one_is_open() {
        let utc = |schedule, count| times(schedule, "UTC0", "2026-01-01T12:00:00Z", count);
        assert_eq!(utc("0 0 10 * fri", 3), ["02 00:00+00:00", "09 00:00+00:00", "10 00:00+00:00"]);
        assert_eq!(utc("0 0 */10 * fri", 1), ["01 00:00+00:00"], "1, 11, 21 or 31, and a Friday");
        assert_eq!(utc("0 0 29 2 *", 1), ["29 00:00+00:00"]);
    }
}
