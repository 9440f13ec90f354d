//! `stopped.json`: the slots that were stopped by hand. They have a file of their own, so that each file has one writer:
//! the supervisor writes this one, and programs write the spec.
//!
//! The file holds the revision of the spec that it belongs to. A list of another revision is out of date and is ignored,
//! because a new spec itself says which slots it leaves empty; so a commit is one rename. For example, `web.2` was stopped
//! in revision 7, and a deploy brings revision 8, in which all of `web` runs. If the supervisor is killed right after the
//! commit, the next one reads revision 8 and starts `web.2`.

use std::fs;
use std::path::Path;

use durable::ReadError;
use formation::Slot;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::layout::MAX_FILE_BYTES;

/// The file's name in a service directory.
const STOPPED_FILE: &str = "stopped.json";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    revision: u64,
    /// A name that is no slot comes from a later version and is ignored.
    slots: Vec<String>,
}

/// Only the number of the format, which is read first.
#[derive(Deserialize)]
struct Number {
    format: u32,
}

/// The slots that are stopped in a revision; `None` if there is no list for that revision.
///
/// # Errors
/// The file cannot be read, or a later version wrote it.
pub(crate) fn read(service: &Path, revision: u64) -> Result<Option<Vec<Slot>>, Error> {
    let path = service.join(STOPPED_FILE);
    let bytes = match durable::state(&path, MAX_FILE_BYTES) {
        Err(ReadError::Missing) => return Ok(None),
        Err(error) => return Err(Error::unreadable(&path, error)),
        Ok(bytes) => bytes,
    };
    let bad = |error: serde_json::Error| Error::BadSpec { path: path.clone(), reason: error.to_string() };
    let Number { format } = serde_json::from_slice(&bytes).map_err(bad)?;
    if format > FORMAT {
        return Err(Error::LaterFormat { path, format });
    }
    let written: Written = serde_json::from_slice(&bytes).map_err(bad)?;
    let slots = || written.slots.iter().filter_map(|slot| slot.parse().ok()).collect();
    Ok((written.revision == revision).then(slots))
}

/// Records durably which slots are stopped in a revision. The file belongs to the owner of the service directory.
pub(crate) fn write(service: &Path, revision: u64, slots: &[Slot]) -> Result<(), Error> {
    let path = service.join(STOPPED_FILE);
    let slots = slots.iter().map(Slot::to_string).collect();
    let written = Written { format: FORMAT, revision, slots };
    let json = serde_json::to_vec(&written).expect("names and numbers are plain data");
    durable::replace_durably(service, STOPPED_FILE, &json).map_err(|error| Error::io("write", &path, error))
}

/// Removes the list, when the spec itself says all of it.
pub(crate) fn forget(service: &Path) {
    let path = service.join(STOPPED_FILE);
    // If the list cannot be removed, it is ignored as soon as the revision changes; until then the slots stay stopped.
    let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(names: &[&str]) -> Vec<Slot> {
        names.iter().map(|name| name.parse().expect("a slot")).collect()
    }

    #[test]
    fn a_list_counts_in_its_own_revision_alone() {
        let service = tempfile::tempdir().expect("a directory");
        let service = service.path();
        let read = |revision| read(service, revision).expect("readable");
        assert_eq!(read(7), None);
        write(service, 7, &slots(&["web.2"])).expect("written");
        assert_eq!((read(7), read(8)), (Some(slots(&["web.2"])), None));
        write(service, 8, &slots(&["web.2", "worker.1"])).expect("written");
        assert_eq!((read(7), read(8)), (None, Some(slots(&["web.2", "worker.1"]))));
        forget(service);
        assert!(!service.join(STOPPED_FILE).exists());
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_path_and_written_anew() {
        let service = tempfile::tempdir().expect("a directory");
        let service = service.path();
        let path = service.join(STOPPED_FILE);
        let texts = ["", "{", "\0\0\0", "[]", "{\"format\":1}", "{\"format\":2,\"slots\":{}}"];
        for text in texts {
            fs::write(&path, text).expect("written");
            let error = read(service, 1).expect_err(text);
            assert!(error.to_string().contains("stopped.json"), "{error}");
            assert_eq!(matches!(error, Error::LaterFormat { .. }), text.contains('2'), "{error}");
            write(service, 1, &slots(&["web.1"])).expect("written");
            assert_eq!(read(service, 1).expect("readable"), Some(slots(&["web.1"])));
        }
        fs::write(&path, r#"{"format":1,"revision":1,"slots":["web.1","web.*"],"more":{}}"#)
            .expect("written");
        assert_eq!(
            read(service, 1).expect("readable"),
            Some(slots(&["web.1"])),
            "unknown words are passed over"
        );
        fs::remove_file(&path).expect("removed");
        fs::create_dir_all(path.join("full")).expect("a directory");
        assert!(read(service, 1).is_err());
        forget(service);
        assert!(!path.exists());
    }
}
