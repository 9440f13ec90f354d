//! `--all-worlds`, of the verbs that only read.

use anyhow::Result;
use ps_apps::World;
use ps_cli::Format;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::worlds::Shape;

use crate::args::{Args, StatusArgs, Verb};

/// Runs a verb in each world, if `--all-worlds` was given.
pub(crate) fn each(args: &Args) -> Option<Result<Outcome>> {
    let (worlds, shape, apps) = match &args.verb {
        Verb::Status(args) => (args.worlds, of_status(args), &args.apps[..]),
        Verb::Logs(args) => (args.worlds, of_lines(args.past.json), std::slice::from_ref(&args.app)),
        Verb::Events(args) => (args.worlds, of_lines(args.past.json), args.app.as_slice()),
        Verb::Processes(args) => (args.worlds, of_table(args.format()), std::slice::from_ref(&args.app)),
        _ => return None,
    };
    let is_repeated = matches!(&args.verb, Verb::Status(args) if args.pause().is_some());
    worlds.is_given().then(|| {
        if is_repeated {
            return Err(Refusal::usage("--watch shows one world: leave --all-worlds out"));
        }
        worlds.each(&args.world, shape, |world| has(world, apps))
    })
}

fn has(world: &World, apps: &[String]) -> Result<()> {
    apps.iter().try_for_each(|app| Ok(world.app(app).map(drop)?))
}

fn of_status(args: &StatusArgs) -> Shape {
    if args.table.names { Shape::Lines } else { of_table(args.format()) }
}

fn of_table(format: Format) -> Shape {
    match format {
        Format::Text => Shape::Parts,
        Format::Json => Shape::Json,
        Format::Csv => Shape::Csv,
    }
}

fn of_lines(is_json: bool) -> Shape {
    if is_json { Shape::Json } else { Shape::Lines }
}
