//! These tests are a program of their own, because it becomes the subreaper of every process that they start.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use os_process::{Stat, has_orphans, signal_process};
use rustix::process::{Signal, WaitOptions, getpid, set_child_subreaper};

#[test]
fn what_outlives_its_parent_is_an_orphan_until_it_ends_whether_it_is_reaped_or_not() {
    set_child_subreaper(Some(getpid())).expect("every process may");
    let nobody = BTreeSet::new();
    // A grandchild in a session of its own and without any variable.
    let mut shell = Command::new("sh");
    shell.args(["-c", "setsid sh -c 'echo $$; exec env -i sleep 600' & wait"]).stdout(Stdio::piped());
    // It is a child of this test's thread, not of the first one.
    let mut main = shell.spawn().expect("sh is there");
    let mut line = String::new();
    BufReader::new(main.stdout.take().expect("piped")).read_line(&mut line).expect("readable");
    let grandchild: u32 = line.trim().parse().expect("a pid");
    assert!(!has_orphans(&nobody), "its parent lives");
    main.kill().expect("it is ours");
    main.wait().expect("it is ours");
    let is_one = has_orphans(&nobody);
    let is_known = !has_orphans(&BTreeSet::from([grandchild]));
    signal_process(grandchild, Signal::KILL, || true);
    assert_eq!((is_one, is_known), (true, true));
    let deadline = Instant::now() + Duration::from_secs(60);
    while Stat::of_living(grandchild).is_some() {
        assert!(Instant::now() < deadline, "it still lives");
        std::thread::yield_now();
    }
    assert!(!has_orphans(&nobody), "a zombie starts nothing");
    while rustix::process::wait(WaitOptions::empty()).is_ok() {}
    assert!(!has_orphans(&nobody));
}
