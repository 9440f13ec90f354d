//! Any bytes: a Procfile or a list of problems, and what was accepted keeps every byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| procfile_fuzz::targets::parser(data));
