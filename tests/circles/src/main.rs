//! Prints the files of a crate that import each other in a circle: `circles DIRECTORY...`, each the `src` of a crate. It is run
//! by `scripts/check circles`, and prints nothing where there is none.
//!
//! It reads text and is no compiler: an import is a path that begins with `crate`, `self` or `super`, or with the name of a module
//! below the file. Tests inside a file do not count. A line that ends in `// circle: REASON` does not count either.

mod graph;
mod house;
mod paths;
mod tokens;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let mut found = String::new();
    for directory in std::env::args_os().skip(1) {
        for circle in house::House::read(Path::new(&directory))?.circles() {
            writeln!(found, "{circle}").expect("a string takes what is written to it");
        }
    }
    std::io::stdout().write_all(found.as_bytes())
}
