//! Any Procfile, any edit: what was set is read back, and delete takes the bytes of one line and nothing else.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| procfile_fuzz::targets::editor(data));
