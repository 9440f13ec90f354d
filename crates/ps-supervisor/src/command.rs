//! Turns a command line into a process. A simple command is executed directly and gets every variable; anything that uses
//! the shell's syntax is run by a shell.
//!
//! A shell changes the environment that it passes on: dash and busybox drop variables whose names a shell cannot have
//! (`MY-KEY`), and every shell sets some itself (`IFS`). bash passes on names that it cannot use, so it is called in place
//! of `sh` where it is installed. Where it is not, a command with such a variable is refused, and the error names the
//! variable.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use formation::Slot;

use env_files::Environment;

use crate::entry::Entry;
use crate::environment::environment;
use crate::launch;
use crate::programs::Programs;
use crate::spec::{ProcessSpec, Spec};

/// Variables that every shell sets itself: a value from a file would not reach the command.
const SHELL_NAMES: [&str; 3] = ["IFS", "OPTIND", "PPID"];
const SHELL: &str = "/bin/sh";
const BASHES: [&str; 3] = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"];

/// How a command line is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// A program and its arguments.
    Words(Vec<OsString>),
    /// A script and the shell for it.
    Script {
        /// `/bin/sh`, or a bash that is started under the name `sh`.
        shell: PathBuf,
        /// The argument of `-c`.
        script: String,
    },
}

impl Invocation {
    /// How `command` is run with these variables.
    ///
    /// # Errors
    /// A variable would not arrive: names it with its file and line, and says what to do.
    pub fn of(command: &str, environment: &Environment) -> Result<Self, String> {
        let known =
            |name: &[u8]| environment.get(OsStr::from_bytes(name)).map(|value| value.as_bytes().to_vec());
        if let Some(words) = procfile::words(command, &known) {
            return Ok(Self::Words(words.into_iter().map(OsString::from_vec).collect()));
        }
        Self::script(procfile::shell_script(command), environment)
    }

    /// The invocation of a script by a shell that passes on all of these variables.
    ///
    /// # Errors
    /// As [`Invocation::of`].
    pub fn script(script: String, environment: &Environment) -> Result<Self, String> {
        let refusal = |name: &OsStr, why: &str| {
            let place = environment.place(name);
            format!(
                "{place} cannot reach a command that needs a shell, because {why}: rename it, or put the command into a script and name that"
            )
        };
        let is_shells = |name: &&OsStr| SHELL_NAMES.iter().any(|own| **name == **own);
        if let Some(name) = environment.names_from_files().find(is_shells) {
            return Err(refusal(name, "it is the shell's own"));
        }
        let odd = environment.iter().map(|(name, _)| name).find(|name| !is_shell_name(name.as_bytes()));
        let Some(name) = odd else { return Ok(Self::Script { shell: SHELL.into(), script }) };
        match bash() {
            Some(shell) => Ok(Self::Script { shell, script }),
            None if environment.names_from_files().any(|from_file| from_file == name) => {
                Err(refusal(name, "/bin/sh may drop the name, and there is no bash"))
            }
            None => Ok(Self::Script { shell: SHELL.into(), script }),
        }
    }

    /// The `Command` for this invocation; the caller sets variables and streams. If `entry` asks for steps between fork and
    /// exec, `launcher`, our own program, takes them. Without it a shell takes those that it can.
    ///
    /// # Errors
    /// `entry` asks for a step that only our own program can take, and there is no `launcher`.
    pub(crate) fn command(&self, entry: Entry<'_>, launcher: Option<&Path>) -> io::Result<Command> {
        Ok(match (self, launcher) {
            (_, None) if entry.confinement.is_some() => {
                let why = "only ps-supervise can give a process its user and its limits";
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
            (Self::Words(words), Some(launcher)) => launch::command(launcher, entry, None, words),
            (Self::Words(words), None) if !entry.joining.is_empty() => {
                let mut command = shell(&bash().unwrap_or_else(|| SHELL.into()), entry, "exec \"$@\"");
                command.arg(SHELL).args(words);
                command
            }
            (Self::Words(_), None) => self.plain_command(),
            (Self::Script { shell, script }, Some(launcher)) => {
                let [called, option, script] = shell_words(script);
                launch::command(launcher, entry, called.to_str(), &[shell.into(), option, script])
            }
            (Self::Script { shell: program, script }, None) => shell(program, entry, script),
        })
    }

    /// What becomes this process: the program by its path, and its words, its own name first. `None`: there is no such program.
    pub(crate) fn found(
        &self,
        environment: &Environment,
        directory: &Path,
        programs: &mut Programs,
    ) -> Option<(PathBuf, Vec<OsString>)> {
        match self {
            Self::Words(words) => Some((programs.find(&words[0], environment, directory)?, words.clone())),
            Self::Script { shell, script } => Some((shell.clone(), shell_words(script).into())),
        }
    }

    /// The `Command` for a process without supervision that stays in our own cgroup.
    pub fn plain_command(&self) -> Command {
        match self {
            Self::Words(words) => {
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]);
                command
            }
            Self::Script { shell: program, script } => shell(program, Entry::default(), script),
        }
    }
}

/// Warnings about the env files of a spec. Every process type that is to run is checked, so that a spec that cannot start
/// is refused before anything is stopped.
///
/// # Errors
/// As [`environment`] and [`Invocation::of`].
pub fn judge(spec: &Spec) -> Result<Vec<String>, String> {
    let mut warnings: Vec<String> = Vec::new();
    let runs = |process: &&ProcessSpec| process.quantity > 0 || process.process_type == formation::RELEASE;
    for process in spec.processes.iter().filter(runs) {
        let Ok(process_type) = process.process_type.parse() else { continue };
        let environment = environment(spec, &Slot::new(process_type, 1), Some(spec.base_port))?;
        Invocation::of(&process.command, &environment)
            .map_err(|reason| format!("{}: {reason}", process.process_type))?;
        for odd in environment.warnings() {
            if !warnings.contains(odd) {
                warnings.push(odd.clone());
            }
        }
    }
    Ok(warnings)
}

/// The script for a shell that first takes the steps of `entry` and then executes the command.
pub(crate) fn script(command: &str, entry: Entry<'_>) -> String {
    let join = |file: &PathBuf| format!("echo 0 >{} || exit 126\n", quote(&file.to_string_lossy()));
    let limit = |files: u64| format!("ulimit -Sn {files} 2>/dev/null\n");
    let script = procfile::shell_script(command);
    entry.joining.iter().map(join).chain(entry.open_files.map(limit)).chain([script]).collect()
}

/// Quotes `text` for a shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A shell's words for a script. A bash of that name keeps to what every sh does.
fn shell_words(command: &str) -> [OsString; 3] {
    [SHELL.into(), "-c".into(), procfile::shell_script(command).into()]
}

fn shell(program: &Path, entry: Entry<'_>, command_line: &str) -> Command {
    let mut command = Command::new(program);
    // A bash that is started as `sh` behaves like any other sh.
    command.arg0(SHELL).arg("-c").arg(script(command_line, entry));
    command
}

fn bash() -> Option<PathBuf> {
    BASHES.into_iter().map(PathBuf::from).find(|bash| bash.is_file())
}

/// Whether every shell passes on a variable of that name.
fn is_shell_name(name: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.first().is_some_and(is_letter) && name.iter().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment_of(text: &str) -> Environment {
        let mut environment = Environment::new([("PATH".into(), "/bin".into())]);
        environment.add(Path::new(".env"), text.as_bytes(), procfile::Grammar::Own).expect("legal");
        environment
    }

    #[test]
    fn the_script_joins_first_and_quotes_what_it_joins() {
        let joining = &[PathBuf::from("/a'b/cgroup.procs")];
        let join = "echo 0 >'/a'\\''b/cgroup.procs' || exit 126\n";
        assert_eq!(script("web", Entry { joining, ..Entry::default() }), format!("{join}exec web"));
        let limited = script("web", Entry { joining, open_files: Some(1024), ..Entry::default() });
        assert_eq!(limited, format!("{join}ulimit -Sn 1024 2>/dev/null\nexec web"));
    }

    #[test]
    fn the_shell_is_for_shell() {
        let words = |command, text| match Invocation::of(command, &environment_of(text)).expect("fine") {
            Invocation::Words(words) => words.join(OsStr::new("|")).into_string().expect("text"),
            Invocation::Script { script, .. } => format!("script: {script}"),
        };
        assert_eq!(words("node server.js -p $N", "N=1\nMY-KEY=1\n"), "node|server.js|-p|1");
        assert_eq!(words("a && b", ""), "script: a && b");
        assert_eq!(words("a $UNSET", ""), "script: exec a $UNSET");
    }

    #[test]
    fn a_name_of_the_shells_own_is_refused_by_name() {
        let refused = Invocation::of("a; b", &environment_of("\nIFS=,\n")).expect_err("the shell's own");
        assert!(refused.starts_with(".env, line 2: IFS cannot reach"), "{refused}");
        assert!(Invocation::of("a b", &environment_of("IFS=,\n")).is_ok());
    }
}
