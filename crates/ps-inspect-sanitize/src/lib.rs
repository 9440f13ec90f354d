//! Reads docker inspect JSON and prints the same JSON without secrets. This crate reads, protects its process and
//! writes; the crate `redact` decides what may be shown. On any error nothing is written to stdout.

mod args;
mod guard;
mod input;
mod output;

use anyhow::{Result, bail};
use clap::Parser;
use ps_cli::exit::Outcome;
use redact::{Layout, Sanitized};

use crate::args::{Args, Compat, Format};

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn run() -> Result<Outcome> {
    let args = Args::try_parse_from(ps_cli::exit::arguments())?;
    guard::no_traces();
    guard::on_a_deep_stack(move || filter(&args))
}

fn filter(args: &Args) -> Result<Outcome> {
    let input = input::read(args)?;
    let text = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&input);
    if args.compat == Some(Compat::Dokku) && text.iter().all(u8::is_ascii_whitespace) {
        return output::nothing();
    }
    let mut safe = redact::sanitize(&input, args.policy())?;
    output::explain(safe.summary());
    if args.check {
        return check(&safe);
    }
    let layout = args.layout(safe.documents());
    output::document(&mut safe, layout)?;
    output::summarise(safe.summary());
    Ok(Outcome::Done)
}

fn check(safe: &Sanitized<'_>) -> Result<Outcome> {
    if !safe.is_clean() {
        bail!("not fit to be published: {}; --explain says where", output::counts(safe.summary()));
    }
    Ok(Outcome::Done)
}

impl Args {
    /// The layout of the output: JSON lines stay JSON lines, unless `--format` says otherwise.
    fn layout(&self, documents: usize) -> Layout {
        match self.format {
            Some(Format::Jsonl) => Layout::Lines,
            None if documents > 1 && self.compat.is_none() => Layout::Lines,
            Some(Format::Json) | None => Layout::Pretty,
        }
    }
}
