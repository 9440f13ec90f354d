//! What a message means that has several meanings, by what the report around it says.

use super::single::Sign;
use crate::facts::Line;
use crate::patterns::{self, has};
use crate::rules::headline::is_of_report;

/// How a program that starts another one says that it cannot.
const STARTS: [&str; 8] =
    ["exec ", "exec:", "execv", "run command", "to execute", "cannot run", "n't execute", "unable to start"];

/// What a sign means where the lines of the report above it say what failed. Some messages of the system have several meanings: "Resource
/// temporarily unavailable" is told of a process that cannot be made, of a lock that somebody holds, and of a socket that has nothing to read.
pub(super) fn in_context<'a>(sign: Sign<'a>, lines_above: &[&Line]) -> Sign<'a> {
    let above = lines_above.iter().rev().take_while(|line| is_of_report(&line.written));
    let mut context = sign.line.written.to_lowercase();
    context.extend(above.clone().map(|line| line.written.to_lowercase()));
    // Java tells the cause of an error below that error, which says what was tried.
    if sign.line.written.starts_with("Caused by: ") {
        context.extend(lines_above.iter().rev().nth(above.count()).map(|line| line.written.to_lowercase()));
    }
    let is_meant = |words: &[&str]| has(&context, words);
    let pattern = match sign.pattern.cause {
        "process-limit"
            if !is_meant(&[
                "fork",
                "thread",
                "spawn",
                "clone",
                "process",
                "exec",
                "start",
                "worker",
                "newosproc",
            ]) =>
        {
            let held =
                patterns::named("lock-held").filter(|_| is_meant(&["lock(", "flock", "lockf", " lock"]));
            held.unwrap_or_else(patterns::exception)
        }
        // The time of a command that it runs itself was up.
        "timed-out" if is_meant(&["timeoutexpired", "command '"]) => patterns::exception(),
        "port-taken" if is_meant(&["af_unix", ".sock'", ".sock\"", "unix:", "unixserver", "unix_server"]) => {
            patterns::named("socket-taken").unwrap_or(sign.pattern)
        }
        // The file that is missing is a program that it starts.
        "file-missing"
            if is_meant(&["subprocess.", "popen(", "spawn ", "execv", "cannot run program"])
                || has(&sign.line.written.to_lowercase(), &STARTS) =>
        {
            patterns::named("program-missing").unwrap_or(sign.pattern)
        }
        // What is no JSON is data, and no file of the program.
        "syntax-error" if is_meant(&["json", "yaml", "toml"]) => {
            patterns::named("config-invalid").unwrap_or(sign.pattern)
        }
        // The file that is missing is the socket of a server that does not run.
        "file-missing" if has(&sign.line.written.to_lowercase(), &["connect", "dial unix"]) => {
            patterns::named("dependency-unreachable").unwrap_or(sign.pattern)
        }
        _ => sign.pattern,
    };
    Sign { pattern, ..sign }
}
