//! The kinds of events that wake a root's event loop.

use formation::AppName;

/// What a watched descriptor belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wakeup {
    /// A client connects.
    Listener,
    /// A signal that ends a root.
    End,
    /// A child has exited.
    Children,
    /// The holder has ended.
    Holder,
    /// Something was removed from the root's own directory.
    Place,
    /// A client has sent something, or has disconnected.
    Client(u64),
    /// The supervisor of an app, which is not a child of this process, has ended.
    Supervisor(AppName),
}
