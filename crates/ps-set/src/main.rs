//! `ps-set`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-set", ps_set::run)
}
