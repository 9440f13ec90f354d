//! Properties on stdout. A stored value that makes no sense is shown, with a warning that its default counts.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::{Context, Result};
use formation::AppName;
use ps_apps::{Error, InvalidValue, Origin, PsProperty, Scope, Setting, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::{Format, say};
use serde::Serialize;

use crate::Target;
use crate::args::Args;

/// The properties that Dokku's trigger `ps-get-property` is asked for (docs/programs/ps-set.md#for-hooks).
const OF_TRIGGER: [&str; 4] = ["restart-policy", "restore", "skip-deploy", "stop-timeout-seconds"];

#[derive(Serialize)]
struct Row<'a> {
    app: &'a str,
    property: &'static str,
    value: Option<&'a str>,
    source: &'static str,
    default: Option<&'static str>,
}

/// Every property of the apps named, of all apps, or of none (`--global`). One that cannot be read does not hide the
/// others.
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
    let mut printer = Printer::new(args)?;
    let mut outcome = Outcome::Done;
    for scope in scopes {
        printer.heading(scope)?;
        let properties = crate::properties(world.inside_dokku());
        for property in properties.into_iter().filter(|row| scope != Scope::Global || row.is_global) {
            match world.ps_setting(scope, property) {
                Ok(setting) => printer.row(scope, property, &setting)?,
                Err(error) => {
                    say::failure(&format!("ps-set: {} of {}: {error}", property.name, scope.as_str()));
                    outcome = Outcome::No;
                }
            }
        }
    }
    Ok(outcome)
}

/// What one property comes to.
pub(crate) fn one(world: &World, args: &Args) -> Result<Outcome> {
    let target = Target::of(world, args)?;
    print_effective(world, target.scope(), target.row(world)?)
}

/// Dokku's trigger asks for apps that need not exist.
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
    let mut out = io::stdout().lock();
    writeln!(out, "{}", value.unwrap_or_default())?;
    out.flush()?;
    Ok(Outcome::Done)
}

/// What is wrong with the stored value, if something is.
fn nonsense(property: &PsProperty, setting: &Setting) -> Option<InvalidValue> {
    property.check(setting.value.as_ref()?).err()
}

/// Whose value it is.
fn owner<'a>(scope: Scope<'a>, setting: &Setting) -> Scope<'a> {
    if setting.origin == Origin::Global { Scope::Global } else { scope }
}

fn warn(owner: Scope<'_>, property: &PsProperty, invalid: &InvalidValue) {
    let counts = property.default.unwrap_or("nothing");
    say::warning(&format!("{}: {invalid}; {counts} counts until it is set again", owner.as_str()));
}

struct Printer {
    format: Format,
    has_headings: bool,
    /// Whose value of which property was warned of: one of all apps is theirs, and told once.
    warned: BTreeSet<(String, &'static str)>,
}

impl Printer {
    fn new(args: &Args) -> Result<Self> {
        if args.format() == Format::Csv {
            csv_line(&["app", "property", "value", "source", "default"])?;
        }
        let has_headings = !args.quiet && !say::quiet();
        Ok(Self { format: args.format(), has_headings, warned: BTreeSet::new() })
    }

    fn heading(&mut self, scope: Scope<'_>) -> Result<()> {
        if self.format == Format::Text && self.has_headings {
            writeln!(io::stdout().lock(), "=====> {} ps properties", scope.as_str())?;
        }
        Ok(())
    }

    fn row(&mut self, scope: Scope<'_>, property: &'static PsProperty, setting: &Setting) -> Result<()> {
        let nonsense = nonsense(property, setting);
        let owner = owner(scope, setting);
        if let Some(invalid) = &nonsense
            && self.warned.insert((owner.as_str().to_owned(), property.name))
        {
            warn(owner, property, invalid);
        }
        let row = Row {
            app: scope.as_str(),
            property: property.name,
            value: setting.value.as_deref(),
            source: setting.origin.as_str(),
            default: property.default,
        };
        let value = row.value.unwrap_or_default();
        match self.format {
            Format::Text => {
                let (name, note) =
                    (format!("{}:", row.property), note(property, setting, nonsense.is_some()));
                writeln!(io::stdout().lock(), "       {name:<22} {:<8} {value}{note}", row.source)?;
            }
            Format::Json => writeln!(io::stdout().lock(), "{}", serde_json::to_string(&row)?)?,
            Format::Csv => {
                csv_line(&[row.app, row.property, value, row.source, row.default.unwrap_or_default()])?;
            }
        }
        Ok(())
    }
}

/// The default beside a value that is another one.
fn note(property: &PsProperty, setting: &Setting, is_nonsense: bool) -> String {
    match property.default {
        Some(default) if is_nonsense => format!(" (makes no sense: {default} counts)"),
        Some(default) if setting.value.as_deref() != Some(default) => format!(" (default: {default})"),
        _ => String::new(),
    }
}

fn csv_line(fields: &[&str]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(io::stdout().lock());
    writer.write_record(fields)?;
    Ok(writer.flush()?)
}
