//! What a change needs is read and judged before the first healthy process is touched: the directory, the environment,
//! the commands, their programs, the ports, the supervisor's own program. What is refused here leaves everything as it
//! was. Judging is trying where that costs little: the shell reads each command, in the directory and with the
//! environment that its process would get, and executes nothing of it.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ps_scheduler::{Action, Error, Plan, Slot};
use ps_supervisor::Spec;
use rustix::fs::{Access, AtFlags, CWD};

use crate::service::Service;

/// How much of a program is read to find its interpreter, in bytes (execve(2)).
const FIRST_LINE: u64 = 256;

/// A plan before it is carried out.
pub(crate) struct Judge<'a> {
    pub(crate) service: &'a Service,
    pub(crate) plan: &'a Plan,
    /// What the plan comes to.
    pub(crate) spec: &'a Spec,
    /// The pid of each instance that runs.
    pub(crate) running: &'a BTreeMap<Slot, u32>,
}

/// The slots that get a new process: those that the plan starts or replaces. Where the spec's revision is not the one that
/// instances which are kept were started from, the supervisor replaces these too.
pub(crate) fn starting(plan: &Plan, spec: &Spec, earlier: Option<&Spec>) -> Vec<Slot> {
    let is_new = earlier.is_some_and(|earlier| earlier.revision != spec.revision);
    let kept = plan.slots(Action::Keep).filter(|_| is_new);
    plan.slots(Action::Start).chain(plan.slots(Action::Replace)).chain(kept).cloned().collect()
}

impl Judge<'_> {
    /// Judges all that no `release` process can change: a deploy is refused before anything of it runs.
    pub(crate) fn inputs(&self) -> Result<(), Error> {
        let Some(first) = self.starting().next().cloned() else { return Ok(()) };
        if self.service.connect().is_none() {
            self.service.program()?;
        }
        self.directory().map_err(|reason| self.refusal(&first, &reason))?;
        for slot in self.one_of_each_type() {
            self.command(&slot).map_err(|reason| self.refusal(&slot, &reason))?;
        }
        for slot in self.starting() {
            let running = self.running.get(slot).copied();
            let refused = ps_supervisor::port_refusal(self.spec, slot, &self.service.directory, running);
            if let Some(reason) = refused {
                return Err(self.refusal(slot, &reason));
            }
        }
        Ok(())
    }

    /// Judges the programs that the commands name: a `release` process may have made them.
    pub(crate) fn programs(&self) -> Result<(), Error> {
        for slot in self.one_of_each_type() {
            self.program(&slot).map_err(|reason| self.refusal(&slot, &reason))?;
        }
        Ok(())
    }

    fn starting(&self) -> impl Iterator<Item = &Slot> {
        self.plan.slots(Action::Start).chain(self.plan.slots(Action::Replace))
    }

    fn one_of_each_type(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.starting().cloned().collect();
        slots.dedup_by(|one, other| one.process_type == other.process_type);
        slots
    }

    fn directory(&self) -> Result<(), String> {
        let directory = &self.spec.directory;
        let way_out = "put it back, or deploy with --dir from another one";
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

    /// The environment is put together, and the shell reads the command with it.
    fn command(&self, slot: &Slot) -> Result<(), String> {
        let Some(process) = self.spec.process(&slot.process_type) else {
            return Err(format!("there is no command for {}", slot.process_type));
        };
        let environment = self.environment(slot)?;
        let read = Command::new("/bin/sh")
            .args(["-n", "-c", &process.command])
            .env_clear()
            .envs(environment)
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
            Err(error) if error.kind() == io::ErrorKind::ArgumentListTooLong => Err(format!(
                "its environment or its command is too large for the kernel{}: shorten it",
                self.largest(slot)
            )),
            Err(error) => {
                Err(format!("the shell cannot be run in {}: {error}", self.spec.directory.display()))
            }
        }
    }

    /// The name and size of the largest variable.
    fn largest(&self, slot: &Slot) -> String {
        let environment = self.environment(slot).unwrap_or_default();
        let largest = environment.iter().max_by_key(|(_, value)| value.len());
        largest.map_or_else(String::new, |(name, value)| {
            format!(" ({} alone has {} bytes)", Path::new(name).display(), value.len())
        })
    }

    fn program(&self, slot: &Slot) -> Result<(), String> {
        let Some(process) = self.spec.process(&slot.process_type) else { return Ok(()) };
        let Some(word) = program_of(&process.command) else { return Ok(()) };
        let environment = self.environment(slot)?;
        let Some((_, path)) = environment.iter().find(|(name, _)| name == "PATH") else { return Ok(()) };
        let program = find(word, path, &self.spec.directory)?;
        match interpreter(&program).filter(|interpreter| !interpreter.is_file()) {
            Some(gone) => {
                Err(format!("{} is to be run by {}, which is not there", program.display(), gone.display()))
            }
            None => Ok(()),
        }
    }

    /// The variables that its process would get.
    fn environment(&self, slot: &Slot) -> Result<Vec<(OsString, OsString)>, String> {
        let port = Some(self.spec.base_port);
        let environment = ps_supervisor::environment(self.spec, slot, port)?;
        Ok(environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    fn refusal(&self, slot: &Slot, reason: &str) -> Error {
        let rest = if self.running.is_empty() { "nothing was started" } else { "what ran runs on" };
        Error::CannotStart {
            app: self.service.app.to_string(),
            slot: slot.to_string(),
            reason: format!("{reason}; {rest}"),
        }
    }
}

/// The program that a command runs, where it can be told without a shell: the first word of a simple command, if the
/// shell would leave that word as it is.
fn program_of(command: &str) -> Option<&str> {
    let is_plain = |word: &&str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./+@:".contains(&b));
    command.split_whitespace().next().filter(is_plain).filter(|_| procfile::is_simple_command(command))
}

/// The file of a program: a path in the app's directory, or a name that is looked for on `PATH`.
fn find(word: &str, path: &OsStr, directory: &Path) -> Result<PathBuf, String> {
    if word.contains('/') {
        let program = directory.join(word);
        return match fs::metadata(&program) {
            Ok(metadata) if metadata.is_file() && is_executable(&program) => Ok(program),
            Ok(_) => Err(format!("{} may not be executed (exit status 126)", program.display())),
            Err(error) => Err(format!("{} cannot be run: {error} (exit status 127)", program.display())),
        };
    }
    let mut candidates = env::split_paths(path).map(|entry| directory.join(entry).join(word));
    let found = candidates.find(|candidate| candidate.is_file() && is_executable(candidate));
    found.ok_or_else(|| format!("{word} is not found on its PATH (exit status 127)"))
}

fn is_executable(program: &Path) -> bool {
    rustix::fs::accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// The interpreter that the first line of a script names by an absolute path; `None` for what is no script.
fn interpreter(program: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(program).ok()?.take(FIRST_LINE).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let name = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(name))).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_that_the_shell_leaves_alone_names_a_program() {
        let rows = [
            ("node server.js", Some("node")),
            ("./bin/web -p $PORT", Some("./bin/web")),
            ("$CMD x", None),
            ("\"my prog\"", None),
            ("A=1 node x", None),
            ("cd x && node y", None),
            ("~/bin/web", None),
            ("", None),
        ];
        for (command, program) in rows {
            assert_eq!(program_of(command), program, "{command}");
        }
    }
}
