//! Ends a supervisor that is no longer needed, and removes its files.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use ps_scheduler::Error;
use ps_supervisor::Request;

use crate::service::{Service, backend};
use crate::{orphan, root};

/// How long a supervisor that keeps no process may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

impl Service {
    /// Ends the supervisor of a directory in which no process runs; that closes the app's address. A supervisor that does not
    /// answer is killed.
    pub fn end_idle(&self) {
        if let Some(mut client) = self.connect() {
            let asked = client.send(&Request::End { grace_seconds: None });
            if asked.is_err() || !self.is_left_before(Instant::now() + PATIENCE) {
                // The root must not start another one.
                drop(root::let_go(self));
                orphan::kill(&self.directory);
            }
        }
        if let Some(root) = root::let_go(self).filter(|_| self.is_free()) {
            root.wait_for_end();
        }
        if self.is_free() {
            ps_supervisor::release_outputs(&self.directory);
        }
    }

    /// Removes the directory. No process of the app may run any more.
    ///
    /// # Errors
    /// The directory cannot be removed.
    pub fn forget(&self) -> Result<(), Error> {
        ps_supervisor::remove_empty_groups(&self.directory);
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(backend(format!("remove {}", self.directory.display()), &error))
            }
            _ => {
                ps_supervisor::release_outputs(&self.directory);
                Ok(())
            }
        }
    }
}
