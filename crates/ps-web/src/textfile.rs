//! `--textfile`: writes the metrics once to a file for node_exporter, without a server.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use ps_apps::World;
use ps_cli::exit::Outcome;
use ps_cli::say;

use crate::deploys::Deploys;
use crate::metrics::OfApps;
use crate::{metrics, round};

/// The name of the file. node_exporter reads files that end with `.prom`; the file gets this name when it is
/// complete.
const NAME: &str = "formation.prom";

pub(crate) fn write(world: &World, directory: &Path) -> Result<Outcome> {
    let snapshot = round::once(world);
    for silence in &snapshot.silent {
        say::warning(&format!("{}: {}", silence.apps.join(", "), silence.reason));
    }
    let of_apps = OfApps::read(world, &snapshot, &Deploys::default());
    let written = metrics::written(&snapshot, &of_apps).context("write the metrics")?;
    let path = directory.join(NAME);
    let failed = || format!("write {}", path.display());
    let mut file =
        tempfile::Builder::new().prefix(".formation-").tempfile_in(directory).with_context(failed)?;
    file.write_all(metrics::as_plain_text(&written).as_bytes()).with_context(failed)?;
    // node_exporter runs as another user and must be able to read the file.
    file.as_file().set_permissions(Permissions::from_mode(0o644)).with_context(failed)?;
    file.persist(&path).with_context(failed)?;
    Ok(if snapshot.silent.is_empty() { Outcome::Done } else { Outcome::No })
}
