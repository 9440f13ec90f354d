//! The report `--settings`: the effective settings of each process type, where they were set, and where a running
//! instance has another value. It reads only files, and only those of the apps that it reports on; for apps in
//! containers it asks the engine. It changes nothing, and starts nothing.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};
use csv::Writer;
use formation::{AppName, FIRST_TYPE, ProcessType};
use ps_apps::{EffectiveSetting, Origin, PsProperty, SchedulerName, Scope, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_scheduler::{Drift, Scheduler};
use serde_json::{Value, json};
use type_settings::{EngineOptions, Labels};

use crate::args::Args;
use crate::encoding::{self, Encoding};
use crate::subjects::{self, Subjects, complain};

const COLUMNS: [&str; 6] = ["app", "process_type", "setting", "value", "source", "drift"];

/// One setting of one process type of an app.
struct Row<'a> {
    app: &'a AppName,
    process_type: &'a ProcessType,
    /// The name of the setting.
    setting: &'static str,
    /// The effective value, in the form in which it may be shown.
    value: Option<String>,
    origin: Origin,
    /// The running instances of the type that have another value.
    drift: Vec<&'a Drift>,
}

/// Reports the settings of the named apps, or of all apps.
pub(crate) fn run(world: &World, args: &Args) -> Result<Outcome> {
    refuse_others(args)?;
    let subjects = subjects::resolve(world, args)?;
    let encoding = encoding::resolve(world, args, &subjects)?;
    if subjects.is_empty() {
        subjects::say_there_are_none(world);
    }
    let Subjects::Apps(apps) = subjects else { return Ok(Outcome::Done) };
    let mut out = BufWriter::new(io::stdout().lock());
    if matches!(encoding, Encoding::Csv { .. }) {
        record(&COLUMNS, &mut out)?;
    }
    let mut outcome = Outcome::Done;
    let schedulers = [SchedulerName::Native, SchedulerName::DockerLocal];
    let schedulers = schedulers.map(|name| (ps_schedulers::named(world, &name), name));
    for app in &apps {
        // The settings can be shown even if the scheduler does not answer.
        let drift = of_what_runs(world, app, &schedulers);
        let drift = drift.unwrap_or_else(|error| {
            complain(&format!("{app}: what runs cannot be compared: {error:#}"));
            outcome = Outcome::No;
            Vec::new()
        });
        if let Err(error) = of_app(world, app, &drift, &encoding, &mut out) {
            if error.is::<io::Error>() {
                return Err(error);
            }
            complain(&format!("{app}: {error:#}"));
            outcome = Outcome::No;
        }
    }
    out.flush()?;
    Ok(outcome)
}

fn refuse_others(args: &Args) -> Result<()> {
    let others = [
        (args.global, "--global"),
        (args.watch.is_some(), "--watch"),
        (args.columns.is_some(), "--columns"),
        (!args.info_flags.is_empty(), "an info flag"),
    ];
    match others.into_iter().find(|(is_given, _)| *is_given) {
        Some((_, other)) => {
            Err(Refusal::usage(format!("--settings is a report of its own: leave it out, or {other}")))
        }
        None => Ok(()),
    }
}

/// The running instances of an app whose settings differ from the current ones. Dokku's plugins are not asked, because
/// none of them reports that.
fn of_what_runs(
    world: &World,
    app: &AppName,
    schedulers: &[(Box<dyn Scheduler>, SchedulerName)],
) -> Result<Vec<Drift>> {
    let chosen = world.scheduler_name(app)?;
    let known = schedulers.iter().find(|(_, name)| *name == chosen);
    match (known, ps_release::deployed(world, app)?) {
        (Some((scheduler, _)), Some(assembled)) => Ok(scheduler.drift(&assembled.release)?),
        (None, _) | (_, None) => Ok(Vec::new()),
    }
}

fn of_app(
    world: &World,
    app: &AppName,
    drift: &[Drift],
    encoding: &Encoding,
    out: &mut dyn Write,
) -> Result<()> {
    let types =
        ps_release::settings::of_types(world, app).context("read the settings of its process types")?;
    let pairs = types.iter().flat_map(|(process_type, all)| all.iter().map(move |one| (process_type, one)));
    let of = |process_type: &ProcessType, setting: &str| {
        let is_meant = |one: &&Drift| one.slot.process_type == *process_type && one.setting == setting;
        drift.iter().filter(is_meant).collect::<Vec<_>>()
    };
    let rows = pairs.map(|(process_type, effective)| {
        let setting = effective.setting.name;
        let drift = of(process_type, setting);
        Row { app, process_type, setting, value: shown(effective), origin: effective.origin, drift }
    });
    let rows: Vec<Row<'_>> = address(world, app, &types)?.into_iter().chain(rows).collect();
    match encoding {
        Encoding::Text { header } => {
            text(app, &rows, *header, out)?;
            drift.iter().try_for_each(|drift| Ok(writeln!(out, "       {drift}")?))
        }
        Encoding::Json { .. } => rows.iter().try_for_each(|row| row.json(out)),
        Encoding::Csv { .. } => rows.iter().try_for_each(|row| record(&row.fields(), out)),
        Encoding::Value(_) => Ok(()),
    }
}

/// The address of the app and its options, as settings of the type whose instances are behind the address; empty if the app does not have
/// that type.
fn address<'a>(
    world: &World,
    app: &'a AppName,
    types: &'a BTreeMap<ProcessType, Vec<EffectiveSetting>>,
) -> Result<Vec<Row<'a>>> {
    let Some((process_type, _)) = types.iter().find(|(name, _)| name.as_str() == FIRST_TYPE) else {
        return Ok(Vec::new());
    };
    let row = |property: &'static PsProperty| {
        let ps_apps::Setting { value, origin } = world.ps_setting(Scope::App(app), property)?;
        Ok(Row { app, process_type, setting: property.name, value, origin, drift: Vec::new() })
    };
    PsProperty::all().iter().filter(|property| property.is_of_address()).map(row).collect()
}

/// Text for people: the settings that have a value.
fn text(app: &AppName, rows: &[Row<'_>], header: bool, out: &mut dyn Write) -> Result<()> {
    if header {
        writeln!(out, "=====> {app} settings")?;
    }
    let name = |row: &Row<'_>| format!("{}.{}:", row.process_type, row.setting);
    let rows: Vec<&Row<'_>> = rows.iter().filter(|row| row.value.is_some()).collect();
    let width = rows.iter().map(|row| name(row).len()).max().unwrap_or(0);
    for row in rows {
        let (source, value) = (row.origin.as_str(), row.value.as_deref().unwrap_or_default());
        writeln!(out, "       {:<width$}  {source:<8} {value}", name(row))?;
    }
    Ok(())
}

/// A value as it may be shown. In labels and options of the engine, text that looks like a credential is masked, because reports are
/// passed on to others.
fn shown(effective: &EffectiveSetting) -> Option<String> {
    let text = effective.value.as_deref()?;
    let masked = |name: &str, element: String| {
        if redact::line(&element) == element { element } else { format!("{name}=[redacted]") }
    };
    let elements: Option<Vec<String>> = match effective.setting.name {
        "labels" => text
            .parse::<Labels>()
            .ok()
            .map(|labels| labels.iter().map(|label| masked(&label.name, label.to_string())).collect()),
        "engine-options" => text
            .parse::<EngineOptions>()
            .ok()
            .map(|options| options.iter().map(|option| masked(option.name, option.to_string())).collect()),
        _ => None,
    };
    Some(elements.map_or_else(|| text.to_owned(), |elements| type_settings::listed(&elements)))
}

impl Row<'_> {
    fn fields(&self) -> [String; 6] {
        let (source, value) = (self.origin.as_str(), self.value.as_deref().unwrap_or_default());
        let drift = self.drift.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let fields = [self.app.as_str(), self.process_type.as_str(), self.setting, value, source, &drift];
        fields.map(str::to_owned)
    }

    fn json(&self, out: &mut dyn Write) -> Result<()> {
        let object = json!({
            "app": self.app.as_str(),
            "process_type": self.process_type.as_str(),
            "setting": self.setting,
            "value": self.value,
            "source": self.origin.as_str(),
            "drift": self.drift.iter().map(|drift| of_instance(drift)).collect::<Vec<_>>(),
        });
        Ok(writeln!(out, "{object}")?)
    }
}

fn of_instance(drift: &Drift) -> Value {
    json!({ "instance": drift.slot.to_string(), "runs_with": drift.runs_with, "set": drift.is_set })
}

fn record(fields: &[impl AsRef<[u8]>; 6], out: &mut dyn Write) -> Result<()> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    Ok(out.write_all(&writer.into_inner()?)?)
}
