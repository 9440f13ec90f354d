//! `retire`: removes what earlier deploys left behind. Only one may run at a time; a second one exits at once, with Dokku's
//! status.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result};
use ps_apps::World;
use ps_cli::exit::{self, Outcome, Refusal};
use rustix::fs::FlockOperation;

use crate::args::RetireArgs;
use crate::images;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &RetireArgs) -> Result<Outcome> {
    let world = &session.world;
    let apps = match &args.app {
        Some(name) => vec![world.app(name)?],
        None => world.apps()?,
    };
    let _one = lock(world)?;
    for app in apps {
        let containers = ps_schedulers::of(world, &app.name)?.retire(Some(&app.name))?;
        for removed in containers.into_iter().chain(images::retire(session, &app.name)?) {
            session.step(&format!("Removed {removed} of {}", app.name))?;
        }
    }
    Ok(Outcome::Done)
}

/// The lock of `retire`, held until it is dropped.
pub(crate) fn lock(world: &World) -> Result<File> {
    let path = world.lib().join("data/ps/retire");
    fs::create_dir_all(world.lib().join("data/ps")).with_context(|| format!("create {}", path.display()))?;
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let lock = lock.with_context(|| format!("open {}", path.display()))?;
    if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        let message = if world.inside_dokku() {
            "Failed to acquire ps:retire lock".to_owned()
        } else {
            format!("retire is running already (it holds {}): try again later", path.display())
        };
        return Err(Refusal { status: exit::RETIRING, message }.into());
    }
    Ok(lock)
}
