//! `ps-node`: see `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ps_cli::exit::run("ps-node", ps_node::run)
}
