//! What a start costs, in calls to the kernel: times depend on what else the machine does, calls do not.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::service::{Service, eventually};
use crate::steps::has_strace;

/// How many instances start.
const SLOTS: u16 = 24;
/// The calls from the fork of one instance to that of the next: 80, and some 20 more where another process was started on the machine in
/// the same moment. There is room for what a debug build adds. It was 150 once, where no other process was started.
const MOST: usize = 140;
/// The files and directories that are made for an instance before it is started: its directory, two for its run, two FIFOs. On some file systems
/// each takes longer than all the other calls. Status and logs are written when all have been started.
const MOST_MADE: usize = 5;

#[test]
fn an_instance_is_started_by_a_hundred_calls_and_the_last_one_by_no_more_than_the_first() {
    if !has_strace() {
        return;
    }
    let mut service = Service::new(&[("web", "sleep 600", SLOTS)]);
    service.rewrite(|_| ());
    let (supervisor, log) = (service.command(), service.path().join("strace"));
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-o"]).arg(&log).arg(supervisor.get_program()).args(supervisor.get_args());
    strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = strace.spawn().expect("strace starts");
    eventually("all live", || (service.processes().len() == usize::from(SLOTS)).then_some(()));
    let client = eventually("it listens", || ps_supervisor::Client::connect(service.path()).ok());
    let pid = client.supervisor().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).expect("it lives");
    kill_process(pid, Signal::KILL).expect("it is ours");
    child.wait().expect("it is ours");
    let log = fs::read_to_string(&log).expect("a log");
    let is_fork = |line: &&str| ["clone(", "clone3(", "vfork("].iter().any(|fork| line.starts_with(fork));
    let places: Vec<usize> =
        log.lines().enumerate().filter(|(_, line)| is_fork(line)).map(|(place, _)| place).collect();
    let mut between: Vec<usize> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let lines: Vec<&str> = log.lines().collect();
    let mut made: Vec<usize> = places
        .windows(2)
        .map(|pair| lines[pair[0]..pair[1]].iter().filter(|line| makes_a_file(line)).count())
        .collect();
    service.start_as_it_is();
    made.sort_unstable();
    assert!(made[made.len() / 2] <= MOST_MADE, "files made from fork to fork: {made:?}");
    assert_eq!(between.len() + 1, usize::from(SLOTS), "each is forked once");
    between.sort_unstable();
    // Where other processes start all the time, most of them have calls that count those.
    assert!(between[between.len() / 4] <= MOST, "calls from fork to fork: {between:?}");
}

/// Whether a call has made a file or a directory; a cgroup is none.
fn makes_a_file(line: &str) -> bool {
    let is_making =
        ["mkdir", "mknod", "symlink"].iter().any(|call| line.starts_with(call)) || line.contains("O_CREAT");
    is_making && !line.contains("\"/sys/") && !line.contains(" = -1 ")
}
