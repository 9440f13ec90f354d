//! Stands between a caller and a real engine: its socket is the one that the caller is told.

mod fatal;
mod request;

pub use fatal::{dies_at, fatal_proxy};
pub use request::head_and_body;
