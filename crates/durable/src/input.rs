//! Files that a person put somewhere: a Procfile, an app.json, a `.env`. They may be symlinks, and may be on a file
//! system whose server is gone. Opening such a file may never return, so a separate thread does it. No thread is used
//! if the path stays on the file system of `/`, because without that file system nothing works anyway, and because each
//! thread would leave 24 KiB in the memory of a supervisor.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::{ReadError, error, regular};

/// How long a file system may take.
const DEADLINE: Duration = Duration::from_secs(5);
const STACK_BYTES: usize = 128 << 10;

/// The bytes of a file of at most `max` bytes; symlinks are followed. A file system that does not answer within 5 s is an error.
pub fn input(path: &Path, max: u64) -> Result<Vec<u8>, ReadError> {
    if is_near(path) {
        return read(path, max);
    }
    let place = path.to_owned();
    within(DEADLINE, move || read(&place, max))
}

/// Whether there is a file at a path that [`input`] can read.
pub fn is_file(path: &Path) -> bool {
    let look = |path: &Path| Ok(std::fs::metadata(path)?.is_file());
    if is_near(path) {
        return look(path).unwrap_or(false);
    }
    let place = path.to_owned();
    within(DEADLINE, move || look(&place)).unwrap_or(false)
}

/// Whether the path, with every symlink on it, stays on the file system of `/`, or ends there because a part of it is missing.
/// The kernel stops before it asks another file system.
fn is_near(path: &Path) -> bool {
    let stay = ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
    let found = openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), stay);
    path.is_absolute() && matches!(found, Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS))
}

fn read(path: &Path, max: u64) -> Result<Vec<u8>, ReadError> {
    // Opening a device may already have an effect, so the kind of the file is examined first.
    let metadata = std::fs::metadata(path).map_err(|error| match error.into() {
        ReadError::Symlink => ReadError::LinkLoop,
        other => other,
    })?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile(error::kind(metadata.file_type())));
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    regular(File::from(rustix::fs::open(path, flags, Mode::empty())?), max)
}

/// The result of `work`, or an error if it takes too long: then its thread is left running, and ends with the process.
fn within<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    let (send, receive) = mpsc::sync_channel(1);
    thread::Builder::new().stack_size(STACK_BYTES).spawn(move || send.send(work()))?;
    receive.recv_timeout(deadline).unwrap_or(Err(ReadError::Silent(deadline)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_another_file_system_is_left_to_a_thread() {
        assert!(is_near(Path::new("/")) && is_near(Path::new("/there/is/none/of/this")));
        for far in ["/proc/self/status", "/proc/self/root/etc", "etc"] {
            assert!(!is_near(Path::new(far)), "{far}");
        }
        assert!(is_file(Path::new("/proc/self/status")) && !is_file(Path::new("/proc")));
    }

    #[test]
    fn what_does_not_answer_is_left_behind() {
        let deadline = Duration::from_millis(20);
        let (hold, held) = mpsc::channel::<()>();
        let answer = within(deadline, move || {
            let _ = held.recv();
            Ok(())
        });
        assert!(matches!(answer, Err(ReadError::Silent(_))));
        drop(hold);
        assert_eq!(within(deadline * 100, || Ok(1)).expect("an answer"), 1);
    }
}
