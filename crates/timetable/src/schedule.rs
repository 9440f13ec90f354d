//! A schedule in its written form.

use std::fmt;
use std::str::FromStr;

use jiff::civil::date;

use crate::InvalidSchedule;
use crate::field::{FIELDS, Values, shown};

const WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];
const KNOWN: &str = "use @hourly, @daily, @weekly, @monthly, @yearly, or five fields";
const AT_BOOT: &str = "a type without a schedule is started with its app";
const EVERY: &str = "write */15 * * * * for every quarter of an hour";

/// The times at which something is due: minute, hour, day of the month, month and day of the week, as a crontab has them.
///
/// If both the day of the month and the day of the week are given, a day that fits either of them is due, as in every crontab. If one of
/// the two fields begins with `*`, a day must fit both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    pub(crate) minutes: Values,
    pub(crate) hours: Values,
    pub(crate) days: Values,
    pub(crate) months: Values,
    pub(crate) weekdays: Values,
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let text = text.trim();
        let fields: Vec<&str> = match text.strip_prefix('@') {
            Some(word) => of_word(word, text)?,
            None => text,
        }
        .split_ascii_whitespace()
        .collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(InvalidSchedule::Fields { found: fields.len() });
        };
        let [minutes, hours, days, months, weekdays] = FIELDS;
        let schedule = Self {
            text: text.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
            minutes: minutes.read(minute)?,
            hours: hours.read(hour)?,
            days: days.read(day)?,
            months: months.read(month)?,
            weekdays: weekdays.read(weekday)?,
        };
        // Dates and days of the week repeat after four centuries.
        let ever = schedule.matching(date(2000, 1, 1).at(0, 0, 0, 0), Some(date(2400, 1, 1).at(0, 0, 0, 0)));
        ever.map(|_| schedule).ok_or(InvalidSchedule::Never)
    }
}

fn of_word(word: &str, text: &str) -> Result<&'static str, InvalidSchedule> {
    let known = WORDS.iter().find(|(name, _)| name[1..].eq_ignore_ascii_case(word));
    known.map(|(_, fields)| *fields).ok_or_else(|| InvalidSchedule::Word {
        word: shown(text),
        advice: match word.split_ascii_whitespace().next().unwrap_or_default() {
            "reboot" => AT_BOOT,
            "every" => EVERY,
            _ => KNOWN,
        },
    })
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<Schedule>().expect_err(text).to_string()
    }

    #[test]
    fn what_a_crontab_takes_reads_back_as_written() {
        for text in [
            "0 3 * * *",
            "*/5 * * * *",
            "0,30 8-18/2 1,15 JAN-mar Mon-Fri",
            "0 0 * * 5-7",
            "0 0 * * fri-sun",
            "59 23 31 12 0",
            "0 0 29 2 *",
            "@daily",
            "@Hourly",
        ] {
            assert_eq!(text.parse::<Schedule>().map(|schedule| schedule.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(
            "  0   3 *\t* * ".parse::<Schedule>().map(|it| it.to_string()),
            Ok("0 3 * * *".to_owned())
        );
        let days = |text: &str| "0 0 * * ".to_owned() + text;
        let weekdays = |text: &str| days(text).parse::<Schedule>().expect("a schedule").weekdays;
        assert_eq!(weekdays("5-7"), weekdays("fri-sun"));
        assert_eq!(weekdays("7"), weekdays("0"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_field() {
        for (text, said) in [
            ("61 * * * *", "minute \"61\": 61 is not from 0 to 59"),
            ("* 24 * * *", "hour \"24\": 24 is not from 0 to 23"),
            ("* * 0 * *", "day of the month \"0\": 0 is not from 1 to 31"),
            ("* * * 13 *", "month \"13\": 13 is not from 1 to 12"),
            ("* * * * 8", "day of the week \"8\": 8 is not from 0 to 7"),
            (
                "* * * * fry",
                "day of the week \"fry\": a number is wanted, or a name from sun to sat, not \"fry\"",
            ),
            ("* 22-2 * * *", "hour \"22-2\": 22-2 goes backwards: write 22-23,0-2"),
            ("5/15 * * * *", "minute \"5/15\": a step follows * or a range: write 5-59/15"),
            ("*/0 * * * *", "minute \"*/0\": a step is a whole number from 1 on, not \"0\""),
            ("1, * * * *", "minute \"1,\": a number is wanted, not \"\""),
            ("-1 * * * *", "minute \"-1\": a number is wanted, not \"\""),
            ("* * L * *", "day of the month \"L\": a number is wanted, not \"L\""),
            ("+1 * * * *", "minute \"+1\": a number is wanted, not \"+1\""),
            ("0 0 30 2 *", "it never comes: no month that is named has such a day"),
            ("0 0 31 4,6,9,11 *", "it never comes: no month that is named has such a day"),
        ] {
            assert_eq!(refused(text), said, "{text}");
        }
        assert!(refused("* * * *").ends_with("not 4"));
        assert!(refused("0 * * * * *").ends_with("not six: there are no seconds"));
        assert!(refused("").ends_with("not 0"));
        assert!(refused("@reboot").contains("is started with its app"));
        assert!(refused("@every 5m").contains("*/15 * * * *"));
        assert!(refused(&"9".repeat(5000)).contains("not 1"), "one field");
        assert!(refused(&format!("{} * * * *", "1,".repeat(600))).contains("1024 bytes"));
    }
}
