//! Translates the settings of a supervisord program, other than its command, into keys of app.json.

use super::section::Section;
use crate::import::found::Asked;
use crate::import::gather::Gathering;

/// Every key of a program.
const OF_PROGRAM: &[&str] = &[
    "command",
    "process_name",
    "numprocs",
    "numprocs_start",
    "priority",
    "autostart",
    "startsecs",
    "startretries",
    "autorestart",
    "exitcodes",
    "stopsignal",
    "stopwaitsecs",
    "stopasgroup",
    "killasgroup",
    "user",
    "redirect_stderr",
    "stdout_logfile",
    "stdout_logfile_maxbytes",
    "stdout_logfile_backups",
    "stdout_capture_maxbytes",
    "stdout_events_enabled",
    "stdout_syslog",
    "stderr_logfile",
    "stderr_logfile_maxbytes",
    "stderr_logfile_backups",
    "stderr_capture_maxbytes",
    "stderr_events_enabled",
    "stderr_syslog",
    "environment",
    "directory",
    "umask",
    "serverurl",
];
/// Those that become a setting.
pub(super) const SETTINGS: &[&str] = &[
    "startsecs",
    "startretries",
    "autorestart",
    "exitcodes",
    "stopsignal",
    "stopwaitsecs",
    "stopasgroup",
    "killasgroup",
    "user",
    "umask",
];
/// What supervisord does where nothing is said: seconds until a program counts as started, how often it is tried, and seconds from the
/// stop signal to SIGKILL.
const STARTSECS: u64 = 1;
const STARTRETRIES: u64 = 3;
const STOPWAITSECS: u64 = 10;
/// What an app.json may say at most about starts.
const MOST_STARTS: u64 = 50;

/// Reads what one program asks for, where that has a place.
pub(super) fn of(gathering: &mut Gathering, section: &Section<'_>) -> Asked {
    let count = section.get("numprocs").map(str::to_owned);
    let mut asked = Asked { count, ..Asked::default() };
    if !gathering.is_whole() {
        return asked;
    }
    let place = format!("program:{}", section.name);
    gathering.list_unknown(&place, section.settings.iter().map(|(key, _)| key.as_str()), OF_PROGRAM);
    asked.set("ready", "alive");
    for (theirs, ours) in [("user", "user"), ("umask", "umask"), ("stopsignal", "stop_signal")] {
        if let Some(value) = section.get(theirs) {
            asked.set(ours, value);
        }
    }
    let mut number = |key: &str, usual: u64| match section.get(key).map(str::trim) {
        None => usual,
        Some(word) => word.parse().unwrap_or_else(|_| {
            gathering.note(section.name, format_args!("{key} {word:?} is no number: {usual} is taken"));
            usual
        }),
    };
    asked.set("stop_timeout_seconds", number("stopwaitsecs", STOPWAITSECS));
    let (startsecs, retries) = (number("startsecs", STARTSECS), number("startretries", STARTRETRIES));
    if section.get("stopasgroup").is_some_and(is_no) {
        asked.set("stop_tree", "main");
    }
    restarting(&mut asked, section, startsecs, retries);
    asked
}

/// A program that ends within `startsecs` is tried `startretries` times more, with a pause that grows by a second each time.
fn restarting(asked: &mut Asked, section: &Section<'_>, startsecs: u64, retries: u64) {
    let autorestart = section.get("autorestart").unwrap_or("unexpected").to_lowercase();
    if is_no(&autorestart) {
        return asked.set("restart_policy", "no");
    }
    if autorestart == "unexpected" {
        asked.set("restart_policy", "on-failure");
        let codes = section.get("exitcodes").unwrap_or("0");
        if codes.split(',').all(|code| code.trim() != "0") {
            asked.set("failure_exit_codes", "0");
        }
        asked.set("success_exit_codes", codes);
    } else {
        asked.set("restart_policy", "always");
    }
    let starts = retries.clamp(1, MOST_STARTS);
    // Here the pause is doubled up to the longest one, and each may be a tenth longer. A limit that these pauses alone would keep from
    // being reached is refused in an app.json.
    let pauses: u64 = (0..starts).map(|death| starts.min(1 << death.min(6))).sum();
    let theirs = starts * (startsecs + starts.div_ceil(2)) + 1;
    let within = theirs.max(starts * startsecs + (pauses * 11).div_ceil(10));
    asked.set("start_limit", format!("{starts}/{within}s"));
    asked.set("restart_delay", "1s");
    asked.set("restart_delay_max", format!("{starts}s"));
    asked.set("stable_after", format!("{}s", startsecs.max(1)));
}

fn is_no(word: &str) -> bool {
    matches!(word.trim().to_lowercase().as_str(), "false" | "no" | "off" | "0")
}
