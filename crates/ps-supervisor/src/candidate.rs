//! Before a supervisor executes another program in its place, it starts that program once with the question whether it can
//! go on with the files of this service directory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

/// The option with which the new program continues in the place of a supervisor; the service directory follows.
pub const GOES_ON: &str = "--goes-on";
/// The option that asks a program whether it could.
pub const CAN_GO_ON: &str = "--can-go-on";
/// How long the program may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A program that was asked and has not answered yet.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) program: PathBuf,
    /// The client that wants the supervisor to execute it.
    pub(crate) client: u64,
    /// Until when it may take to answer.
    pub(crate) until: Instant,
    child: Child,
}

impl Candidate {
    /// Starts the program with the question. Its exit status is the answer.
    pub(crate) fn ask(program: PathBuf, service: &Path, client: u64) -> Result<Self, String> {
        let asked = Command::new(&program).arg(CAN_GO_ON).arg(service).stdin(Stdio::null()).spawn();
        let child = asked.map_err(|error| format!("start {}: {error}", program.display()))?;
        Ok(Self { program, client, until: Instant::now() + PATIENCE, child })
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it: its answer is not wanted any more.
    pub(crate) fn kill(&self) {
        os_process::signal_process(self.pid(), Signal::KILL, || true);
    }
}
