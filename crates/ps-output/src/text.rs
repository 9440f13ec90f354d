//! Prints lines as text: with a prefix for instance and time, in colours, and with control characters made visible.

use std::io::{self, Write};
use std::time::SystemTime;

use formation::AppName;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use ps_scheduler::LogLine;

use crate::key::Key;
use crate::pattern::Pattern;

/// The colours of prefixes, as numbers of ECMA-48. They are readable on dark and on light backgrounds.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// How the times of lines are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// Not at all.
    #[default]
    None,
    /// In the time zone of the reader.
    Local,
    /// In UTC.
    Utc,
}

/// The look of lines.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Look {
    /// Whether there is a prefix.
    pub has_prefix: bool,
    /// Whether the prefix names the app.
    pub names_app: bool,
    /// Whether the prefix has a time, and in which zone.
    pub times: Times,
    /// Whether control characters are made visible instead of being sent, and times are short: for a terminal.
    pub is_for_terminal: bool,
    /// Whether colours are used.
    pub has_colours: bool,
    /// Patterns whose matches are highlighted, if colours are used.
    pub highlight: Vec<Pattern>,
}

/// Writes lines as text.
#[derive(Debug)]
pub struct Text {
    look: Look,
    zone: TimeZone,
    /// The instances that had a line; the position of each determines its colour.
    seen: Vec<(AppName, formation::Slot)>,
    /// The source of the line that was printed last, if it is incomplete.
    begun: Option<Key>,
    /// The time of the last line as text: lines that were captured together have the same time.
    written: Option<(SystemTime, String)>,
}

impl Text {
    /// A writer for this look.
    pub fn new(look: Look) -> Self {
        let zone = if look.times == Times::Utc { TimeZone::UTC } else { TimeZone::system() };
        Self { look, zone, seen: Vec::new(), begun: None, written: None }
    }

    /// Writes a line of an app.
    pub fn write(&mut self, out: &mut dyn Write, app: &AppName, line: &LogLine) -> io::Result<()> {
        let key = Key::of(app, line);
        let goes_on = line.shown > 0 && self.begun.as_ref() == Some(&key);
        let bytes = if goes_on { &line.bytes[line.shown.min(line.bytes.len())..] } else { &line.bytes[..] };
        if self.begun.take().is_some() && !goes_on {
            out.write_all(b"\n")?;
        }
        if !goes_on {
            self.prefix(out, &key, line.at)?;
        }
        self.content(out, bytes)?;
        if line.is_begun {
            self.begun = Some(key);
            return Ok(());
        }
        out.write_all(b"\n")
    }

    fn prefix(&mut self, out: &mut dyn Write, key: &Key, at: Option<SystemTime>) -> io::Result<()> {
        if !self.look.has_prefix {
            return Ok(());
        }
        if self.look.times != Times::None {
            let is_written = at.is_some() && self.written.as_ref().map(|(at, _)| *at) == at;
            if !is_written {
                let time = |at| Some((at, self.time(Timestamp::try_from(at).ok()?)));
                self.written = at.and_then(time);
            }
            let time = self.written.as_ref().map_or("-", |(_, time)| time);
            out.write_all(time.as_bytes())?;
            out.write_all(b" ")?;
        }
        let name = if self.look.names_app { format!("{}/", key.app) } else { String::new() };
        if !self.look.has_colours {
            return write!(out, "{name}{} | ", key.slot);
        }
        let writer = (key.app.clone(), key.slot.clone());
        let place = self.seen.iter().position(|seen| *seen == writer).unwrap_or_else(|| {
            self.seen.push(writer);
            self.seen.len() - 1
        });
        write!(out, "\x1b[{}m{name}{} |\x1b[0m ", COLOURS[place % COLOURS.len()], key.slot)
    }

    /// The time as text. On a terminal, times of today have no date.
    fn time(&self, at: Timestamp) -> String {
        let at: Zoned = at.to_zoned(self.zone.clone());
        if !self.look.is_for_terminal {
            return at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
        }
        let is_today = at.date() == Timestamp::now().to_zoned(self.zone.clone()).date();
        at.strftime(if is_today { "%H:%M:%S" } else { "%b %d %H:%M:%S" }).to_string()
    }

    fn content(&self, out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
        let mut places: Vec<(usize, usize)> = Vec::new();
        if self.look.has_colours {
            places = self.look.highlight.iter().flat_map(|pattern| pattern.places(bytes)).collect();
            places.sort_unstable();
        }
        let mut written = 0;
        for (begin, end) in places {
            // Matches of several patterns may overlap.
            let begin = begin.max(written);
            if end <= begin {
                continue;
            }
            self.harmless(out, &bytes[written..begin])?;
            out.write_all(b"\x1b[1;7m")?;
            self.harmless(out, &bytes[begin..end])?;
            out.write_all(b"\x1b[0m")?;
            written = end;
        }
        self.harmless(out, &bytes[written..])
    }

    /// On a terminal, control characters are replaced, so that a log cannot control it.
    fn harmless(&self, out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
        if !self.look.is_for_terminal {
            return out.write_all(bytes);
        }
        for c in String::from_utf8_lossy(bytes).chars() {
            if c.is_control() && c != '\t' {
                write!(out, "{}", c.escape_default())?;
            } else {
                write!(out, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use formation::Stream;

    use super::*;

    fn line(slot: &str, text: &str, shown: usize, is_begun: bool) -> LogLine {
        LogLine {
            slot: slot.parse().expect("a slot"),
            run: None,
            stream: Stream::Stdout,
            at: Some(UNIX_EPOCH + Duration::from_millis(1_500)),
            bytes: text.as_bytes().to_vec(),
            shown,
            is_begun,
        }
    }

    fn written(look: Look, lines: &[LogLine]) -> String {
        let app = "shop".parse().expect("an app");
        let (mut text, mut out) = (Text::new(look), Vec::new());
        for line in lines {
            text.write(&mut out, &app, line).expect("memory");
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_line_that_was_begun_goes_on_where_it_stands_or_is_written_again_as_a_whole() {
        let look = Look { has_prefix: true, ..Look::default() };
        let begun = line("web.1", "Pass", 0, true);
        let more = line("web.1", "Password: ", 4, true);
        let whole = line("web.1", "Password: x", 10, false);
        let other = line("web.2", "hello", 0, false);
        let alone = written(look.clone(), &[begun.clone(), more.clone(), whole.clone()]);
        assert_eq!(alone, "web.1 | Password: x\n");
        let between = written(look, &[begun, other, whole]);
        assert_eq!(between, "web.1 | Pass\nweb.2 | hello\nweb.1 | Password: x\n");
    }

    #[test]
    fn a_prefix_has_a_time_and_the_app_where_that_is_wanted_and_a_terminal_obeys_nothing() {
        let look = Look { has_prefix: true, names_app: true, times: Times::Utc, ..Look::default() };
        let lines = [line("web.1", "a\u{1b}[2Jb", 0, false)];
        let plain = "1970-01-01T00:00:01.500+00:00 shop/web.1 | a\u{1b}[2Jb\n";
        assert_eq!(written(look.clone(), &lines), plain);
        let terminal = Look { is_for_terminal: true, ..look };
        assert_eq!(written(terminal, &lines), "Jan 01 00:00:01 shop/web.1 | a\\u{1b}[2Jb\n");
    }

    #[test]
    fn what_is_highlighted_is_so_once_though_patterns_overlap_and_each_instance_has_a_colour() {
        let highlight = ["bc", "cd"].map(|pattern| pattern.parse().expect("a pattern")).into();
        let look = Look { has_prefix: true, has_colours: true, highlight, ..Look::default() };
        let text = written(look, &[line("web.1", "abcde", 0, false), line("web.2", "x", 0, false)]);
        let first = "\u{1b}[36mweb.1 |\u{1b}[0m a\u{1b}[1;7mbc\u{1b}[0m\u{1b}[1;7md\u{1b}[0me\n";
        assert_eq!(text, format!("{first}\u{1b}[33mweb.2 |\u{1b}[0m x\n"));
    }
}
