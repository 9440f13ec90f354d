//! Which apps are shown.

use formation::AppName;

/// Which apps are looked at.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// All that the caller may see.
    All,
    /// These.
    These(Vec<AppName>),
}
