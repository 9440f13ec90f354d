//! Any bytes: a Procfile or a list of problems, and what was accepted keeps every byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use procfile::{Delimiter, ParseOptions, Procfile};

fuzz_target!(|data: &[u8]| {
    let Some((first, text)) = data.split_first() else { return };
    let delimiter: &[u8] = [&b":"[..], b"=", b"-", b" ", b"=>", b"ab", b"\\t", b"::"][usize::from(first & 7)];
    let delimiter = Delimiter::new(delimiter).expect("not empty");
    let options = ParseOptions { delimiter, strict: first & 8 != 0 };
    match Procfile::parse_with(text.to_vec(), &options) {
        Ok(file) => accepted(&file, text, &options),
        Err(error) => {
            assert!(!error.problems().is_empty());
            assert!(error.problems().is_sorted_by_key(|problem| problem.line));
            for problem in error.problems() {
                let _ = (problem.to_string(), problem.advice(&options));
            }
        }
    }
});

fn accepted(file: &Procfile, text: &[u8], options: &ParseOptions) {
    assert_eq!(file.as_bytes(), text);
    let sorted: Vec<_> = file.sorted().map(|entry| entry.name).collect();
    assert!(!sorted.is_empty() && sorted.is_sorted_by(|a, b| a < b));
    for entry in file.entries() {
        assert!(!entry.command.is_empty() && !entry.name.is_empty());
        assert_eq!(file.get(entry.name), Some(entry));
        assert_eq!(entry.process_type().as_str(), entry.name);
    }
    let _ = file.warnings();
    let tidy = Procfile::parse_with(file.tidy(), options).expect("a tidy file is legal");
    assert_eq!(tidy.tidy(), tidy.as_bytes());
}
