//! Any bytes: an env file or an error that does not quote it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use procfile::EnvFile;

fuzz_target!(|data: &[u8]| {
    match EnvFile::parse(data) {
        Ok(file) => {
            assert_eq!(file.len(), file.iter().len());
            for (key, value) in file.iter_bytes() {
                assert!(!key.is_empty());
                assert_eq!(file.get_bytes(key), Some(value));
            }
        }
        Err(error) => assert!(error.to_string().len() < 80),
    }
});
