#![doc = include_str!("../README.md")]

mod attached;
mod bounded;
mod condition;
mod container;
mod end;
mod engine;
mod events;
mod exec;
mod fault;
mod flow;
mod host;
mod image_file;
mod moment;
mod one_off;
mod output_range;
mod terms;
mod transport;
mod trust;

pub use bollard::container::LogOutput;
pub use bollard::models::{
    ContainerCreateBody, HostConfig, ResourcesUlimits as Ulimit, RestartPolicy as EnginePolicy,
};

pub use attached::{Input, Output};
pub use condition::exit_of;
pub use container::Container;
pub use end::End;
pub use engine::{Engine, Image};
pub use events::Happened;
pub use exec::Executed;
pub use fault::{Fault, engine};
pub use host::socket;
pub use moment::Moment;
pub use one_off::{Removal, Target};
pub use output_range::OutputRange;
pub use terms::{restart_policy, seconds};
