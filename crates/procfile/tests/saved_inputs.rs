//! The inputs that fuzzing has found worth keeping, each through its target once more: on any toolchain, without a fuzzer.

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, reason = "a library of the fuzz targets, of which each test uses a part")]
mod fuzz;

use fuzz::exporters::FORMATS;
use fuzz::{case, exporters, imports, saved, targets};

fn replay(target: &str, saved_inputs: &str, run: impl Fn(&[u8])) {
    let inputs = saved::read(saved_inputs);
    assert!(inputs.len() > 50, "{target}: {} saved inputs are too few to be worth a replay", inputs.len());
    for input in &inputs {
        run(input);
    }
}

#[test]
fn the_parser_holds_for_its_saved_inputs() {
    replay("parser", include_str!("saved/parser.txt"), targets::parser);
}

#[test]
fn the_editor_holds_for_its_saved_inputs() {
    replay("editor", include_str!("saved/editor.txt"), targets::editor);
}

#[test]
fn the_expansion_holds_for_its_saved_inputs() {
    replay("expansion", include_str!("saved/expansion.txt"), targets::expansion);
}

#[test]
fn the_env_file_holds_for_its_saved_inputs() {
    replay("env_file", include_str!("saved/env_file.txt"), targets::env_file);
}

#[test]
fn every_exporter_holds_for_the_saved_inputs_and_takes_most_of_them() {
    let inputs = saved::read(include_str!("saved/exporter.txt"));
    for (name, format) in FORMATS {
        let cases = inputs.iter().filter_map(|input| case::Case::of(input));
        let taken = cases.filter(|case| exporters::check(format, case.clone())).count();
        assert!(taken * 4 > inputs.len(), "{name} takes {taken} of {} only", inputs.len());
    }
}

#[test]
fn every_import_holds_for_its_saved_inputs_and_its_commands_are_compared() {
    let saved_inputs = [
        include_str!("saved/import-compose.txt"),
        include_str!("saved/import-pm2.txt"),
        include_str!("saved/import-supervisord.txt"),
        include_str!("saved/import-systemd.txt"),
    ];
    for ((name, source), saved_inputs) in imports::SOURCES.into_iter().zip(saved_inputs) {
        let commands = std::cell::Cell::new(0);
        replay(name, saved_inputs, |input| commands.set(commands.get() + imports::check(source, input).1));
        assert!(commands.get() > 50, "{name}: {} commands were compared only", commands.get());
    }
}

#[test]
fn inputs_are_saved_and_read_without_loss() {
    let inputs = vec![Vec::new(), b"a\\x41".to_vec(), (0..=255).collect()];
    assert_eq!(saved::read(&saved::write(inputs.clone())), inputs);
}
