//! The only reader of `/proc/<pid>/stat` (proc(5)), of the list of pids, and of a few other facts about one process.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The line has 52 fields of at most 20 digits and a name of at most 64 bytes. One read is enough for it, which matters
/// because reports read it for every instance.
const LONGEST: usize = 1024;
/// The flag `PF_KTHREAD` of the kernel, which procps uses too.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// What a process or a thread is doing at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It computes, or waits for a CPU.
    Computes,
    /// It waits for something else.
    Waits,
    /// A signal or a tracer has stopped it.
    IsStopped,
    /// It has ended, and was not reaped by its parent yet.
    IsZombie,
}

/// The kernel's line about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The activity.
    pub activity: Activity,
    /// Whether the process is a kernel thread.
    pub is_kernel_thread: bool,
    /// The pid of the parent.
    pub parent: u32,
    /// The process group.
    pub group: u32,
    /// The session.
    pub session: u32,
    /// CPU time that the process itself has used, in user mode and in the kernel, in clock ticks.
    pub cpu_ticks: u64,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// The resident memory, in pages.
    pub resident_pages: u64,
}

impl Stat {
    /// The line of the process with that pid; `None` if there is none.
    pub fn of(pid: u32) -> Option<Self> {
        let mut line = [0; LONGEST];
        let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
        Self::parse(&String::from_utf8_lossy(&line[..length]))
    }

    /// As [`Stat::of`], but `None` for a zombie.
    pub fn of_living(pid: u32) -> Option<Self> {
        Self::of(pid).filter(|stat| stat.activity != Activity::IsZombie)
    }

    /// A name may contain blanks and parentheses, so fields are counted from the last closing parenthesis.
    fn parse(line: &str) -> Option<Self> {
        let (_, after_name) = line.rsplit_once(") ")?;
        let mut fields = after_name.split(' ');
        let activity = match fields.next()? {
            "R" => Activity::Computes,
            "T" | "t" => Activity::IsStopped,
            "Z" | "X" => Activity::IsZombie,
            _ => Activity::Waits,
        };
        let mut next = || fields.next()?.parse().ok();
        let [parent, group, session] = [next()?, next()?, next()?];
        let mut number = |skipped: usize| fields.nth(skipped)?.parse::<u64>().ok();
        let is_kernel_thread = number(2)? & KERNEL_THREAD != 0;
        let cpu_ticks = number(4)?.saturating_add(number(0)?);
        let (start_time, resident_pages) = (number(6)?, number(1)?);
        Some(Self {
            activity,
            is_kernel_thread,
            parent,
            group,
            session,
            cpu_ticks,
            start_time,
            resident_pages,
        })
    }
}

/// Whether a thread of a process computes right now, or waits for a CPU.
pub fn computes(pid: u32) -> bool {
    // The kernel answers for the number of a thread as it does for that of a process.
    let is_one = |thread: u32| Stat::of(thread).is_some_and(|stat| stat.activity == Activity::Computes);
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.filter_map(|thread| thread.file_name().to_str()?.parse().ok()).any(is_one)
}

/// The pids of all processes, in no order.
pub fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether no process and no thread has got a pid after the one with this pid, which has not been reaped. `false` if the kernel does
/// not say that.
pub(crate) fn is_newest(pid: u32) -> bool {
    let mut digits = [0; 16];
    let read = File::open("/proc/sys/kernel/ns_last_pid").and_then(|mut file| file.read(&mut digits));
    let last =
        read.ok().and_then(|length| std::str::from_utf8(&digits[..length]).ok()?.trim_end().parse().ok());
    last == Some(pid)
}

/// The pids of the children that the first thread of a process has started or inherited; `None` if the kernel does not list them.
pub fn children(pid: u32) -> Option<Vec<u32>> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    Some(pids_of(&listed))
}

/// The pids of the children of all threads of a process.
pub(crate) fn children_of_all_threads(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let listed = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    listed.flat_map(|listed| pids_of(&listed)).collect()
}

fn pids_of(listed: &str) -> Vec<u32> {
    listed.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Whether a process has this file open; `false` if this process may not examine it. A socket is named `socket:[<inode>]`.
pub fn has_open(pid: u32, file: &Path) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| link == file)
}

/// How many descriptors a process has open; `None` if it has ended or this process may not examine it.
pub fn open_files(pid: u32) -> Option<u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    u64::try_from(descriptors.count()).ok()
}

/// The name of a process, as the kernel shortens it; empty if there is none.
pub fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_open_file_counts_and_a_process_that_is_not_there_has_none() {
        let before = open_files(std::process::id()).expect("it is this process");
        let files = [(); 100].map(|()| fs::File::open("/proc/self/stat").expect("a file"));
        // Other tests of this process open and close a few.
        assert!(open_files(std::process::id()).expect("it is this process") > before + 50);
        drop(files);
        assert_eq!(open_files(u32::MAX), None);
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_moves_no_field() {
        let line = "7 (a) Z 1 (b) S 2 3 4 0 -1 4194560 10 11 12 13 140 150 16 17 20 0 1 0 2222 23 24";
        let stat = Stat {
            activity: Activity::Waits,
            is_kernel_thread: false,
            parent: 2,
            group: 3,
            session: 4,
            cpu_ticks: 290,
            start_time: 2222,
            resident_pages: 24,
        };
        assert_eq!(Stat::parse(line), Some(stat));
        for (state, activity) in
            [("Z 2", Activity::IsZombie), ("R 2", Activity::Computes), ("T 2", Activity::IsStopped)]
        {
            assert_eq!(Stat::parse(&line.replace("S 2", state)).map(|stat| stat.activity), Some(activity));
        }
        assert!(
            Stat::parse(&line.replace(" 4194560 ", " 69238880 ")).is_some_and(|stat| stat.is_kernel_thread)
        );
        for broken in ["", "7 (a", "7 (a) S 2 3", "7 (a) S x 3 4 0"] {
            assert_eq!(Stat::parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_process_that_has_started_another_is_not_the_newest() {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "sleep 600 & echo; wait"]).stdout(std::process::Stdio::piped());
        let mut shell = shell.spawn().expect("sh is there");
        let mut line = [0];
        shell.stdout.take().expect("piped").read_exact(&mut line).expect("it says so");
        assert!(!is_newest(shell.id()));
        for pid in children(shell.id()).unwrap_or_default().into_iter().chain([shell.id()]) {
            crate::signal::signal_process(pid, rustix::process::Signal::KILL, || true);
        }
        shell.wait().expect("it is ours");
    }

    #[test]
    fn our_own_process_is_among_all() {
        let stat = Stat::of_living(std::process::id()).expect("we live");
        assert_eq!(stat.group.cast_signed(), rustix::process::getpgrp().as_raw_nonzero().get());
        assert!(pids().any(|pid| pid == std::process::id()));
        assert_eq!(Stat::of(u32::MAX), None);
    }
}
