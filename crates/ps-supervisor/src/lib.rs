//! Keeps the processes of one app alive. What to keep is in a service directory's `spec.json`; what is, in each
//! instance's `status.json`; orders come over a socket. It knows nothing of Dokku, of apps on disk, or of where the spec
//! came from. docs/supervisor.md explains the whole.

mod answer;
mod capture;
mod census;
mod cgroup;
mod client;
mod command;
mod control;
mod descriptors;
mod environment;
mod error;
mod foreign;
mod inheritance;
mod launch;
mod lossless;
mod means;
mod output;
mod outputs;
mod poll;
mod port_holder;
mod ports;
mod process;
mod restart;
mod seat;
mod server;
mod signals;
mod small_file;
mod spec;
mod status;
mod supervisor;
mod sweep;
mod take_over;
mod task;
mod transition;
mod tree;

pub use capture::{LOG_DIRECTORY, stream_name};
pub use cgroup::remove_empty_groups;
pub use client::Client;
pub use command::{Invocation, judge};
pub use control::{Message, Request};
pub use environment::{Environment, MAX_ENV_FILE_BYTES, environment};
pub use error::Error;
pub use foreign::{beyond_reach, user_name};
pub use inheritance::{close_descriptors_on_exec, disown};
pub use launch::{Failed as LaunchFailed, Launch, missing_interpreter};
pub use lossless::encode as lossless_text;
pub use port_holder::{Holder, port_holder};
pub use ports::{obstacle as port_obstacle, port_by_place, refusal as port_refusal};
pub use spec::{ProcessSpec, SPEC_FILE, Spec};
pub use status::{ProcessId, Status};
pub use supervisor::{Attachment, Cause, Change, Reaction, Supervisor, Until, Waited};
pub use sweep::{Strays, living_supervisors};
pub use task::Task;
pub use tree::Processes;
