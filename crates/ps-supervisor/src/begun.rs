//! The file `begun` in a service directory: the statuses of the runs that are about to be started beside another, one a line,
//! until each has been written into a file of its own (`run.json`). If the supervisor is killed in between, the next one sees by
//! it that such a run does not fill its slot, and which port and directory its process has.
//!
//! It is one file for all runs that are started in a turn, because making a file may take longer than all else that a start
//! does. It is not synced: after a power loss none of these runs lives.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::layout::MAX_FILE_BYTES;
use crate::run_name::RunName;
use crate::status::Status;

pub(crate) const FILE: &str = "begun";

/// The file, for the one supervisor that writes it.
#[derive(Debug)]
pub(crate) struct Begun {
    path: PathBuf,
    /// `None`: nothing was written since it was emptied.
    file: Option<File>,
}

impl Begun {
    /// The file of a service directory. What an earlier supervisor wrote stays there until [`Begun::forget`].
    pub(crate) fn of(service: &Path) -> Self {
        let path = service.join(FILE);
        let left = path.metadata().is_ok_and(|left| left.len() > 0);
        let file = if left { open(&path).ok() } else { None };
        Self { path, file }
    }

    /// Adds the status of a run that is about to be started.
    ///
    /// # Errors
    /// It could not be written.
    pub(crate) fn note(&mut self, status: &Status) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(open(&self.path)?),
        };
        let line = [name(&status.slot, status.run).as_bytes(), &status.to_json()].concat();
        file.write_all(&line)
    }

    /// Whether it holds something.
    pub(crate) fn is_due(&self) -> bool {
        self.file.is_some()
    }

    /// Empties it: every run that is in it has a file of its own, or has ended.
    pub(crate) fn forget(&mut self) {
        if let Some(file) = self.file.take() {
            // If it cannot be emptied, its entries do no harm: a run that has a file of its own is read from there.
            let _ = file.set_len(0);
        }
    }
}

/// The status of a run of a slot, as its own file says, or as it was when the run was about to be started.
pub(crate) fn status_of(slot: &Path, number: u64) -> Option<Status> {
    Status::read_run(slot, number).or_else(|| read(slot, number))
}

/// The status of a run that was about to be started, if the file has one. A line that is only half written belongs to a run that
/// was not started.
fn read(slot: &Path, number: u64) -> Option<Status> {
    let bytes = durable::state(&slot.parent()?.join(FILE), MAX_FILE_BYTES).ok()?;
    let slot = slot.file_name()?.to_str()?.parse().ok()?;
    let name = name(&slot, number);
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').rev();
    let mut own = lines.filter_map(|line| line.strip_prefix(name.as_bytes()));
    own.find_map(|status| serde_json::from_slice(status).ok())
}

/// What the line of a run begins with.
fn name(slot: &formation::Slot, number: u64) -> String {
    format!("{} ", RunName { slot: slot.clone(), number })
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    Ok(rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o600))?.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use formation::Slot;

    use super::*;
    use crate::status::now;

    fn status(slot: &str, run: u64, port: u16) -> Status {
        let slot: Slot = slot.parse().expect("a slot");
        Status { run, port: Some(port), ..Status::nothing(&slot, now()) }
    }

    #[test]
    fn what_was_about_to_be_started_is_known_until_it_is_forgotten() {
        let service = tempfile::tempdir().expect("a directory");
        let (first, tenth) = (service.path().join("web.1"), service.path().join("web.10"));
        let mut begun = Begun::of(service.path());
        assert_eq!((begun.is_due(), read(&first, 1)), (false, None));
        let all = [status("web.1", 17, 5000), status("web.10", 1, 5009), status("web.1", 18, 5001)];
        for status in &all {
            begun.note(status).expect("written");
        }
        assert_eq!(read(&first, 17).as_ref(), Some(&all[0]));
        assert_eq!(read(&first, 18).as_ref(), Some(&all[2]));
        assert_eq!(read(&tenth, 1).as_ref(), Some(&all[1]));
        assert_eq!((read(&first, 1), read(&first, 7)), (None, None), "another run");
        // The next supervisor knows it too, until it has written the runs down.
        let mut next = Begun::of(service.path());
        assert!(next.is_due());
        next.forget();
        assert_eq!((next.is_due(), read(&first, 17)), (false, None));
    }

    #[test]
    fn half_a_line_is_no_run_and_what_was_written_last_counts() {
        let service = tempfile::tempdir().expect("a directory");
        let mut begun = Begun::of(service.path());
        for port in [5000, 5001] {
            begun.note(&status("web.1", 17, port)).expect("written");
        }
        let slot = service.path().join("web.1");
        let path = service.path().join(FILE);
        let whole = fs::read(&path).expect("readable");
        for length in whole.len() / 2 + 1..whole.len() - 1 {
            fs::write(&path, &whole[..length]).expect("written");
            assert_eq!(read(&slot, 17).and_then(|status| status.port), Some(5000), "{length} bytes");
        }
        fs::write(&path, &whole).expect("written");
        assert_eq!(read(&slot, 17).and_then(|status| status.port), Some(5001));
    }
}
