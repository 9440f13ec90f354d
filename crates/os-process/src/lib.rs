//! Processes and their trees: identity, usage, limits, signals, and which processes belong together. Everything is read from
//! `/proc` and from cgroups.
//!
//! This crate does not know what a process is for: its callers say which variable marks processes, and what the value of a
//! mark means.

mod account;
mod census;
mod cgroup;
mod clock;
mod copied_socket;
mod delegated;
mod foreign;
mod freezer;
mod gather;
mod handed_on;
mod identity;
mod limits;
mod listeners;
mod mark;
mod marked;
mod orphans;
mod owner;
mod pid_file;
mod port_holder;
mod resident;
mod signal;
mod sister;
mod stat;
mod sweep;
mod tree;
mod unit;
mod usage;

pub use account::{Account, Identity, Unknown};
pub use census::{Census, Process, families};
pub use cgroup::{Cgroup, CgroupRoot, ServiceName, UNIT_SUBGROUP};
pub use clock::since_boot;
pub use copied_socket::copy_listener;
pub use delegated::take_controllers_from_unit;
pub use foreign::{beyond_reach, user_id, user_name};
pub use gather::{Newcomer, gather, gather_left};
pub use handed_on::handed_on;
pub use identity::{ProcessId, boot_id, start_time};
pub use limits::{Controller, Lack, LimitGroup, LimitRoot, Limits, Maker, MemoryGroup, MemoryWatch};
pub use listeners::{Listeners, Listens, waiting_to_be_accepted};
pub use mark::{Marks, environment, tagged};
pub use marked::Marked;
pub use orphans::has_orphans;
pub use owner::become_owner_of;
pub use pid_file::forget_pid;
pub use port_holder::{Holder, describe_port_holder, port_holder};
pub use resident::{FRUGAL, become_resident, is_frugal, resident};
pub use signal::{handles, send_signal, signal_process};
pub use sister::{lasting_sister, names_a_version, own_program, sister};
pub use stat::{Activity, Stat, children, computes, has_open, name, open_files, pids};
pub use sweep::{Manner, Strays, executing};
pub use tree::{Processes, Tree};
pub use unit::service_unit;
pub use usage::{Usage, memory_of};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
