//! The inputs that fuzzing has found worth keeping, each through its exporter or import once more: on any toolchain, without a
//! fuzzer.

use crate::fuzz::exporters::FORMATS;
use crate::fuzz::{case, exporters, imports, saved};

#[test]
fn every_exporter_holds_for_the_saved_inputs_and_takes_most_of_them() {
    let inputs = saved::read(include_str!("../../../../tests/fuzz/saved/exporter.txt"));
    for (name, format) in FORMATS {
        let cases = inputs.iter().filter_map(|input| case::Case::of(input));
        let taken = cases.filter(|case| exporters::check(format, case.clone())).count();
        assert!(taken * 4 > inputs.len(), "{name} takes {taken} of {} only", inputs.len());
    }
}

#[test]
fn every_import_holds_for_its_saved_inputs_and_its_commands_are_compared() {
    let saved_inputs = [
        include_str!("../../../../tests/fuzz/saved/import-compose.txt"),
        include_str!("../../../../tests/fuzz/saved/import-pm2.txt"),
        include_str!("../../../../tests/fuzz/saved/import-supervisord.txt"),
        include_str!("../../../../tests/fuzz/saved/import-systemd.txt"),
    ];
    for ((name, manager), saved_inputs) in imports::MANAGERS.into_iter().zip(saved_inputs) {
        let inputs = saved::read(saved_inputs);
        assert!(inputs.len() > 50, "{name}: {} saved inputs are too few to be worth a replay", inputs.len());
        let commands: u64 = inputs.iter().map(|input| imports::check(manager, input).1).sum();
        assert!(commands > 50, "{name}: {commands} commands were compared only");
    }
}
