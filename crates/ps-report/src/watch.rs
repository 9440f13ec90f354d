//! `--watch`: the same report again and again, until a signal ends the program or its output is closed.

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

/// Moves the cursor to the upper left corner and clears everything below it.
const REDRAW: &str = "\x1b[H\x1b[J";

/// Reports until printing fails: a closed pipe and a failed write are errors. It never returns success.
pub(crate) fn run(world: &World, args: &Args, encoding: &Encoding, every: Duration) -> Result<Outcome> {
    match forever(world, args, encoding, every) {
        Err(error) => Err(error),
        Ok(never) => match never {},
    }
}

fn forever(world: &World, args: &Args, encoding: &Encoding, every: Duration) -> Result<Infallible> {
    let redraws = io::stdout().is_terminal();
    loop {
        // The apps are listed again each time, because apps may be created and destroyed meanwhile.
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
