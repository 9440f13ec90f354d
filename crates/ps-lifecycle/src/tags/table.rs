//! The table of tags, in the format of `docker images`.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ps_scheduler_docker::ImageTag;

const HEADINGS: [&str; 5] = ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"];
/// The number of blanks between two columns.
const GAP: usize = 3;
const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

pub(super) fn write(out: &mut impl Write, tags: &[ImageTag]) -> io::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let cells = |tag: &ImageTag| {
        let id = tag.id.strip_prefix("sha256:").unwrap_or(&tag.id).chars().take(12).collect();
        let age = format!("{} ago", age(now.saturating_sub(tag.created)));
        [tag.repository.clone(), tag.tag.clone(), id, age, size(tag.size)]
    };
    let lines: Vec<[String; 5]> =
        std::iter::once(HEADINGS.map(str::to_owned)).chain(tags.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0) + GAP;
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", padded.concat().trim_end())?;
    }
    Ok(())
}

/// An age in its largest fitting unit.
fn age(since: Duration) -> String {
    let seconds = since.as_secs();
    let (minutes, hours) = (seconds / 60, (seconds / 60 + 30) / 60);
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// A size in decimal units, with three digits.
fn size(bytes: u64) -> String {
    let (mut whole, mut rest, mut unit) = (bytes, 0, 0);
    while whole >= 1000 && unit + 1 < UNITS.len() {
        (rest, whole, unit) = (whole % 1000, whole / 1000, unit + 1);
    }
    let digits = match whole {
        0..10 => format!("{whole}.{:02}", rest / 10),
        10..100 => format!("{whole}.{}", rest / 100),
        _ => whole.to_string(),
    };
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    format!("{digits}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (4_260_000, "4.26MB"),
            (77_900_000, "77.9MB"),
            (1_025_000_000, "1.02GB"),
            (1000, "1kB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (125, "2 minutes"),
            (3600, "About an hour"),
            (2 * 3600, "2 hours"),
            (3 * 86_400, "3 days"),
            (21 * 86_400, "3 weeks"),
            (100 * 86_400, "3 months"),
            (800 * 86_400, "2 years"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text, "{seconds}");
        }
    }
}
