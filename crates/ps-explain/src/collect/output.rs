//! The last output of an instance, with the file and the byte of each line.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use formation::{Exit, Slot, Stream, Which};
use jiff::{SignedDuration, Timestamp};
use ps_scheduler::{LogLine, LogRequest};
use ps_service::Service;
use ps_supervisor::{OwnOutputs, Status};

use super::clock;
use super::look::Look;
use super::plain::Plain;
use crate::facts::{Known, Line};
use crate::{patterns, rules};

/// How many lines of each stream are looked at, without the frames of errors.
const LINES: usize = 60;
/// How many lines more that belong to what stands above them: Node prints all fields of an error, and of what these have, behind its headline, and
/// Go all calls.
const INDENTED: usize = 1000;
/// How many lines of each stream are read: a report of an error that has exhausted the stack has a thousand frames.
const READ: usize = 1200;
/// Times of lines are known to the second.
const ABOUT: Duration = Duration::from_secs(2);
/// How much of the end of a log is searched for a line.
const SEARCHED: u64 = 1 << 18;

/// So many bytes of a line are read. A program that writes megabytes without a line end mostly writes data.
const LONGEST: usize = 1 << 16;

/// How often the log of a container is read again that has just ended, and whose last lines its engine has not written yet.
const READ_AGAIN: u32 = 4;
const SOON: Duration = Duration::from_millis(100);

/// The last lines that it wrote before its end, or before now.
pub(super) fn lines(look: &Look<'_>, slot: &Slot, known: &Known, until: Option<Timestamp>) -> Vec<Line> {
    // When a container ended is not known here.
    let is_unwritten =
        known.end.as_ref().is_some_and(|end| end.at.is_none() && end.exit != Some(Exit::Code(0)));
    let mut lines = written(look, slot, known, until);
    for _ in 0..READ_AGAIN {
        if !lines.is_empty() || !is_unwritten || known.state.is_alive() {
            break;
        }
        std::thread::sleep(SOON);
        lines = written(look, slot, known, until);
    }
    lines
}

fn written(look: &Look<'_>, slot: &Slot, known: &Known, until: Option<Timestamp>) -> Vec<Line> {
    let end = known.end.as_ref();
    let ended_at = end.and_then(|end| end.at);
    // Where the clock was set since, the log tells its lines by another clock than the journal its entries.
    let ahead = ended_at.map(|at| clock::ahead(&look.entries, at, &look.present)).unwrap_or_default();
    let ended = ended_at.and_then(|at| at.checked_add(ahead).ok()).map(SystemTime::from);
    let begun = ended.zip(end.and_then(|end| end.lived_ms));
    let since = begun.and_then(|(ended, lived)| ended.checked_sub(Duration::from_millis(lived) + ABOUT));
    // By the time of a file nothing was written to it since then: that time is told by the clock of before.
    let since = since.filter(|_| !ahead.is_positive());
    let until = ended.or(until.map(SystemTime::from)).and_then(|until| until.checked_add(ABOUT));
    let Ok(scheduler) = ps_schedulers::of(look.world, look.app) else { return Vec::new() };
    let request = LogRequest {
        since,
        until,
        is_by_time: true,
        ..LogRequest::last(look.app.clone(), Which::Slot(slot.clone()), Some(READ))
    };
    let mut found = Vec::new();
    // Without output there is less to say; that is no reason to say nothing.
    let _ = scheduler.logs(&request, &mut |line: &LogLine| {
        found.push(cut(line));
        ControlFlow::Continue(())
    });
    let directory = Service::of(look.world, look.app, None).instance(slot);
    let begin = if known.state.is_alive() { None } else { begin(&directory, known.run) };
    let mut plain = [Plain::default(), Plain::default()];
    let mut lines: Vec<Line> = last(&found)
        .flat_map(|line| {
            let said =
                plain[usize::from(line.stream == Stream::Stderr)].of(&String::from_utf8_lossy(&line.bytes));
            shown(look, &directory, line, ahead, said)
        })
        .collect();
    lines.retain(|line| begin.as_ref().is_none_or(|begin| !is_of_earlier(line, begin)));
    lines
}

/// A line without what makes it too long to be judged.
fn cut(line: &LogLine) -> LogLine {
    let bytes = line.bytes[..line.bytes.len().min(LONGEST)].to_vec();
    LogLine { slot: line.slot.clone(), bytes, ..*line }
}

/// The last lines of each stream that are no frames, or frames that tell which error it was, in the order that they have. Of each stack the
/// innermost frame stays: it tells where the error came up.
fn last(found: &[LogLine]) -> impl Iterator<Item = &LogLine> {
    let is_frame = |at: usize, line: &LogLine| {
        let text = line.bytes.trim_ascii_start();
        is_frame(line)
            && !patterns::is_of_environment(&String::from_utf8_lossy(text))
            && !is_innermost(found, at)
            || is_help_of_npm(found, at)
    };
    let mut left = [[LINES, INDENTED]; 2];
    let mut kept: Vec<&LogLine> = Vec::new();
    for (_, line) in found.iter().enumerate().rev().filter(|(at, line)| !is_frame(*at, line)) {
        let is_indented =
            line.bytes.starts_with(b"    ") || rules::belongs_above(&String::from_utf8_lossy(&line.bytes));
        let left = &mut left[usize::from(line.stream == Stream::Stderr)][usize::from(is_indented)];
        if *left > 0 {
            *left -= 1;
            kept.push(line);
        }
    }
    kept.into_iter().rev()
}

/// Whether a line is of the help that npm prints behind an error of its own: more than a hundred lines, of which the first tell what was wrong.
fn is_help_of_npm(found: &[LogLine], at: usize) -> bool {
    const TELL: usize = 8;
    let is_npm = |line: &LogLine| line.bytes.starts_with(b"npm error") || line.bytes.starts_with(b"npm ERR!");
    let is_code = |line: &LogLine| {
        line.bytes.starts_with(b"npm error code ") || line.bytes.starts_with(b"npm ERR! code ")
    };
    let before = found[..at].iter().rev().filter(|other| other.stream == found[at].stream).take(TELL);
    is_npm(&found[at])
        && before.clone().count() == TELL
        && before.clone().all(is_npm)
        && !before.clone().any(is_code)
}

fn is_frame(line: &LogLine) -> bool {
    let text = line.bytes.trim_ascii_start();
    text.len() < line.bytes.len() && (text.starts_with(b"at ") || text.starts_with(b"File \""))
}

/// Whether a frame is the innermost one of the app's own code: Python writes it last, Node and Java write it first.
fn is_innermost(found: &[LogLine], at: usize) -> bool {
    let line = &found[at];
    let same = |other: &&LogLine| other.stream == line.stream;
    let is_own =
        |line: &LogLine| is_frame(line) && !rules::is_of_library(&String::from_utf8_lossy(&line.bytes));
    if !is_own(line) {
        return false;
    }
    if line.bytes.trim_ascii_start().starts_with(b"at ") {
        let mut before = found[..at].iter().rev().filter(same).take_while(|other| is_frame(other));
        return !before.any(is_own);
    }
    let mut below = found[at + 1..].iter().filter(same).take_while(|other| other.bytes.starts_with(b" "));
    !below.any(is_own)
}

/// Where the output of a run begins in a stream: the file, the byte in it, and the files before it.
#[derive(Debug, Default)]
struct Begin {
    path: PathBuf,
    offset: u64,
    earlier: Vec<PathBuf>,
}

/// The same of each stream of a native instance, as its status says; `None` where that is about another run than the one that is explained.
fn begin(directory: &Path, run: Option<u64>) -> Option<[Begin; 2]> {
    if let Some(own) = OwnOutputs::read(directory) {
        let of = |stream| {
            let place = own.of(stream);
            Begin { path: place.path.clone(), offset: place.begin, earlier: Vec::new() }
        };
        return Some([of(Stream::Stdout), of(Stream::Stderr)]);
    }
    let status = Status::read(directory).ok().flatten()?;
    if run.is_some_and(|run| run != status.run) {
        return None;
    }
    let of = |stream| {
        let place = status.log_place(stream);
        let log = ps_supervisor::log(directory, stream);
        let segments = log.segments().unwrap_or_default().into_iter();
        let earlier = segments.filter(|segment| *segment < place.segment).map(|segment| log.path(segment));
        Begin { path: log.path(place.segment), offset: place.offset, earlier: earlier.collect() }
    };
    Some([of(Stream::Stdout), of(Stream::Stderr)])
}

/// Whether a run before the last one wrote the line: into an earlier file, or into the one in which the last one went on.
fn is_of_earlier(line: &Line, begin: &[Begin; 2]) -> bool {
    let begin = &begin[usize::from(line.stream == Stream::Stderr)];
    let Some((path, at)) = &line.place else { return false };
    begin.earlier.contains(path) || (*path == begin.path && *at < begin.offset)
}

/// A line that was written, as the lines that it says, by the clock of the journal, of which the log's is so far ahead.
fn shown(
    look: &Look<'_>,
    directory: &Path,
    line: &LogLine,
    ahead: SignedDuration,
    said: Vec<String>,
) -> Vec<Line> {
    let place = place(directory, line.stream, &line.bytes);
    let at = line.at.and_then(|at| Timestamp::try_from(at).ok()?.checked_sub(ahead).ok());
    let shown = |written: String| Line {
        text: look.secrets.hide(&written),
        written,
        stream: line.stream,
        at,
        place: place.clone(),
    };
    said.into_iter().map(shown).collect()
}

/// The last place of a line in the logs of a native instance. What was packed since has none.
fn place(directory: &Path, stream: Stream, line: &[u8]) -> Option<(PathBuf, u64)> {
    if let Some(own) = OwnOutputs::read(directory)
        && let Some(at) = find(&own.of(stream).path, line)
    {
        return Some((own.of(stream).path.clone(), at));
    }
    let log = ps_supervisor::log(directory, stream);
    let paths = log.segments().ok()?.into_iter().rev().map(|segment| log.path(segment));
    paths.into_iter().find_map(|path| find(&path, line).map(|at| (path, at)))
}

/// The byte at which a line begins, the last one of equals.
fn find(path: &Path, line: &[u8]) -> Option<u64> {
    let mut file = File::open(path).ok().filter(|_| !line.is_empty())?;
    let begin = file.metadata().ok()?.len().saturating_sub(SEARCHED);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(begin)).ok()?;
    file.take(SEARCHED).read_to_end(&mut bytes).ok()?;
    let is_line = |at: usize| {
        let ends = line.len() == LONGEST
            || bytes.get(at + line.len()).is_none_or(|byte| matches!(byte, b'\n' | b'\r'));
        ends && (at == 0 || bytes[at - 1] == b'\n')
    };
    let at =
        bytes.windows(line.len()).enumerate().rev().find(|(at, window)| *window == line && is_line(*at))?.0;
    Some(begin + at as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_wrote_is_told_by_the_file_and_the_byte() {
        let begin = Begin { path: "err.2.0".into(), offset: 40, earlier: vec!["err.1.0".into()] };
        let begin = [Begin::default(), begin];
        let line = |path: &str, at| Line {
            place: Some((path.into(), at)),
            ..Line::of_test(Stream::Stderr, "db: connection refused")
        };
        for (path, at, is_earlier) in
            [("err.1.0", 90, true), ("err.2.0", 39, true), ("err.2.0", 40, false), ("err.2.1", 0, false)]
        {
            assert_eq!(is_of_earlier(&line(path, at), &begin), is_earlier, "{path} {at}");
        }
        assert!(!is_of_earlier(&Line::of_test(Stream::Stderr, "db: connection refused"), &begin));
    }

    #[test]
    fn of_a_line_of_megabytes_the_beginning_is_read_and_it_is_found_where_it_stands() {
        let mut text = b"before\n".to_vec();
        text.extend(vec![b'y'; LONGEST + (1 << 16)]);
        text.extend(b"\nafter\n");
        let long = LogLine {
            slot: "web.1".parse().expect("a slot"),
            run: None,
            stream: Stream::Stdout,
            at: None,
            bytes: text[7..text.len() - 7].to_vec(),
            shown: 0,
            is_begun: false,
        };
        let cut = cut(&long);
        assert_eq!(cut.bytes.len(), LONGEST);
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        std::fs::write(&path, &text).expect("a file");
        assert_eq!(find(&path, &cut.bytes), Some(7));
        assert_eq!(find(&path, b"y"), None, "the beginning of a line is no line");
    }

    #[test]
    fn of_each_stack_the_innermost_frame_of_the_app_stays() {
        let line = |text: &str| LogLine {
            slot: "web.1".parse().expect("a slot"),
            run: None,
            stream: Stream::Stderr,
            at: None,
            bytes: text.as_bytes().to_vec(),
            shown: 0,
            is_begun: false,
        };
        let text = "Traceback (most recent call last):
  File \"/srv/app.py\", line 1, in <module>
    outer()
  File \"/srv/app.py\", line 7, in inner
    json.loads(text)
  File \"/usr/lib/python3.11/json/__init__.py\", line 346, in loads
    return decode(text)
Broken: lost
Error: lost
    at parse (node:url:3:4)
    at inner (/srv/app.js:7:1)
    at outer (/srv/app.js:1:1)";
        let found: Vec<LogLine> = text.lines().map(line).collect();
        let kept: Vec<_> =
            last(&found).map(|line| String::from_utf8_lossy(line.bytes.trim_ascii()).into_owned()).collect();
        let frames: Vec<_> =
            kept.iter().filter(|line| line.starts_with("at ") || line.starts_with("File ")).collect();
        assert_eq!(frames, ["File \"/srv/app.py\", line 7, in inner", "at inner (/srv/app.js:7:1)"]);
        assert_eq!(kept.len(), found.len() - 4, "nothing but frames is left out: {kept:?}");
        let mut npm = vec![line("npm error code EUSAGE"), line("npm error There is no lock file")];
        npm.extend((0..100).map(|_| line("npm error   --an-option")));
        let kept: Vec<_> = last(&npm).collect();
        assert!(kept.len() == 9 && kept[1].bytes.ends_with(b"no lock file"), "{kept:?}");
    }
}
