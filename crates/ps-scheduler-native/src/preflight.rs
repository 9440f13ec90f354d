//! Checks everything that a change needs before the first healthy process is touched: the directory, users and limits, the
//! environment, the commands and their programs, the ports, and the supervisor's own program. A refusal here changes
//! nothing. Shell commands are checked by the shell itself: it parses each one (`sh -n`), in the directory and with the
//! environment of its process, and executes nothing.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use env_files::Environment;
use formation::{Slot, State};
use ps_scheduler::{Change, Error, Instance, Plan};
use ps_service::Service;
use ps_supervisor::{Invocation, Spec};
use rustix::fs::{Access, AtFlags, CWD};

use crate::confinement;

/// How much of a program is read to find its interpreter, in bytes (execve(2)).
const FIRST_LINE: u64 = 256;

/// A plan that is being checked.
pub(crate) struct Judge<'a> {
    pub(crate) service: &'a Service,
    pub(crate) plan: &'a Plan,
    /// The spec that the plan leads to.
    pub(crate) spec: &'a Spec,
    /// The spec that is in force now, if a supervisor acts on it.
    pub(crate) earlier: Option<&'a Spec>,
    /// The slots that get a new process (see [`starting`]).
    pub(crate) starting: &'a [Slot],
    /// The pid of each instance that runs.
    pub(crate) running: &'a BTreeMap<Slot, u32>,
}

/// The slots that get a new process: those that the plan starts or replaces, and, if the revision changes, also the running
/// ones of types that have changed. Instances that have finished or were given up stay as they are.
pub(crate) fn starting(plan: &Plan, spec: &Spec, earlier: Option<&Spec>, present: &[Instance]) -> Vec<Slot> {
    let is_new = earlier.is_some_and(|earlier| earlier.revision != spec.revision);
    let is_filled = |slot: &&Slot| {
        let filled = |instance: &Instance| {
            instance.pid.is_some() || matches!(instance.state, State::Backoff | State::Waiting)
        };
        present.iter().any(|instance| instance.slot == **slot && filled(instance))
    };
    // A scheduled run continues with its revision; the next run is of the new one.
    let is_service = |slot: &&Slot| !spec.is_scheduled(&slot.process_type);
    let is_changed = |slot: &&Slot| is_new && !plan.keeps(&slot.process_type);
    let kept = plan.slots(Change::Keep).filter(is_changed).filter(is_service).filter(is_filled);
    plan.slots(Change::Start).chain(plan.slots(Change::Replace)).chain(kept).cloned().collect()
}

impl Judge<'_> {
    /// Checks everything that a `release` process cannot change, so that a deploy is refused before its `release` process
    /// runs.
    pub(crate) fn inputs(&self) -> Result<(), Error> {
        let judged = self.one_of_each_type();
        let Some(first) = judged.first().cloned() else { return Ok(()) };
        if self.service.connect().is_none() {
            self.service.program()?;
        }
        self.directory().map_err(|reason| self.refusal(&first, &reason))?;
        if self.plan.is_deploy {
            let release: Slot = "release.1".parse().expect("release.1 is a slot");
            confinement::judge(self.service, self.spec, &release.process_type)
                .map_err(|reason| self.refusal(&release, &reason))?;
        }
        for slot in judged {
            if let Some(reason) = self.plan.release.refuses_sockets(&slot.process_type) {
                return Err(self.refusal(&slot, &reason));
            }
            ps_supervisor::judge_schedule(self.spec, &slot.process_type)
                .and_then(|()| confinement::judge(self.service, self.spec, &slot.process_type))
                .and_then(|()| self.command(&slot))
                .map_err(|reason| self.refusal(&slot, &reason))?;
        }
        if let Some(reason) = ps_supervisor::address_refusal(self.spec, self.earlier, &self.service.directory)
        {
            return Err(self.refusal(&first, &reason));
        }
        for slot in self.starting {
            let running = self.running.get(slot).copied();
            let refused = ps_supervisor::port_refusal(self.spec, slot, &self.service.directory, running);
            if let Some(reason) = refused {
                return Err(self.refusal(slot, &reason));
            }
        }
        Ok(())
    }

    /// The limits that cannot be enforced for instances that are started now, for people: one line for each type.
    pub(crate) fn lacking_limits(&self) -> Vec<String> {
        let types = self.one_of_each_type().into_iter();
        types.filter_map(|slot| confinement::lacking(self.service, self.spec, &slot.process_type)).collect()
    }

    /// Checks the programs of the commands, which the `release` process may have made.
    pub(crate) fn programs(&self) -> Result<(), Error> {
        for slot in self.one_of_each_type() {
            self.program(&slot).map_err(|reason| self.refusal(&slot, &reason))?;
        }
        Ok(())
    }

    /// One slot of each type that is started now, or when it is due.
    fn one_of_each_type(&self) -> Vec<Slot> {
        let is_scheduled = |slot: &&Slot| self.spec.is_scheduled(&slot.process_type);
        let scheduled = self.plan.slots(Change::Keep).filter(is_scheduled);
        let mut slots: Vec<Slot> = self.starting.iter().chain(scheduled).cloned().collect();
        slots.sort();
        slots.dedup_by(|one, other| one.process_type == other.process_type);
        slots
    }

    fn directory(&self) -> Result<(), String> {
        let directory = &self.spec.directory;
        let service = self.service;
        let way_out = if service.world.inside_dokku() {
            format!("{} makes it anew", service.command("rebuild"))
        } else {
            "put it back, or deploy with --dir from another one".to_owned()
        };
        match fs::metadata(directory) {
            Err(error) => {
                Err(format!("its directory {} cannot be opened ({error}): {way_out}", directory.display()))
            }
            Ok(metadata) if !metadata.is_dir() => {
                Err(format!("{} is not a directory: {way_out}", directory.display()))
            }
            Ok(_) => {
                rustix::fs::accessat(CWD, directory, Access::EXEC_OK, AtFlags::EACCESS).map_err(|errno| {
                    format!("its directory {} cannot be entered ({errno})", directory.display())
                })
            }
        }
    }

    /// Builds the environment, and has the shell parse a command that needs it.
    fn command(&self, slot: &Slot) -> Result<(), String> {
        let environment = self.environment(slot)?;
        let Invocation::Script { shell, script } = self.invocation(slot, &environment)? else {
            return Ok(());
        };
        let read = Command::new(shell)
            .args(["-n", "-c", &script])
            .env_clear()
            .envs(environment.iter())
            .current_dir(&self.spec.directory)
            .stdin(Stdio::null())
            .output();
        match read {
            Ok(read) if read.status.success() => Ok(()),
            Ok(read) => {
                let said = String::from_utf8_lossy(&read.stderr);
                let said = said.lines().next().unwrap_or("it is no command").to_owned();
                Err(format!("the shell does not understand its command: {said}"))
            }
            Err(error) => {
                Err(format!("the shell cannot be run in {}: {error}", self.spec.directory.display()))
            }
        }
    }

    fn program(&self, slot: &Slot) -> Result<(), String> {
        let environment = self.environment(slot)?;
        let word = match self.invocation(slot, &environment)? {
            Invocation::Words(words) => words.into_iter().next(),
            Invocation::Script { script, .. } => first_program(&script).map(Into::into),
        };
        let (Some(word), Some(path)) = (word, environment.get(OsStr::new("PATH"))) else { return Ok(()) };
        let program = find(&word, path, &self.spec.directory)?;
        match interpreter(&program).filter(|interpreter| !interpreter.is_file()) {
            Some(gone) => {
                Err(format!("{} is to be run by {}, which is not there", program.display(), gone.display()))
            }
            None => Ok(()),
        }
    }

    fn invocation(&self, slot: &Slot, environment: &Environment) -> Result<Invocation, String> {
        let process = self.spec.process(&slot.process_type);
        let process = process.ok_or_else(|| format!("there is no command for {}", slot.process_type))?;
        Invocation::of(&process.command, environment)
    }

    /// The environment that the process of a slot would get.
    fn environment(&self, slot: &Slot) -> Result<Environment, String> {
        ps_supervisor::environment(self.spec, slot, Some(self.spec.base_port))
    }

    fn refusal(&self, slot: &Slot, reason: &str) -> Error {
        let rest = if self.running.is_empty() { "nothing was started" } else { "what ran runs on" };
        Error::CannotStart {
            app: self.service.app.clone(),
            slot: slot.to_string(),
            reason: format!("{reason}; {rest}"),
        }
    }
}

/// The program that a shell script begins with, if no other part of the script can work without it: the word is no builtin
/// and no function and contains no variable, and only `&&` and redirections follow.
fn first_program(script: &str) -> Option<&str> {
    let is_plain =
        |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./-+".contains(&byte));
    let goes_on = script.contains(['|', ';', '\n', '`', '(', '{'])
        || script.replace("&&", "").replace(">&", "").contains('&');
    let mut words = script.split_ascii_whitespace();
    let word = words.next().map(|word| if word == "exec" { words.next().unwrap_or(word) } else { word })?;
    // A word with a slash is never a builtin. Only the shell knows whether a plain name is one.
    Some(word).filter(|word| !goes_on && word.contains('/') && is_plain(word))
}

/// The file of a program: a path relative to the app's directory, or a name searched on `PATH`.
fn find(word: &OsStr, path: &OsStr, directory: &Path) -> Result<PathBuf, String> {
    if word.as_bytes().contains(&b'/') {
        let program = directory.join(word);
        return match fs::metadata(&program) {
            Ok(metadata) if metadata.is_file() && is_executable(&program) => Ok(program),
            Ok(_) => Err(format!("{} may not be executed (exit status 126)", program.display())),
            Err(error) => Err(format!("{} cannot be run: {error} (exit status 127)", program.display())),
        };
    }
    let mut candidates = env::split_paths(path).map(|entry| directory.join(entry).join(word));
    let found = candidates.find(|candidate| candidate.is_file() && is_executable(candidate));
    found.ok_or_else(|| format!("{} is not found on its PATH (exit status 127)", word.display()))
}

fn is_executable(program: &Path) -> bool {
    rustix::fs::accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// The interpreter that the first line of a script names by an absolute path; `None` if the file is no script.
fn interpreter(program: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(program).ok()?.take(FIRST_LINE).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let name = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(name))).filter(|path| path.is_absolute())
}
