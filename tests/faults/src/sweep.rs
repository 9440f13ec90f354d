//! The sweeps: break the first call of a name, then the second, until a run has no such call any more; each time in
//! the same world, and each time ask what a reader sees, what was said, what was left behind, and whether the verb
//! then simply works. They judge nothing that a user could not see.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, ensure};

use crate::coverage::Coverage;
use crate::long;
use crate::sandbox::{Ran, Sandbox};
use crate::snapshot::{Snapshot, is_staged};
use crate::strace::{self, Broken, Calls, Fault, Point};
use crate::verb::Verb;

/// Calls that change files, or after which a file can have changed: a kill can tear here.
pub const CHANGING: &[&str] = &[
    "open",
    "openat",
    "creat",
    "mkdir",
    "mkdirat",
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "ftruncate",
    "truncate",
    "fallocate",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "fchownat",
    "lchown",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "flock",
    "copy_file_range",
    "sendfile",
    "close",
];

/// Calls that ask about files: an error here must not be taken for an answer.
const ASKING: &[&str] =
    &["openat2", "read", "pread64", "getdents64", "statx", "newfstatat", "fstat", "lseek"];

/// Calls on descriptors and paths that neither change nor ask about state.
const OTHER: &[&str] =
    &["fcntl", "execve", "mmap", "access", "readlink", "getcwd", "ioctl", "poll", "dup3", "pipe2"];

/// How many files a dead writer may leave staged.
const MOST_STAGED: usize = 5;

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Report {
    /// Where it broke something.
    pub coverage: Coverage,
    /// What must not be, one sentence each.
    pub violations: Vec<String>,
}

/// Which sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SIGKILL at every call that changes files.
    Kill,
    /// An error from every call on files: one errno a point, in a long run all of them.
    Error,
}

/// Sweeps all `verbs`, two at a time.
pub fn sweep(verbs: &[Verb], kind: Kind) -> Result<Report> {
    let queue = Mutex::new(verbs.iter().rev().collect::<Vec<_>>());
    let next = || queue.lock().expect("no sweep panics with the queue in hand").pop();
    let worker = || -> Result<Vec<Report>> {
        std::iter::from_fn(next).map(|verb| one(verb, kind).with_context(|| verb.name.clone())).collect()
    };
    let reports = thread::scope(|scope| -> Result<Vec<Report>> {
        let other = scope.spawn(worker);
        let mut all = worker()?;
        all.extend(other.join().expect("a sweep returns its errors")?);
        Ok(all)
    })?;
    let mut whole = Report::default();
    for report in reports {
        whole.coverage.absorb(report.coverage);
        whole.violations.extend(report.violations);
    }
    Ok(whole)
}

/// One verb, its world, and what it makes of it unharmed.
struct Trial<'a> {
    verb: &'a Verb,
    sandbox: Sandbox,
    old: (String, Snapshot),
    new: (String, Snapshot),
    report: Report,
}

fn one(verb: &Verb, kind: Kind) -> Result<Report> {
    let (mut trial, calls) = Trial::prepare(verb)?;
    let names: Vec<_> = calls.keys().map(String::as_str).collect();
    trial.name_unknown(&names);
    for name in names {
        let changes = CHANGING.contains(&name);
        match kind {
            Kind::Kill if changes => trial.break_each(name, calls[name].before, &[&[Fault::Kill]])?,
            Kind::Error if changes || ASKING.contains(&name) => {
                trial.break_each(name, calls[name].before, &faults(name, changes))?;
            }
            _ => (),
        }
    }
    Ok(trial.report)
}

/// Groups of faults: at each point one fault of each group, in turn; a group of one is tried at every point.
fn faults(name: &str, changes: bool) -> Vec<&'static [Fault]> {
    use Fault::{Error, LastingError, Short};
    const CHANGE: &[Fault] = &[
        Error("ENOSPC"),
        LastingError("EIO"),
        Error("EROFS"),
        LastingError("ENOSPC"),
        Error("EDQUOT"),
        LastingError("EROFS"),
        Error("EIO"),
        LastingError("EDQUOT"),
        Error("EINTR"),
    ];
    let mut groups: Vec<&[Fault]> = match (changes, long()) {
        (false, _) => vec![&[Error("EIO")]],
        (true, false) => vec![CHANGE],
        (true, true) => CHANGE.chunks(1).collect(),
    };
    if name == "write" {
        groups.push(&[Short]);
    }
    groups
}

impl<'a> Trial<'a> {
    fn prepare(verb: &'a Verb) -> Result<(Self, BTreeMap<String, Calls>)> {
        let sandbox = Sandbox::before(verb)?;
        let look = || -> Result<_> { Ok((verb.question.ask(&sandbox.world())?, sandbox.snapshot()?)) };
        let old = look()?;
        let calls = strace::record(&sandbox, &verb.command)?;
        let new = look()?;
        ensure!(new.0 == verb.after, "unharmed, the verb makes {:?}, not {:?}", new.0, verb.after);
        ensure!(old.0 != new.0, "the verb changes nothing that is asked about");
        ensure!(new.1.staged().is_empty(), "unharmed, the verb leaves {:?}", new.1.staged());
        Ok((Self { verb, sandbox, old, new, report: Report::default() }, calls))
    }

    fn name_unknown(&mut self, names: &[&str]) {
        let known: BTreeSet<_> = CHANGING.iter().chain(ASKING).chain(OTHER).collect();
        for name in names.iter().filter(|name| !known.contains(name)) {
            self.report.violations.push(format!("{}: no sweep knows the call {name}", self.verb.name));
        }
    }

    /// Breaks each call of a name. A plain run leaves out those before the program first touched the world, which are the
    /// loader's, and of those from the fourth on all but every third one. It is another third for each verb, since verbs share most of
    /// their calls.
    fn break_each(&mut self, syscall: &str, before: usize, groups: &[&[Fault]]) -> Result<()> {
        let first = if long() { 1 } else { before + 1 };
        let third = self.verb.name.bytes().map(usize::from).sum::<usize>() % 3;
        let is_meant = |k: &usize| long() || *k < first + 3 || k % 3 == third;
        for group in groups {
            for k in (first..).filter(is_meant) {
                let point = Point { syscall, k, fault: group[(k - 1) % group.len()] };
                if !self.break_at(point)? {
                    break;
                }
                self.report.coverage.hit(&self.verb.name, syscall);
            }
        }
        Ok(())
    }

    /// Whether there was a call to break.
    fn break_at(&mut self, point: Point<'_>) -> Result<bool> {
        self.sandbox.restore()?;
        let broken = strace::inject(&self.sandbox, &self.verb.command, point)?;
        let Some(call) = &broken.broken_call else { return Ok(false) };
        let found =
            if point.fault == Fault::Kill { self.after_kill()? } else { self.after_error(point, &broken)? };
        let again = self.again()?;
        let said = broken.ran.stderr.trim();
        for what in found.into_iter().chain(again) {
            let line = format!(
                "{}: {} {} {:?}: {what}; broken call: {call}; it ended with {} and said {said:?}",
                self.verb.name, point.syscall, point.k, point.fault, broken.ran.status,
            );
            self.report.violations.push(line);
        }
        Ok(true)
    }

    fn after_kill(&self) -> Result<Vec<String>> {
        let answer = self.verb.question.ask(&self.sandbox.world())?;
        let now = self.sandbox.snapshot()?;
        let mut found = Vec::new();
        if answer != self.old.0 && answer != self.new.0 {
            found.push(format!("reads as {answer:?}, neither {:?} nor {:?}", self.old.0, self.new.0));
        }
        let strangers = now.strangers(&self.old.1, &self.new.1);
        if !strangers.is_empty() {
            found.push(format!("left {strangers:?}"));
        }
        if now.staged().len() > MOST_STAGED {
            found.push(format!("left {} staged files", now.staged().len()));
        }
        Ok(found)
    }

    fn after_error(&self, point: Point<'_>, broken: &Broken) -> Result<Vec<String>> {
        let answer = self.verb.question.ask(&self.sandbox.world())?;
        let mut now = self.sandbox.snapshot()?;
        if point.syscall.starts_with("unlink") {
            // Who may not remove cannot tidy up; the next writer does.
            now.0.retain(|path, _| !is_staged(path));
        }
        let is_done = broken.ran.status.success();
        let (name, expected) = if is_done { ("success", &self.new) } else { ("failure", &self.old) };
        let mut found = Vec::new();
        if answer != expected.0 {
            found.push(format!("{name}, but reads as {answer:?}, not {:?}", expected.0));
        }
        if now != expected.1 {
            found.push(format!("{name}, but {:?} differ", now.differs(&expected.1)));
        }
        if !is_done {
            found.extend(self.untold(point, broken));
        }
        Ok(found)
    }

    /// What the message of a failure should have said and did not.
    fn untold(&self, point: Point<'_>, broken: &Broken) -> Option<String> {
        let call = broken.broken_call.as_deref().unwrap_or_default();
        let said = &broken.ran.stderr;
        let could_speak = !(point.syscall == "write" && matches!(point.fault, Fault::LastingError(_)));
        let world = self.sandbox.world().display().to_string();
        let mut missing = String::new();
        if said.contains("panicked") {
            missing.push_str("a panic; ");
        }
        if could_speak && said.trim().is_empty() {
            missing.push_str("not a word; ");
        }
        if could_speak && call.contains(&world) {
            if !said.contains(&world) {
                missing.push_str("no path named; ");
            }
            if let Some(reason) = reason(point.fault).filter(|reason| !says(said, reason)) {
                let _ = write!(missing, "{reason:?} not said; ");
            }
        }
        (!missing.is_empty()).then(|| missing.trim_end_matches("; ").to_owned())
    }

    fn again(&self) -> Result<Vec<String>> {
        let Ran { status, stderr } = self.sandbox.run(&self.verb.command)?;
        let answer = self.verb.question.ask(&self.sandbox.world())?;
        let now = self.sandbox.snapshot()?;
        let mut found = Vec::new();
        if !status.success() {
            found.push(format!("the next run failed: {}", stderr.trim()));
        }
        if answer != self.new.0 {
            found.push(format!("after the next run it reads as {answer:?}"));
        }
        if now != self.new.1 {
            found.push(format!("after the next run {:?} differ", now.differs(&self.new.1)));
        }
        Ok(found)
    }
}

/// Whether a message has a reason in it; Dokku's own tools begin theirs with a small letter.
fn says(said: &str, reason: &str) -> bool {
    said.to_lowercase().contains(&reason.to_lowercase())
}

fn reason(fault: Fault) -> Option<&'static str> {
    match fault {
        Fault::Error(errno) | Fault::LastingError(errno) => Some(match errno {
            "ENOSPC" => "No space left on device",
            "EIO" => "Input/output error",
            "EROFS" => "Read-only file system",
            "EDQUOT" => "Disk quota exceeded",
            "EINTR" => "Interrupted system call",
            other => other,
        }),
        Fault::Kill | Fault::Short => None,
    }
}
