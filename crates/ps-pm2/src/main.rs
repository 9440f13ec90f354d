//! `ps-pm2`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-pm2", ps_pm2::run)
}
