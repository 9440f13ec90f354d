//! `ps-scale` as a shell sees it, in a world of its own: a file for each thing that it does, one for what it refuses, one for what a
//! real Dokku said.

mod support;

#[path = "ps_scale/change.rs"]
mod change;
#[path = "ps_scale/converge.rs"]
mod converge;
#[path = "ps_scale/dry_run.rs"]
mod dry_run;
#[path = "ps_scale/inside_dokku.rs"]
mod inside_dokku;
#[path = "ps_scale/print.rs"]
mod print;
#[path = "ps_scale/recorded.rs"]
mod recorded;
#[path = "ps_scale/refusals.rs"]
mod refusals;
#[path = "ps_scale/sources.rs"]
mod sources;

use std::path::Path;

use support::{Place, Ran, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ps-scale");

const PROCFILE: &str = "web: serve\nworker: work\nrelease: migrate\n";

fn scale(place: &Place, words: &[&str]) -> Ran {
    run(place.command(PROGRAM).args(words))
}

fn scale_inside_dokku(place: &Place, words: &[&str]) -> Ran {
    run(place.command_inside_dokku(PROGRAM).args(words))
}

fn hello(scale: &str) -> Place {
    Place::with_app("hello", scale)
}

/// An app that has a Procfile.
fn shop(scale: &str) -> Place {
    let place = Place::with_app("shop", scale);
    place.write("lib/data/ps/shop/Procfile", PROCFILE);
    place
}

fn stored(place: &Place, app: &str) -> (String, String) {
    let read = |name: &str| place.read(&format!("lib/config/ps/{app}/{name}"));
    (read("scale"), read("scale.old"))
}

fn quietly(ran: &Ran) -> (i32, &str) {
    (ran.status, &ran.stdout)
}

/// The program where another `ps-lifecycle` lies beside it: one that writes down how it was called.
fn beside_a_recorder(place: &Place, body: &str) -> std::path::PathBuf {
    let script = format!(
        "#!/bin/sh\necho \"$* lock=$FORMATION_LOCK\" >> '{}/calls'\n{body}\n",
        place.path().display()
    );
    place.script("bin/ps-lifecycle", &script);
    place.install(Path::new(PROGRAM), "bin/ps-scale");
    place.path().join("bin/ps-scale")
}
