//! `ps-top`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-top", ps_top::run)
}
