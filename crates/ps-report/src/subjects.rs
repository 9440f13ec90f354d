//! Which apps are meant, and what is said when there is none.

use anyhow::Result;
use ps_apps::{App, AppName, Error, World};
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

/// The apps that were named, each once, or all, as far as the caller may know of them. The first that does not exist is
/// an error (exit status 20).
pub(crate) fn resolve(world: &World, args: &Args) -> Result<Subjects> {
    if args.global {
        return Ok(Subjects::Global);
    }
    if args.apps.is_empty() {
        let all = world.apps()?.into_iter().map(|app| app.name).collect();
        return Ok(Subjects::Apps(ps_triggers::visible(world, all)?));
    }
    let mut named: Vec<AppName> = Vec::new();
    for word in &args.apps {
        let App { name } = world.app(word)?;
        if !named.contains(&name) {
            named.push(name);
        }
    }
    let visible = ps_triggers::visible(world, named.clone())?;
    match named.iter().find(|name| !visible.contains(name)) {
        Some(hidden) => Err(no_such(world, hidden).into()),
        None => Ok(Subjects::Apps(visible)),
    }
}

/// What is hidden from the caller does not exist for them.
fn no_such(world: &World, app: &AppName) -> Error {
    Error::NoSuchApp { app: app.to_string(), searched: world.root().to_owned(), hint: String::new() }
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
