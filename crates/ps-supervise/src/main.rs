//! `ps-supervise`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-supervise", ps_supervise::run)
}
