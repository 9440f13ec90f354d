//! Translates the settings of a declaration into keys of app.json (docs/settings.md).

use serde_json::{Map, Value, json};

use super::{Declaration, InvalidValue, as_text};

/// pm2's rule: the fifteenth end that comes within a second of its start, while an app is new, is its last. An app is new for as long as
/// so many lives of that length take.
const RESTARTS: u64 = 15;
const MIN_UPTIME: u64 = 1_000;
/// What may pass between all of these ends and the next starts, in milliseconds.
const BETWEEN: u64 = 1_000;
/// The default of the milliseconds from SIGTERM to SIGKILL.
pub const KILL_TIMEOUT: u64 = 5_000;
/// The longest delay of `exp_backoff_restart_delay`, as in pm2.
const LONGEST_DELAY: u64 = 15_000;
/// What an app.json may say at most about starts.
const MOST_STARTS: u64 = 50;
/// A week, in seconds: within so long, every end counts.
const LONGEST_PERIOD: u64 = 7 * 86_400;
/// What `treekill: false` means here.
const SPARED: &str = "treekill: the stop signal goes to the main process alone; what that leaves behind is killed when it has ended";

/// The settings about restarts, limits and watched files. How instances become ready and end is decided by the caller.
///
/// # Errors
/// A value makes no sense.
pub fn settings(declared: &Declaration) -> Result<Map<String, Value>, InvalidValue> {
    let mut settings = Map::new();
    let mut set = |name: &str, value: Value| drop(settings.insert(name.to_owned(), value));
    if let Some(time) = declared.number("listen_timeout")? {
        set("start_timeout_seconds", time.div_ceil(1000).max(1).into());
    }
    if let Some(size) = declared.get("max_memory_restart") {
        set("memory_restart", memory(&as_text(size))?.into());
    }
    settings.extend(restarting(declared)?);
    settings.extend(watching(declared)?);
    if declared.flag("treekill")? == Some(false) {
        settings.insert("stop_tree".to_owned(), "main".into());
    }
    Ok(settings)
}

fn restarting(declared: &Declaration) -> Result<Map<String, Value>, InvalidValue> {
    let millis = |number: u64| json!(format!("{number}ms"));
    let Some(codes) = stop_exit_codes(declared)? else { return bounded(declared, millis) };
    let mut settings = bounded(declared, millis)?;
    if settings.get("restart_policy") != Some(&json!("no")) {
        settings.insert("restart_policy".to_owned(), "on-failure".into());
        if codes.split(',').all(|code| code.trim().parse() != Ok(0_u8)) {
            settings.insert("failure_exit_codes".to_owned(), "0".into());
        }
        settings.insert("success_exit_codes".to_owned(), codes.into());
    }
    Ok(settings)
}

fn bounded(
    declared: &Declaration,
    millis: impl Fn(u64) -> Value,
) -> Result<Map<String, Value>, InvalidValue> {
    let mut settings = Map::new();
    let mut set = |name: &str, value: Value| drop(settings.insert(name.to_owned(), value));
    if declared.flag("autorestart")? == Some(false) {
        set("restart_policy", "no".into());
        return Ok(settings);
    }
    set("restart_policy", "always".into());
    let (most, uptime) = (declared.number("max_restarts")?, uptime(declared)?.unwrap_or(MIN_UPTIME));
    if let Some(first) = declared.number("exp_backoff_restart_delay")? {
        let first = first.min(LONGEST_DELAY);
        set("restart_delay", millis(first));
        set("restart_delay_max", millis(LONGEST_DELAY));
        // With such delays pm2 gives an app up only if a small number is set.
        if let Some(limit) = most.map(|most| limit(most, uptime, first, LONGEST_DELAY)).transpose()?.flatten()
        {
            set("start_limit", limit);
        }
        return Ok(settings);
    }
    let delay = declared.number("restart_delay")?.unwrap_or(0);
    set("restart_delay", millis(delay));
    set("restart_delay_max", millis(delay));
    // A life that is stable is followed by the next one at once; a delay that was asked for comes after each.
    let stable = if delay > 0 { 365 * 86_400_000 } else { uptime };
    set("stable_after", millis(stable));
    if let Some(limit) = limit(most.unwrap_or(RESTARTS), uptime, delay, delay)? {
        set("start_limit", limit);
    }
    Ok(settings)
}

/// How many starts are permitted within which time, so that the end with the number `most` is the last one if none of the lives before it
/// was as long as `uptime`. The delays between them begin with `first` and double until they are `longest`. All times are in milliseconds.
/// None: more starts than an app.json can count.
fn limit(most: u64, uptime: u64, first: u64, longest: u64) -> Result<Option<Value>, InvalidValue> {
    let starts = most.saturating_sub(1);
    if starts == 0 {
        return Err(InvalidValue::new("max_restarts", "2 or more is wanted, or autorestart false"));
    }
    if starts > MOST_STARTS {
        return Ok(None);
    }
    let delays = (0..starts).scan(first, |delay, _| {
        let now = *delay;
        *delay = delay.saturating_mul(2).min(longest);
        Some(now)
    });
    // Delays are varied by up to a tenth.
    let waiting = delays.fold(0, u64::saturating_add).saturating_mul(12) / 10;
    let living = uptime.saturating_mul(starts);
    let within = living.saturating_add(waiting).saturating_add(BETWEEN).div_ceil(1000);
    Ok(Some(format!("{starts}/{}s", within.min(LONGEST_PERIOD)).into()))
}

/// What an app.json cannot say of a declaration as pm2 means it, in sentences for people.
pub fn differences(declared: &Declaration) -> Vec<String> {
    let mut differences = Vec::new();
    if declared.flag("treekill").ok().flatten() == Some(false) {
        differences.push(SPARED.to_owned());
    }
    if declared.flag("autorestart").ok().flatten() == Some(false) {
        return differences;
    }
    if let Some(most) = declared.number("max_restarts").ok().flatten().filter(|most| *most > MOST_STARTS + 1)
    {
        differences.push(format!(
            "max_restarts: {most} restarts are not counted, {} are the most, so the app is started again for as long as it ends",
            MOST_STARTS + 1
        ));
    }
    differences
}

/// `min_uptime` is a number of milliseconds, or as `5s`, `2m`, `1h`.
fn uptime(declared: &Declaration) -> Result<Option<u64>, InvalidValue> {
    let Some(value) = declared.get("min_uptime") else { return Ok(None) };
    let text = as_text(value);
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("", 1)];
    let read = units.iter().find_map(|(unit, millis)| {
        let number: u64 = text.trim().strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*millis)
    });
    let wanted =
        || InvalidValue::new("min_uptime", format!("milliseconds are wanted, or 5s, 2m, 1h, not {value}"));
    read.map(Some).ok_or_else(wanted)
}

fn stop_exit_codes(declared: &Declaration) -> Result<Option<String>, InvalidValue> {
    let codes = match declared.get("stop_exit_codes") {
        None => return Ok(None),
        Some(Value::Array(codes)) => codes.iter().map(as_text).collect::<Vec<_>>().join(","),
        Some(code) => as_text(code),
    };
    let is_code = |code: &str| code.trim().parse::<u8>().is_ok();
    if !codes.split(',').all(is_code) {
        let what = format!("numbers from 0 to 255 are wanted, not {codes}");
        return Err(InvalidValue::new("stop_exit_codes", what));
    }
    Ok(Some(codes))
}

/// What no process gets by with, in bytes: an app that may use less would be restarted for ever.
const LEAST_MEMORY: f64 = 65_536.0;

/// `300M`, `1.5G`, `1024K`, or bytes.
fn memory(text: &str) -> Result<String, InvalidValue> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.strip_suffix('b').unwrap_or(&lower);
    let units = [("k", 1024.0), ("m", 1_048_576.0), ("g", 1_073_741_824.0)];
    let with_unit = units.into_iter().find_map(|(unit, bytes)| Some((number.strip_suffix(unit)?, bytes)));
    let (number, unit) = with_unit.unwrap_or((number, 1.0));
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let Some(size) = number.parse::<f64>().ok().filter(|size| is_plain && *size > 0.0) else {
        let what = format!("a size such as 300M is wanted, not {text:?}");
        return Err(InvalidValue::new("max_memory_restart", what));
    };
    if size * unit < LEAST_MEMORY {
        let what = format!("{text} is less than any process needs: is {number}M meant?");
        return Err(InvalidValue::new("max_memory_restart", what));
    }
    Ok(lower)
}

fn watching(declared: &Declaration) -> Result<Map<String, Value>, InvalidValue> {
    let mut settings = Map::new();
    let names = |value: &Value| match value {
        Value::Array(names) => names.iter().map(as_text).collect::<Vec<_>>().join(","),
        other => as_text(other),
    };
    let is_word = |value: &Value, word: bool| as_text(value) == word.to_string();
    let paths = match declared.get("watch") {
        None => return Ok(settings),
        Some(value) if is_word(value, false) => return Ok(settings),
        Some(value) if is_word(value, true) => ".".to_owned(),
        Some(paths) => names(paths),
    };
    settings.insert("watch_paths".to_owned(), paths.into());
    if let Some(ignored) = declared.get("ignore_watch") {
        settings.insert("watch_ignore".to_owned(), names(ignored).into());
    }
    if let Some(delay) = declared.number("watch_delay")? {
        settings.insert("watch_delay".to_owned(), format!("{delay}ms").into());
    }
    Ok(settings)
}

/// The last value of each field.
const LAST: [&str; 5] = ["59", "23", "31", "12", "7"];

/// An invalid schedule, with pm2's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Cron pattern is not valid !")]
pub struct InvalidSchedule;

/// The five fields of a schedule. pm2's sixth field, seconds, comes first and is removed.
///
/// # Errors
/// It has neither five fields nor six.
pub fn schedule(pattern: &str) -> Result<String, InvalidSchedule> {
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    let five = match fields.len() {
        5 => &fields[..],
        6 => &fields[1..],
        _ => return Err(InvalidSchedule),
    };
    let whole = |(field, last): (&&str, &str)| {
        field.split(',').map(|part| with_end(part, last)).collect::<Vec<_>>().join(",")
    };
    Ok(five.iter().zip(LAST).map(whole).collect::<Vec<_>>().join(" "))
}

/// pm2 takes `1/8` in the field of the hours for `1-23/8`: every eighth hour from 1 on.
fn with_end(part: &str, last: &str) -> String {
    match part.split_once('/') {
        Some((first, step)) if !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{first}-{last}/{step}")
        }
        _ => part.to_owned(),
    }
}

/// Whether the schedule of a declaration has a field of seconds that asks for more than once a minute, or for another second than the first.
pub fn loses_seconds(declared: &Declaration) -> bool {
    declared.text("cron_restart").ok().flatten().is_some_and(|pattern| asks_for_seconds(&pattern))
}

fn asks_for_seconds(pattern: &str) -> bool {
    let mut fields = pattern.split_whitespace();
    let seconds = fields.next().unwrap_or_default();
    fields.count() == 5 && !seconds.trim_start_matches('0').is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(json: &str) -> Map<String, Value> {
        let declared = crate::pm2::parse(json.as_bytes()).expect("JSON");
        settings(&declared.0[0]).expect("settings")
    }

    #[test]
    fn without_a_word_an_app_is_given_up_at_its_fifteenth_early_end() {
        let of = said("{}");
        assert_eq!(of["start_limit"], "14/15s");
        assert_eq!((&of["restart_policy"], &of["restart_delay"]), (&json!("always"), &json!("0ms")));
    }

    #[test]
    fn each_word_has_one_of_ours() {
        let of = said(
            r#"{"listenTimeout":1600,"max_memory_restart":"300M","watch":["a","b"],"ignore_watch":"c"}"#,
        );
        assert_eq!((&of["start_timeout_seconds"], &of["memory_restart"]), (&json!(2), &json!("300m")));
        assert_eq!((&of["watch_paths"], &of["watch_ignore"]), (&json!("a,b"), &json!("c")));
        let of = said(r#"{"autorestart":false,"stop_exit_codes":[0]}"#);
        assert_eq!(of["restart_policy"], "no");
        let of = said(r#"{"stop_exit_codes":[0,3],"max_restarts":"5","min_uptime":"2s"}"#);
        assert_eq!((&of["restart_policy"], &of["success_exit_codes"]), (&json!("on-failure"), &json!("0,3")));
        assert_eq!((&of["start_limit"], &of["stable_after"]), (&json!("4/9s"), &json!("2000ms")));
        assert_eq!(of.get("failure_exit_codes"), None);
        let of = said(r#"{"stop_exit_codes":[2,"3"]}"#);
        assert_eq!((&of["failure_exit_codes"], &of["success_exit_codes"]), (&json!("0"), &json!("2,3")));
        let of = said(r#"{"watch":true,"watchDelay":1500,"treekill":false}"#);
        assert_eq!((&of["watch_delay"], &of["stop_tree"]), (&json!("1500ms"), &json!("main")));
        let of = said(r#"{"restart_delay":1000}"#);
        assert_eq!((&of["restart_delay"], &of["start_limit"]), (&json!("1000ms"), &json!("14/32s")));
    }

    #[test]
    fn an_app_is_given_up_after_short_lives_and_not_after_long_ones() {
        // Each of two lives of a minute is long enough, and each of two that are shorter is not.
        assert_eq!(said(r#"{"max_restarts":3,"min_uptime":"1m"}"#)["start_limit"], "2/121s");
        assert_eq!(said(r#"{"max_restarts":2}"#)["start_limit"], "1/2s");
        // 100, 200 and 400 ms lie between four short lives.
        let of = said(r#"{"exp_backoff_restart_delay":100,"max_restarts":4}"#);
        assert_eq!((&of["start_limit"], &of["restart_delay"]), (&json!("3/5s"), &json!("100ms")));
        assert_eq!(said(r#"{"exp_backoff_restart_delay":100}"#).get("start_limit"), None);
        assert_eq!(said(r#"{"max_restarts":52}"#).get("start_limit"), None);
        assert_eq!(said(r#"{"max_restarts":51}"#)["start_limit"], "50/51s");
    }

    #[test]
    fn what_means_something_else_here_is_named() {
        for (json, named) in [
            (r#"{"max_restarts":52}"#, "max_restarts"),
            (r#"{"stop_exit_codes":[2,"3"]}"#, ""),
            (r#"{"treekill":"false"}"#, "treekill"),
            (r#"{"treekill":true}"#, ""),
            (r#"{"max_restarts":51,"stop_exit_codes":[2,0]}"#, ""),
            (r#"{"max_restarts":1000,"stop_exit_codes":[2],"autorestart":false}"#, ""),
        ] {
            let declared = crate::pm2::parse(json.as_bytes()).expect("JSON");
            let all = differences(&declared.0[0]).join("\n");
            assert_eq!(all.split(':').next(), Some(named), "{json}");
        }
    }

    #[test]
    fn a_size_is_a_number_above_zero_with_a_unit_of_pm2() {
        for good in ["40M", "40MB", "41943040", "0.5g", "40960K"] {
            assert!(memory(good).is_ok(), "{good}");
        }
        for bad in
            ["", "0", "1", "300", "63K", "-1", "40 M", "40MiB", "M", "inf", "nan", "1e3", "40BB", "4MK"]
        {
            assert!(memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn six_fields_become_five() {
        assert_eq!(schedule("0 0 * * * *").expect("a schedule"), "0 * * * *");
        assert_eq!(schedule("*/5 * * * *").expect("a schedule"), "*/5 * * * *");
        assert!(schedule("nonsense here").is_err());
        for (pattern, is_lost) in [
            ("0 0 * * * *", false),
            ("00 0 * * * *", false),
            ("* * * * *", false),
            ("* * * * * *", true),
            ("*/5 1 * * * *", true),
        ] {
            assert_eq!(asks_for_seconds(pattern), is_lost, "{pattern}");
        }
    }

    #[test]
    fn a_step_from_a_number_on_goes_to_the_end_of_the_field() {
        assert_eq!(schedule("40 1/8 * * *").expect("a schedule"), "40 1-23/8 * * *");
        assert_eq!(
            schedule("0 5/20,3 */2 1-5/2 1/3 0/2").expect("a schedule"),
            "5-59/20,3 */2 1-5/2 1-12/3 0-7/2"
        );
    }
}
