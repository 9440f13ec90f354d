//! Reads and changes formations: how many instances of each process type an app has. It stores the wanted counts and
//! calls other programs to start and stop instances; it talks to no engine and to no supervisor.

mod act;
mod args;
mod change;
mod dry_run;
mod events;
mod format;
mod print;
mod trigger;

use anyhow::Result;
use clap::Parser;
use ps_apps::World;
use ps_cli::completion;
use ps_cli::exit::{self, Outcome, Refusal};

use crate::args::Args;
use crate::format::Format;

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn run() -> Result<Outcome> {
    if completion::answered(command, &[]) {
        return Ok(Outcome::Done);
    }
    let args = Args::try_parse_from(exit::arguments())?;
    let world = args.world.open()?;
    if let Some(trigger) = &args.from_trigger {
        return trigger::answer(&world, trigger, &args);
    }
    let Some(name) = &args.app else { return Err(no_app(&world)) };
    let app = ps_triggers::visible_app::<anyhow::Error>(&world, name)?;
    refuse_contradictions(&world, &args)?;
    match (args.is_change(), args.dry_run) {
        (true, _) if args.format() == Format::Events => {
            events::told(&app, || change::run(&world, &app, &args))
        }
        (true, _) => change::run(&world, &app, &args),
        (false, true) => dry_run::stored(&world, &app, &args),
        (false, false) => print::formation(&world, &app, &args),
    }
}

fn no_app(world: &World) -> anyhow::Error {
    if world.inside_dokku() {
        Refusal::failed(ps_dokku::words::NO_APP)
    } else {
        Refusal::usage("name the app: ps-scale <app> [<type>=<count>…]")
    }
}

fn refuse_contradictions(world: &World, args: &Args) -> Result<()> {
    if args.dry_run && args.format() == Format::DokkuScale {
        return Err(Refusal::usage(
            "--dry-run prints what would happen, which a DOKKU_SCALE file has no place for",
        ));
    }
    if args.format() == Format::Events && (args.dry_run || !args.is_change() || world.inside_dokku()) {
        return Err(Refusal::usage(
            "--format events tells of a change, outside Dokku: name a <type>=<count>",
        ));
    }
    let (dokkus, ours) = match (args.clear, args.replace, args.counts.is_empty()) {
        (true, true, _) => (
            "The --clear and --replace flags cannot be specified together",
            "--clear and --replace exclude each other",
        ),
        (true, false, false) => (
            "Process types cannot be specified when using the --clear flag, use --replace to set the entire formation",
            "--clear takes no types: use --replace to name the whole formation",
        ),
        (false, true, true) => (
            "Must specify at least one process type when using the --replace flag, use --clear to reset the formation",
            "--replace needs at least one <type>=<count>: use --clear to go back to web=1",
        ),
        _ => return Ok(()),
    };
    Err(if world.inside_dokku() { Refusal::failed(dokkus) } else { Refusal::usage(ours) })
}
