//! `ps-inspect-sanitize`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-inspect-sanitize", ps_inspect_sanitize::run)
}
