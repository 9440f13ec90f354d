//! Whether our stdin may have something to read. A swarm hands no input to a task, and what somebody pipes to a command must not be lost
//! silently.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

/// How long a pipe may take to say that it has no input.
const PATIENCE: Duration = Duration::from_secs(1);
/// `/dev/null`, as Linux numbers its devices.
const NULL: (u32, u32) = (1, 3);

/// Whether stdin is one that has nothing: `/dev/null`, a terminal, an empty file, a pipe whose other end is closed, or none at all.
pub(crate) fn is_given() -> bool {
    let Ok(stdin) = io::stdin().as_fd().try_clone_to_owned() else { return true };
    let stdin = File::from(stdin);
    let Ok(metadata) = stdin.metadata() else { return true };
    let kind = metadata.file_type();
    if kind.is_file() {
        return metadata.len() == 0;
    }
    if kind.is_char_device() {
        let device = metadata.rdev();
        let is_null = (rustix::fs::major(device), rustix::fs::minor(device)) == NULL;
        return is_null || rustix::termios::isatty(&stdin);
    }
    has_ended(stdin)
}

/// Whether a pipe or a socket ends within a moment, without anything in it.
fn has_ended(mut pipe: File) -> bool {
    let within = PATIENCE.try_into().ok();
    let mut asked = [PollFd::new(&pipe, PollFlags::IN)];
    let has_come = matches!(poll(&mut asked, within.as_ref()), Ok(1..));
    has_come && matches!(pipe.read(&mut [0]), Ok(0))
}
