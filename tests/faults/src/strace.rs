//! One run of a verb under strace, with one fault put into it. `when=k` counts each system call name for itself, so
//! callers loop over names.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::programs;
use crate::sandbox::{Ran, Sandbox};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL on entry.
    Kill,
    /// The call is not made and returns this error, for example `ENOSPC`.
    Error(&'static str),
    /// From this call on, every one of that name fails: a disk that stays full.
    LastingError(&'static str),
    /// The call is not made and claims to have written one byte.
    Short,
}

/// Where it goes wrong: the k-th call of a name, from 1.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// System call.
    pub syscall: &'a str,
    /// Which of them, from 1.
    pub k: usize,
    /// What goes wrong there.
    pub fault: Fault,
}

/// A run with a fault in it.
#[derive(Debug)]
pub struct Broken {
    /// How the program ended, and what it said.
    pub ran: Ran,
    /// strace's line of the call that was broken; `None`: the run had no such call.
    pub broken_call: Option<String>,
}

/// Runs `command` with the fault at `point`.
pub fn inject(sandbox: &Sandbox, command: &[String], point: Point<'_>) -> Result<Broken> {
    let Point { syscall, k, fault } = point;
    let inject = match fault {
        Fault::Kill => format!("inject={syscall}:signal=SIGKILL:when={k}"),
        Fault::Error(errno) => format!("inject={syscall}:error={errno}:when={k}"),
        Fault::LastingError(errno) => format!("inject={syscall}:error={errno}:when={k}+"),
        Fault::Short => format!("inject={syscall}:retval=1:when={k}"),
    };
    let trace = format!("trace={syscall}");
    let (ran, log) = under_strace(sandbox, command, &["-y", "-e", &trace, "-e", &inject])?;
    let broken_call = match fault {
        Fault::Kill => (ran.status.signal() == Some(9)).then(|| unfinished(&log)),
        _ => log.lines().find(|line| line.contains("(INJECTED)")).map(str::to_owned),
    };
    Ok(Broken { ran, broken_call })
}

/// How often a call was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    /// Before the program first named anything in the world.
    pub before: usize,
    /// In all.
    pub all: usize,
}

/// Runs `command` unharmed: how often it makes each call that takes a path or a descriptor.
pub fn record(sandbox: &Sandbox, command: &[String]) -> Result<BTreeMap<String, Calls>> {
    let (ran, log) = under_strace(sandbox, command, &["-y", "-e", "trace=%file,%desc"])?;
    ensure!(ran.status.success(), "{command:?}: {} {}", ran.status, ran.stderr);
    let world = sandbox.world().display().to_string();
    let mut is_in_world = false;
    let mut calls: BTreeMap<String, Calls> = BTreeMap::new();
    for line in log.lines() {
        let Some(name) = call_name(line) else { continue };
        is_in_world |= name != "execve" && line.contains(&world);
        let entry = calls.entry(name.to_owned()).or_default();
        entry.all += 1;
        entry.before += usize::from(!is_in_world);
    }
    Ok(calls)
}

/// Runs `command` unharmed: strace's lines of all calls that change files, with whole strings.
pub fn script(sandbox: &Sandbox, command: &[String], syscalls: &[&str]) -> Result<Vec<String>> {
    let trace = format!("trace={}", syscalls.join(","));
    let (ran, log) = under_strace(sandbox, command, &["-y", "-s", "4096", "-e", &trace])?;
    ensure!(ran.status.success(), "{command:?}: {} {}", ran.status, ran.stderr);
    Ok(log.lines().map(str::to_owned).collect())
}

fn under_strace(sandbox: &Sandbox, words: &[String], options: &[&str]) -> Result<(Ran, String)> {
    let (program, arguments) = words.split_first().context("a command has a program")?;
    let log = sandbox.scratch("strace");
    let _ = fs::remove_file(&log);
    let mut command = sandbox.command(Path::new("strace"));
    // Without --seccomp-bpf: with it, strace 6.1 injects errors but no signals.
    command.args(["-f", "-qq"]).args(options).arg("-o").arg(&log);
    command.arg("--").arg(programs::path(program)?).args(sandbox.placed(arguments));
    let ran = sandbox.finish(&mut command)?;
    Ok((ran, String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned()))
}

fn unfinished(log: &str) -> String {
    log.lines().rfind(|line| line.contains('(')).unwrap_or_default().to_owned()
}

/// `write` of `1234 write(3, …`; none for signals, exits and second halves.
fn call_name(line: &str) -> Option<&str> {
    let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let (name, _) = call.split_once('(')?;
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some(name)
}
