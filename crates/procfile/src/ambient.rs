//! The environment that is there before a Procfile or an env file is read. Nothing here reads it: whoever calls hands over a
//! function that answers for one name.

/// Asks for the value of a variable by its name; `None` if there is no such variable.
pub type Ambient<'a> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'a;
