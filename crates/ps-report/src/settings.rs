//! The report `--settings`: the effective settings of each process type, and who set them. It reads only files, and
//! only those of the apps that it reports on. No scheduler is asked.

use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};
use csv::Writer;
use formation::{AppName, ProcessType};
use ps_apps::{EffectiveSetting, World};
use ps_cli::exit::{Outcome, Refusal};
use serde_json::json;

use crate::args::Args;
use crate::encoding::{self, Encoding};
use crate::subjects::{self, Subjects, complain};

const COLUMNS: [&str; 5] = ["app", "process_type", "setting", "value", "source"];

/// One setting of one process type of an app.
struct Row<'a> {
    app: &'a AppName,
    process_type: &'a ProcessType,
    effective: &'a EffectiveSetting,
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
    for app in &apps {
        if let Err(error) = of_app(world, app, &encoding, &mut out) {
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

fn of_app(world: &World, app: &AppName, encoding: &Encoding, out: &mut dyn Write) -> Result<()> {
    let types =
        ps_release::settings::of_types(world, app).context("read the settings of its process types")?;
    let pairs = types.iter().flat_map(|(process_type, all)| all.iter().map(move |one| (process_type, one)));
    let rows: Vec<Row<'_>> =
        pairs.map(|(process_type, effective)| Row { app, process_type, effective }).collect();
    match encoding {
        Encoding::Text { header } => text(app, &rows, *header, out),
        Encoding::Json { .. } => rows.iter().try_for_each(|row| row.json(out)),
        Encoding::Csv { .. } => rows.iter().try_for_each(|row| record(&row.fields(), out)),
        Encoding::Value(_) => Ok(()),
    }
}

/// Text for people: the settings that have a value.
fn text(app: &AppName, rows: &[Row<'_>], header: bool, out: &mut dyn Write) -> Result<()> {
    if header {
        writeln!(out, "=====> {app} settings")?;
    }
    let name = |row: &Row<'_>| format!("{}.{}:", row.process_type, row.effective.setting.name);
    let rows: Vec<&Row<'_>> = rows.iter().filter(|row| row.effective.value.is_some()).collect();
    let width = rows.iter().map(|row| name(row).len()).max().unwrap_or(0);
    for row in rows {
        let (source, value) = (row.effective.origin.as_str(), row.value());
        writeln!(out, "       {:<width$}  {source:<8} {value}", name(row))?;
    }
    Ok(())
}

impl Row<'_> {
    fn value(&self) -> &str {
        self.effective.value.as_deref().unwrap_or_default()
    }

    fn fields(&self) -> [&str; 5] {
        let setting = self.effective.setting.name;
        let source = self.effective.origin.as_str();
        [self.app.as_str(), self.process_type.as_str(), setting, self.value(), source]
    }

    fn json(&self, out: &mut dyn Write) -> Result<()> {
        let object = json!({
            "app": self.app.as_str(),
            "process_type": self.process_type.as_str(),
            "setting": self.effective.setting.name,
            "value": self.effective.value,
            "source": self.effective.origin.as_str(),
        });
        Ok(writeln!(out, "{object}")?)
    }
}

fn record(fields: &[&str; 5], out: &mut dyn Write) -> Result<()> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    Ok(out.write_all(&writer.into_inner()?)?)
}
