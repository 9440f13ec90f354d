//! The Procfile: grammar, a document that keeps every byte, expansion, formations. Pure: no file is read and no
//! environment looked at here; bytes come in and values go out.

mod formation;
mod process_type;

pub use formation::{Formation, InvalidFormation, InvalidQuantity, MAX_QUANTITY, Quantity};
pub use process_type::{InvalidProcessType, MAX_NAME_BYTES, ProcessType};
