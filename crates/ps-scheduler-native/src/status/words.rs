//! What is said to people about the instances of an app and its supervisor.

use std::path::Path;

use formation::AppName;
use ps_service::Service;
use ps_supervisor::{CANNOT_SERVE, Status, Unrecorded};

/// Why a process does nothing while its log is full, if it is to wait then (`log-when-full block`).
const LOG_WAITS: &str = "its log takes nothing: what it writes waits until there is room";

/// That what its files say to run is not its own.
pub(super) fn copied(service: &Service, original: &Path) -> String {
    format!(
        "{} is a copy of {}, whose instances are not its own: {} starts some here",
        service.directory.display(),
        original.display(),
        service.command("start")
    )
}

/// That its supervisor is stopped.
pub(super) fn stopped(app: &AppName, supervisor: u32) -> String {
    format!(
        "the supervisor of {app} (pid {supervisor}) is stopped by a signal (SIGSTOP, SIGTSTP): what runs runs on, but nobody starts it \
         again, ends it or takes its output: kill -CONT {supervisor}"
    )
}

/// That nothing can be recorded of it, for people.
pub(super) fn unrecorded(status: &Status) -> Option<String> {
    let Unrecorded { since, why } = status.unrecorded.as_ref()?;
    Some(format!("nothing about it could be recorded since {since:.0}: {why}; it is supervised all the same"))
}

/// Which limits it runs without, beside what else there is to be known of its start.
pub(super) fn lacking(status: &Status) -> Option<String> {
    let lacking = status.limits.as_ref()?.lacking.as_ref()?;
    Some(status.note.iter().fold(lacking.clone(), |all, note| format!("{all}; {note}")))
}

/// Why a process that lives, or its clients, can only wait.
pub(super) fn held_up(status: &Status) -> Option<&'static str> {
    if status.log_waits {
        return Some(LOG_WAITS);
    }
    (status.note.as_deref() == Some(CANNOT_SERVE)).then_some(CANNOT_SERVE)
}

/// What has become of its output on a full disk, or where its supervisor was killed, for people.
pub(super) fn of_logs(status: &Status) -> Option<String> {
    if status.log_waits {
        return Some(LOG_WAITS.to_owned());
    }
    let Status { log_dropped: dropped, log_in_doubt: in_doubt, .. } = *status;
    let were_dropped = format!("{dropped} bytes of its output were dropped because the disk was full");
    match (dropped, in_doubt) {
        (0, 0) => None,
        (_, 0) => Some(were_dropped),
        (0, _) => {
            Some(format!("up to {in_doubt} bytes of its output may be missing: its supervisor was killed"))
        }
        (_, _) => Some(format!(
            "{were_dropped}, and up to {in_doubt} more may be missing: its supervisor was killed"
        )),
    }
}
