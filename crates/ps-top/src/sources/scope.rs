//! Which apps are shown.

use formation::AppName;

/// The apps that are shown.
#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// All apps that the caller may see.
    All,
    /// These apps.
    These(Vec<AppName>),
}
