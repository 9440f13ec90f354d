//! Any configuration: what is imported of it is a Procfile that says what the configuration says. `FUZZ_SOURCE` names
//! whose configuration it is.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use procfile_exchange::import::Source;
use procfile_fuzz::imports;

static SOURCE: LazyLock<Source> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_SOURCE").expect("FUZZ_SOURCE names a source of procfile-util import");
    Source::of(&name).expect("FUZZ_SOURCE names a source of procfile-util import")
});

fuzz_target!(|data: &[u8]| imports::one(*SOURCE, data));
