//! The tests of limits once more where cgroups are of version 2 alone.

use std::path::PathBuf;

use crate::second_kernel;
use crate::service::programs;

#[test]
fn limits_hold_where_cgroups_are_of_version_2_alone() {
    programs();
    let tests: PathBuf = std::env::current_exe().expect("this program");
    let script = format!(
        "echo controllers: $(cat /sys/fs/cgroup/cgroup.controllers)
cd / && {} usage:: --test-threads=2 2>&1
sync
echo o >/proc/sysrq-trigger
sleep 60
",
        tests.display()
    );
    let Some(said) = second_kernel::boot(&script) else { return };
    assert!(said.contains("memory") && said.contains("controllers: "), "{said}");
    assert!(said.contains("test result: ") && !said.contains("FAILED"), "{said}");
    assert!(!said.contains("skipped: "), "nothing is left out there: {said}");
}
