//! The command that delivers alerts: `ps-notify` is run for the app, and reads its journal from the position up to
//! which alerts were sent.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use formation::AppName;
use ps_apps::{LOCK_VARIABLE, World};

use crate::audience::Audience;

const PROGRAM: &str = "ps-notify";

/// The command that sends alerts about what is new in the app's journal; `None`: there are no recipients, or the program is not installed. It
/// uses none of its caller's streams, and the caller need not wait for it, only reap it.
///
/// If the recipients cannot be read, the command is returned all the same: the program then writes the reason into the journal.
pub fn summons(world: &World, app: &AppName) -> Option<Command> {
    if Audience::of(world, app).is_ok_and(|audience| audience.is_empty()) {
        return None;
    }
    let mut command = Command::new(os_process::sister(PROGRAM)?);
    command.arg(app.as_str()).env_remove(LOCK_VARIABLE).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(command)
}
