//! The tests of limits once more where cgroups are of version 2 alone, whatever this machine has: User Mode Linux is a kernel as a
//! program, which sees the files of this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::service::programs;

/// As Debian's package `user-mode-linux` calls it.
const KERNEL: &str = "linux.uml";
const SECONDS: &str = "900";

/// Process 1 of that kernel. Nothing of this machine is written to.
fn script(tests: &Path) -> String {
    format!(
        "#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/run RUST_BACKTRACE=0
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t cgroup2 cgroups /sys/fs/cgroup
mount -t tmpfs run /run && chmod 1777 /run && mount -t tmpfs tmp /var/tmp
echo controllers: $(cat /sys/fs/cgroup/cgroup.controllers)
cd / && {} usage:: --test-threads=2 2>&1
sync
echo o >/proc/sysrq-trigger
sleep 60
",
        tests.display()
    )
}

#[test]
fn limits_hold_where_cgroups_are_of_version_2_alone() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let kernel = std::env::split_paths(&path).map(|place| place.join(KERNEL)).find(|kernel| kernel.is_file());
    let Some(kernel) = kernel else {
        skipped::skip(format_args!("no {KERNEL}: no second kernel with cgroups of version 2 alone"));
        return;
    };
    programs();
    let place = tempfile::tempdir().expect("a directory");
    let init = place.path().join("init");
    let tests: PathBuf = std::env::current_exe().expect("this program");
    fs::write(&init, script(&tests)).expect("written");
    fs::set_permissions(&init, PermissionsExt::from_mode(0o755)).expect("it is ours");
    let ran = Command::new("timeout")
        .arg(SECONDS)
        .arg(kernel)
        .args(["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "mem=1024M", "quiet"])
        .args(["con=null", "con0=null,fd:1"])
        .arg(format!("uml_dir={}", place.path().display()))
        .arg(format!("init={}", init.display()))
        .stdin(Stdio::null())
        .output()
        .expect("timeout runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.contains("memory") && said.contains("controllers: "), "{said}");
    assert!(said.contains("test result: ") && !said.contains("FAILED"), "{said}");
    assert!(!said.contains("skipped: "), "nothing is left out there: {said}");
}
