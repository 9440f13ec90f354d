//! What becomes of a copy of a service directory before anybody supervises it: a directory of its own, in which nothing runs.

use std::fs;
use std::io;
use std::path::Path;

use crate::state::head;
use crate::status::Status;
use crate::{begun, copied, groups, layout};

/// Makes a copy a directory of its own, whose processes have ended. Does nothing if it is none.
///
/// # Errors
/// A file cannot be written or removed. It is still a copy then.
pub(crate) fn disown(service: &Path) -> io::Result<()> {
    if copied::original(service).is_none() {
        return Ok(());
    }
    for slot in layout::slots(service) {
        let directory = service.join(slot.to_string());
        if let Ok(Some(status)) = Status::read(&directory) {
            status.of_a_copy().write(&directory)?;
        }
        for number in layout::numbers(&directory) {
            if let Some(run) = Status::read_run(&directory, number) {
                run.of_a_copy().write_run(&layout::run_directory(&directory, number))?;
            }
        }
    }
    // `state` comes last, because it says that this is a copy.
    for name in [begun::FILE, groups::FILE, head::FILE] {
        match fs::remove_file(service.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
    }
    Ok(())
}
