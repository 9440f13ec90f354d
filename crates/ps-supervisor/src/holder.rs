//! What a supervisor says to the holder, a process that has the outputs of all apps of an installation open for reading and never
//! reads. What was written to a FIFO is gone as soon as nobody has it open any more: without the holder that would be so wherever a
//! process ends while its supervisor is dead.
//!
//! Whoever has something to say connects, writes it and goes. Nobody waits for an answer, and a holder that hangs holds nobody up.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::socket;

/// The directory of the root, beside the service directories.
pub const ROOT: &str = ".root";
/// The name of the holder's socket in the directory of the root.
pub const HOLDER: &str = "holder";
/// So many runs are named in one line, which a socket takes at once.
const RUNS_IN_A_LINE: usize = 500;

/// What the holder is to do; one JSON document a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    /// Hold the outputs of these runs.
    Hold {
        /// Their directories, from that of all apps: `shop/web.1/runs/17`.
        runs: Vec<PathBuf>,
    },
    /// Let go of all outputs of an app: nothing of it runs.
    Release {
        /// The app.
        app: String,
    },
}

impl Order {
    /// The line that says it.
    pub fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Has the outputs in these directories of runs held. Where there is no holder they are not; if their process then ends while no supervisor
/// lives, the next one says that output may be missing.
pub(crate) fn hold(service: &Path, runs: &[PathBuf]) {
    let Some(services) = service.parent() else { return };
    for part in runs.chunks(RUNS_IN_A_LINE) {
        let runs =
            part.iter().filter_map(|run| run.strip_prefix(services).ok()).map(Path::to_owned).collect();
        if say(services, &Order::Hold { runs }).is_err() {
            return;
        }
    }
}

/// Has it let go of all outputs of an app: nothing of it lives, and no supervisor either that a root would see the end of.
pub fn release_outputs(service: &Path) {
    let app = service.file_name().and_then(|app| app.to_str());
    if let (Some(services), Some(app)) = (service.parent(), app) {
        // Without a holder nothing is held.
        let _ = say(services, &Order::Release { app: app.to_owned() });
    }
}

/// Has it look whether something that it holds was removed.
pub(crate) fn remind(service: &Path) {
    if let Some(services) = service.parent() {
        // Without a holder nothing is held.
        let _ = socket::connect_at_once(&services.join(ROOT), HOLDER);
    }
}

fn say(services: &Path, order: &Order) -> io::Result<()> {
    socket::connect_at_once(&services.join(ROOT), HOLDER)?.write_all(&order.line())
}
