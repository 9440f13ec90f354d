//! `ps-supervise` keeps real processes alive, ends whole trees, and may die itself.

#[path = "ps_supervise/calls.rs"]
mod calls;
#[path = "ps_supervise/control.rs"]
mod control;
#[path = "ps_supervise/death.rs"]
mod death;
#[path = "ps_supervise/environment.rs"]
mod environment;
#[path = "ps_supervise/foreground.rs"]
mod foreground;
#[path = "ps_supervise/held.rs"]
mod held;
#[path = "ps_supervise/limits.rs"]
mod limits;
#[path = "ps_supervise/logs.rs"]
mod logs;
#[path = "ps_supervise/marks.rs"]
mod marks;
#[path = "ps_supervise/notify.rs"]
mod notify;
#[path = "ps_supervise/over.rs"]
mod over;
#[path = "support/pseudo_terminal.rs"]
mod pseudo_terminal;
#[path = "ps_supervise/ready.rs"]
mod ready;
#[path = "ps_supervise/resident.rs"]
mod resident;
#[path = "ps_supervise/restarts.rs"]
mod restarts;
#[path = "ps_supervise/root.rs"]
mod root;
#[path = "ps_supervise/rotation.rs"]
mod rotation;
#[path = "ps_supervise/runs.rs"]
mod runs;
#[path = "support/second_kernel.rs"]
mod second_kernel;
#[path = "ps_supervise/second_version.rs"]
mod second_version;
#[path = "ps_supervise/service.rs"]
mod service;
#[path = "ps_supervise/steps.rs"]
mod steps;
#[path = "ps_supervise/stops.rs"]
mod stops;
#[path = "ps_supervise/trouble.rs"]
mod trouble;
#[path = "ps_supervise/usage.rs"]
mod usage;

/// The count of an expensive test: the small one, or with `FORMATION_TEST_LONG=1` the one that is promised.
fn rounds(few: usize, many: usize) -> usize {
    if std::env::var_os("FORMATION_TEST_LONG").is_some() { many } else { few }
}
