//! Prints properties to stdout. An invalid stored value is shown, with a warning that the default is used.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::{Context, Result};
use formation::AppName;
use ps_apps::{Error, InvalidValue, Origin, PsProperty, Scope, Setting, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;

use crate::args::Args;
use crate::print::{Printer, Row};
use crate::{Target, of_types};

/// The properties that Dokku's trigger `ps-get-property` is asked for (docs/programs/ps-set.md#for-hooks).
const OF_TRIGGER: [&str; 4] = ["restart-policy", "restore", "skip-deploy", "stop-timeout-seconds"];

/// Prints every property of the named apps, of all apps, or of none (`--global`). If one cannot be read, the others
/// are still printed.
pub(crate) fn all(world: &World, args: &Args) -> Result<Outcome> {
    let mut apps = Vec::new();
    for word in &args.words {
        apps.push(ps_triggers::visible_app::<anyhow::Error>(world, word)?);
    }
    if args.words.is_empty() && !args.global {
        let all = world.apps()?.into_iter().map(|app| app.name).collect();
        apps = ps_triggers::visible(world, all)?;
    }
    let global = args.global.then_some(Scope::Global);
    let scopes = global.into_iter().chain(apps.iter().map(Scope::App));
    let mut lister =
        Lister { world, printer: Printer::new(args)?, warned: BTreeSet::new(), outcome: Outcome::Done };
    for scope in scopes {
        lister.printer.heading(scope)?;
        lister.properties(scope, PsProperty::is_always_listed)?;
        if let Scope::App(app) = scope {
            lister.of_types(app)?;
        }
    }
    Ok(lister.outcome)
}

/// Prints every property of an app and its types, with its value.
pub(crate) fn of_app(world: &World, app: &AppName, args: &Args) -> Result<Outcome> {
    let mut lister =
        Lister { world, printer: Printer::new(args)?, warned: BTreeSet::new(), outcome: Outcome::Done };
    lister.printer.heading(Scope::App(app))?;
    lister.properties(Scope::App(app), |property| !property.is_only_of_a_type())?;
    lister.of_types(app)?;
    Ok(lister.outcome)
}

/// Prints one property with its value.
pub(crate) fn one(world: &World, args: &Args) -> Result<Outcome> {
    let target = Target::of(world, args)?;
    let property = target.row(world)?;
    match (target.scope(), target.process_type()) {
        (Scope::App(app), Some(process_type)) => {
            let effective = ps_release::settings::of_type(world, app, process_type)?;
            let found = effective.into_iter().find(|effective| effective.setting.name == property.name);
            print_value(found.and_then(|found| found.value).as_deref())
        }
        (scope, _) => print_effective(world, scope, property),
    }
}

/// Answers Dokku's trigger, which may be called for apps that do not exist.
pub(crate) fn answer(world: &World, trigger: &str, args: &Args) -> Result<Outcome> {
    let [app, name] = &args.words[..] else {
        return Err(Refusal::usage(format!("trigger {trigger} takes an app and a property")));
    };
    if trigger != "ps-get-property" {
        return Err(Refusal::usage(format!("{trigger} is no trigger of ps-set's: that is ps-get-property")));
    }
    let app: AppName = app.parse().map_err(Error::from)?;
    let known = PsProperty::named(name).filter(|property| OF_TRIGGER.contains(&property.name));
    let property = known.ok_or_else(|| Refusal::failed(format!("Invalid ps property specified: {name}")))?;
    print_effective(world, Scope::App(&app), property)
}

fn print_effective(world: &World, scope: Scope<'_>, property: &PsProperty) -> Result<Outcome> {
    let named = || format!("{} of {}", property.name, scope.as_str());
    let setting = world.ps_setting(scope, property).with_context(named)?;
    let nonsense = nonsense(property, &setting);
    if let Some(invalid) = &nonsense {
        warn(owner(scope, &setting), property, invalid);
    }
    let value = if nonsense.is_none() { setting.value.as_deref() } else { property.default };
    print_value(value.map(|value| property.shown(value)))
}

fn print_value(value: Option<&str>) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", value.unwrap_or_default())?;
    out.flush()?;
    Ok(Outcome::Done)
}

/// Why the stored value is invalid; `None` if it is valid.
fn nonsense(property: &PsProperty, setting: &Setting) -> Option<InvalidValue> {
    property.check(setting.value.as_ref()?).err()
}

/// The scope in which the value was set.
fn owner<'a>(scope: Scope<'a>, setting: &Setting) -> Scope<'a> {
    if setting.origin == Origin::Global { Scope::Global } else { scope }
}

fn warn(owner: Scope<'_>, property: &PsProperty, invalid: &InvalidValue) {
    let counts = property.default.unwrap_or("nothing");
    say::warning(&format!("{}: {invalid}; {counts} counts until it is set again", owner.as_str()));
}

struct Lister<'a> {
    world: &'a World,
    printer: Printer,
    /// The values that were warned about, by scope and property: a value for all apps is warned about once.
    warned: BTreeSet<(String, &'static str)>,
    outcome: Outcome,
}

impl Lister<'_> {
    /// Prints the properties of an app; `is_listed` says which ones are printed even if they are not set.
    fn properties(&mut self, scope: Scope<'_>, is_listed: impl Fn(&PsProperty) -> bool) -> Result<()> {
        let properties = crate::properties(self.world.inside_dokku());
        for property in properties.into_iter().filter(|row| scope != Scope::Global || row.is_global) {
            match self.world.ps_setting(scope, property) {
                Ok(setting) if setting.origin == Origin::Default && !is_listed(property) => (),
                Ok(setting) => self.property(scope, property, &setting)?,
                Err(error) => self.fail(&format!("{} of {}: {error}", property.name, scope.as_str())),
            }
        }
        Ok(())
    }

    fn property(&mut self, scope: Scope<'_>, property: &'static PsProperty, setting: &Setting) -> Result<()> {
        let nonsense = nonsense(property, setting);
        let owner = owner(scope, setting);
        if let Some(invalid) = &nonsense
            && self.warned.insert((owner.as_str().to_owned(), property.name))
        {
            warn(owner, property, invalid);
        }
        self.printer.row(&Row {
            app: scope.as_str().to_owned(),
            property: property.name.to_owned(),
            value: setting.value.as_deref().map(|value| property.shown(value).to_owned()),
            source: setting.origin.as_str(),
            default: property.default,
            is_nonsense: nonsense.is_some(),
        })
    }

    /// Prints the settings of each type that differ from those of the whole app.
    fn of_types(&mut self, app: &AppName) -> Result<()> {
        if self.world.inside_dokku() {
            return Ok(());
        }
        let rows = match of_types::rows(self.world, app) {
            Ok(rows) => rows,
            Err(error) => {
                self.fail(&format!("the settings of {app}: {error:#}"));
                return Ok(());
            }
        };
        rows.iter().try_for_each(|row| self.printer.row(row))
    }

    fn fail(&mut self, what: &str) {
        say::failure(&format!("ps-set: {what}"));
        self.outcome = Outcome::No;
    }
}
