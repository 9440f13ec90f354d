//! One line for each app. The columns do not depend on the running instances: one column holds the statuses of all of
//! them.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use csv::Writer;
use ps_cli::exit::Refusal;

use crate::flags::{self, STATUS};
use crate::row::Row;

/// The columns without `--columns`.
fn all() -> Vec<String> {
    let mut keys: Vec<&str> = flags::OF_APPS.iter().map(|(flag, _)| flags::keys(flag).0).collect();
    keys.extend([flags::keys(flags::LISTEN).0, "status"]);
    keys.sort_unstable();
    ["app"].into_iter().chain(keys).chain(["error"]).map(str::to_owned).collect()
}

/// The chosen columns; all of them if none was chosen. Exit status 2 if one of them does not exist.
pub(crate) fn columns(wanted: Option<&[String]>) -> Result<Vec<String>> {
    let known = all();
    let is_known = |column: &str| {
        let plain = column.strip_prefix("ps-").unwrap_or(column);
        column.starts_with("status-") || known.iter().any(|name| name == plain)
    };
    match wanted.unwrap_or_default().iter().find(|column| !is_known(column)) {
        Some(unknown) => {
            let known = known.join(", ");
            Err(Refusal::usage(format!("there is no column {unknown:?}; the columns are: {known}")))
        }
        None => Ok(wanted.map_or(known, <[String]>::to_vec)),
    }
}

/// Writes the line with the names of the columns.
pub(crate) fn header(columns: &[String], out: &mut dyn Write) -> Result<()> {
    write(columns, out)
}

/// Writes the line of an app.
pub(crate) fn line(row: &Row, columns: &[String], out: &mut dyn Write) -> Result<()> {
    let fields: Result<Vec<String>> = columns.iter().map(|column| field(row, column)).collect();
    write(&fields?, out)
}

fn write(fields: &[String], out: &mut dyn Write) -> Result<()> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    Ok(out.write_all(&writer.into_inner()?)?)
}

fn field(row: &Row, column: &str) -> Result<String> {
    Ok(match column {
        "app" => row.name.clone(),
        "error" => row.error().unwrap_or_default(),
        "status" => statuses(row)?,
        key => {
            let flags = [format!("--{key}"), format!("--ps-{key}")];
            flags.iter().find_map(|flag| row.values.get(flag.as_str())).cloned().unwrap_or_default()
        }
    })
}

/// The statuses of all instances as one JSON object: `{"web.1":"running (PID: 4242)"}`.
fn statuses(row: &Row) -> Result<String> {
    let of_slots = row.values.iter().filter_map(|(flag, value)| Some((flag.strip_prefix(STATUS)?, value)));
    Ok(serde_json::to_string(&of_slots.collect::<BTreeMap<_, _>>())?)
}
