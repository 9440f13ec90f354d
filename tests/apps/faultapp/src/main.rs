//! A small server that can also misbehave on request.

fn main() {}
