//! Which apps are looked at.

use formation::AppName;

/// Which apps are looked at.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// All that the caller may see.
    All,
    /// These.
    These(Vec<AppName>),
}
