#![doc = include_str!("../README.md")]

mod activity;
mod attached;
mod bounded;
mod build;
mod cell;
mod condition;
mod container;
mod deadline;
mod elements;
mod end;
mod engine;
mod events;
mod exec;
mod fault;
mod flow;
mod host;
mod image_file;
mod image_kind;
mod image_program;
mod image_reader;
mod images;
mod moment;
mod networks;
mod one_off;
mod output_range;
mod pull;
mod reference;
mod swarm;
mod tale;
mod terms;
mod trace;
mod transport;
mod trust;

pub use bollard::container::LogOutput;
pub use bollard::models::{
    ContainerCreateBody, EndpointSettings as Endpoint, HostConfig, NetworkingConfig as Networking,
    ResourcesUlimits as Ulimit, RestartPolicy as EnginePolicy,
};

pub use attached::{Input, Output};
pub use build::{Build, BuildNews, Builder};
pub use cell::EngineCell;
pub use condition::exit_of;
pub use container::Container;
pub use end::End;
pub use engine::{Engine, Facts, Image};
pub use events::Happened;
pub use exec::Executed;
pub use fault::{Fault, engine};
pub use host::socket;
pub use hyper::body::Bytes;
pub use image_kind::{ImageKind, LAUNCHER};
pub use images::ListedImage;
pub use moment::Moment;
pub use one_off::{Removal, Target};
pub use output_range::OutputRange;
pub use pull::Pulled;
pub use reference::Reference;
pub use swarm::SwarmFault;
pub use terms::{policy_of, restart_policy, seconds};
pub use trace::{Trace, Vertex, VertexOutput, VertexState};
