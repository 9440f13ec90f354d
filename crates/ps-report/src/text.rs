//! The report as text, byte for byte as Dokku's `ps:report` prints it: one line for each flag, sorted by its name.
//! `--ps-can-scale` is printed as `Ps can scale:`, and the column is as wide as the longest of these, but at least 31
//! bytes.

use std::io::{self, Write};

use crate::row::Row;

/// The smallest width of the first column in Dokku's report.
const LEAST_WIDTH: usize = 31;

/// Prints every value of a row, with a header above them if it is wanted.
pub(crate) fn report(row: &Row, header: bool, out: &mut dyn Write) -> io::Result<()> {
    if header {
        writeln!(out, "=====> {} ps information", row.name)?;
    }
    let width = row.values.keys().map(|flag| flag.len()).max().unwrap_or(0).max(LEAST_WIDTH);
    for (flag, value) in &row.values {
        line(&label(flag), value, width, out)?;
    }
    match row.error() {
        Some(error) => line("Error:", &error, width, out),
        None => Ok(()),
    }
}

/// The text for a flag: `Ps can scale` for `--ps-can-scale`.
fn label(flag: &str) -> String {
    let words = flag.trim_start_matches("--").replace(['-', '.'], " ");
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}:", first.unwrap_or_default(), characters.as_str())
}

/// Width is counted in bytes, not in characters, and at least one blank follows the label.
fn line(label: &str, value: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let padding = width.saturating_sub(label.len());
    writeln!(out, "       {label}{:padding$}{value}", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_flag_with_its_dashes_decides_the_column() {
        let mut row = Row::new("demo");
        row.values.insert("--running".into(), "true".into());
        let mut out = Vec::new();
        report(&row, false, &mut out).expect("memory");
        assert_eq!(String::from_utf8_lossy(&out), format!("       {:31}true\n", "Running:"));
        row.values.insert(format!("--status-{}.1", "x".repeat(60)).into(), "running".into());
        out.clear();
        report(&row, true, &mut out).expect("memory");
        let expected = format!(
            "=====> demo ps information\n       {:71}true\n       Status {} 1: running\n",
            "Running:",
            "x".repeat(60)
        );
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
