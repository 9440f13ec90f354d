//! `ps-explain`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-explain", ps_explain::run)
}
