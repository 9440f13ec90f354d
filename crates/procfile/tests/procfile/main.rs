//! The Procfile and the env file from outside: for generated input, for what fuzzing has saved, and against what other readers
//! of env files say.

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
