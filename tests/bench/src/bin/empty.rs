//! The least a program can be: what `scripts/bench` measures the others against.

fn main() {}
