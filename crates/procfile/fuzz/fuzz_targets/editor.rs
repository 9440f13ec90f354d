//! Any Procfile, any edit: what was set is read back, and delete undoes it byte for byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| procfile_fuzz::targets::editor(data));
