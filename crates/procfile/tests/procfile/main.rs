//! Tests of Procfiles and env files from outside: with generated input, with inputs that fuzzing has saved, and against other
//! readers of env files.

mod dotenv;
mod properties;
mod saved_inputs;

#[path = "../../../../tests/fuzz/src/grammar.rs"]
#[allow(unreachable_pub, reason = "a part of the fuzz targets' library")]
mod grammar;
#[path = "../../../../tests/fuzz/src/saved.rs"]
#[allow(unreachable_pub, reason = "a part of the fuzz targets' library")]
mod saved;
#[path = "../../../../tests/fuzz/src/targets.rs"]
#[allow(unreachable_pub, reason = "a part of the fuzz targets' library")]
mod targets;
