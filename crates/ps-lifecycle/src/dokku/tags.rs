//! `tags:deploy`: the image with that tag is deployed, by Dokku's own trigger.

use anyhow::Result;
use ps_cli::exit::Outcome;
use ps_dokku::order;

use super::apps;
use super::hold::Held;
use crate::args::DeployArgs;
use crate::session::Session;
use crate::{journal, tags};

pub(crate) fn deploy(session: &Session, args: &DeployArgs) -> Result<Outcome> {
    let app = apps::named(session, Some(&args.app))?;
    let tag = tags::find(&session.world, &app, args.source.tag.as_deref())?.tag;
    journal::of_verb(&session.world, "deploy", &app, || {
        let held = Held::whole(session, &app)?;
        held.caller.make(&order::deploy(app.as_str(), &tag, None))?;
        Ok(Outcome::Done)
    })
}
