//! Waits for the lock of a directory that is to be written to, with a time limit.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

/// How long another process may hold the lock. Writing takes milliseconds, on a slow disk a second. A program that is stopped while it
/// writes (`SIGSTOP`, a debugger) would keep all others waiting for ever.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Locks this file or directory (`flock`), waiting up to half a minute until no other process has it locked.
///
/// # Errors
/// Another process holds the lock for longer; the message names it if the system knows it. Or the file system has no locks.
pub fn take_turn(lock: impl AsFd) -> io::Result<()> {
    wait(lock, Instant::now(), PATIENCE)
}

/// As [`take_turn`], with a given patience, counted from `begun`.
pub(crate) fn wait(lock: impl AsFd, begun: Instant, patience: Duration) -> io::Result<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::INTR) => (),
            Err(Errno::WOULDBLOCK) if begun.elapsed() >= patience => return Err(too_long(lock, patience)),
            Err(Errno::WOULDBLOCK) => {
                thread::sleep(pause);
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            other => return Ok(other?),
        }
    }
}

fn too_long(lock: impl AsFd, patience: Duration) -> io::Error {
    let seconds = patience.as_secs_f32();
    let text = match rustix::fs::fstat(lock).ok().and_then(|stat| holder(stat.st_ino)) {
        Some(pid) => {
            format!("process {pid} has held it for {seconds} s: continue it (kill -CONT {pid}), or end it")
        }
        None => format!("another process has held it for {seconds} s: continue that, or end it"),
    };
    io::Error::new(io::ErrorKind::ResourceBusy, text)
}

/// The process that has locked the file with this inode number. Files of other file systems may have the same number; if two lines name
/// it, the answer is `None`.
fn holder(inode: u64) -> Option<u32> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let mut holders = locks.lines().filter_map(|line| held(line, inode));
    holders.next().filter(|_| holders.next().is_none())
}

/// The process in a line of /proc/locks such as `3: FLOCK  ADVISORY  WRITE 1234 fe:00:56789 0 EOF`, if that line is about the file.
/// `None` for the line of a process that waits (`3: -> FLOCK …`).
fn held(line: &str, inode: u64) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    let is_lock = words.next() == Some("FLOCK");
    let (pid, file) = (words.nth(2)?, words.next()?);
    let is_it = is_lock && file.rsplit(':').next()?.parse() == Ok(inode);
    is_it.then(|| pid.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn whoever_holds_a_lock_for_too_long_is_named_and_a_short_holder_is_waited_for() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("lock");
        let open = || File::options().create(true).append(true).open(&path).expect("opened");
        let (held, other) = (open(), open());
        wait(&held, Instant::now(), Duration::ZERO).expect("free");
        let error = wait(&other, Instant::now(), Duration::from_millis(20)).expect_err("it is held");
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        let pid = std::process::id();
        assert_eq!(
            error.to_string(),
            format!("process {pid} has held it for 0.02 s: continue it (kill -CONT {pid}), or end it")
        );
        let waits = thread::spawn(move || take_turn(&other));
        thread::sleep(Duration::from_millis(30));
        drop(held);
        waits.join().expect("no panic").expect("it is its turn");
    }

    #[test]
    fn a_line_about_another_file_or_of_one_who_waits_names_nobody() {
        let line = "3: FLOCK  ADVISORY  WRITE 1234 fe:00:56789 0 EOF";
        assert_eq!(held(line, 56789), Some(1234));
        assert_eq!(held(line, 6789), None);
        assert_eq!(held("3: -> FLOCK  ADVISORY  WRITE 99 fe:00:56789 0 EOF", 56789), None);
        assert_eq!(held("4: POSIX  ADVISORY  WRITE 1234 fe:00:56789 0 EOF", 56789), None);
        assert_eq!(held("", 1), None);
    }
}
