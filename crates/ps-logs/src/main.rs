//! `ps-logs`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-logs", ps_logs::run)
}
