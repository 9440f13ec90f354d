//! Exporters and imports from outside: for generated input, for what fuzzing has saved, and through the programs that read
//! what is exported.

mod consumers;
mod properties;
mod saved_inputs;

#[path = "../../../../tests/fuzz/src/lib.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a library of the fuzz targets, of which these tests use a part"
)]
mod fuzz;
