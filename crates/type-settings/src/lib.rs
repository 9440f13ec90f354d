//! The settings of a process type. They are defined once, in a table: `ps-set`, app.json and the documentation take
//! names, values, defaults and meanings from it, and the values of one type are one struct. Values only: nothing here
//! reads a file or knows an app.

mod order;
mod restarting;
mod serialized;
mod settings;
mod table;
mod value;

pub use order::{Disorder, Order};
pub use settings::TypeSettings;
pub use table::{LONGEST_VALUE, Setting, Shape};
pub use value::{
    Account, After, Age, Awaited, Checking, CommandLine, Constraint, Constraints, Cpus, EngineOption,
    EngineOptions, Exits, ExtraHost, ExtraHosts, IoPriority, Label, Labels, Limit, Missed, Mount, Mounts,
    NamedLimit, Networks, Overlap, Paths, Patterns, Publish, Ready, Size, Span, Spread, StartLimit, StopTree,
    Switch, Ulimits, Umask, WhenFull, Whole, listed,
};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
