//! `inspect`: raw JSON, made to be piped into `ps-inspect-sanitize`.

use std::io::{self, Write};

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::args::InspectArgs;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &InspectArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    let described = ps_schedulers::of(&session.world, &app.name)?.inspect(&app.name)?;
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &described).map_err(io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(Outcome::Done)
}
