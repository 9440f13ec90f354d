//! The file `id` in a service directory: the prefix of the names of its cgroups. It is random and written before the first
//! cgroup is made. A service directory that got the inode of a removed one therefore never takes the processes of another
//! app for its own, and one that was copied draws a name of its own.
//!
//! Earlier versions made the prefix from device and inode of the directory. The file keeps that prefix beside the new one
//! for apps that have it, so that their existing cgroups are found.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use os_process::{CgroupRoot, ServiceName};
use serde::{Deserialize, Serialize};

use crate::copied;
use crate::layout::{self, MAX_FILE_BYTES};

pub(crate) const FILE: &str = "id";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    id: String,
    /// The prefix of an earlier version, made from device and inode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier: Option<String>,
}

/// Where the cgroups of a service directory are made, if they can be.
pub(crate) fn root(service: &Path) -> Option<CgroupRoot> {
    CgroupRoot::find(|| name(service))
}

/// What the names of the groups of a service directory begin with, also where no group of trees can be made.
pub(crate) fn known_name(service: &Path) -> ServiceName {
    name(service).unwrap_or_else(|| ServiceName { own: "0".to_owned(), earlier: None })
}

/// The recorded prefix. If there is none, a random one is recorded. If it cannot be recorded, because the disk is full, the
/// prefix of earlier versions is used, which the next supervisor can compute again.
fn name(service: &Path) -> Option<ServiceName> {
    if let Some(Written { id, earlier, .. }) = read(service).filter(|_| copied::original(service).is_none()) {
        return Some(ServiceName { own: id, earlier });
    }
    let by_inode = by_inode(service).ok()?;
    // A directory without slots never had a cgroup under the earlier prefix.
    let earlier = layout::slots(service).next().is_some().then(|| by_inode.clone());
    let drawn = draw().and_then(|id| {
        let written = Written { format: FORMAT, id, earlier };
        let json = serde_json::to_vec(&written).expect("names are plain data");
        durable::replace(service, FILE, &json)?;
        Ok(ServiceName { own: written.id, earlier: written.earlier })
    });
    Some(drawn.unwrap_or(ServiceName { own: by_inode, earlier: None }))
}

fn read(service: &Path) -> Option<Written> {
    let bytes = durable::state(&service.join(FILE), MAX_FILE_BYTES).ok()?;
    let written: Written = serde_json::from_slice(&bytes).ok()?;
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let are_names = is_name(&written.id) && written.earlier.as_deref().is_none_or(is_name);
    Some(written).filter(|written| written.format <= FORMAT && are_names)
}

fn by_inode(service: &Path) -> io::Result<String> {
    let metadata = fs::metadata(service)?;
    Ok(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
}

fn draw() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_drawn_once_and_an_app_of_before_keeps_its_earlier_one_as_well() {
        let service = tempfile::tempdir().expect("a directory");
        let new = name(service.path()).expect("a name");
        assert_eq!((new.own.len(), &new.earlier), (32, &None));
        assert_eq!(name(service.path()), Some(new.clone()), "it stays");
        fs::create_dir(service.path().join("web.1")).expect("made");
        assert_eq!(name(service.path()), Some(new.clone()), "also once there are slots");
        for damaged in ["", "{", r#"{"format":2,"id":"ab"}"#, r#"{"format":1,"id":"../x"}"#] {
            fs::write(service.path().join(FILE), damaged).expect("written");
            let drawn = name(service.path()).expect("a name");
            assert_ne!(drawn.own, new.own, "{damaged}");
            assert_eq!(drawn.earlier, by_inode(service.path()).ok(), "{damaged}");
        }
    }

    #[test]
    fn without_a_place_to_write_it_is_made_from_the_inode() {
        assert_eq!(
            name(Path::new("/proc/self")),
            by_inode(Path::new("/proc/self")).ok().map(|own| { ServiceName { own, earlier: None } })
        );
    }
}
