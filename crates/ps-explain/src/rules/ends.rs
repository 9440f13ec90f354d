//! Ends: how a process ended, and what it wrote before.

use formation::{EndCause, Exit};

use super::report::Sign;
use super::shells::is_of_script;
use super::signs::{of_sign, quoted, sign};
use super::{failed_deploy, last_words};
use crate::case::Case;
use crate::facts::{End, Facts, Line};
use crate::finding::{Evidence, Said};
use crate::patterns::has;
use crate::words::{ago, signal};

pub(super) fn out_of_memory(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    let end = it.end.as_ref()?;
    let killed = end.out_of_memory?;
    let limit = match killed.limit_bytes {
        Some(bytes) => format!("it had reached its limit of {} MiB", bytes >> 20),
        None => "the memory of the machine had run out".to_owned(),
    };
    let whose = if killed.main { "it" } else { "a process that it had started" };
    let says = format!("the kernel killed {whose} for want of memory{}: {limit}", at(case.facts, end));
    let cure = match killed.limit_bytes {
        Some(_) => format!(
            "find out what it keeps in memory, or raise the limit: ps-set {} memory-max N",
            case.facts.app
        ),
        None => format!(
            "find out which process takes the memory (ps-lifecycle status, free -h), or limit it: ps-set {} memory-max N",
            case.facts.app
        ),
    };
    Some(Said::new(says, of_end(end)).cure(cure))
}

pub(super) fn fault(case: Case<'_>) -> Option<Said> {
    const OWN: [i32; 13] = [4, 5, 6, 7, 8, 11, 13, 14, 24, 25, 26, 27, 31];
    let end = ended_unasked(case)?;
    let Some(Exit::Signal(number)) =
        end.exit.filter(|exit| matches!(exit, Exit::Signal(n) if OWN.contains(n)))
    else {
        return None;
    };
    if let Some((cause, what, cure)) = own_limit(number) {
        let says = format!("it ended by {}{}: {what}", signal(number), at(case.facts, end));
        return Some(Said::new(says, of_end(end)).cause(cause).cure(cure));
    }
    // A runtime that aborts says why.
    let told = case.it.map(|it| last_words::of(&it.output, end.at)).unwrap_or_default();
    let words = if told.is_empty() { String::new() } else { format!(", {}", quoted(&told)) };
    let says = format!(
        "it ended by {}{}, which a process mostly gets for a fault of its own{words}",
        signal(number),
        at(case.facts, end)
    );
    let cure = "look at its last lines, and at a core file if it left one (coredumpctl)";
    // An exception of C++ that nobody handles aborts the program, and says what it was.
    let is_told = |sign: &Sign<'_>| {
        let is_of_exception = sign.line.written.trim_start().starts_with("what():");
        sign.pattern.cause == "heap-exhausted" || (is_of_exception && !sign.pattern.is_wide())
    };
    if let Some(sign) = sign(case).filter(is_told) {
        return Some(of_sign(case, sign));
    }
    let evidence = told.first().map(|line| Evidence::Output((*line).clone())).into_iter().chain(of_end(end));
    Some(Said::new(says, evidence).cure(cure))
}

/// A signal that the kernel sends to a process for what that does itself: it has used up what its limits (ulimit) give it, has set a timer, or
/// writes to nobody.
fn own_limit(number: i32) -> Option<(&'static str, &'static str, &'static str)> {
    match number {
        24 => Some((
            "cpu-limit",
            "the kernel sends that to a process which has used up its limit of CPU time",
            "find out what it computes without end, or raise the limit where it is set (ulimit -t)",
        )),
        25 => Some((
            "file-size-limit",
            "the kernel sends that to a process which writes a file larger than its limit allows",
            "find out which file grows, or raise the limit where it is set (ulimit -f)",
        )),
        13 => Some((
            "broken-pipe",
            "the kernel sends that to a process which writes into a pipe or a connection whose reader has gone",
            "find out what read from it and ended before it, or have the program handle the error (EPIPE)",
        )),
        14 | 26 | 27 => Some((
            "own-timer",
            "a process gets that when a timer rings which it has set itself (alarm, setitimer), and it had no handler for it",
            "find out what that timer is for: what it waited for took too long, or the handler is missing",
        )),
        _ => None,
    }
}

const KILL: i32 = 9;

pub(super) fn killed_from_outside(case: Case<'_>) -> Option<Said> {
    let end = ended_unasked(case)?;
    let Some(Exit::Signal(number)) = end.exit else { return None };
    let known = if case.facts.is_container {
        "neither this app's verbs nor a limit of memory sent it"
    } else {
        "its supervisor did not send it, and the kernel counted no kill for want of memory"
    };
    let mut says = format!("it was ended by {} from outside{}: {known}", signal(number), at(case.facts, end));
    if number == KILL && case.facts.has_ulimit {
        says += "; its command sets limits (ulimit), and the kernel does that to a process at a hard limit of CPU time";
    }
    let cure = "find out who sent it: another program, a script, or a person (journalctl, auditctl -a always,exit -S kill)";
    Some(Said::new(says, of_end(end)).cure(cure))
}

/// Signs that say more than that a shell found or could run nothing.
const NARROWER: [&str; 7] = [
    "env-invalid",
    "library-missing",
    "wrong-architecture",
    "program-missing",
    "interpreter-missing",
    "line-endings",
    "version-mismatch",
];

/// A shell that finds nothing ends in less time, in milliseconds. A program that has lived longer has chosen its exit status itself.
const SHELL_GIVES_UP: u64 = 1000;

/// How what runs a program says that it is not there, or may not be executed.
const NOT_RUN: [&str; 6] =
    ["not found", "no such file", "does not exist", "permission denied", "cannot execute", "is a directory"];

pub(super) fn program_missing(case: Case<'_>) -> Option<Said> {
    let end = ended_unasked(case)?;
    let is_narrower = |sign: &Sign<'_>| {
        NARROWER.contains(&sign.pattern.cause)
            || (sign.pattern.cause == "file-missing" && is_of_script(&sign.line.written))
            || (sign.pattern.cause == "variable-missing" && sign.line.written.contains(": line "))
    };
    let narrower = sign(case).filter(is_narrower);
    if narrower.is_none() && end.lived_ms.is_some_and(|lived| lived > SHELL_GIVES_UP) {
        return None;
    }
    // These statuses are not the shell's alone: the dynamic loader ends with 127 too, and says something else.
    let told = case.it.map(|it| last_words::of(&it.output, end.at)).unwrap_or_default();
    let is_of_shell = |line: &&Line| has_any(&line.written, &NOT_RUN);
    if narrower.is_none() && !told.is_empty() && !told.iter().any(is_of_shell) {
        return None;
    }
    let (says, cause, cure) = match end.exit? {
        Exit::Code(127) => (
            "what starts it did not find the program of its command (exit status 127)",
            "program-missing",
            "install that program, or correct the command in the Procfile",
        ),
        Exit::Code(126) => (
            "the program of its command could not be executed (exit status 126)",
            "permission-denied",
            "make it executable (chmod +x), for the user that it runs as",
        ),
        Exit::Code(_) | Exit::Signal(_) => return None,
    };
    let words = if told.is_empty() { String::new() } else { format!(", {}", quoted(&told)) };
    let output = told.first().map(|line| Evidence::Output((*line).clone()));
    let evidence = output.into_iter().chain(of_end(end));
    let said = Said::new(format!("{says}{}{words}", at(case.facts, end)), evidence).cause(cause).cure(cure);
    Some(narrower.map_or(said, |sign| of_sign(case, sign)))
}

pub(super) fn ended_by_itself(case: Case<'_>) -> Option<Said> {
    let end = ended_unasked(case)?;
    let Some(Exit::Code(code)) = end.exit else { return None };
    if code == 0 && case.it.is_some_and(|it| it.is_job) {
        return None;
    }
    if code == 0 {
        let went = failed_deploy(case.facts)
            .filter(|verb| verb.failure().is_some_and(|error| error.contains("background")));
        if let Some(verb) = went {
            let says = "its main process ended with success and left others running: it seems to have put itself into the background";
            let cure = "have it stay in the foreground: most servers have an option for that";
            return Some(Said::new(says, [Evidence::Journal(verb.at)]).cause("background").cure(cure));
        }
        if let Some(sign) = sign(case).filter(|sign| sign.is_report) {
            return Some(hidden_by_success(of_sign(case, sign)));
        }
        let says =
            format!("it ended by itself with success{}, and is to run all the time", at(case.facts, end));
        let cure = "keep its main process in the foreground, or say that it may end: restart = on-failure in app.json";
        return Some(Said::new(says, of_end(end)).cause("ends-by-itself").cure(cure));
    }
    if let Some(sign) = sign(case) {
        return Some(of_sign(case, sign));
    }
    if let Some(number) = code.checked_sub(128).filter(|number| is_deadly(*number)) {
        // A shell ends like that if what it ran was ended by a signal.
        let says = format!(
            "it ended with exit status {code}{}, as a script does when a process that it started was ended by {}",
            at(case.facts, end),
            signal(number)
        );
        let cure = "find out which process that was: ps-logs, and journalctl -k if the kernel killed it";
        return Some(Said::new(says, of_end(end)).cause("child-killed").cure(cure));
    }
    let says = format!("it ended by itself with exit status {code}{}", at(case.facts, end));
    let told = case.it.map(|it| last_words::of(&it.output, end.at)).unwrap_or_default();
    // What it says under its own name need not be an error.
    let is_error = told.iter().any(|line| super::trouble::tells_error(&line.written));
    if let Some(first) = told.first().filter(|_| is_error) {
        let says = format!("{says}, with an error that it tells itself, {}", quoted(&told));
        let evidence = [vec![Evidence::Output((*first).clone())], of_end(end)].concat();
        let cure = format!(
            "do what these words ask for; what it wrote before: ps-logs {} --previous",
            case.facts.app
        );
        return Some(Said::new(says, evidence).cause("own-error").cure(cure));
    }
    let cure = format!("read what it wrote before: ps-logs {} --previous", case.facts.app);
    let last = case.it.and_then(|it| last_words::last_line(&it.output, end.at));
    let said = if told.is_empty() { last.into_iter().collect() } else { told };
    if let Some(line) = said.first() {
        let says = format!("{says}, and said last, {}", quoted(&said));
        let evidence = [vec![Evidence::Output((*line).clone())], of_end(end)].concat();
        return Some(Said::new(says, evidence).cure(cure));
    }
    Some(Said::new(says, of_end(end)).cure(cure))
}

/// What a program met whose command ended with success nevertheless.
fn hidden_by_success(said: Said) -> Said {
    let says = format!(
        "{}; its command ended with success (exit status 0) nevertheless, as a pipe or a script does that does not look at the status of \
         what it runs",
        said.says
    );
    Said { says, ..said }
}

fn has_any(text: &str, words: &[&str]) -> bool {
    has(&text.to_lowercase(), words)
}

/// Whether a signal ends a process that has not arranged for it: 17 to 23 and 28 are ignored, or stop it. Bash ends with 142, as SIGALRM would
/// have it, where its `read -t` has waited for too long, so that number says nothing.
fn is_deadly(number: i32) -> bool {
    matches!(number, 1..=13 | 15 | 16 | 24..=27 | 29..=31)
}

/// The last end of the instance, unless somebody wanted it, a check brought it about, or it lives again.
pub(super) fn ended_unasked(case: Case<'_>) -> Option<&End> {
    let it = case.it?;
    it.end.as_ref().filter(|end| !matches!(end.cause, Some(EndCause::Asked | EndCause::Check)))
}

fn at(facts: &Facts, end: &End) -> String {
    let lived = end.lived_ms.map(|lived| {
        format!(", {:.1} s after its start", std::time::Duration::from_millis(lived).as_secs_f64())
    });
    let when = end.at.map(|at| format!(" {}", ago(facts, at))).unwrap_or_default();
    format!("{when}{}", lived.unwrap_or_default())
}

pub(super) fn of_end(end: &End) -> Vec<Evidence> {
    vec![end.at.map_or(Evidence::Status, Evidence::Journal)]
}
