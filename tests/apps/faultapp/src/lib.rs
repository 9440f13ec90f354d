//! The process that tests and the sample app run: a small HTTP server, a worker, a noisy logger, a family of
//! processes that will not go away. It does exactly what its flags say and needs no interpreter and no file.
//! It refuses to be clever: each flag is one thread or one step, and nothing it starts is ever cleaned up.

mod args;
mod behave;
mod lasting;
mod log;
mod notify;
mod say;
mod server;
mod tls;
mod tree;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

/// Runs the program: 0 when it was told to end, `--exit-code` when it ended by itself, 1 when it could not do
/// what was asked, 2 for wrong usage.
pub fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(usage) => return explain(&usage),
    };
    match behave::until_the_end(&args) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn explain(usage: &clap::Error) -> ExitCode {
    let shown = usage.print().and_then(|()| io::stdout().flush());
    // Nobody is left to read it where that failed; the status still tells.
    drop(shown);
    if usage.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}
