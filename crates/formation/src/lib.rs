//! Types that all crates share: names of apps and process types, counts, slots, the state of an instance, how far it
//! has come and how it ended. These are values only: nothing here reads a file, a clock or an argument.

mod addresses;
mod app_name;
mod counts;
mod last_words;
mod life;
mod milestone;
mod process_type;
mod restart_policy;
mod restarts;
mod signal;
mod slot;
mod state;

pub use addresses::{Addresses, InvalidAddress};
pub use app_name::{AppName, InvalidAppName};
pub use counts::{Formation, InvalidQuantity, MAX_QUANTITY, Quantity};
pub use last_words::{with_last_words, without_last_words};
pub use life::{EndCause, LifeEvent, LifeOfSlot, LifeStep};
pub use milestone::{Milestone, Wait};
pub use process_type::{FIRST_TYPE, InvalidProcessType, MAX_NAME_BYTES, ProcessType, RELEASE};
pub use restart_policy::{InvalidRestartPolicy, RestartPolicy};
pub use restarts::{RestartReason, Restarts};
pub use signal::{InvalidSignal, SignalName};
pub use slot::{InvalidSlot, Slot, Which};
pub use state::{Bytes, Exit, OutOfMemory, State, Stream};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
