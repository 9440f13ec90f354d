//! The last error that a program tells in its own words. Where no sign is known, these words are the best answer: a program mostly
//! knows what it cannot do. Nothing is read into them. For example, of
//!
//! ```text
//! starting the server
//! Unrecognized VM option 'UseConcMarkSweepGC'
//! Error: Could not create the Java Virtual Machine.
//! ```
//!
//! the last words are the second and the third line.

use formation::Stream;
use jiff::{SignedDuration, Timestamp};

use super::headline::{is_of_report, is_request};
use super::recovery::has_recovered;
use super::report::{ENDS, goes_on, is_late};
use super::trouble::{tells_error, tells_something};
use crate::facts::Line;
use crate::patterns::has;

/// So many lines from the last one on are looked at.
const LOOKED_AT: usize = 8;
/// So many of them are quoted.
const QUOTED: usize = 4;
/// What was written so long before the last line belongs to something else: times of lines are known to the second.
const TOGETHER: SignedDuration = SignedDuration::from_secs(1);

/// The last words of the process that ended at that time, at most four lines; empty: it tells no error at its end.
pub(super) fn of(output: &[Line], ended: Option<Timestamp>) -> Vec<&Line> {
    let on = |stream: Stream| -> Vec<&Line> {
        output.iter().filter(|line| line.stream == stream && is_late(line, ended)).collect()
    };
    let (err, out) = (on(Stream::Stderr), on(Stream::Stdout));
    let of_err = blocks(&err);
    // A weak word counts only where programs report errors.
    let found = begun(&of_err, tells_error)
        .or_else(|| begun(&blocks(&out), tells_error))
        .or_else(|| of_npm(&err))
        .or_else(|| begun(&of_err, tells_something));
    found.unwrap_or_default().into_iter().take(QUOTED).collect()
}

/// The lines from the first one on that tells it, of the last block in which one does.
fn begun<'a>(blocks: &[Vec<&'a Line>], tells: fn(&str) -> bool) -> Option<Vec<&'a Line>> {
    let of_block = |block: &Vec<&'a Line>| {
        // What stands before the usage of a program is what was wrong with it.
        let is_usage = block.iter().skip(1).any(|line| line.written.to_lowercase().starts_with("usage"));
        let mut numbered = block.iter().enumerate();
        let told = numbered.find(|(at, line)| tells(&line.written) && !has_recovered(line, &block[at + 1..]));
        let at = told.map(|(at, _)| at).or(is_usage.then_some(0))?;
        Some(block[at..].to_vec())
    };
    blocks.iter().find_map(of_block)
}

/// The blocks of lines at the end, the last one first. Lines of a block belong together, and stand in the order in which they were written;
/// what belongs to a report stands between two blocks.
fn blocks<'a>(lines: &[&'a Line]) -> Vec<Vec<&'a Line>> {
    let mut blocks: Vec<Vec<&Line>> = vec![Vec::new()];
    let mut newest: Option<&Line> = None;
    for line in lines.iter().rev() {
        let text = line.written.to_lowercase();
        // What an exception of C++ says stands in a line of its own.
        if is_of_report(&line.written) && !text.starts_with("  what():") {
            blocks.push(Vec::new());
            continue;
        }
        if is_goodbye(&line.written) || is_news(&line.written) || is_request(&line.written) {
            continue;
        }
        let is_earlier = newest
            .and_then(|newest| newest.at.zip(line.at))
            .is_some_and(|(later, at)| later.duration_since(at) > TOGETHER);
        // The run before has ended with the same words.
        let is_again = blocks.iter().flatten().any(|other| other.written == line.written);
        let is_enough = blocks.iter().map(Vec::len).sum::<usize>() == LOOKED_AT;
        if is_earlier || is_again || is_enough || goes_on(&text) || text.starts_with("traceback (") {
            break;
        }
        newest = newest.or(Some(line));
        if let Some(block) = blocks.last_mut() {
            block.insert(0, line);
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// Whether a line says that the program ends, and nothing of why.
fn is_goodbye(line: &str) -> bool {
    let is_other = |sentence: &str| !has(&sentence.to_lowercase(), ENDS) && tells_error(sentence);
    has(&line.to_lowercase(), ENDS) && !line.split(". ").any(is_other)
}

/// Whether a logger says of a line that it is none of an error: `INFO`, `[info]`, `info:`, `level=info`.
fn is_news(line: &str) -> bool {
    const BEGIN: usize = 7;
    let is_level = |word: &str| {
        let name = word.trim_start_matches("level=").trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_named =
            ["info", "debug", "trace", "notice"].iter().any(|level| name.eq_ignore_ascii_case(level));
        is_named && (name.len() < word.len() || name.bytes().all(|byte| byte.is_ascii_uppercase()))
    };
    line.split_whitespace().take(BEGIN).any(is_level)
}

/// The last line of the process that ended at that time: on stderr, or else on stdout.
pub(super) fn last_line(output: &[Line], ended: Option<Timestamp>) -> Option<&Line> {
    let says = |line: &&Line| {
        is_late(line, ended) && !line.written.trim().is_empty() && !has(&line.written.to_lowercase(), ENDS)
    };
    let on = |stream| output.iter().filter(|line: &&Line| line.stream == stream).rfind(says);
    on(Stream::Stderr).or_else(|| on(Stream::Stdout))
}

/// What npm says of an error of its own, behind the code of it.
fn of_npm<'a>(lines: &[&'a Line]) -> Option<Vec<&'a Line>> {
    let is_code = |line: &&Line| {
        ["npm error code ", "npm ERR! code "].iter().any(|code| line.written.starts_with(code))
    };
    let at = lines.iter().rposition(is_code)?;
    // A code of the script that it has run says nothing.
    let is_own = lines[at]
        .written
        .rsplit(' ')
        .next()
        .is_some_and(|code| code.starts_with('E') && code != "ELIFECYCLE");
    let told = lines[at + 1..].iter().filter(|line| {
        line.written.trim_end().to_lowercase().starts_with("npm err") && line.written.trim_end().len() > 10
    });
    is_own.then(|| told.copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(stream: Stream, text: &str) -> Vec<String> {
        let lines: Vec<Line> = text.lines().map(|line| Line::of_test(stream, line)).collect();
        of(&lines, None).iter().map(|line| line.text.clone()).collect()
    }

    #[test]
    fn the_last_words_begin_with_the_first_line_that_tells_the_error() {
        for (text, wanted) in [
            (
                "starting\nUnrecognized VM option 'X'\nError: Could not create the Machine.\nError: A fatal exception.\n",
                &[
                    "Unrecognized VM option 'X'",
                    "Error: Could not create the Machine.",
                    "Error: A fatal exception.",
                ] as &[&str],
            ),
            (
                "make: *** No rule to make target 'serve'.  Stop.\n",
                &["make: *** No rule to make target 'serve'.  Stop."],
            ),
            ("run.sh: 3: Bad substitution\nstopping\n", &["run.sh: 3: Bad substitution"]),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 3\nshop.pool.Broken: a process was lost, and cannot be had again\n",
                &["shop.pool.Broken: a process was lost, and cannot be had again"],
            ),
            (
                "throw new Oops('no stock')\n^\n\nOops: there is no stock\n    at app.js:3\n\nNode.js v20\n",
                &["Oops: there is no stock"],
            ),
            ("Warning: it was never settled\nat a place\n", &["Warning: it was never settled", "at a place"]),
            ("cache: not found, going on without it\nready\n", &[]),
            ("serving\n", &[]),
            ("Tests: 0 failed, 0 errors, 214 passed\n", &[]),
            (
                "cannot read \"shop\": no such variable\n    while running\n\"puts $shop\"\n    (file \"app\" line 1)\n",
                &["cannot read \"shop\": no such variable"],
            ),
            (
                "option of nobody: -prot\nUsage of ./server:\n  -port int\n",
                &["option of nobody: -prot", "Usage of ./server:"],
            ),
            (
                "terminate called after throwing 'std::runtime_error'\n  what():  no route\n",
                &["terminate called after throwing 'std::runtime_error'", "  what():  no route"],
            ),
            (
                "npm error code EUSAGE\nnpm error\nnpm error The lock file is not there\nnpm error A complete log: x\n",
                &["npm error The lock file is not there", "npm error A complete log: x"],
            ),
            (
                "[1] [INFO] Starting\nThere is no such name in 'app'.\n[2] [INFO] Control socket\n[1] [ERROR] Shutting down: Master\n[1] [ERROR] Reason: it did not load.\n",
                &["There is no such name in 'app'.", "[1] [ERROR] Reason: it did not load."],
            ),
            (
                "[3: CRITICAL/Main] Retrying has been disabled. Shutting down...\n",
                &["[3: CRITICAL/Main] Retrying has been disabled. Shutting down..."],
            ),
            ("cannot read the info of shop.db\n", &["cannot read the info of shop.db"]),
            ("level=info msg=\"cannot find a peer yet\"\n2026 INFO cannot find one\n", &[]),
            ("- ** ---------- [config]\n- *** --- * ---\n", &[]),
            ("npm error code 1\nnpm error path /srv/shop\n", &[]),
            (
                "cache: connection refused\ncache: connected\n12 orders were sent\n",
                &["cache: connected", "12 orders were sent"],
            ),
            ("shop: bad option\nshop: bad option\n", &["shop: bad option"]),
        ] {
            assert_eq!(told(Stream::Stderr, text), wanted, "{text}");
        }
        assert_eq!(told(Stream::Stdout, "Warning: it was never settled\n"), [""; 0]);
        assert_eq!(
            told(Stream::Stdout, "shop: the stock cannot be read\n"),
            ["shop: the stock cannot be read"]
        );
    }

    #[test]
    fn what_was_written_long_before_is_not_among_them() {
        let line = |second, text| Line {
            at: Some(Timestamp::from_second(second).expect("a time")),
            ..Line::of_test(Stream::Stderr, text)
        };
        let lines = [line(5, "mail: cannot connect"), line(9, "no port is left: cannot listen")];
        let told: Vec<&str> = of(&lines, None).iter().map(|line| line.text.as_str()).collect();
        assert_eq!(told, ["no port is left: cannot listen"]);
        assert!(of(&lines, Timestamp::from_second(60).ok()).is_empty(), "it has survived both");
    }
}
