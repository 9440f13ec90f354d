//! Which apps are meant, and what is said when there is none.

use anyhow::Result;
use ps_apps::{App, AppName, World};
use ps_cli::say;

use crate::args::Args;

/// What is reported on.
#[derive(Debug)]
pub(crate) enum Subjects {
    /// The values that hold for every app.
    Global,
    /// These apps, in this order.
    Apps(Vec<AppName>),
}

/// The apps that were named, each once, or all. The first that does not exist is an error (exit status 20).
pub(crate) fn resolve(world: &World, args: &Args) -> Result<Subjects> {
    if args.global {
        return Ok(Subjects::Global);
    }
    let mut names: Vec<AppName> = Vec::new();
    for word in &args.apps {
        let App { name } = world.app(word)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if args.apps.is_empty() {
        names = world.apps()?.into_iter().map(|app| app.name).collect();
    }
    Ok(Subjects::Apps(names))
}

/// Says that there are no apps, which is no failure.
pub(crate) fn say_there_are_none(world: &World) {
    if world.inside_dokku() {
        say::warning("You haven't deployed any applications yet");
    } else {
        let place = world.root().display();
        complain(&format!("no apps in {place}: make one with ps-lifecycle deploy <app> --dir <directory>"));
    }
}

/// A line on stderr about something that is not known; the report goes on.
pub(crate) fn complain(text: &str) {
    if say::inside_dokku() { say::warning(text) } else { say::failure(&format!("ps-report: {text}")) }
}
