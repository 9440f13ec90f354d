//! What happens to a root, by where it comes from.

use formation::AppName;

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Somebody connects.
    Listener,
    /// A signal that ends a root.
    End,
    /// A child ended.
    Children,
    /// Something was removed from the root's own directory.
    Place,
    /// A client says something, or leaves.
    Client(u64),
    /// The supervisor of an app, no child of ours, ended.
    Supervisor(AppName),
}
