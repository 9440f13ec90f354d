//! What a supervisor refuses to inherit from whoever starts it. A caller's descriptors, ignored signals and umask are
//! the caller's own: with `exec 9>lock; flock 9; ps-lifecycle deploy shop` the lock would otherwise be held for as long
//! as the app runs, and after `nohup ps-lifecycle deploy shop` the app could not be told to reload by SIGHUP.

use std::env;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::fs::{Mode, OFlags};
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGIO, SIGPROF, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGUSR1, SIGUSR2, SIGVTALRM,
    SIGWINCH,
};

/// The first descriptor that is not stdin, stdout or stderr.
const FIRST: i32 = 3;
/// What apps create is readable for others unless the app says otherwise, whoever deployed them with whatever umask:
/// an app that needs another one begins its command with `umask`.
const UMASK: u32 = 0o022;
/// Signals that a caller may have ignored and that nothing else here handles.
const OTHER_SIGNALS: [i32; 13] = [
    SIGALRM, SIGHUP, SIGIO, SIGPROF, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGUSR1, SIGUSR2, SIGVTALRM,
    SIGWINCH,
];
/// Those among them that somebody sends every now and then: they have a handler in any case, so that none of them ever ends
/// a supervisor. Each handler takes more than a KiB.
const SENT: [i32; 6] = [SIGALRM, SIGHUP, SIGQUIT, SIGTSTP, SIGUSR1, SIGUSR2];

/// No program that this process starts from now on gets a descriptor but its own stdin, stdout and stderr.
pub fn close_descriptors_on_exec() {
    close_fds::set_fds_cloexec_threadsafe(FIRST, &[]);
}

/// Frees this process from what it inherited, before it opens anything of its own. Descriptors are given up by executing
/// the program once more, because only the kernel can close what no part of this program owns.
///
/// # Errors
/// Signals that could not be given a handler. A program that could not be executed again goes on as it is.
pub fn disown() -> io::Result<()> {
    rustix::process::umask(Mode::from_raw_mode(UMASK));
    // A handled signal has its default meaning in what is executed afterwards; an ignored one would stay ignored.
    let ignored = ignored();
    let needs_handler = |signal: &i32| SENT.contains(signal) || ignored & (1 << (signal - 1)) != 0;
    for signal in OTHER_SIGNALS.into_iter().filter(needs_handler) {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    if has_strays() {
        close_descriptors_on_exec();
        // One that cannot be marked would be there again afterwards, and again.
        if !has_strays() {
            let mut words = env::args_os();
            let mut again = Command::new(env::current_exe()?);
            again.arg0(words.next().unwrap_or_default()).args(words);
            // It returns only where it failed: then the descriptors stay, and apps do not get them.
            let _ = again.exec();
        }
    }
    Ok(())
}

/// The signals that are ignored, a bit for each, the lowest for the first (proc(5), status). All, where that is not known.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(u64::MAX)
}

/// Whether a descriptor is open that what we execute would inherit, stdin, stdout and stderr excepted.
fn has_strays() -> bool {
    let Ok(entries) = fs::read_dir("/proc/self/fdinfo") else { return false };
    let descriptors = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    descriptors.into_iter().any(|descriptor| descriptor >= FIRST && is_inherited(descriptor))
}

/// Whether a descriptor stays open when something is executed (proc(5), fdinfo).
fn is_inherited(descriptor: i32) -> bool {
    let Ok(info) = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")) else { return false };
    let flags =
        info.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    flags.is_some_and(|flags| !OFlags::from_bits_retain(flags).contains(OFlags::CLOEXEC))
}
