//! `data/formation/<app>/alerts.json`: the progress of an app's alerts, which is kept from one run to the next.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use durable::Directory;
use formation::AppName;
use jiff::Timestamp;
use ps_apps::{Scope, World};
use ps_journal::Entry;
use serde::{Deserialize, Serialize};

const NAME: &str = "alerts.json";
/// The number of this format. A file of another format counts as missing.
const FORMAT: u32 = 1;
const MAX_BYTES: u64 = 1 << 20;

/// The content of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    format: u32,
    /// The last journal entry about which alerts were sent.
    pub(crate) last: Option<Entry>,
    /// The times of the last alerts.
    pub(crate) told: Vec<Timestamp>,
    /// The events that were counted and not sent yet, by name.
    pub(crate) left_out: BTreeMap<String, u64>,
    /// The time of the last of these events.
    pub(crate) left_out_until: Timestamp,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            format: FORMAT,
            last: None,
            told: Vec::new(),
            left_out: BTreeMap::new(),
            left_out_until: Timestamp::UNIX_EPOCH,
        }
    }
}

impl Kept {
    /// Reads the file. One that cannot be read counts as missing: then alerts about old entries are not sent, and some of the newer
    /// ones may be sent twice.
    pub(crate) fn read(world: &World, app: &AppName) -> Self {
        let bytes = durable::state(&world.kept_dir(app).join(NAME), MAX_BYTES);
        let kept: Option<Self> = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        kept.filter(|kept| kept.format == FORMAT).unwrap_or_default()
    }

    /// Writes the file. If the app was destroyed meanwhile, that is an error, and no file is made.
    pub(crate) fn write(&self, world: &World, app: &AppName) -> Result<()> {
        let bytes = serde_json::to_vec(self)?;
        if !world.is_app(app)? {
            bail!("{app} was destroyed");
        }
        let directory = Directory::open(world.lib(), &world.kept_dir(app))?;
        directory.write(NAME, &bytes, world.access(Scope::App(app)))?;
        drop(directory);
        if !world.is_app(app)? {
            world.forget_kept(app)?;
            bail!("{app} was destroyed");
        }
        Ok(())
    }
}
