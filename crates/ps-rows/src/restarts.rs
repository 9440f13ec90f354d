//! How often an instance was restarted, by reason, in the form that scripts read.

use formation::Restarts;
use serde::{Serialize, Serializer};

/// An object that has every reason, also those that did not occur: `{"crash":2,"signal":0,…}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartsRow(pub Restarts);

impl Serialize for RestartsRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(reason, count)| (reason.as_str(), count)))
    }
}
