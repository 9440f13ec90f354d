//! `logs`: prints the last lines of the logs, and follows them until it is interrupted.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ps_cli::exit::{self, Outcome};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use serde_json::json;

use crate::args::Args;
use crate::book::Book;
use crate::home::Home;
use crate::log_date;
use crate::say::{self, paint};
use crate::session::Session;
use crate::target;

/// How many past lines are shown by default.
const LINES: usize = 15;
/// How much of the end of a log is read for them, in bytes.
const PAST: u64 = 1 << 20;
/// How much of what is new is read at once, in bytes, and how long a line is waited for.
const PART: u64 = 1 << 20;
const COLOURS: [&str; 6] = ["34", "32", "35", "36", "33", "31"];

/// One log that is read.
struct Log {
    name: String,
    id: u64,
    is_err: bool,
    /// How the date before its lines is written, if the app asks for one.
    date: Option<String>,
    path: PathBuf,
    at: u64,
    /// A line that has not ended yet.
    rest: Vec<u8>,
}

/// The logs that are shown, by the id of the instance and whether it is that of stderr.
type Logs = BTreeMap<(u64, bool), Log>;

/// Shows them. Without a word about lines only what is written from now on.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let word = session.subjects().first().map(String::as_str).filter(|word| *word != "all");
    let is_json = session.args.json || session.args.raw;
    if !is_json {
        let which = word.unwrap_or("all");
        say::plain(format_args!("########### Starting streaming logs for [{which}] process"))?;
    }
    let notify = inotify::init(CreateFlags::CLOEXEC).context("watch the logs")?;
    let mut logs = BTreeMap::new();
    let mut watched: Vec<PathBuf> = Vec::new();
    let length = |path: &Path| path.metadata().map_or(0, |log| log.len());
    let past = lengths(&session.home);
    follow_new(session, word, (&mut logs, &length), &mut watched, &notify)?;
    if let Some(word) = word.filter(|_| logs.is_empty()) {
        say::warning(format_args!("no app is called {word}"));
    }
    let lines = session.args.lines.or(session.args.nostream.then_some(LINES)).unwrap_or(0);
    for log in logs.values_mut() {
        show_past(&session.args, log, lines)?;
    }
    if session.args.nostream {
        return Ok(Outcome::Done);
    }
    exit::end_with_reader();
    let mut room = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(&notify, &mut room);
    // The log of an app that comes later is shown from its beginning: its first lines may be there before it is noticed.
    let begin = |path: &Path| match past.get(path) {
        Some(length) => *length,
        None if path.parent() == Some(&*session.home.logs()) => 0,
        None => length(path),
    };
    loop {
        let event = events.next().context("watch the logs")?;
        // The list of apps is moved into its place.
        if event.events().intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            follow_new(session, word, (&mut logs, &begin), &mut watched, &notify)?;
        }
        for log in logs.values_mut() {
            show_new(&session.args, log)?;
        }
    }
}

/// What is written into the logs of all apps, looked at again and again.
pub(crate) struct Stream {
    logs: Logs,
    /// How long the logs were that were there before, in bytes.
    past: BTreeMap<PathBuf, u64>,
}

impl Stream {
    /// Before the first app is started.
    pub(crate) fn begin(home: &Home) -> Self {
        Self { logs: BTreeMap::new(), past: lengths(home) }
    }

    /// Looks which apps there are.
    pub(crate) fn look_for_new(&mut self, session: &Session) -> Result<()> {
        let past = &self.past;
        let begin = |path: &Path| past.get(path).copied().unwrap_or(0);
        add_new(session, None, &mut self.logs, &begin).map(drop)
    }

    /// Shows what is new.
    pub(crate) fn show(&mut self, args: &Args) -> Result<()> {
        self.logs.values_mut().try_for_each(|log| show_new(args, log))
    }
}

/// How long the files in the directory of the logs are, in bytes.
fn lengths(home: &Home) -> BTreeMap<PathBuf, u64> {
    let files = std::fs::read_dir(home.logs()).into_iter().flatten().flatten();
    files.filter_map(|file| Some((file.path(), file.metadata().ok()?.len()))).collect()
}

/// Adds the logs of instances that are new. `begin`: where each of them begins to be shown, in bytes.
fn follow_new(
    session: &Session,
    word: Option<&str>,
    (logs, begin): (&mut Logs, &dyn Fn(&Path) -> u64),
    watched: &mut Vec<PathBuf>,
    notify: &rustix::fd::OwnedFd,
) -> Result<()> {
    // The list says which instances there are.
    let mut directories = vec![session.home.own(), session.home.logs()];
    directories.extend(add_new(session, word, logs, begin)?);
    for directory in directories {
        if !watched.contains(&directory) {
            let what = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
            inotify::add_watch(notify, &directory, what)
                .with_context(|| format!("watch {}", directory.display()))?;
            watched.push(directory);
        }
    }
    Ok(())
}

/// The same without a watch on their directories, which are returned. `begin`: where what is new begins in a log, in bytes.
fn add_new(
    session: &Session,
    word: Option<&str>,
    logs: &mut Logs,
    begin: &dyn Fn(&Path) -> u64,
) -> Result<Vec<PathBuf>> {
    let book = Book::read(&session.home)?;
    let pattern = word.map(target::pattern).transpose()?.flatten();
    let is_called = |name: &str, word: &str| match &pattern {
        Some(pattern) => pattern.is_match(name),
        None => name == word,
    };
    let mut directories = Vec::new();
    for app in &book.apps {
        let date = log_date::format_of(&app.shown);
        for instance in &app.instances {
            let is_meant =
                word.is_none_or(|word| is_called(&app.name, word) || instance.id.to_string() == word);
            for is_err in [false, true] {
                let is_wanted = if is_err { !session.args.out } else { !session.args.err };
                if !is_meant || !is_wanted || logs.contains_key(&(instance.id, is_err)) {
                    continue;
                }
                let path = if is_err { app.err_of(instance.id) } else { app.out_of(instance.id) };
                directories.extend(path.parent().map(PathBuf::from));
                let at = begin(&path);
                let (name, id, date) = (app.name.clone(), instance.id, date.clone());
                logs.insert((id, is_err), Log { name, id, is_err, date, path, at, rest: Vec::new() });
            }
        }
    }
    Ok(directories)
}

fn show_past(args: &Args, log: &Log, lines: usize) -> Result<()> {
    if lines == 0 {
        return Ok(());
    }
    let text = read(log, log.at.saturating_sub(PAST), log.at)?;
    let mut all: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if all.last().is_some_and(|last| last.is_empty()) {
        all.pop();
    }
    for line in &all[all.len().saturating_sub(lines)..] {
        // The file does not say when its lines were written.
        show(args, log, line, None)?;
    }
    Ok(())
}

fn show_new(args: &Args, log: &mut Log) -> Result<()> {
    let now = log.path.metadata().map_or(0, |log| log.len());
    if now < log.at {
        // The file was truncated.
        log.at = 0;
        log.rest.clear();
    }
    while log.at < now {
        let text = read(log, log.at, now.min(log.at + PART))?;
        if text.is_empty() {
            break;
        }
        log.at += text.len() as u64;
        log.rest.extend(text);
        show_whole(args, log)?;
    }
    Ok(())
}

/// Shows the lines that have ended, and one that is too long to wait for.
fn show_whole(args: &Args, log: &mut Log) -> Result<()> {
    let mut rest = std::mem::take(&mut log.rest);
    let (mut begin, now) = (0, Some(Timestamp::now()));
    while let Some(length) = rest[begin..].iter().position(|byte| *byte == b'\n') {
        show(args, log, &rest[begin..begin + length], now)?;
        begin += length + 1;
    }
    rest.drain(..begin);
    if rest.len() as u64 >= PART {
        show(args, log, &rest, now)?;
        rest.clear();
    }
    log.rest = rest;
    Ok(())
}

fn read(log: &Log, from: u64, to: u64) -> Result<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = match File::open(&log.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        file.seek(SeekFrom::Start(from))?;
        let mut text = Vec::new();
        file.take(to - from).read_to_end(&mut text)?;
        Ok(text)
    };
    read().with_context(|| format!("read {}", log.path.display()))
}

/// Shows a line, and when it was read, if it came while it was waited for.
fn show(args: &Args, log: &Log, line: &[u8], at: Option<Timestamp>) -> Result<()> {
    let is_apart = log.is_err && args.streams_are_of_apps;
    let mut out: Box<dyn Write> =
        if is_apart { Box::new(io::stderr().lock()) } else { Box::new(io::stdout().lock()) };
    let kind = if log.is_err { "err" } else { "out" };
    if args.json {
        let message = String::from_utf8_lossy(line);
        let line = json!({"message": message, "timestamp": at.map(|at| at.to_string()), "type": kind, "process_id": log.id, "app_name": log.name});
        writeln!(out, "{line}")?;
        return Ok(());
    }
    if !args.raw {
        let colour = COLOURS[usize::try_from(log.id).unwrap_or(0) % COLOURS.len()];
        let millis = at.map(|at| at.round(jiff::Unit::Millisecond).unwrap_or(at).to_string());
        let millis = millis.as_deref().unwrap_or("-");
        let before = format!("[{}-{} ({kind}) {millis}]", log.name, log.id);
        write!(out, "{} ", paint(colour, &before, io::stdout().is_terminal()))?;
    }
    if let (Some(format), Some(at)) = (&log.date, at) {
        write!(out, "{}: ", log_date::dated(format, &at.to_zoned(TimeZone::system())))?;
    }
    out.write_all(line)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}
