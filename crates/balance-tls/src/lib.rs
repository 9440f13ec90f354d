#![doc = include_str!("../README.md")]

mod certificates;
mod chooser;
mod entry;
mod expiry;
mod flaw;
mod names;
mod news;
mod pair;
mod source;
mod stamp;

pub use certificates::{Certificates, Protocols};
pub use expiry::Expiry;
pub use flaw::Flaw;
pub use news::News;
pub use source::Source;
