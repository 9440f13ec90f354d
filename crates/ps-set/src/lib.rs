//! Reads and changes ps properties. A value is checked before it is written; the programs that read a property apply it
//! to running apps.

mod args;
mod list;
mod of_types;
mod print;
mod set;

use anyhow::Result;
use formation::{AppName, ProcessType};
use ps_apps::{PsProperty, Scope, World};
use ps_cli::completion::{self, Candidates, Line, Name};
use ps_cli::exit::{self, Outcome, Refusal};
use ps_cli::say;
use type_settings::Setting;

use crate::args::Args;

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn run() -> Result<Outcome> {
    if completion::answered(command, &[("words", candidates as Candidates)]) {
        return Ok(Outcome::Done);
    }
    let args = Args::of(exit::arguments())?;
    let world = args.world.open()?;
    if let Some(trigger) = &args.from_trigger {
        return list::answer(&world, trigger, &args);
    }
    if args.list {
        return list::all(&world, &args);
    }
    if let [word] = &args.words[..]
        && !args.global
        && !args.get
        && !world.inside_dokku()
    {
        let app = ps_triggers::visible_app::<anyhow::Error>(&world, word)?;
        return list::of_app(&world, &app, &args);
    }
    if args.get { list::one(&world, &args) } else { set::run(&world, &args) }
}

/// The candidates for the word at the cursor: first an app, then a property, or after the name of a type and a dot a
/// property of that type.
fn candidates(line: &Line) -> Vec<Name> {
    let (given, is_global) = (line.given("words").len(), line.is_set("global"));
    if line.is_set("list") || given == 0 && !is_global {
        return completion::apps(line);
    }
    if given != usize::from(!is_global) {
        return Vec::new();
    }
    if let Some((name, _)) = line.current().split_once('.').filter(|_| !is_global) {
        let of_type = |row: &Setting| Name::with_help(format!("{name}.{}", row.name), row.meaning);
        return Setting::all().iter().map(of_type).collect();
    }
    let rows = properties(ps_apps::inside_dokku()).into_iter();
    let rows = rows.filter(|row| if is_global { row.is_global } else { !row.is_only_of_a_type() });
    rows.map(|row| match row.setting() {
        Some(setting) => Name::with_help(row.name, setting.meaning),
        None => Name::new(row.name),
    })
    .collect()
}

/// Whose property is read or changed, and the word for the property.
pub(crate) struct Target {
    app: Option<AppName>,
    /// The type, if the property is set for one type alone: `web` in `web.stop-timeout-seconds`.
    process_type: Option<ProcessType>,
    property: String,
}

impl Target {
    /// The target of these arguments. The app must exist; whether the property exists is checked later. An older
    /// spelling is accepted with a hint.
    pub(crate) fn of(world: &World, args: &Args) -> Result<Self> {
        let mut words = args.words.iter().map(String::as_str);
        let app = if args.global {
            None
        } else {
            let word = words.next().ok_or_else(|| no_app(world))?;
            Some(ps_triggers::visible_app::<anyhow::Error>(world, word)?)
        };
        let word = words.next().unwrap_or_default();
        let of_type = word.split_once('.').filter(|_| !world.inside_dokku());
        let of_type = of_type.and_then(|(name, property)| Some((name.parse().ok()?, property)));
        let (process_type, spelling) = of_type.map_or((None, word), |(of, name)| (Some(of), name));
        let modern = PsProperty::modern_name(spelling);
        if let Some(modern) = modern {
            say::warning(&format!("{spelling} is called {modern}: taken as that"));
        }
        Ok(Self { app, process_type, property: modern.unwrap_or(spelling).to_owned() })
    }

    /// The name of the property's file.
    pub(crate) fn name(&self) -> String {
        match &self.process_type {
            Some(process_type) => format!("{process_type}.{}", self.property),
            None => self.property.clone(),
        }
    }

    /// The type, if the property is set for one type alone.
    pub(crate) fn process_type(&self) -> Option<&ProcessType> {
        self.process_type.as_ref()
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        self.app.as_ref().map_or(Scope::Global, Scope::App)
    }

    /// The row of the property in the table. Refusals come in Dokku's order and, inside Dokku, in its words.
    pub(crate) fn row(&self, world: &World) -> Result<&'static PsProperty> {
        let is_dokku = world.inside_dokku();
        let row = properties(is_dokku).into_iter().find(|row| row.name == self.property);
        let is_misplaced = self.app.is_none() && !row.is_some_and(|row| row.is_global);
        match row {
            _ if is_misplaced && is_dokku => Err(Refusal::failed("Property cannot be specified globally")),
            Some(row) if is_misplaced => {
                Err(Refusal::failed(format!("{} has no default for all apps: name an app", row.name)))
            }
            Some(row) if self.process_type.is_some() => self.refuse_of_type(row).map_or(Ok(row), Err),
            Some(row) if row.is_only_of_a_type() => {
                Err(Refusal::failed(format!("{0} is set for one process type: <type>.{0}", row.name)))
            }
            Some(row) => Ok(row),
            None if self.property.is_empty() => Err(no_property(is_dokku)),
            None => Err(unknown(is_dokku, &self.property)),
        }
    }
}

impl Target {
    /// Why a property cannot be set for one type of an app.
    fn refuse_of_type(&self, row: &PsProperty) -> Option<anyhow::Error> {
        if self.app.is_none() {
            return Some(Refusal::failed(format!(
                "a process type is of an app: ps-set <app> {}",
                self.name()
            )));
        }
        row.setting().is_none().then(|| {
            Refusal::failed(format!(
                "{} is for the whole app, and cannot be set for one process type",
                row.name
            ))
        })
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
        let shown: String = word.chars().take(80).collect();
        let is_known = |name: &str| {
            let bare = name.rsplit('.').next().unwrap_or(name);
            properties(is_dokku).iter().any(|property| property.name == bare)
        };
        if let Some((name, _)) = word.split_once('=').filter(|(name, _)| is_known(name)) {
            return Refusal::failed(format!(
                "{shown:?} is no ps property: put a space after {name} in place of ="
            ));
        }
        match Setting::nearest(word) {
            Some(meant) => format!("{shown:?} is no ps property: did you mean {}?", meant.name),
            None => format!("{shown:?} is no ps property: use one of {}", names(is_dokku)),
        }
    })
}

fn names(is_dokku: bool) -> String {
    properties(is_dokku).iter().map(|property| property.name).collect::<Vec<_>>().join(", ")
}

/// The properties that can be set and are listed; inside Dokku those that Dokku knows.
pub(crate) fn properties(is_dokku: bool) -> Vec<&'static PsProperty> {
    if is_dokku { PsProperty::of_dokku().collect() } else { PsProperty::all().iter().collect() }
}
