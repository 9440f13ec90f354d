//! What the fuzz targets hold for every input. It is a library, so that the tests of the crates `procfile` and
//! `procfile-exchange` replay saved inputs through the same code on any toolchain.

pub mod case;
pub mod exporters;
pub mod grammar;
pub mod imports;
pub mod made;
pub mod originals;
pub mod process;
pub mod readers;
pub mod saved;
pub mod sh;
pub mod targets;
pub mod units;
