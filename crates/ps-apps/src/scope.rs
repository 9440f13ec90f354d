//! The scope of a property: one app, or all.

use formation::AppName;

/// The scope of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All apps, as the default for each; the directory `--global`.
    Global,
    /// One app.
    App(&'a AppName),
}

impl<'a> Scope<'a> {
    /// The directory's name.
    pub fn as_str(&self) -> &'a str {
        match self {
            Self::Global => "--global",
            Self::App(app) => app.as_str(),
        }
    }
}
