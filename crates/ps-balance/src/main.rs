//! `ps-balance`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-balance", ps_balance::run)
}
