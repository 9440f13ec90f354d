//! `status`: the address of each app, and one row per instance. Each scheduler is asked once for all of its apps.

mod column;
mod host;
mod now;
mod past;
mod reached;
mod table;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::thread;
use std::time::SystemTime;

use anyhow::Result;
use formation::{Slot, Which};
use jiff::Timestamp;
use ps_apps::App;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::{Format, say, worlds};
use ps_rows::StatusRow;
use ps_scheduler::AppStatus;

use crate::args::StatusArgs;
use crate::session::Session;
use crate::stop;
pub(crate) use column::Column;
use column::slot;
use table::Shown;

/// Moves the cursor to the top left corner of the screen.
const HOME: &str = "\x1b[H";
/// Clears the rest of the line, and the rest of the screen.
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_REST: &str = "\x1b[J";

pub(crate) fn run(session: &Session, args: &StatusArgs) -> Result<Outcome> {
    let is_terminal = io::stdout().is_terminal();
    loop {
        let found = look(session, args)?;
        let Some(pause) = args.pause() else {
            found.warnings.iter().for_each(|warning| say::warning(warning));
            // Buffered, so that all rows are written at once.
            let mut out = BufWriter::new(io::stdout().lock());
            write(&mut out, session, args, &found)?;
            other_worlds(&mut out, session, args)?;
            out.flush()?;
            say_that_there_are_none(session, args)?;
            return Ok(if found.is_complete { Outcome::Done } else { Outcome::No });
        };
        let mut page = Vec::new();
        write(&mut page, session, args, &found)?;
        for warning in &found.warnings {
            writeln!(page, "{warning}")?;
        }
        show(&page, is_terminal)?;
        thread::sleep(pause);
    }
}

/// Prints how to create an app, for a person who would see an empty table.
fn say_that_there_are_none(session: &Session, args: &StatusArgs) -> Result<()> {
    let world = &session.world;
    let is_for_people = args.apps.is_empty() && args.format() == Format::Text && !args.table.names;
    if is_for_people && !session.is_quiet() && !world.inside_dokku() && world.apps()?.is_empty() {
        let place = world.root().display();
        say::warning(&format!(
            "no apps in {place}: make one with ps-lifecycle deploy <app> --dir <directory>"
        ));
    }
    Ok(())
}

/// Names the worlds that are not shown, for a person who asked for all apps: on a terminal below the table, otherwise
/// on stderr.
fn other_worlds(out: &mut impl Write, session: &Session, args: &StatusArgs) -> io::Result<()> {
    let is_for_people = args.apps.is_empty() && args.format() == Format::Text && !args.table.names;
    if !is_for_people || args.worlds.knows_all() || session.is_quiet() {
        return Ok(());
    }
    match worlds::not_shown(&session.world) {
        Some(line) if io::stdout().is_terminal() => writeln!(out, "{line}"),
        Some(line) => {
            out.flush()?;
            say::warning(&line);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Shows a page: on a terminal in the place of the previous one, in a pipe after it.
fn show(page: &[u8], is_terminal: bool) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if is_terminal {
        out.write_all(HOME.as_bytes())?;
        for line in String::from_utf8_lossy(page).lines() {
            write!(out, "{line}{CLEAR_LINE}\r\n")?;
        }
        out.write_all(CLEAR_REST.as_bytes())?;
    } else {
        out.write_all(page)?;
        writeln!(out)?;
    }
    out.flush()
}

/// The status to be printed.
struct Found {
    /// The time of the status; `None`: now.
    at: Option<Timestamp>,
    /// A line for each app that has an address: where it is reached, and who serves it if that is unusual.
    reached: Vec<String>,
    rows: Vec<StatusRow>,
    warnings: Vec<String>,
    /// Whether every scheduler answered for all instances.
    is_complete: bool,
}

fn look(session: &Session, args: &StatusArgs) -> Result<Found> {
    let (apps, part) = meant(session, args)?;
    let now = SystemTime::now();
    let at = args.at.map(|at| at.seen_from(now));
    if at.is_some_and(|at| at > now) {
        return Err(Refusal::usage("--at lies in the future"));
    }
    let at = at.map(Timestamp::try_from).transpose()?;
    let now::Statuses { of_apps, mut warnings, is_complete } = match at {
        None => now::statuses(session, &apps),
        Some(at) => past::statuses(session, &apps, at)?,
    };
    let world = &session.world;
    let served = |status: &AppStatus| at.is_none().then(|| reached::served(world, status)).flatten();
    let reached = of_apps.iter().filter_map(|(_, status)| reached::line(status, served(status))).collect();
    if at.is_none() {
        warnings.extend(of_apps.iter().filter_map(|(_, status)| reached::certificate(world, status)));
    }
    let is_meant = |row: &StatusRow| {
        let is_of = |part: &Which| slot(row).parse().is_ok_and(|slot: Slot| part.includes(&slot));
        let is_of_part = part.as_ref().is_none_or(is_of);
        is_of_part && (args.states.is_empty() || args.states.iter().any(|state| state.as_str() == row.state))
    };
    let rows =
        of_apps.into_iter().flat_map(|(scheduler, status)| StatusRow::of_app(scheduler.as_str(), status));
    Ok(Found { at, reached, rows: rows.filter(is_meant).collect(), warnings, is_complete })
}

/// The apps that the arguments name. A second word that names no app may be a type or an instance of the first one: `shop web`.
fn meant(session: &Session, args: &StatusArgs) -> Result<(Vec<App>, Option<Which>)> {
    let world = &session.world;
    if args.all || args.apps.is_empty() {
        return Ok((world.apps()?, None));
    }
    let named: Result<Vec<App>, _> = args.apps.iter().map(|name| world.app(name)).collect();
    let unknown = match named {
        Ok(apps) => return Ok((apps, None)),
        Err(unknown) => unknown,
    };
    if let [app, word] = &args.apps[..]
        && let (Ok(app), Ok(part)) = (world.app(app), word.parse::<Which>())
        && stop::refuse_unknown(session, &app, &part).is_ok()
    {
        return Ok((vec![app], Some(part)));
    }
    Err(unknown.into())
}

fn write(mut out: impl Write, session: &Session, args: &StatusArgs, found: &Found) -> io::Result<()> {
    let rows = &found.rows;
    match args.format() {
        Format::Json => return ps_rows::json_lines(out, rows),
        Format::Csv => return ps_rows::status_csv(out, rows),
        Format::Text if args.table.names => {
            return rows.iter().try_for_each(|row| writeln!(out, "{} {}", row.app, slot(row)));
        }
        Format::Text => (),
    }
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0);
    let shown = match &args.table.columns[..] {
        [] if args.table.wide => Shown::Wide,
        [] => Shown::Usual(size.map(|size| usize::from(size.ws_col))),
        columns => Shown::These(columns),
    };
    found.reached.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    table::text(&mut out, rows, shown, found.at.unwrap_or_else(Timestamp::now))?;
    // This line is for people; a script that reads the table does not need it.
    let host = size.filter(|_| found.at.is_none()).and_then(|_| host::line(session.world.lib()));
    host.map_or(Ok(()), |line| writeln!(out, "{line}"))
}
