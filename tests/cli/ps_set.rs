//! `ps-set` as a shell sees it, in a world of its own: a file for each thing that it does, one for what it refuses, one for what a
//! real Dokku said.

mod support;

#[path = "ps_set/change.rs"]
mod change;
#[path = "ps_set/inside_dokku.rs"]
mod inside_dokku;
#[path = "ps_set/list.rs"]
mod list;
#[path = "ps_set/recorded.rs"]
mod recorded;
#[path = "ps_set/refusals.rs"]
mod refusals;

use std::fs;

use support::{Place, Ran, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ps-set");

fn set(place: &Place, words: &[&str]) -> Ran {
    run(place.command(PROGRAM).args(words))
}

fn set_inside_dokku(place: &Place, words: &[&str]) -> Ran {
    run(place.command_inside_dokku(PROGRAM).args(words))
}

fn stored(place: &Place, scope: &str, property: &str) -> Option<String> {
    fs::read_to_string(place.lib().join("config/ps").join(scope).join(property)).ok()
}

fn quietly(ran: &Ran) -> (i32, &str) {
    (ran.status, &ran.stdout)
}

fn boxed() -> Place {
    Place::with_app("box", "web=1\n")
}
