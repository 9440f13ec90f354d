//! The samples of the last day, for all writers and readers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use ps_apps::World;
use ps_cli::say;
use usage_history::History;

use crate::listen;

/// The samples of the last day.
#[derive(Debug)]
pub(crate) struct Samples(Mutex<History>);

impl Samples {
    /// Opens the file. `None` if another ps-web records samples already, or the disk has no room; then a
    /// warning is printed.
    pub(crate) fn open(world: &World) -> Option<Self> {
        let path = listen::directory(world).map(|directory| directory.join("usage"));
        let opened: Result<History> =
            path.and_then(|path| History::open(&path).with_context(|| format!("open {}", path.display())));
        match opened {
            Ok(history) => Some(Self(Mutex::new(history))),
            Err(error) => {
                say::warning(&format!("the usage of instances is not recorded: {error:#}"));
                None
            }
        }
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
