//! `faultapp`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    faultapp::run()
}
