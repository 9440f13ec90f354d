//! The programs of one installation lie beside each other, and each finds the others there. `PATH` stands in for a program that runs
//! from elsewhere, such as one that was just built.

use std::env;
use std::path::PathBuf;

/// The program of that name: beside the one that runs, else the first on `PATH`; `None` if it is in neither place.
pub fn sister(program: &str) -> Option<PathBuf> {
    let beside = env::current_exe().ok().map(|path| path.with_file_name(program));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| directory.join(program));
    beside.into_iter().chain(on_path).find(|program| program.is_file())
}
