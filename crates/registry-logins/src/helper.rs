//! Asks a program for the credentials of one registry, in the protocol of docker-credential-helpers: the address of the registry comes on
//! stdin, a JSON object with `Username` and `Secret` goes to stdout. What else the program writes is not shown, because it may be a secret.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

/// How long a program has. One that asks a person for a password has no terminal for that.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);
/// No answer is longer, in bytes.
const MOST: u64 = 64 << 10;
/// The name of a user in whose place there is a token.
const TOKEN: &str = "<token>";
/// What a program answers that has no credentials for a registry. It ends with an error then.
const NONE: &str = "credentials not found";
/// The pause between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// The credentials that `docker-credential-<name>` has for a server; `None` if it has none. `Err` is a phrase that says what is wrong with the
/// program.
pub(crate) fn ask(name: &str, server: &str, within: Duration) -> Result<Option<Value>, String> {
    let program = format!("docker-credential-{name}");
    if name.is_empty() || name.contains('/') {
        return Err(format!("{program:?} is not the name of a program"));
    }
    asked(Command::new(&program), &program, server, within)
}

fn asked(
    mut command: Command,
    program: &str,
    server: &str,
    within: Duration,
) -> Result<Option<Value>, String> {
    command.arg("get").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{program} is not in PATH"),
        _ => format!("{program} cannot be run: {error}"),
    })?;
    let said = answer(&mut child, server, Instant::now() + within);
    let Some((answer, is_success)) = said else {
        end(&mut child);
        return Err(format!("{program} gave no answer within {} s", within.as_secs()));
    };
    if !is_success {
        let has_none = String::from_utf8_lossy(&answer).contains(NONE);
        return if has_none { Ok(None) } else { Err(format!("{program} failed")) };
    }
    read(server, &answer)
        .map(Some)
        .ok_or_else(|| format!("{program} gave an answer without Username and Secret"))
}

/// What it writes, and whether it ends with success; `None` if it has not ended in time.
fn answer(child: &mut Child, server: &str, until: Instant) -> Option<(Vec<u8>, bool)> {
    let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
    let (tell, told) = mpsc::channel();
    let server = format!("{server}\n");
    thread::spawn(move || {
        // A program that reads nothing has its reasons, which its answer says.
        let _ = stdin.write_all(server.as_bytes());
        drop(stdin);
        let mut answer = Vec::new();
        let read = stdout.take(MOST).read_to_end(&mut answer);
        // Nobody may wait any more.
        let _ = tell.send(read.map(|_| answer).unwrap_or_default());
    });
    let answer = told.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some((answer, status.success()));
        }
        if Instant::now() >= until {
            return None;
        }
        thread::sleep(LOOK);
    }
}

/// Ends the program and what it has started.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended just now.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

fn read(server: &str, answer: &[u8]) -> Option<Value> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let (user, secret) = (answer["Username"].as_str()?, answer["Secret"].as_str()?);
    Some(if user == TOKEN {
        json!({ "identitytoken": secret, "serveraddress": server })
    } else {
        json!({ "username": user, "password": secret, "serveraddress": server })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program of this script answers for `r.example`, which has so long.
    fn says(script: &str, within: Duration) -> Result<Option<Value>, String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "docker-credential-test"]);
        asked(command, "docker-credential-test", "r.example", within)
    }

    #[test]
    fn a_program_is_given_the_registry_and_its_answer_becomes_credentials() {
        let script = r#"test "$1" = get && read server && printf '{"ServerURL": "%s", "Username": "ann", "Secret": "hush"}' "$server""#;
        // As the argument of a shell's script, `get` is its first one.
        let answer = says(script, DEADLINE).expect("an answer").expect("credentials");
        let wanted = json!({ "username": "ann", "password": "hush", "serveraddress": "r.example" });
        assert_eq!(answer, wanted);
        let token = says(r#"echo '{"Username": "<token>", "Secret": "t"}'"#, DEADLINE);
        let wanted = json!({ "identitytoken": "t", "serveraddress": "r.example" });
        assert_eq!(token, Ok(Some(wanted)));
    }

    #[test]
    fn a_program_that_has_none_is_no_fault_and_any_other_end_is_told_without_what_it_wrote() {
        assert_eq!(says("echo credentials not found in native keychain; exit 1", DEADLINE), Ok(None));
        for script in ["echo hush; echo hush >&2; exit 1", "echo hush", "echo '{\"Secret\": \"hush\"}'"] {
            let error = says(script, DEADLINE).expect_err("it gives no credentials");
            assert!(error.starts_with("docker-credential-test ") && !error.contains("hush"), "{error}");
        }
        let nowhere = ask("formation-test-that-is-nowhere", "r.example", DEADLINE);
        assert_eq!(
            nowhere,
            Err("docker-credential-formation-test-that-is-nowhere is not in PATH".to_owned())
        );
        assert!(ask("../x", "r.example", DEADLINE).is_err());
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_with_what_it_has_started() {
        let dir = tempfile::tempdir().expect("a directory");
        let pid = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! >{}; wait", pid.display());
        let error = says(&script, Duration::from_secs(2)).expect_err("it waits");
        assert_eq!(error, "docker-credential-test gave no answer within 2 s");
        let started = std::fs::read_to_string(&pid).expect("it had begun");
        let words = std::path::PathBuf::from(format!("/proc/{}/cmdline", started.trim()));
        let until = Instant::now() + DEADLINE;
        // What has ended may wait to be collected, and has no words by then.
        while std::fs::read(&words).is_ok_and(|words| !words.is_empty()) {
            assert!(Instant::now() < until, "{started} runs on");
            thread::sleep(LOOK);
        }
    }
}
