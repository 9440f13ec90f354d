//! Which of the last lines of a process tell why it ended. Programs write of troubles that they survive, so a line counts by where it
//! stands: an error report at the very end (a traceback, an uncaught exception, a panic) tells of the end; without one, the last line
//! that is a sign of something does, if hardly anything follows it. For example, of
//!
//! ```text
//! cache: Connection refused, going on without it
//! Traceback (most recent call last):
//!   File "app.py", line 9, in <module>
//! KeyError: 'DATABASE_URL'
//! stopping 4 workers
//! ```
//!
//! the fourth line is the sign. What a program says that it goes on without is none, and nothing before that line is.

mod chain;
mod context;
mod single;

use formation::Stream;
use jiff::{SignedDuration, Timestamp};

use super::headline::{is_headline, is_of_report, place_of_panic};
use super::recovery::has_recovered;
use crate::facts::Line;
use crate::patterns::{self, has};
use context::in_context;
pub(super) use single::Sign;
use single::{IsSeen, of_headline, of_line};

/// How many lines that say nothing may follow a sign.
const STRANGERS: usize = 3;
/// What was written so long before the end has been survived.
const BEFORE: SignedDuration = SignedDuration::from_secs(30);
/// What is written so long after it on the other stream was written later for certain: times of lines are known to the second.
const LATER: SignedDuration = SignedDuration::from_secs(2);

/// Words of a program that goes on in spite of what it tells.
const GOES_ON: &[&str] = &[
    "going on",
    "goes on",
    "continuing",
    "carry on",
    "carrying on",
    "falling back",
    "fall back",
    "fallback",
    "without it",
    "ignored",
    "ignoring",
    "skipping",
    "skipped",
    "recovered",
    "reconnected",
];
/// Words of a program that tries once more. What it tells with them is a sign only as its last word.
pub(super) const TRIES_AGAIN: &[&str] = &["retry", "trying again", "try again", "tries again", "attempt "];
/// How a shell says that a signal has ended what it ran, behind what that has written itself.
const SIGNALLED: [&str; 4] = ["aborted", "killed", "terminated", "trace/breakpoint trap"];
/// How a line begins that says what to do, or more of what the line above it tells.
const ADVICE: [&str; 9] =
    ["hint:", "detail:", "context:", "statement:", "try '", "for help", "more details", "usage:", "see "];
/// Words of a program that ends, and of what runs it: they may follow a report in any number.
pub(super) const ENDS: &[&str] = &[
    "stopping",
    "stopped",
    "shutting down",
    "shut down",
    "shutdown",
    "terminating",
    "exiting",
    "closing",
    "cleaning up",
    "npm err",
    "npm error",
    "node.js v",
    "exit status",
    "lifecycle script",
    "error: script",
    "command failed",
    "begin failed--",
    "compilation failed in require",
];

/// Why the process ended, as its last lines tell.
pub(super) fn sign<'a>(
    output: &'a [Line],
    ended: Option<Timestamp>,
    is_seen: IsSeen<'_>,
) -> Option<Sign<'a>> {
    let of = |stream: Stream| -> Vec<&Line> {
        output.iter().filter(|line| line.stream == stream && is_late(line, ended)).collect()
    };
    // Reports are written on stderr; a program whose streams are one writes all on stdout.
    let streams = [of(Stream::Stderr), of(Stream::Stdout)];
    let found = streams.iter().filter_map(|lines| told(lines, is_seen));
    let found = found.filter(|sign| !has_lived_on(sign, output));
    found.min_by_key(|sign| (!sign.is_report, sign.pattern.is_wide()))
}

/// Whether the process wrote something else on its other stream well after what it told: it has survived that. More must follow a report,
/// since what ends because of it may have something to say.
fn has_lived_on(sign: &Sign<'_>, output: &[Line]) -> bool {
    let line = sign.line;
    let is_later = |other: &&Line| {
        let gap = other.at.zip(line.at).map(|(later, at)| later.duration_since(at));
        other.stream != line.stream
            && gap.is_some_and(|gap| gap >= LATER)
            && !other.written.trim().is_empty()
            && !has(&other.written.to_lowercase(), ENDS)
    };
    output.iter().filter(is_later).count() > if sign.is_report { STRANGERS } else { 0 }
}

pub(super) fn is_late(line: &Line, ended: Option<Timestamp>) -> bool {
    line.at.zip(ended).is_none_or(|(at, ended)| ended.duration_since(at) <= BEFORE)
}

/// Reads the lines of one stream from the last one on.
// budget: one pass over the lines, and each of its cases ends it or goes on with it.
fn told<'a>(lines: &[&'a Line], is_seen: IsSeen<'_>) -> Option<Sign<'a>> {
    let mut strangers = 0;
    let mut wide: Option<Sign<'a>> = None;
    let mut after: Vec<&Line> = Vec::new();
    for (index, line) in lines.iter().enumerate().rev() {
        let line: &'a Line = line;
        if is_of_report(&line.written) {
            continue;
        }
        let text = line.written.to_lowercase();
        if goes_on(&text) {
            break;
        }
        // What a panic of Rust says: it is read with the headline above it.
        if index > 0 && place_of_panic(&lines[index - 1].written).is_some() {
            continue;
        }
        if is_headline(&line.written) {
            let sign = of_headline(lines, index, is_seen);
            // A program's own last word, behind what it tells of the trouble: "fatal error: cannot go on".
            if sign.pattern.is_wide() && text.starts_with("fatal error: ") {
                wide = wide.or(Some(sign));
                continue;
            }
            // The library of C++ says with this error alone that it gets no more threads.
            let is_clear = text.contains("std::system_error");
            let sign = if is_clear { sign } else { in_context(sign, &lines[..index]) };
            return Some(chain::followed(Sign { is_report: true, ..sign }, lines, index, is_seen));
        }
        if is_advice(&text) {
            continue;
        }
        let is_last_word = wide.is_none() && strangers == 0;
        match of_line(&line.written, is_seen) {
            Some(pattern) if pattern.is_wide() => {
                let sign = Sign::of(error_of(&lines[index..]), pattern);
                wide = wide.or_else(|| Some(chain::followed(sign, lines, index, is_seen)));
            }
            // `ticket 13: connection refused`, and more is written: that happened to what has the number.
            Some(pattern)
                if strangers > 0
                    && (is_of_record(&line.written) || patterns::is_aside(&line.written, pattern)) =>
            {
                strangers += 1;
            }
            // `cache: connection refused`, and then `cache: connected`; or a client has gone, and others came.
            Some(pattern)
                if strangers > 0 && (has_recovered(line, &after) || pattern.cause == "connection-lost") =>
            {
                break;
            }
            Some(pattern) if is_last_word || !has(&text, TRIES_AGAIN) => {
                return Some(in_context(Sign::of(line, pattern), &lines[..index]));
            }
            Some(_) => break,
            None if has(&text, ENDS) => (),
            // A paragraph of help counts once.
            None if is_of_paragraph(lines, index) => (),
            None => strangers += 1,
        }
        after.push(line);
        if strangers > STRANGERS {
            break;
        }
    }
    wide
}

/// Whether a line says nothing of what went wrong: what to do about it, that it gives up, or that a signal has ended what a shell ran.
fn is_advice(text: &str) -> bool {
    let text = text.trim();
    let is_first = |before: &str| before.is_empty() || before.ends_with("] ");
    let begins = ADVICE.iter().any(|word| text.split_once(word).is_some_and(|(before, _)| is_first(before)));
    begins
        || text.trim_end_matches('.') == "giving up"
        || SIGNALLED.iter().any(|word| text.strip_prefix(word).is_some_and(|rest| !rest.trim().contains(' ')))
}

/// Whether a line stands in a paragraph of text, behind an empty line, and is not the first of it.
fn is_of_paragraph(lines: &[&Line], index: usize) -> bool {
    let is_text = |line: &&&Line| line.written.split_whitespace().count() > 3;
    let above = lines[..index].iter().rev().take_while(is_text).count();
    let is_behind_empty = index > above && lines[index - above - 1].written.trim().is_empty();
    above > 0 && is_behind_empty && index > above + 1
}

/// Whether a line begins with the kind and the number of something: `ticket 13: `, `order 4711: `.
fn is_of_record(line: &str) -> bool {
    let words: Vec<&str> =
        line.split_once(": ").map(|(begin, _)| begin.split_whitespace().collect()).unwrap_or_default();
    let [kind, number] = words[..] else { return false };
    let is_number = number.trim_start_matches('#').bytes().all(|byte| byte.is_ascii_digit());
    is_number && kind.chars().all(char::is_alphabetic) && !["line", "port", "pid"].contains(&kind)
}

/// Whether a line says that the program goes on. `use import instead`, and `Instead change it`, are advice.
pub(super) fn goes_on(text: &str) -> bool {
    has(text, GOES_ON)
        || (text.contains("instead") && !text.contains("use ") && !text.trim_start().starts_with("instead "))
}

/// The line that tells the error of which a report of Python begins here, whatever that error is called; else the first line.
fn error_of<'a>(lines: &[&'a Line]) -> &'a Line {
    let begin: &'a Line = lines[0];
    let is_traceback = begin.written.starts_with("Traceback (");
    let told = lines.iter().skip(1).find(|line| !is_of_report(&line.written));
    told.filter(|_| is_traceback).copied().unwrap_or(begin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(stream: Stream, text: &str) -> Option<&'static str> {
        let lines: Vec<Line> = text.lines().map(|line| Line::of_test(stream, line)).collect();
        sign(&lines, None, &|_| false).map(|sign| sign.pattern.cause)
    }

    #[test]
    fn a_report_at_the_end_counts_and_what_was_survived_before_does_not() {
        let noise = "db: Connection refused\nOSError: [Errno 98] Address already in use, taking 8081\n";
        for (report, expected) in [
            (
                "Traceback (most recent call last):\n  File \"<frozen os>\", line 679\nKeyError: 'SHOP'\nstopping worker 1\n",
                "variable-missing",
            ),
            ("Traceback (most recent call last):\n  File \"a\"\nKeyError: 'EUR'\n", "exception"),
            (
                "Exception in thread \"main\" java.lang.RuntimeException: pool\n\tat Main.db\nCaused by: java.net.UnknownHostException: db\n\tat x\n",
                "name-unresolved",
            ),
            (
                "TypeError: fetch failed\n    at node:internal {\n  [cause]: Error: connect ECONNREFUSED 127.0.0.1:1\n}\n\nNode.js v22\n",
                "dependency-unreachable",
            ),
            (
                "terminate called after throwing an instance of 'std::system_error'\n  what():  Resource temporarily unavailable\n",
                "process-limit",
            ),
            (
                "panic: assignment to entry in nil map\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/main.go:2\n",
                "exception",
            ),
            ("price is negative at app.pl line 7.\n", "exception"),
        ] {
            assert_eq!(cause(Stream::Stderr, &format!("{noise}{report}")), Some(expected), "{report}");
        }
    }

    #[test]
    fn a_message_with_several_meanings_is_understood_by_what_failed() {
        let report = |code: &str, error: &str| {
            cause(
                Stream::Stderr,
                &format!("Traceback (most recent call last):\n  File \"a.py\"\n    {code}\n{error}\n"),
            )
        };
        let again = "BlockingIOError: [Errno 11] Resource temporarily unavailable";
        assert_eq!(report("fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)", again), Some("lock-held"));
        assert_eq!(report("pid = os.fork()", again), Some("process-limit"));
        assert_eq!(report("client.recv(10)", again), Some("exception"));
        let socket = "psql: error: connection to server on socket \"/run/.s.PGSQL.5432\" failed: No such file or directory";
        assert_eq!(cause(Stream::Stderr, socket), Some("dependency-unreachable"));
        assert_eq!(
            cause(Stream::Stderr, "dial unix /run/db.sock: connect: no such file or directory"),
            Some("dependency-unreachable")
        );
        let in_use = "OSError: [Errno 98] Address already in use";
        assert_eq!(report("socket.socket(socket.AF_UNIX).bind(path)", in_use), Some("socket-taken"));
        assert_eq!(report("socket.create_server(('127.0.0.1', 80))", in_use), Some("port-taken"));
    }

    #[test]
    fn an_error_is_told_by_its_own_line_whatever_it_is_called() {
        let line = |text: &str| {
            let lines: Vec<Line> = text.lines().map(|line| Line::of_test(Stream::Stderr, line)).collect();
            sign(&lines, None, &|_| false).map(|sign| (sign.pattern.cause, sign.line.text.clone()))
        };
        let broken = "shop.pool.Broken: a worker was lost";
        let python = format!("Traceback (most recent call last):\n  File \"a.py\", line 3\n{broken}\n");
        assert_eq!(line(&python), Some(("exception", broken.to_owned())));
        let ruby = "app.rb:2:in `<main>': undefined method `fetch' for nil:NilClass (NoMethodError)";
        assert_eq!(line(ruby), Some(("exception", ruby.to_owned())));
        let node = "ReferenceError: require is not defined in ES module scope, you can use import instead\n    at app.js:1\n";
        assert_eq!(
            line(node).map(|(cause, _)| cause),
            Some("module-format"),
            "advice is no word of going on"
        );
        let node = "Error [ERR_REQUIRE_ESM]: require() of ES Module a.js from b.js not supported.\nInstead change the require.\n    at app.js:1\n";
        assert_eq!(line(node).map(|(cause, _)| cause), Some("module-format"));
    }

    #[test]
    fn what_a_program_goes_on_without_is_no_sign_and_neither_is_what_stands_before() {
        for text in [
            "cache: Connection refused, going on without it",
            "Traceback (most recent call last):\n  File \"a\"\nImportError: speedups\ngoing on without speedups",
            "db: Connection refused\none\ntwo\nthree\nfour",
            "ticket 13: connect ECONNREFUSED 127.0.0.1:5432, what now?\n2 tickets were read",
        ] {
            assert_eq!(cause(Stream::Stdout, text), None, "{text}");
        }
    }

    #[test]
    fn what_can_be_seen_not_to_be_so_is_no_cause_and_neither_is_what_somebody_else_said() {
        let claim = "Error: No space left on device\n    at save (app.js:3:9)\n";
        let lines: Vec<Line> = claim.lines().map(|line| Line::of_test(Stream::Stderr, line)).collect();
        let with = |is_full: bool| sign(&lines, None, &move |_| is_full).map(|sign| sign.pattern.cause);
        assert_eq!((with(false), with(true)), (Some("exception"), Some("disk-full")));
        assert_eq!(cause(Stream::Stderr, "upstream says: permission denied\n"), None);
        assert_eq!(cause(Stream::Stderr, "open /data/x: permission denied\n"), Some("permission-denied"));
    }

    #[test]
    fn trouble_after_which_the_other_stream_shows_that_it_lived_on_is_no_cause() {
        let line = |stream, text, second| Line {
            at: Some(Timestamp::from_second(second).expect("a time")),
            ..Line::of_test(stream, text)
        };
        let after = |second, text| {
            let trouble = line(Stream::Stderr, "open /data/cache: Permission denied", 10);
            let lines = [trouble, line(Stream::Stdout, text, second)];
            sign(&lines, None, &|_| false).map(|sign| sign.pattern.cause)
        };
        assert_eq!(after(15, "GET / 200"), None);
        // It may have come before, or is the goodbye of a program that ends because of it.
        assert_eq!(after(11, "GET / 200"), Some("permission-denied"));
        assert_eq!(after(15, "shutting down"), Some("permission-denied"));
    }

    #[test]
    fn what_follows_an_error_hides_it_only_where_it_tells_that_the_error_is_over() {
        let frames: Vec<String> =
            (1..20).map(|n| format!("{n:2}: 0x{n}f v8::internal::Heap [node]\n")).collect();
        let frames = frames.concat();
        for (text, expected) in [
            (
                "LOG:  could not bind: Address already in use\nHINT:  Is one already running on port 5432? If not, wait and retry.\nFATAL:  no sockets\n",
                Some("port-taken"),
            ),
            (
                "curl: (60) SSL certificate problem: self-signed certificate\nMore details here: a page\n\nit could not be told who that is\nand so on in many words\nfor three lines and more\nwhich say nothing of it\n",
                Some("certificate-refused"),
            ),
            (
                &*format!(
                    "FATAL ERROR: Allocation failed - JavaScript heap out of memory\n{frames}Aborted\n"
                ),
                Some("heap-exhausted"),
            ),
            (
                "fatal error: stack overflow\n\nruntime.throw({0x5483e0?, 0x1})\n\t/srv/panic.go:1229 +0x48\nmain.f(0x2, 0x3)\n",
                Some("stack-exhausted"),
            ),
            ("Failed writing the request: Connection reset by peer.\nGiving up.\n", Some("connection-lost")),
            ("client 7: connection reset by peer\n3 clients were served\n", None),
            ("cache: connection refused\ncache: connected\n", None),
            ("user bob: invalid password\nuser eve: welcome\n", None),
            (
                "cannot start worker: Resource temporarily unavailable at app.pl line 4.\n",
                Some("process-limit"),
            ),
            ("2026-11-28 22:32:18 ERROR 404: Not Found.\n", Some("dependency-failed")),
            ("env: 'gunicornn': No such file or directory\n", Some("program-missing")),
            ("/usr/bin/env: 'pyhton3': No such file or directory\n", Some("interpreter-missing")),
            ("sh: 1: cd: can't cd to current\n", Some("directory-missing")),
        ] {
            assert_eq!(cause(Stream::Stderr, text), expected, "{text}");
        }
        let full = [Line::of_test(Stream::Stderr, "sh: 1: echo: echo: I/O error")];
        let with = |is_full: bool| sign(&full, None, &move |_| is_full).map(|sign| sign.pattern.cause);
        assert_eq!((with(true), with(false)), (Some("disk-full"), None));
    }

    #[test]
    fn the_last_word_of_a_program_that_has_tried_often_is_a_sign() {
        let tries = "waiting for the database\n".to_owned() + &"Connection refused, retrying\n".repeat(9);
        assert_eq!(cause(Stream::Stdout, &tries), Some("dependency-unreachable"));
        assert_eq!(cause(Stream::Stdout, &(tries + "ready\n")), None);
    }
}
