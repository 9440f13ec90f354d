//! `ps-top` in a real terminal, which is tmux, with real apps under real supervisors.

#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/home.rs"]
mod home;
#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/program.rs"]
mod program;

#[path = "ps_top/deeds.rs"]
mod deeds;
#[path = "ps_top/ends.rs"]
mod ends;
#[path = "ps_top/many.rs"]
mod many;
#[path = "ps_top/pane.rs"]
mod pane;
#[path = "ps_top/picture.rs"]
mod picture;
#[path = "ps_top/plain.rs"]
mod plain;
#[path = "ps_top/seen.rs"]
mod seen;
#[path = "ps_top/silent.rs"]
mod silent;
