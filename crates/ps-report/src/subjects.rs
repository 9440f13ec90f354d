//! The apps that are reported, and the message if there are none.

use anyhow::Result;
use formation::AppName;
use ps_apps::{App, World};
use ps_cli::exit::Refusal;
use ps_cli::say;

use crate::args::Args;

/// What the report is about.
#[derive(Debug)]
pub(crate) enum Subjects {
    /// The values that hold for every app.
    Global,
    /// These apps, in this order.
    Apps(Vec<AppName>),
}

impl Subjects {
    /// Whether there is nothing to report.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Apps(apps) if apps.is_empty())
    }
}

/// The apps that were named, each once, or all apps that the caller may see. The first name without an app is an error
/// (exit status 20). Inside Dokku an empty name means all apps, and `--global` takes precedence over named apps.
pub(crate) fn resolve(world: &World, args: &Args) -> Result<Subjects> {
    let is_dokku = world.inside_dokku();
    let words: Vec<&String> = args.apps.iter().filter(|word| !is_dokku || !word.is_empty()).collect();
    match (args.global, words.first()) {
        (true, Some(app)) if !is_dokku => {
            return Err(Refusal::usage(format!("--global is about no app: leave it out, or {app:?}")));
        }
        (true, _) => return Ok(Subjects::Global),
        (false, None) => {
            let all = world.apps()?.into_iter().map(|app| app.name).collect();
            return Ok(Subjects::Apps(ps_triggers::visible(world, all)?));
        }
        (false, Some(_)) => (),
    }
    let mut named: Vec<AppName> = Vec::new();
    for word in words {
        let App { name } = world.app(word)?;
        if !named.contains(&name) {
            named.push(name);
        }
    }
    let visible = ps_triggers::visible(world, named.clone())?;
    match named.iter().find(|name| !visible.contains(name)) {
        Some(hidden) => Err(ps_triggers::hidden(world, hidden).into()),
        None => Ok(Subjects::Apps(visible)),
    }
}

/// Prints on stderr that there are no apps, which is not a failure.
pub(crate) fn say_there_are_none(world: &World) {
    if world.inside_dokku() {
        say::warning(ps_dokku::words::NO_APPS);
    } else {
        let place = world.root().display();
        complain(&format!("no apps in {place}: make one with ps-lifecycle deploy <app> --dir <directory>"));
    }
}

/// Prints a line on stderr about something that could not be found out. The report goes on.
pub(crate) fn complain(text: &str) {
    if say::inside_dokku() { say::warning(text) } else { say::failure(&format!("ps-report: {text}")) }
}
