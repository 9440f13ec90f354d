//! `ps-scale`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-scale", ps_scale::run)
}
