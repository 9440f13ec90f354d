//! `ps-lifecycle`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-lifecycle", ps_lifecycle::run)
}
