//! One fault: how it is made, and what a good answer must say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::stage::Stage;

/// Causes that claim nothing: the answer says what happened, and no more.
const CLAIMS_NOTHING: [&str; 5] = ["unknown", "exit-status", "ends-by-itself", "exception", "own-error"];
/// What follows is a line of the app's. It is evidence, and no claim: a wrong answer may quote the right line.
const QUOTES: &str = "as it wrote:";

pub(crate) struct Fault {
    /// What is wrong, in the words of somebody who has found out.
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    /// Programs that must be on this machine, or that `scripts/setup` has unpacked, if a path begins with `usr/`.
    needs: &'static [&'static str],
    /// One of these must stand in the cause, or in the sentence that tells it. In lower case.
    names: &'static [&'static str],
    /// One of these stands in the line of the app's own that says what is wrong. In lower case.
    quoting: &'static [&'static str],
    /// One of these stands somewhere in the reasons, beside the cause. In lower case.
    telling: &'static [&'static str],
    bring: Box<dyn Fn(&Stage) + Send + Sync>,
}

/// What came of it.
pub(crate) enum Said {
    Named(String),
    /// It claims no more than that the app's own program met an error, and quotes the line that says what is wrong as the cause.
    Quoted(String),
    Unknown(String),
    Wrong(String),
    /// It could not be made here.
    Skipped,
    /// It was not made, though it should have been: the harness is wrong.
    NotMade(String),
}

pub(crate) fn fault(
    kind: &'static str,
    name: &'static str,
    names: &'static [&'static str],
    bring: impl Fn(&Stage) + Send + Sync + 'static,
) -> Fault {
    Fault { kind, name, needs: &[], names, quoting: &[], telling: &[], bring: Box::new(bring) }
}

impl Fault {
    pub(crate) fn needing(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }

    /// What is wrong cannot be told better than by the program itself, in a line that contains one of these.
    pub(crate) fn quoting(mut self, quoting: &'static [&'static str]) -> Self {
        self.quoting = quoting;
        self
    }

    /// The answer also says something beside the cause, in which one of these stands.
    pub(crate) fn telling(mut self, telling: &'static [&'static str]) -> Self {
        self.telling = telling;
        self
    }

    /// Whether it says all that is wanted beside the cause.
    fn tells(&self, answer: &Value) -> bool {
        let reasons = answer["reasons"].to_string().to_lowercase();
        self.telling.is_empty() || self.telling.iter().any(|words| reasons.contains(words))
    }

    pub(crate) fn explained(&self) -> Said {
        if !self.needs.iter().all(|need| is_here(need)) {
            skipped::skip(format_args!("{}, {}: needs {:?}", self.kind, self.name, self.needs));
            return Said::Skipped;
        }
        let made = catch_unwind(AssertUnwindSafe(|| {
            let stage = Stage::new();
            (self.bring)(&stage);
            stage.explained()
        }));
        match made {
            Ok(answer) => self.judge(&answer),
            Err(why) => Said::NotMade(words_of(&*why)),
        }
    }

    fn judge(&self, answer: &Value) -> Said {
        let cause = answer["cause"].as_str().unwrap_or("unknown");
        let says = answer["reasons"][0]["says"].as_str().unwrap_or_default();
        let situation = answer["situation"].as_str().unwrap_or_default();
        let (own_words, quoted) = says.split_once(QUOTES).unwrap_or((says, ""));
        let quoted = quoted.to_lowercase();
        let claim = format!("{} {own_words}", cause.replace('-', " ")).to_lowercase();
        let told = format!("{cause}: {situation} | {says}");
        let is_named = self.names.iter().any(|name| claim.contains(name));
        if is_named && !self.tells(answer) {
            Said::Unknown(format!("{told} | and nothing of {:?} in {}", self.telling, answer["reasons"]))
        } else if is_named {
            Said::Named(told)
        } else if !CLAIMS_NOTHING.contains(&cause) {
            Said::Wrong(told)
        } else if self.quoting.iter().any(|line| quoted.contains(line)) {
            Said::Quoted(told)
        } else {
            Said::Unknown(told)
        }
    }
}

/// What a panic said.
fn words_of(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Whether a program is in its usual place, or is found on PATH if it is named without one, or what else a fault needs can be had.
fn is_here(need: &str) -> bool {
    let succeeds = |program: &str, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    match need {
        "root" => rustix::process::geteuid().is_root(),
        "engine" => succeeds("docker", &["image", "inspect", crate::containers::IMAGE]),
        "cgroup" => {
            let groups = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
            rustix::process::geteuid().is_root() && groups.contains(" cgroup")
        }
        unpacked if unpacked.starts_with("usr/") => skipped::server(unpacked).is_some(),
        path if path.contains('/') => Path::new(path).is_file(),
        program => {
            let places = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&places).any(|place| place.join(program).is_file())
        }
    }
}
