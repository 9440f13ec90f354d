//! Reads and changes ps properties. A value is checked before it is written; what a property means to a running app is
//! up to those who read it.

mod args;
mod list;
mod set;

use anyhow::Result;
use formation::AppName;
use ps_apps::{PsProperty, Scope, World};
use ps_cli::exit::{self, Outcome, Refusal};
use ps_cli::say;

use crate::args::Args;

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn run() -> Result<Outcome> {
    let args = Args::of(exit::arguments())?;
    let world = World::from_env()?;
    if let Some(trigger) = &args.from_trigger {
        return list::answer(&world, trigger, &args);
    }
    if args.list {
        return list::all(&world, &args);
    }
    if args.get { list::one(&world, &args) } else { set::run(&world, &args) }
}

/// Whose property is meant, and the word for the property.
pub(crate) struct Target {
    app: Option<AppName>,
    property: String,
}

impl Target {
    /// The app must be there; whether the property is one is judged later. An older spelling is taken with a hint.
    pub(crate) fn of(world: &World, args: &Args) -> Result<Self> {
        let mut words = args.words.iter().map(String::as_str);
        let app = if args.global {
            None
        } else {
            let word = words.next().ok_or_else(|| no_app(world))?;
            Some(ps_triggers::visible_app::<anyhow::Error>(world, word)?)
        };
        let spelling = words.next().unwrap_or_default();
        let modern = PsProperty::modern_name(spelling);
        if let Some(modern) = modern {
            say::warning(&format!("{spelling} is called {modern}: taken as that"));
        }
        Ok(Self { app, property: modern.unwrap_or(spelling).to_owned() })
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        self.app.as_ref().map_or(Scope::Global, Scope::App)
    }

    /// The row of the table; a refusal in Dokku's order and, inside Dokku, in its words.
    pub(crate) fn row(&self, world: &World) -> Result<&'static PsProperty> {
        let is_dokku = world.inside_dokku();
        let row = properties(is_dokku).into_iter().find(|row| row.name == self.property);
        let is_misplaced = self.app.is_none() && !row.is_some_and(|row| row.is_global);
        match row {
            _ if is_misplaced && is_dokku => Err(Refusal::failed("Property cannot be specified globally")),
            Some(row) if is_misplaced => {
                Err(Refusal::failed(format!("{} has no default for all apps: name an app", row.name)))
            }
            Some(row) => Ok(row),
            None if self.property.is_empty() => Err(no_property(is_dokku)),
            None => Err(unknown(is_dokku, &self.property)),
        }
    }
}

fn no_app(world: &World) -> anyhow::Error {
    if world.inside_dokku() {
        Refusal::failed(ps_dokku::words::NO_APP)
    } else {
        Refusal::usage("name the app, or --global: ps-set (<app>|--global) <property> [<value>…]")
    }
}

fn no_property(is_dokku: bool) -> anyhow::Error {
    if is_dokku {
        Refusal::failed("No property specified")
    } else {
        Refusal::usage(format!("name the property, one of {}", names(is_dokku)))
    }
}

fn unknown(is_dokku: bool, word: &str) -> anyhow::Error {
    Refusal::failed(if is_dokku {
        format!("Invalid property specified, valid properties include: {}", names(is_dokku))
    } else {
        let word: String = word.chars().take(80).collect();
        format!("{word:?} is no ps property: use one of {}", names(is_dokku))
    })
}

fn names(is_dokku: bool) -> String {
    properties(is_dokku).iter().map(|property| property.name).collect::<Vec<_>>().join(", ")
}

/// The properties that can be set and are listed; inside Dokku those that Dokku knows.
pub(crate) fn properties(is_dokku: bool) -> Vec<&'static PsProperty> {
    if is_dokku { PsProperty::of_dokku().collect() } else { PsProperty::all().iter().collect() }
}
