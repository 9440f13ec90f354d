//! Any command, variables, paths: an exporter's files say what was meant. `FUZZ_FORMAT` names the format; without it the
//! first byte chooses one.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use procfile_exchange::export::Format;
use procfile_fuzz::exporters;

static FORMAT: LazyLock<Option<Format>> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_FORMAT").ok()?;
    Some(Format::of(&name).expect("FUZZ_FORMAT is a format of procfile-util export"))
});

fuzz_target!(|data: &[u8]| match *FORMAT {
    Some(format) => exporters::one(format, data),
    None => exporters::any(data),
});
