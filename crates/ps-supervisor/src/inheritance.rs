//! What a supervisor does not take over from the process that starts it. Descriptors, ignored signals and the umask belong
//! to that process. For example, with `exec 9>lock; flock 9; ps-lifecycle deploy shop` the lock would otherwise be held for
//! as long as the app runs, and after `nohup ps-lifecycle deploy shop` the app could not be told to reload by SIGHUP.

use std::env;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::fs::{Mode, OFlags};
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,
    SIGUSR1, SIGUSR2, SIGVTALRM, SIGWINCH,
};

use crate::signals;

/// The first descriptor that is not stdin, stdout or stderr.
const FIRST: i32 = 3;
/// The umask of every supervisor, whatever the umask of the user who deployed: files that apps create can be read by other
/// users. An app that needs another umask begins its command with `umask`.
const UMASK: u32 = 0o022;
/// Signals that a caller may have set to be ignored.
const OTHER_SIGNALS: [i32; 16] = [
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,
    SIGUSR1, SIGUSR2, SIGVTALRM, SIGWINCH,
];
/// The signals among them that people do send.
const SENT: [i32; 6] = [SIGALRM, SIGHUP, SIGQUIT, SIGTSTP, SIGUSR1, SIGUSR2];

/// How signals that people send are kept from ending a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// By handlers that do nothing. What it starts has the usual mask.
    Handlers,
    /// They are blocked, like all others that it does not act on. A handler takes more than a KiB.
    Mask,
}

/// Marks all descriptors close-on-exec, so that programs started from now on get only stdin, stdout and stderr.
pub fn close_descriptors_on_exec() {
    close_fds::set_fds_cloexec_threadsafe(FIRST, &[]);
}

/// Drops what this process inherited, before it opens anything of its own. Unknown descriptors are closed by executing the
/// program once more: only the kernel can close descriptors that no object of this program owns.
///
/// # Errors
/// A signal could not be given a handler or be blocked. If the program cannot be executed again, it goes on with the descriptors.
pub fn disown(against: Against) -> io::Result<()> {
    rustix::process::umask(Mode::from_raw_mode(UMASK));
    if against == Against::Mask {
        signals::shield()?;
    }
    // exec resets a handled signal to its default action; an ignored signal would stay ignored.
    let ignored = ignored();
    let is_sent = |signal: &i32| against == Against::Handlers && SENT.contains(signal);
    let needs_handler = |signal: &i32| is_sent(signal) || ignored & (1 << (signal - 1)) != 0;
    for signal in OTHER_SIGNALS.into_iter().filter(needs_handler) {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    if has_strays() {
        close_descriptors_on_exec();
        // A descriptor that cannot be marked would still be there after the exec, and we would execute ourselves for ever.
        if !has_strays() {
            let mut words = env::args_os();
            let mut again = Command::new(env::current_exe()?);
            again.arg0(words.next().unwrap_or_default()).args(words);
            // exec returns only on failure. Then the descriptors stay open here, but apps do not inherit them.
            let _ = again.exec();
        }
    }
    Ok(())
}

/// The ignored signals, one bit each, from signal 1 in the lowest (proc(5), status). All bits if they cannot be read.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(u64::MAX)
}

/// Whether any descriptor beside stdin, stdout and stderr would be inherited by a program that we execute.
fn has_strays() -> bool {
    let Ok(entries) = fs::read_dir("/proc/self/fdinfo") else { return false };
    let descriptors = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    descriptors.into_iter().any(|descriptor| descriptor >= FIRST && is_inherited(descriptor))
}

/// Whether a descriptor is inherited across exec (proc(5), fdinfo).
fn is_inherited(descriptor: i32) -> bool {
    let Ok(info) = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")) else { return false };
    let flags =
        info.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    flags.is_some_and(|flags| !OFlags::from_bits_retain(flags).contains(OFlags::CLOEXEC))
}
