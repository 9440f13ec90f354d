//! Removes secrets from the output of `docker inspect`, so that it can be shown to strangers.
//!
//! It works with a show-list, not with a hide-list: a string is shown only if its place in the document is on the
//! list (`src/show_list.txt`), it has the shape that is permitted there, and a scan finds no credential in it.
//! Everything else becomes a placeholder, and a value that was masked in one place is masked in all others. The crate
//! uses no files, no clock and no environment; its time and memory are linear in the input.

mod client;
mod collect;
mod command;
mod decode;
mod document;
mod entropy;
mod error;
mod gentle;
mod hex;
mod key_name;
mod layout;
mod line;
mod memo;
mod mount;
mod pii;
mod placeholder;
mod policy;
mod render;
mod rules;
mod sanitize;
mod scan;
mod secret_value;
mod shape;
mod show_list;
mod taint;
mod text;
mod treat;
mod url;
mod verdict;
mod vocabulary;
mod words;

pub use error::{Error, MAX_DEPTH};
pub use layout::Layout;
pub use line::line;
pub use placeholder::{Kind, Style};
pub use policy::Policy;
pub use render::Summary;
pub use sanitize::{Sanitized, sanitize};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
