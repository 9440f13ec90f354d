//! Any bytes: an env file or an error that does not quote it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| procfile_fuzz::targets::env_file(data));
