//! Translates the checks of app.json into the healthcheck of a container. The healthcheck is the only check that a
//! swarm makes: a task does not count as running, and replaces no other task, before its healthcheck has succeeded
//! once. So the minimum life of a type is a part of it, too.
//!
//! The healthcheck is a script for `/bin/sh`. The startup checks are made until all of them have succeeded once, which
//! is recorded by a file in `/dev/shm`. From then on only the liveness checks are made, and a container that fails them
//! is replaced.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use formation::{ProcessType, RestartPolicy};
use ps_release::{Ask, Check, Get, Scheme, in_container};
use ps_rollout::Rules;
use ps_scheduler::Release;
use serde_json::{Value, json};
use type_settings::Checking;

/// Programs of which a check by http needs one, and by https.
const ASK_HTTP: [&str; 3] = ["curl", "nc", "wget"];
const ASK_HTTPS: [&str; 2] = ["curl", "wget"];
/// An engine asks no healthcheck more often than that.
const SHORTEST: Duration = Duration::from_secs(1);
/// What a script may take beside the checks in it. An engine on a busy machine takes many seconds to run anything in a container, and what is too
/// late for it has failed.
const ON_A_BUSY_MACHINE: Duration = Duration::from_secs(30);
/// How often in a row a healthcheck has to fail if nothing is asked after the start. One failure would end an instance that has passed already,
/// because the engine was too slow once.
const FAILURES: u32 = 3;

/// How long the container has lived, in seconds, by the clock of its machine: from `/proc`, where the start of a process stands in
/// hundredths of a second.
const AGE: &str = "age() { read -r u _ </proc/uptime; read -r s </proc/1/stat; s=${s##*) }; set -- $s; a=$((${u%%.*} - ${20} / 100)); }";
/// Whether something listens on a port, in hexadecimal digits, of an address that others can reach.
const LISTENS: &str = "listens() { for f in /proc/net/tcp /proc/net/tcp6; do [ -r $f ] || continue; while read -r _ l _ s _; do \
    case $l in 0100007F:*|00000000000000000000000001000000:*) continue;; esac; \
    case $l:$s in *:$1:0A) return 0;; esac; done <$f; done; return 1; }";
const MARK: &str = "/dev/shm/.formation-ready";

/// The healthcheck of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) script: String,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) start_period: Duration,
    /// Whether it can fail after it has succeeded once.
    pub(crate) goes_on: bool,
    /// Sets of programs of each of which the image must have one.
    pub(crate) needs: BTreeSet<&'static [&'static str]>,
    /// What of the checks a swarm does not do, one sentence each.
    pub(crate) remarks: Vec<String>,
}

/// Why the checks of a type cannot be asked on a swarm; `None` if they can.
pub(crate) fn refusal(release: &Release, process_type: &ProcessType) -> Option<String> {
    let process = release.process(process_type).filter(|_| is_asked(release, process_type))?;
    (!process.checks.readiness.is_empty()).then(|| {
        format!(
            "{process_type} has readiness checks, and a swarm sends clients to every instance that runs: make them liveness checks in app.json, or remove them"
        )
    })
}

/// The healthcheck of a type; `None` where nothing is to be asked: what may end by itself need not live, and of what is not to be
/// checked nothing is known.
pub(crate) fn of(release: &Release, process_type: &ProcessType, rules: &Rules) -> Option<Health> {
    if !is_asked(release, process_type) {
        return None;
    }
    let asked = |checks: &[Check]| -> Vec<Check> {
        checks.iter().filter(|check| !check.only_warns).cloned().collect()
    };
    let process = release.process(process_type);
    let liveness = process.map_or_else(Vec::new, |process| asked(&process.checks.liveness));
    let startup = asked(release.startup_checks(process_type));
    let policy = release.settings(process_type).restart_policy.unwrap_or(release.restart_policy);
    let may_end = policy == RestartPolicy::No || release.order().is_awaited_to_be_done(process_type);
    if startup.is_empty() && liveness.is_empty() && may_end {
        return None;
    }
    let port = in_container::port(process_type);
    let all: Vec<&Check> = startup.iter().chain(&liveness).collect();
    let interval = all.iter().map(|check| check.wait).min().unwrap_or(rules.minimum_life).max(SHORTEST);
    let attempts = all.iter().map(|check| check.attempts).max().unwrap_or(1);
    let retries = if liveness.is_empty() { attempts.max(FAILURES) } else { attempts };
    let longest = startup.iter().map(Check::longest).fold(Duration::ZERO, Duration::saturating_add);
    let counted = interval.saturating_mul(retries);
    let delay = all.iter().map(|check| check.initial_delay).max().unwrap_or_default();
    Some(Health {
        script: script(&startup, &liveness, rules.minimum_life, port),
        interval,
        timeout: all.iter().map(|check| check.timeout).fold(ON_A_BUSY_MACHINE, Duration::saturating_add),
        retries,
        // What fails before does not count: it may be on its way.
        start_period: longest.saturating_sub(counted).max(delay).max(rules.minimum_life + SHORTEST),
        goes_on: !liveness.is_empty(),
        needs: all.iter().filter_map(|check| needs(check)).collect(),
        remarks: process.map_or_else(Vec::new, |process| {
            remarks(process_type, process.checks.startup.iter().chain(&process.checks.liveness))
        }),
    })
}

impl Health {
    /// In the format of the engine, with durations in nanoseconds.
    pub(crate) fn json(&self) -> Value {
        json!({
            "Test": ["CMD", "/bin/sh", "-c", self.script],
            "Interval": nanos(self.interval),
            "Timeout": nanos(self.timeout),
            "Retries": self.retries,
            "StartPeriod": nanos(self.start_period),
        })
    }
}

/// A duration as the API of the engine has it.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(i64::MAX.unsigned_abs())
}

fn is_asked(release: &Release, process_type: &ProcessType) -> bool {
    release.checking(process_type) == Checking::Asked
}

fn needs(check: &Check) -> Option<&'static [&'static str]> {
    match &check.ask {
        Ask::Get(get) if get.scheme == Scheme::Https => Some(&ASK_HTTPS),
        Ask::Get(_) => Some(&ASK_HTTP),
        Ask::Listen | Ask::Run(_) | Ask::Live(_) => None,
    }
}

fn remarks<'a>(process_type: &ProcessType, checks: impl Iterator<Item = &'a Check>) -> Vec<String> {
    let remark = |check: &Check| {
        if check.only_warns {
            Some(format!("{process_type}: a swarm does not ask a check that only warns (to {check})"))
        } else if check.on_failure.is_empty() {
            None
        } else {
            Some(format!("{process_type}: a swarm runs nothing when a check has failed (to {check})"))
        }
    };
    checks.filter_map(remark).collect()
}

fn script(startup: &[Check], liveness: &[Check], life: Duration, port: Option<u16>) -> String {
    let lived = format!("age && [ $a -ge {} ]", seconds(life));
    let all = |checks: &[Check]| checks.iter().map(|check| ask(check, port)).collect::<Vec<_>>();
    let first: Vec<String> = std::iter::once(lived).chain(all(startup)).collect();
    let mut script = format!("{AGE}\n{LISTENS}\nn='\n'\n");
    // A shell may end at a redirection that fails, so it is made in another one.
    let _ = writeln!(
        script,
        "[ -e {MARK} ] || {{ {} && {{ (: >{MARK}) 2>/dev/null || true; }}; }} || exit 1",
        first.join(" && ")
    );
    for check in all(liveness) {
        let _ = writeln!(script, "{check} || exit 1");
    }
    script
}

fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// A command of the script that succeeds if the check does.
fn ask(check: &Check, port: Option<u16>) -> String {
    let port = check.port.or(port).unwrap_or_default();
    match &check.ask {
        Ask::Live(life) => format!("age && [ $a -ge {} ]", seconds(*life)),
        Ask::Listen => format!("listens {port:04X}"),
        Ask::Run(words) => within(seconds(check.timeout).max(1), words),
        Ask::Get(get) => answers(get, port, seconds(check.timeout).max(1)),
    }
}

fn answers(get: &Get, port: u16, timeout: u64) -> String {
    let is_tls = get.scheme == Scheme::Https;
    let scheme = if is_tls { "https" } else { "http" };
    let url = quoted(&format!("{scheme}://127.0.0.1:{port}{}", get.path));
    let headers: Vec<String> = get.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let option = |option: &str| {
        let words = headers
            .iter()
            .flat_map(|header| [" ".to_owned(), option.to_owned(), " ".to_owned(), quoted(header)]);
        words.collect::<String>()
    };
    let curl = format!(
        "o=$(curl -sk -m {timeout} -w '\\n%{{http_code}}'{} {url}) && case ${{o##*\"$n\"}} in 2??) ;; *) false;; esac",
        option("-H")
    );
    let insecure = if is_tls { " --no-check-certificate" } else { "" };
    let wget = format!("o=$(wget -q -T {timeout}{insecure} -O -{} {url})", option("--header"));
    let mut lines = vec![format!("GET {} HTTP/1.0", get.path)];
    if get.host().is_none() {
        lines.push("Host: localhost".to_owned());
    }
    lines.extend(headers.iter().cloned().chain([String::new()]));
    let lines: Vec<String> = lines.iter().map(|line| quoted(line)).collect();
    let nc = format!(
        "o=$(printf '%s\\r\\n' {} | nc -w {timeout} 127.0.0.1 {port}); case $o in 'HTTP/1.'?' 2'*) ;; *) false;; esac",
        lines.join(" ")
    );
    let has = |program: &str| format!("command -v {program} >/dev/null");
    let nc = if is_tls { String::new() } else { format!("elif {}; then {nc}; ", has("nc")) };
    let asked = format!("{{ if {}; then {curl}; {nc}else {wget}; fi; }}", has("curl"));
    if get.content.is_empty() {
        return asked;
    }
    format!("{asked} && case $o in *{}*) ;; *) false;; esac", quoted(&get.content))
}

/// A command that is ended after so many seconds, if the image can do that; if not, the engine ends it later.
fn within(timeout: u64, words: &[String]) -> String {
    let words = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    format!("{{ if command -v timeout >/dev/null; then timeout {timeout} {words}; else {words}; fi; }}")
}

/// A word for a shell, whatever is in it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
