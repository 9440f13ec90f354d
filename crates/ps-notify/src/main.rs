//! `ps-notify`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-notify", ps_notify::run)
}
