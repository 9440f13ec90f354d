//! `procfile-util`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("procfile-util", procfile_util::run)
}
