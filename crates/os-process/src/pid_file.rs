//! Files in which scripts look for the pid of a process.

use std::fs;
use std::path::Path;

/// The most bytes that a file with a pid has.
const MAX_BYTES: u64 = 32;

/// Removes a file that contains the pid of a process which has ended, in decimal digits, so that no script signals a later process
/// with the same pid. A file with any other content, such as the pid of a later process, stays, and so does a file that is not a
/// regular one.
pub fn forget_pid(file: &Path, pid: u32) {
    let holds =
        durable::state(file, MAX_BYTES).is_ok_and(|bytes| bytes.trim_ascii() == pid.to_string().as_bytes());
    if holds {
        // If the file cannot be removed, nothing of this project is affected.
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_with_that_pid_is_removed() {
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("app.pid");
        for (text, stays) in [("12", false), ("12\n", false), ("123", true), ("", true), ("web", true)] {
            fs::write(&file, text).expect("written");
            forget_pid(&file, 12);
            assert_eq!(file.exists(), stays, "{text:?}");
        }
        forget_pid(&place.path().join("nothing"), 12);
        // No process writes into the FIFO, and the function does not wait for one.
        let fifo = place.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .expect("made");
        forget_pid(&fifo, 12);
        assert!(fifo.symlink_metadata().is_ok());
    }
}
