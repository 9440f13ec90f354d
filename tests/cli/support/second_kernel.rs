//! A second kernel, where cgroups are of version 2 alone, whatever this machine has: User Mode Linux is a kernel as a program, which
//! sees the files of this machine. Nothing of them is written to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// As Debian's package `user-mode-linux` calls it.
const KERNEL: &str = "linux.uml";
const SECONDS: &str = "900";
/// What every script begins with.
const MOUNTS: &str = "#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/run RUST_BACKTRACE=0
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t cgroup2 cgroups /sys/fs/cgroup
mount -t tmpfs run /run && chmod 1777 /run && mount -t tmpfs tmp /var/tmp
";

/// Has a shell with this script be process 1 of it, and returns what was said on its console; `None`: there is no such kernel.
pub(crate) fn boot(script: &str) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let kernel = std::env::split_paths(&path).map(|place| place.join(KERNEL)).find(|kernel| kernel.is_file());
    let Some(kernel) = kernel else {
        skipped::skip(format_args!("no {KERNEL}: no second kernel with cgroups of version 2 alone"));
        return None;
    };
    let place = tempfile::tempdir().expect("a directory");
    let init = place.path().join("init");
    fs::write(&init, format!("{MOUNTS}{script}")).expect("written");
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
    Some(String::from_utf8_lossy(&ran.stdout).into_owned())
}
