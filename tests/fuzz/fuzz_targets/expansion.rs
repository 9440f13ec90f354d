//! Any command, any variables: Dokku's expansion and ours without a style are one.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| procfile_fuzz::targets::expansion(data));
