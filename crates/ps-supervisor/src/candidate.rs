//! A program that a supervisor may become: it is asked first whether it can go on with what lies here.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

/// What tells the new program that it goes on in the place of a supervisor, behind the service directory.
pub const GOES_ON: &str = "--goes-on";
/// What asks a program whether it could.
pub const CAN_GO_ON: &str = "--can-go-on";
/// How long the new program may think about whether it can.
const PATIENCE: Duration = Duration::from_secs(5);

/// A program that is asked whether it can go on.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) program: PathBuf,
    /// Who wants the supervisor to become it.
    pub(crate) client: u64,
    /// Until when it may think.
    pub(crate) until: Instant,
    child: Child,
}

impl Candidate {
    /// Asks a program; it answers by how it ends.
    pub(crate) fn ask(program: PathBuf, service: &Path, client: u64) -> Result<Self, String> {
        let asked = Command::new(&program).arg(CAN_GO_ON).arg(service).stdin(Stdio::null()).spawn();
        let child = asked.map_err(|error| format!("start {}: {error}", program.display()))?;
        Ok(Self { program, client, until: Instant::now() + PATIENCE, child })
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// It is not listened to any more.
    pub(crate) fn kill(&self) {
        os_process::signal_process(self.pid(), Signal::KILL, || true);
    }
}
