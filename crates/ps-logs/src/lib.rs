//! Reads, searches and follows the logs of instances. It only reads, and takes no lock. Rotating and emptying logs is left to the process
//! that writes them.

mod args;
mod cursor;
mod deploys;
mod interrupt;
mod targets;
mod upkeep;

use std::io::{self, BufWriter, IsTerminal};
use std::time::SystemTime;

use anyhow::Result;
use clap::Parser;
use formation::AppName;
use ps_apps::World;
use ps_cli::completion;
use ps_cli::exit::{self, Outcome, Refusal};
use ps_cli::say;
use ps_cli::worlds::Shape;
use ps_output::{Choice, Look, Manner, Show, Times};
use ps_scheduler::{LogRequest, ReadUpTo};

use crate::args::Args;
use crate::cursor::{Cursor, CursorPath};
use crate::interrupt::{Interrupt, Printing};
use crate::targets::Targets;

/// How many lines of each stream are printed by default.
const LINES: usize = 100;
/// How many bytes are printed at once.
const BUFFER: usize = 64 << 10;
/// The status of a program that SIGTERM ended.
const TERMINATED: u8 = 143;

/// The command line as clap knows it, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program with the arguments and the environment of this process.
pub fn run() -> Result<Outcome> {
    if completion::answered(command, &[]) {
        return Ok(Outcome::Done);
    }
    let args = Args::try_parse()?;
    let upkeep = upkeep::asked(&args)?;
    if args.worlds.is_given() {
        return in_all_worlds(&args);
    }
    let world = args.world.open()?;
    let targets = targets::of(&world, &args.words)?;
    if let Some(upkeep) = upkeep {
        return upkeep::run(&world, &targets, upkeep);
    }
    if args.follow {
        exit::end_with_reader();
    }
    let earlier = args.after_cursor.as_deref().map(Cursor::read).transpose()?;
    let choice = Choice::of(args.grep.clone(), args.exclude.clone());
    let requests =
        targets.apps.iter().map(|app| request(&world, app, &targets, &args, earlier.as_ref(), &choice));
    let requests = requests.collect::<Result<Vec<LogRequest>>>()?;
    if requests.is_empty() {
        let place = world.root().display();
        say::warning(&format!(
            "no apps in {place}: make one with ps-lifecycle deploy <app> --dir <directory>"
        ));
        return Ok(Outcome::Done);
    }
    let mut cursor = earlier.unwrap_or_default();
    let place = args.save_cursor.as_deref().map(CursorPath::of).transpose()?;
    let interrupt = place.is_some().then(Interrupt::catch).transpose()?.unwrap_or_default();
    let mut noted = |app: &AppName, read: &ReadUpTo| {
        if let Some(place) = &place
            && cursor.note(app, read)
        {
            cursor.write(place)?;
        }
        interrupt.noted()
    };
    let printing = Printing { out: io::stdout().lock(), interrupt: interrupt.clone() };
    let mut out = BufWriter::with_capacity(BUFFER, printing);
    let last = args.lines.filter(|_| !choice.is_all());
    let mut show =
        Show::new(&mut out, manner(&args, &targets), choice, &mut noted).only_last(last, args.follow);
    ps_output::gather(&world, requests, &mut show);
    let _ = show.finish();
    ended(show, &args, &targets)
}

/// Runs the program in each world that has the apps.
fn in_all_worlds(args: &Args) -> Result<Outcome> {
    if args.save_cursor.is_some() || args.after_cursor.is_some() {
        return Err(Refusal::usage("a cursor is of one world: leave --all-worlds away"));
    }
    let shape = if args.json { Shape::Json } else { Shape::Lines };
    args.worlds.each(&args.world, shape, |world| targets::of(world, &args.words).map(drop))
}

/// The exit status after everything was printed.
fn ended(mut show: Show<'_>, args: &Args, targets: &Targets) -> Result<Outcome> {
    match show.failure.take() {
        Some(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Outcome::Status(TERMINATED)),
        Some(error) => return Err(error.into()),
        None => (),
    }
    if let [_] = &targets.apps[..]
        && let Some((_, error)) = show.failed.pop()
    {
        return Err(error.into());
    }
    for (app, error) in &show.failed {
        say::warning(&format!("the output of {app} cannot be read: {error}"));
    }
    if args.follow && args.until.is_none() && show.failed.is_empty() {
        say::warning("the followed apps were destroyed, so no more lines come");
    }
    Ok(if show.failed.is_empty() { Outcome::Done } else { Outcome::No })
}

/// The request for the logs of an app. Without options, the last lines are enough for most readers.
fn request(
    world: &World,
    app: &AppName,
    targets: &Targets,
    args: &Args,
    earlier: Option<&Cursor>,
    choice: &Choice,
) -> Result<LogRequest> {
    let now = SystemTime::now();
    let [mut since, mut until] =
        [args.since, args.until].map(|moment| moment.map(|moment| moment.seen_from(now)));
    if since.is_some_and(|since| since > now) {
        return Err(Refusal::usage("--since lies in the future"));
    }
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(Refusal::usage("--since is later than --until"));
    }
    if let Some(deploy) = args.deploy {
        let (begin, end) = deploys::range(world, app, deploy)?;
        (since, until) = (Some(begin), end);
    }
    let is_said = since.is_some() || until.is_some() || earlier.is_some() || !choice.is_all();
    // If lines are selected by their content, the last ones are counted after they are read.
    let tail = args.lines.filter(|_| choice.is_all()).or((!is_said).then_some(LINES));
    Ok(LogRequest {
        stream: args.stream.map(Into::into),
        since,
        until,
        is_previous: args.previous,
        after: earlier.and_then(|cursor| cursor.of(app)),
        skim: choice.skim(),
        follow: args.follow,
        is_by_time: true,
        has_begun: args.follow && !args.json && !args.raw && choice.is_all(),
        ..LogRequest::last(app.clone(), targets.which.clone(), tail)
    })
}

fn manner(args: &Args, targets: &Targets) -> Manner {
    if args.json {
        return Manner::Json;
    }
    if args.raw {
        return Manner::Raw;
    }
    let is_for_terminal = io::stdout().is_terminal();
    let is_colourless = ps_apps::variable("NO_COLOR").is_some_and(|word| !word.is_empty());
    Manner::text(Look {
        has_prefix: !args.no_prefix,
        names_app: targets.apps.len() > 1,
        times: if args.utc { Times::Utc } else { Times::Local },
        is_for_terminal,
        has_colours: is_for_terminal && !is_colourless,
        highlight: args.highlight.iter().chain(&args.grep).cloned().collect(),
    })
}
