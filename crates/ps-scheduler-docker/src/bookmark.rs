//! The position up to which the output of containers was read, as text: the id of each, and the time of the last line.

use std::collections::BTreeMap;

use ps_engine::Moment;
use ps_scheduler::ReadUpTo;

/// A bookmark with these positions.
pub(crate) fn written(moments: &BTreeMap<String, Moment>) -> ReadUpTo {
    ReadUpTo(moments.iter().map(|(id, moment)| (id.clone(), moment.as_str().to_owned())).collect())
}

/// The positions in a bookmark.
pub(crate) fn read(bookmark: &ReadUpTo) -> BTreeMap<String, Moment> {
    let moments = bookmark.0.iter().filter_map(|(id, word)| Some((id.clone(), Moment::parse(word)?)));
    moments.collect()
}
