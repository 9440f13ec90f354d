//! `data/formation/<app>/alerts.json`: what is remembered of an app from one run to the next.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use durable::Directory;
use formation::AppName;
use jiff::Timestamp;
use ps_apps::{Scope, World};
use ps_journal::Entry;
use serde::{Deserialize, Serialize};

const NAME: &str = "alerts.json";
/// The number of this format. A file of another one counts as none.
const FORMAT: u32 = 1;
const MAX_BYTES: u64 = 1 << 20;

/// The content of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    format: u32,
    /// Up to where the journal was told.
    pub(crate) last: Option<Entry>,
    /// When the last alerts were told.
    pub(crate) told: Vec<Timestamp>,
    /// What was not told one by one and is still to be told, by the name of the event.
    pub(crate) left_out: BTreeMap<String, u64>,
    /// When the last of that happened.
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
    /// Reads it. One that cannot be read counts as none: then what is old enough is not told, and of the rest a part may be told twice.
    pub(crate) fn read(world: &World, app: &AppName) -> Self {
        let bytes = durable::state(&world.kept_dir(app).join(NAME), MAX_BYTES);
        let kept: Option<Self> = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        kept.filter(|kept| kept.format == FORMAT).unwrap_or_default()
    }

    /// Writes it. An app that was destroyed meanwhile is an error, and nothing of it is made again.
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
