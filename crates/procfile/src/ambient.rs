//! The environment that exists before a Procfile or an env file is read. This crate does not read it: the caller
//! passes a function that answers for one name at a time.

/// Returns the value of a variable by its name, or `None` if there is no such variable.
pub type Ambient<'a> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a;
