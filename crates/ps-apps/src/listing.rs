//! What lies in a directory. The standard library's reader of directories panics where a directory cannot be closed; this one does
//! not.

use std::io;
use std::path::Path;

use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::Errno;

use crate::Error;

/// The names that are text, in the order of the file system; none if there is no such directory.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let fail = |errno: Errno| Error::io("read", directory, io::Error::from(errno));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let entries = match rustix::fs::open(directory, flags, Mode::empty()) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
        opened => Dir::new(opened.map_err(fail)?).map_err(fail)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(fail)?.file_name().to_owned().into_string());
    }
    Ok(names)
}
