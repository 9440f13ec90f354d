//! Any configuration: what is imported of it is a Procfile that says what the configuration says. `FUZZ_MANAGER` names
//! whose configuration it is.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use procfile_exchange::import::Manager;
use procfile_fuzz::imports;

static MANAGER: LazyLock<Manager> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_MANAGER").expect("FUZZ_MANAGER names a manager of procfile-util import");
    Manager::of(&name).expect("FUZZ_MANAGER names a manager of procfile-util import")
});

fuzz_target!(|data: &[u8]| imports::one(*MANAGER, data));
