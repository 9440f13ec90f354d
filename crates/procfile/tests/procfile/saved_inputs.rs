//! Runs each input that fuzzing has saved through its fuzz target again, on any toolchain and without a fuzzer.

use crate::{saved, targets};

fn replay(target: &str, saved_inputs: &str, run: impl Fn(&[u8])) {
    let inputs = saved::read(saved_inputs);
    assert!(inputs.len() > 50, "{target}: {} saved inputs are too few to be worth a replay", inputs.len());
    for input in &inputs {
        run(input);
    }
}

#[test]
fn the_parser_holds_for_its_saved_inputs() {
    replay("parser", include_str!("../../../../tests/fuzz/saved/parser.txt"), targets::parser);
}

#[test]
fn the_editor_holds_for_its_saved_inputs() {
    replay("editor", include_str!("../../../../tests/fuzz/saved/editor.txt"), targets::editor);
}

#[test]
fn the_expansion_holds_for_its_saved_inputs() {
    replay("expansion", include_str!("../../../../tests/fuzz/saved/expansion.txt"), targets::expansion);
}

#[test]
fn the_env_file_holds_for_its_saved_inputs() {
    replay("env_file", include_str!("../../../../tests/fuzz/saved/env_file.txt"), targets::env_file);
}

#[test]
fn inputs_are_saved_and_read_without_loss() {
    let inputs = vec![Vec::new(), b"a\\x41".to_vec(), (0..=255).collect()];
    assert_eq!(saved::read(&saved::write(inputs.clone())), inputs);
}
