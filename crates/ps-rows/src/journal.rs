//! The row of `events`.

use ps_journal::Entry;
use serde::Serialize;

/// One entry of an app's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalRow<'a> {
    /// The app.
    pub app: &'a str,
    /// The entry of the journal.
    #[serde(flatten)]
    pub entry: &'a Entry,
}
