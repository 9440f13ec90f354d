//! The position up to which logs were read, as text: `web.1 stdout 17` → `3 1234` is byte 1234 of segment 3 of run 17.
//! It also contains the inode of the service directory, since another app of the same name counts its runs from 1
//! again.

use std::collections::BTreeMap;

use formation::{Slot, Stream};
use log_store::{OwnPlace, Place, Segment};
use ps_scheduler::ReadUpTo;

/// The key for the identity of the service directory.
const SERVICE: &str = "service";

/// For each run of a stream, the position up to which it was read.
pub(super) type Places = BTreeMap<u64, Place>;

/// A bookmark with these positions.
pub(super) fn written<'a>(
    service: Option<(u64, u64)>,
    streams: impl Iterator<Item = (&'a Slot, Stream, Places)>,
    own: impl Iterator<Item = (&'a Slot, Stream, OwnPlace)>,
) -> ReadUpTo {
    let places = streams.flat_map(|(slot, stream, places)| {
        places.into_iter().map(move |(run, place)| {
            (
                format!("{slot} {} {run}", stream.as_str()),
                format!("{} {}", place.segment.number, place.offset),
            )
        })
    });
    let id = service.map(|(device, inode)| (SERVICE.to_owned(), format!("{device} {inode}")));
    let own = own.map(|(slot, stream, OwnPlace { inode, offset })| {
        (own_key(slot, stream), format!("{inode} {offset}"))
    });
    ReadUpTo(places.chain(own).chain(id).collect())
}

/// The key for a log that the app writes itself. Its value is the inode of the file and a byte position.
fn own_key(slot: &Slot, stream: Stream) -> String {
    format!("{slot} {} own", stream.as_str())
}

/// The position in an app's own log. `None` if the bookmark has none for this service directory.
pub(super) fn read_own(
    bookmark: &ReadUpTo,
    service: Option<(u64, u64)>,
    slot: &Slot,
    stream: Stream,
) -> Option<OwnPlace> {
    let value = |key: &str| bookmark.0.get(key).and_then(|words| pair(words));
    if value(SERVICE).is_none() || value(SERVICE) != service {
        return None;
    }
    value(&own_key(slot, stream)).map(|(inode, offset)| OwnPlace { inode, offset })
}

/// The positions in one stream. `None` if the bookmark is of another service directory.
pub(super) fn read(
    bookmark: &ReadUpTo,
    service: Option<(u64, u64)>,
    slot: &Slot,
    stream: Stream,
) -> Option<Places> {
    let (device, inode) = bookmark.0.get(SERVICE).and_then(|words| pair(words))?;
    if Some((device, inode)) != service {
        return None;
    }
    let before = format!("{slot} {} ", stream.as_str());
    let places = bookmark.0.iter().filter_map(|(key, value)| {
        let run = key.strip_prefix(&before)?.parse().ok()?;
        let (number, offset) = pair(value)?;
        Some((run, Place { segment: Segment { run, number: u32::try_from(number).ok()? }, offset }))
    });
    let places: Places = places.collect();
    (!places.is_empty()).then_some(places)
}

fn pair(words: &str) -> Option<(u64, u64)> {
    let (one, other) = words.split_once(' ')?;
    Some((one.parse().ok()?, other.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_for_the_same_service_alone() {
        let slot: Slot = "web.1".parse().expect("a slot");
        let place = |run, number, offset| (run, Place { segment: Segment { run, number }, offset });
        let places: Places = [place(16, 0, 7), place(17, 3, 1234)].into();
        let own = OwnPlace { inode: 5, offset: 9 };
        let streams = [(&slot, Stream::Stdout, places.clone())].into_iter();
        let bookmark = written(Some((1, 2)), streams, [(&slot, Stream::Stderr, own)].into_iter());
        assert_eq!(bookmark.0["web.1 stdout 17"], "3 1234");
        assert_eq!(read(&bookmark, Some((1, 2)), &slot, Stream::Stdout), Some(places));
        assert_eq!(read(&bookmark, Some((1, 2)), &slot, Stream::Stderr), None);
        assert_eq!(read(&bookmark, Some((1, 3)), &slot, Stream::Stdout), None);
        assert_eq!(read_own(&bookmark, Some((1, 2)), &slot, Stream::Stderr), Some(own));
        assert_eq!(read_own(&bookmark, Some((1, 2)), &slot, Stream::Stdout), None);
        assert_eq!(read_own(&bookmark, Some((1, 3)), &slot, Stream::Stderr), None);
    }
}
