//! `--watch`: the same report again and again, until a signal ends the program or nobody reads it any more.

use std::convert::Infallible;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use ps_apps::World;
use ps_cli::exit::Outcome;

use crate::args::Args;
use crate::encoding::Encoding;
use crate::subjects;

/// To the upper left corner, and nothing left below it.
const REDRAW: &str = "\x1b[H\x1b[J";

/// Never ends well: a closed pipe and a failed write are errors.
pub(crate) fn run(world: &World, args: &Args, encoding: &Encoding, every: Duration) -> Result<Outcome> {
    match forever(world, args, encoding, every) {
        Err(error) => Err(error),
        Ok(never) => match never {},
    }
}

fn forever(world: &World, args: &Args, encoding: &Encoding, every: Duration) -> Result<Infallible> {
    let redraws = io::stdout().is_terminal();
    loop {
        // Apps come and go while we watch.
        let subjects = subjects::resolve(world, args)?;
        let mut screen = Vec::new();
        crate::once(world, &subjects, encoding, &mut screen)?;
        let mut out = BufWriter::new(io::stdout().lock());
        if redraws {
            out.write_all(REDRAW.as_bytes())?;
        }
        out.write_all(&screen)?;
        out.flush()?;
        drop(out);
        thread::sleep(every);
    }
}
