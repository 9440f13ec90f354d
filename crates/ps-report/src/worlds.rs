//! `--all-worlds`: the same report of every world that has the apps.

use anyhow::Result;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::worlds::Shape;

use crate::args::Args;

pub(crate) fn each(args: &Args) -> Result<Outcome> {
    if args.watch.is_some() {
        return Err(Refusal::usage("--watch reports on one world: leave --all-worlds out"));
    }
    let shape = match args.format.as_deref() {
        _ if args.json => Shape::Json,
        Some("json" | "jsonl") => Shape::Json,
        Some("csv") => Shape::Csv,
        _ if args.info_flags.is_empty() => Shape::Parts,
        _ => Shape::Lines,
    };
    let has = |app: &String, world: &ps_apps::World| Ok(world.app(app).map(drop)?);
    args.worlds.each(&args.world, shape, |world| args.apps.iter().try_for_each(|app| has(app, world)))
}
