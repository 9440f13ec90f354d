//! What all parts of the collection share.

use formation::AppName;
use ps_apps::World;
use ps_journal::Entry;
use ps_supervisor::Spec;

use super::clock::Now;
use super::secrets::Secrets;

/// An app, and what was read of it.
pub(super) struct Look<'a> {
    pub(super) world: &'a World,
    pub(super) app: &'a AppName,
    /// What stands in its journal, up to the moment that is explained.
    pub(super) entries: Vec<Entry>,
    /// What its supervisor was told, if it has one.
    pub(super) spec: Option<Spec>,
    /// What must not be shown.
    pub(super) secrets: Secrets,
    /// Now, by both clocks.
    pub(super) present: Now,
}
