//! A GET by https. A TLS session needs as much memory as a whole supervisor may have, so another program makes the GET
//! and ends. It gets the request as arguments, and answers by its exit status and by text on stdout. It is started,
//! limited and killed like a check by a command, but runs as the supervisor's own user and without the app's
//! environment.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use env_files::Environment;
use formation::Exit;
use ps_probe::{Get, Standing};
use serde::{Deserialize, Serialize};

use super::command::{CommandTry, Killer, Runner, Surroundings};

/// The program that asks, and its one argument.
const PROGRAM: &str = "ps-lifecycle";
const WORD: &str = "--ask-by-https";
/// The variable with the question. Other users cannot read it, as they could an argument: a header may be a secret.
const VARIABLE: &str = "FORMATION_QUESTION";
/// How much longer than the try may take the program may run, which has to be started and to say what it found.
const LEEWAY: Duration = Duration::from_secs(2);

/// A GET by https: the request, the address, and the time limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The request.
    pub get: Get,
    /// The address of the server.
    pub address: SocketAddr,
    /// How long that may take.
    pub timeout: Duration,
}

impl Question {
    /// The question that this process was started to ask, if its arguments say so: `Some(None)` if its variable has none.
    pub fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<Option<Self>> {
        let is_asked = arguments.into_iter().skip(1).eq([WORD]);
        let question = || serde_json::from_str(std::env::var(VARIABLE).ok()?.as_str()).ok();
        is_asked.then(question)
    }

    fn surroundings(&self) -> Result<Surroundings, String> {
        let text = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let environment = Environment::new([(VARIABLE.into(), text.into())]);
        Ok(Surroundings { directory: PathBuf::from("/"), environment, confinement: None })
    }
}

/// A question that was put and not answered yet.
#[derive(Debug)]
pub(crate) struct QuestionTry(Box<CommandTry>);

impl QuestionTry {
    /// Starts the program. `index` is the number of the check among those of its run. An error says why it could not be started.
    pub(crate) fn begin(
        question: &Question,
        index: usize,
        runner: &mut Runner<'_>,
        now: Instant,
    ) -> Result<Self, String> {
        let missing = || format!("{PROGRAM}, which asks by https, is not installed beside ps-supervise");
        let program = os_process::sister(PROGRAM).ok_or_else(missing)?;
        let program = program.into_os_string().into_string();
        let words =
            [program.map_err(|path| format!("{}: a path that is no text", path.display()))?, WORD.into()];
        let surroundings = question.surroundings()?;
        let runner = Runner {
            service: runner.service,
            cgroups: runner.cgroups,
            open_files: runner.open_files,
            run: runner.run.clone(),
            surroundings: Ok(&surroundings),
            killer: Killer { census: &mut *runner.killer.census, ending: &mut *runner.killer.ending },
        };
        let limit = question.timeout.saturating_add(LEEWAY);
        CommandTry::begin(&words, index, limit, &runner, now).map(|command| Self(Box::new(command)))
    }

    /// Whether there is an answer.
    pub(crate) fn look(&mut self, killer: &mut Killer<'_>, now: Instant) -> Standing {
        match self.0.look(killer, now) {
            Standing::DoesNotHold(how) => Standing::DoesNotHold(self.0.answer().unwrap_or(how)),
            standing @ (Standing::Pending | Standing::Holds) => standing,
        }
    }

    /// A child has exited; whether it was the program.
    pub(crate) fn reap(&mut self, pid: u32, exit: Option<Exit>) -> bool {
        self.0.reap(pid, exit)
    }

    /// Gives up the question.
    pub(crate) fn kill(&self, killer: &mut Killer<'_>) {
        self.0.kill(killer);
    }

    /// The reading end of the program's output.
    pub(crate) fn output(&self) -> Option<BorrowedFd<'_>> {
        self.0.output()
    }

    /// When it must be looked at again, at the latest.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        self.0.due(now)
    }
}
