//! The part of `ps-supervise` that stays in memory; installed as `libexec/formation/ps-supervise`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run_plainly("ps-supervise", ps_supervise::run_resident)
}
