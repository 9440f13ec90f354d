//! Keeps the processes of one app alive. The service directory's `spec2.json` says what to keep running, each instance's
//! `status.json` what runs, and clients send orders over a socket. The crate knows nothing of Dokku, of apps on disk, or of
//! where the spec came from. docs/supervisor.md explains the whole.

mod address;
mod answer;
mod attachment;
mod begun;
mod bereft;
mod build;
mod candidate;
mod client;
mod clock;
mod command;
mod confinement;
mod control;
mod copied;
mod current;
mod descriptors;
mod diary;
mod disown;
mod entry;
mod environment;
mod errand;
mod error;
mod first_format;
mod groups;
mod health;
mod holder;
mod inheritance;
mod launch;
mod layout;
mod limits;
mod lossless;
mod marks;
mod means;
mod news;
mod notify_socket;
mod numbers;
mod output;
mod outputs;
mod own_outputs;
mod pace;
mod passed;
mod poll;
mod ports;
#[cfg(test)]
mod printed;
mod process;
mod programs;
mod restart;
mod revision;
mod rollout;
mod run;
mod run_name;
mod run_table;
mod schedule;
mod seat;
mod seat_table;
mod server;
mod signals;
mod since;
mod socket;
mod spawn;
mod spec;
mod spec_file;
mod stack;
mod start;
mod start_settings;
mod state;
mod status;
mod stopped;
mod supervisor;
mod take_over;
mod task;
mod terminal;
mod tidier;
mod unsupervised;
mod wakeup;
mod watched;

pub use address::{
    BALANCE_SOCKET, Backend, CANNOT_SERVE, OpenConnections, balance_numbers, can_listen, leads_elsewhere,
    led, open_connections, refusal as address_refusal,
};
pub use attachment::{Attachment, Cause, Change, Reaction, Waited};
pub use bereft::{Bereft, bereft, misses_supervisor};
pub use build::Build;
pub use candidate::{CAN_GO_ON, GOES_ON};
pub use client::{Client, Greeting, told};
pub use command::{Invocation, judge};
pub use confinement::Confinement;
pub use control::{Message, PROTOCOL, Request};
pub use diary::{Happening, Note, Occasion, Otherwise, Replayed, Writer, recorded, replay};
pub use environment::environment;
pub use error::Error;
pub use first_format::{Predecessor, finished, note_finished};
pub use health::{Health, Question, Ready, TOLD};
pub use holder::{Copies, HOLDER, Order, ROOT, is_held, release_outputs};
pub use inheritance::{Against, close_descriptors_on_exec, disown};
pub use launch::{Failed as LaunchFailed, Launch, missing_interpreter};
pub use layout::{log, logs};
pub use limits::{InForce, Lacking, lacking as lacking_limits, lacking_controllers, remove_empty_groups};
pub use lossless::encode as lossless_text;
pub use marks::{MARKER, living_root, living_supervisors, mark};

pub use ps_probe::{Ask, Check, Checks, Get, Scheme};

pub use own_outputs::{OwnOutput, OwnOutputs};
pub use poll::Poll;
pub use ports::{obstacle as port_obstacle, port_by_place, refusal as port_refusal};
pub use revision::{Manner, NEXT_FILE, Next};
pub use rollout::{ROLLOUT_FILE, Report, Stage, is_rolling};
pub use schedule::{judge_schedule, timetable};
pub use signals::{Signals, drain as drain_signals, stream as signal_stream};
pub use socket::{connect, connect_at_once, listen, may_speak};
pub use spec::{FIRST_SPEC_FILE, ProcessSpec, SPEC_FILE, Spec};
pub use start_settings::StartSettings;
pub use state::Statuses;
pub use status::{Status, Unrecorded};
pub use supervisor::{Begin, NOTHING_LIVES, Supervisor, Until};
pub use task::Task;
pub use tidier::TidyLogs;
pub use unsupervised::{Strays, strays};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
