//! Connects to an app's supervisor. If none runs, it is started, by the root if there is one.

use std::io::{Read, Seek, SeekFrom};
use std::process::Child;
use std::time::{Duration, Instant};

use os_process::ProcessId;
use ps_root::{Beginning, spawn_supervisor};
use ps_scheduler::Error;
use ps_supervisor::Client;

use crate::pause::Pause;
use crate::service::{Service, backend};
use crate::{orphan, root};

const LOG_FILE: &str = "supervisor.log";
/// How long a supervisor may hold its lock before it listens.
const SILENT: Duration = Duration::from_secs(3);
const START_DEADLINE: Duration = Duration::from_secs(10);
/// How much of the end of the supervisor's log is read to find its last line, in bytes.
const LAST_BYTES: u64 = 1 << 14;

impl Service {
    /// A connection to the supervisor, which is started if there is none.
    pub fn supervised(&self) -> Result<Client, Error> {
        if let Some(client) = self.connect() {
            root::ensure(self);
            return self.awake(client);
        }
        if !self.has_lock() {
            // The directory may have been removed under a living supervisor. Two of them must not run at the same time.
            orphan::end(&self.directory, START_DEADLINE);
        }
        let deadline = Instant::now() + START_DEADLINE;
        let mut starting: Option<Starting> = None;
        let (mut is_held_since, mut pause) = (None, Pause::short());
        loop {
            if let Some(client) = self.connect() {
                return Ok(client);
            }
            if self.is_free() {
                is_held_since = None;
                starting = starting.map_or_else(|| self.start(), |starting| Ok(Some(starting)))?;
            } else if is_held_since.get_or_insert_with(Instant::now).elapsed() >= SILENT {
                // The holder of the lock has lost its socket. It is killed, and a new supervisor takes over its processes.
                orphan::kill(&self.directory);
            }
            if starting.as_mut().is_some_and(Starting::has_ended) {
                if self.is_free() {
                    return Err(
                        self.unreachable(&self.last_words().unwrap_or_else(|| "it ended at once".to_owned()))
                    );
                }
                // Another verb started one at the same time.
                starting = None;
            }
            if Instant::now() >= deadline {
                return Err(self.unreachable(
                    &self.last_words().unwrap_or_else(|| "it did not start in time".to_owned()),
                ));
            }
            pause.rest();
        }
    }

    /// Starts a supervisor, through the root if there is one. `None`: a supervisor is alive already, and will either
    /// answer soon or exit.
    fn start(&self) -> Result<Option<Starting>, Error> {
        if let Some(started) = root::start(self) {
            return Ok(started.is_new.then_some(Starting::Roots(started.process)));
        }
        let program = self.program()?;
        let child = spawn_supervisor(&program, &self.directory, &Beginning::default());
        let child = child.map_err(|error| backend(format!("start {}", program.display()), &error))?;
        Ok(Some(Starting::Ours(child)))
    }

    /// The last line of the supervisor's log, if there is one.
    fn last_words(&self) -> Option<String> {
        let mut file = durable::open(&self.directory.join(LOG_FILE)).ok()?;
        let end = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(end.saturating_sub(LAST_BYTES))).ok()?;
        let mut bytes = Vec::new();
        file.take(LAST_BYTES).read_to_end(&mut bytes).ok()?;
        String::from_utf8_lossy(&bytes).lines().last().map(str::to_owned)
    }
}

/// A supervisor that was started and does not answer yet.
enum Starting {
    /// A child of this program.
    Ours(Child),
    /// The root has started it.
    Roots(ProcessId),
}

impl Starting {
    fn has_ended(&mut self) -> bool {
        match self {
            Self::Ours(child) => child.try_wait().is_ok_and(|status| status.is_some()),
            Self::Roots(process) => !process.is_alive(),
        }
    }
}
