//! `destroy`: stops an app and removes it.

use anyhow::Result;
use formation::Which;
use ps_cli::exit::Outcome;

use crate::args::DestroyArgs;
use crate::session::Session;
use crate::wish::Wish;
use crate::{elsewhere, images, provision, stop};

pub(crate) fn run(session: &Session, args: &DestroyArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    elsewhere::refuse(&session.world, &app.name, "destroy")?;
    let lock = session.lock(&app.name)?;
    session.step(&format!("Destroying {}", app.name))?;
    // The order of the steps matters: killed at any point, it leaves either a stopped app or no app.
    let deployed = ps_dokku::is_deployed(&session.world, &app.name)?;
    let _provision = deployed.then(|| provision::for_destroy(session, &app.name)).flatten();
    let wish = deployed.then(|| Wish::set(&session.world, &app.name, false));
    let ended = stop::end(session, &app, &Which::All, true);
    // If the disk is full, the property could not be set.
    if let Some(Ok(wish)) = wish.filter(|_| stop::has_not_begun(&ended)) {
        wish.put_back();
    }
    ended?;
    images::forget(session, &app.name)?;
    session.trigger(&lock, "post-delete", &[app.name.as_str(), "latest"])?;
    let other = session.world.destroy_app(&app.name)?;
    lock.retire();
    if let Some(other) = other {
        let directory = session.world.app_dir(&app.name);
        session.fact(&format!("{} stays, because {other} has {} as well", directory.display(), app.name))?;
    }
    Ok(Outcome::Done)
}
