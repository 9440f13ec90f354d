//! Which apps are meant, and what is said when there is none.

use anyhow::Result;
use formation::AppName;
use ps_apps::{App, World};
use ps_cli::exit::Refusal;
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

impl Subjects {
    /// Whether there is nothing to report on.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Apps(apps) if apps.is_empty())
    }
}

/// The apps that were named, each once, or all, as far as the caller may know of them. The first that does not exist is
/// an error (exit status 20). Dokku takes an empty word for all of them, and `--global` for more than any app.
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

/// Says that there are no apps, which is no failure.
pub(crate) fn say_there_are_none(world: &World) {
    if world.inside_dokku() {
        say::warning(ps_dokku::words::NO_APPS);
    } else {
        let place = world.root().display();
        complain(&format!("no apps in {place}: make one with ps-lifecycle deploy <app> --dir <directory>"));
    }
}

/// A line on stderr about something that is not known; the report goes on.
pub(crate) fn complain(text: &str) {
    if say::inside_dokku() { say::warning(text) } else { say::failure(&format!("ps-report: {text}")) }
}
