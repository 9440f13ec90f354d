//! One property, one line: as text, JSON or CSV.

use std::io::{self, Write};

use anyhow::Result;
use ps_apps::Scope;
use ps_cli::{Format, say};
use serde::Serialize;

use crate::args::Args;

/// One property with its value and the origin of the value.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// The app, or `--global`.
    pub(crate) app: String,
    /// The name of the property, with the type before it if it is set for that type.
    pub(crate) property: String,
    /// The stored value, or the default.
    pub(crate) value: Option<String>,
    /// The word for the origin of the value.
    pub(crate) source: &'static str,
    /// The default.
    pub(crate) default: Option<&'static str>,
    /// Whether the stored value is invalid.
    #[serde(skip)]
    pub(crate) is_nonsense: bool,
}

pub(crate) struct Printer {
    format: Format,
    has_headings: bool,
}

impl Printer {
    pub(crate) fn new(args: &Args) -> Result<Self> {
        if args.format() == Format::Csv {
            csv_line(&["app", "property", "value", "source", "default"])?;
        }
        let has_headings = !args.quiet && !say::quiet();
        Ok(Self { format: args.format(), has_headings })
    }

    pub(crate) fn heading(&mut self, scope: Scope<'_>) -> Result<()> {
        if self.format == Format::Text && self.has_headings {
            writeln!(io::stdout().lock(), "=====> {} ps properties", scope.as_str())?;
        }
        Ok(())
    }

    pub(crate) fn row(&mut self, row: &Row) -> Result<()> {
        let value = row.value.as_deref().unwrap_or_default();
        match self.format {
            Format::Text => {
                let name = format!("{}:", row.property);
                let (source, note) = (row.source, note(row));
                writeln!(io::stdout().lock(), "       {name:<22} {source:<8} {value}{note}")?;
            }
            Format::Json => writeln!(io::stdout().lock(), "{}", serde_json::to_string(row)?)?,
            Format::Csv => {
                csv_line(&[&row.app, &row.property, value, row.source, row.default.unwrap_or_default()])?;
            }
        }
        Ok(())
    }
}

/// The default, as a remark after a value that differs from it.
fn note(row: &Row) -> String {
    match row.default {
        Some(default) if row.is_nonsense => format!(" (makes no sense: {default} counts)"),
        Some(default) if row.value.as_deref() != Some(default) => format!(" (default: {default})"),
        _ => String::new(),
    }
}

fn csv_line(fields: &[&str]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(io::stdout().lock());
    writer.write_record(fields)?;
    Ok(writer.flush()?)
}
