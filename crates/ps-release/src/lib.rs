#![doc = include_str!("../README.md")]

pub mod address;
mod assembly;
pub mod brought;
mod checkout;
mod checks_file;
mod command_line;
mod counts;
mod environment;
mod error;
mod files_of_image;
mod gate;
mod gated;
pub mod in_container;
mod kind;
mod release;
pub mod remarks;
mod services;
pub mod settings;
mod tasks;
mod tree;

pub use assembly::{Assembled, Runnable, assemble, checks, deployed, is_run_here, runnable, runnable_of};
pub use checkout::{Checkout, ImageOf, recorded};
pub use command_line::CommandLine;
pub use counts::Counts;
pub use environment::{replace_environment, with_environment};
pub use error::Error;
pub use files_of_image::FilesOfImage;
pub use gate::Gate;
pub use ps_probe::{Ask, Check, Checks, Get, Scheme};
pub use release::{COMING_UP, Process, Release, Source};
pub use tree::Tree;

/// The file with the wanted counts and the checks.
pub const APP_JSON: &str = "app.json";
/// The property that holds the command of `web`, in place of the Procfile's.
pub const START_CMD: &str = "start-cmd";
/// The property that holds the command of `web` for apps that are run from an image.
pub const DOCKERFILE_START_CMD: &str = "dockerfile-start-cmd";
