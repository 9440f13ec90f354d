//! Times and signals as text.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::facts::Facts;

/// `at 14:03:07`, in the reader's time zone; with its date if that is another day than today.
pub(crate) fn time(at: Timestamp) -> String {
    let zoned = at.to_zoned(TimeZone::system());
    let is_today = Timestamp::now().to_zoned(TimeZone::system()).date() == zoned.date();
    zoned.strftime(if is_today { "at %H:%M:%S" } else { "on %Y-%m-%d at %H:%M:%S" }).to_string()
}

/// `at 14:03:07 (3 m ago)`.
pub(crate) fn ago(facts: &Facts, at: Timestamp) -> String {
    format!("{} ({} ago)", time(at), ps_output::age(at, facts.now))
}

/// `SIGKILL`, or `signal 40`.
pub(crate) fn signal(number: i32) -> String {
    let named = number.to_string().parse::<formation::SignalName>();
    named.map_or_else(|_| format!("signal {number}"), |name| name.to_string())
}
