//! `destroy`: stops an app and removes it.

use anyhow::Result;
use formation::Which;
use ps_cli::exit::Outcome;

use crate::args::DestroyArgs;
use crate::session::Session;
use crate::{elsewhere, images, stop};

pub(crate) fn run(session: &Session, args: &DestroyArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    elsewhere::refuse(&session.world, &app.name, "destroy")?;
    let lock = session.lock(&app.name)?;
    session.step(&format!("Destroying {}", app.name))?;
    stop::end(session, &app, &Which::All, true)?;
    images::forget(session, &app.name)?;
    session.trigger(&lock, "post-delete", &[app.name.as_str(), "latest"])?;
    session.world.destroy_app(&app.name)?;
    lock.retire();
    Ok(Outcome::Done)
}
