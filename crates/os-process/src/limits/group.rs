//! The groups that limit one tree.

use std::fs;
use std::path::{Path, PathBuf};

use super::memory::MemoryGroup;
use super::{Controller, Lack, Limits, swap};
use crate::cgroup::PROCESSES;

/// The period over which CPU time is limited, in microseconds. A limit of a thousandth of a CPU is a thousandth of the period.
const PERIOD: u64 = 100_000;

/// The groups of one tree.
#[derive(Debug, Default)]
pub struct LimitGroup {
    memory: Option<MemoryGroup>,
    /// Groups of version 1. The processes of the tree have to be moved into them in addition.
    own: Vec<PathBuf>,
    /// Whether the kernel may move memory of the tree to swap beyond its limit.
    leaves_swap: bool,
}

impl LimitGroup {
    /// Sets the limits of this controller in a directory.
    pub(super) fn add(
        &mut self,
        controller: Controller,
        directory: PathBuf,
        is_v2: bool,
        limits: &Limits,
    ) -> Result<(), Lack> {
        let written = orders(controller, is_v2, limits).into_iter().try_for_each(|(file, value)| {
            let path = directory.join(file);
            fs::write(&path, value).map_err(|error| Lack::Refused { path, reason: error.to_string() })
        });
        if written.is_err() && !is_v2 {
            let _ = fs::remove_dir(&directory);
        }
        written?;
        if let Some((file, value)) = swap_order(controller, is_v2, limits) {
            // A kernel that does not count swap has no such file.
            self.leaves_swap = fs::write(directory.join(file), value).is_err() && swap::is_on();
        }
        self.take_over(controller, directory, is_v2);
        Ok(())
    }

    /// Adds a directory that limits the tree already.
    pub(super) fn take_over(&mut self, controller: Controller, directory: PathBuf, is_v2: bool) {
        if controller == Controller::Memory {
            self.memory = Some(MemoryGroup::new(directory.clone(), is_v2));
        }
        if !is_v2 {
            self.own.push(directory);
        }
    }

    /// The memory counters of the tree.
    pub fn memory(&self) -> Option<&MemoryGroup> {
        self.memory.as_ref()
    }

    /// Whether the memory limit of the tree does not include swap, and the machine has swap.
    pub fn leaves_swap(&self) -> bool {
        self.leaves_swap
    }

    /// The files into which a process writes `0` to be limited, in addition to that of the group that it lives in.
    pub fn joining_files(&self) -> impl Iterator<Item = PathBuf> {
        self.own.iter().map(|directory| directory.join(PROCESSES))
    }

    /// Removes the groups that exist only for the limits, once the tree is empty.
    pub fn remove(&self) {
        for directory in &self.own {
            let _ = fs::remove_dir(directory);
            let _ = directory.parent().map(fs::remove_dir);
        }
    }
}

/// The files of a group and the values to be written into them.
fn orders(controller: Controller, is_v2: bool, limits: &Limits) -> Vec<(&'static Path, String)> {
    let file = |name: &'static str| Path::new(name);
    match controller {
        Controller::Memory => {
            let name = if is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
            limits.memory.iter().map(|bytes| (file(name), bytes.to_string())).collect()
        }
        Controller::Cpu => {
            let quota = limits.cpu.map(|thousandths| u64::from(thousandths) * PERIOD / 1000);
            match quota {
                Some(quota) if is_v2 => vec![(file("cpu.max"), format!("{quota} {PERIOD}"))],
                Some(quota) => vec![
                    (file("cpu.cfs_period_us"), PERIOD.to_string()),
                    (file("cpu.cfs_quota_us"), quota.to_string()),
                ],
                None => Vec::new(),
            }
        }
        Controller::Pids => limits.pids.iter().map(|pids| (file("pids.max"), pids.to_string())).collect(),
    }
}

/// The file and value that limit swap. Version 1 limits the sum of memory and swap, version 2 limits swap alone. Either way
/// memory and swap together stay within the limit of memory.
fn swap_order(controller: Controller, is_v2: bool, limits: &Limits) -> Option<(&'static str, String)> {
    let bytes = limits.memory.filter(|_| controller == Controller::Memory)?;
    Some(if is_v2 { (swap::OF_V2, "0".to_owned()) } else { (swap::OF_V1, bytes.to_string()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_told_in_its_own_words() {
        let limits = Limits { memory: Some(1 << 20), cpu: Some(1250), pids: Some(7), is_measured: false };
        let orders = |controller, is_v2| {
            let orders = orders(controller, is_v2, &limits).into_iter();
            orders.map(|(file, value)| format!("{} = {value}", file.display())).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(orders(Controller::Memory, true), "memory.max = 1048576");
        assert_eq!(orders(Controller::Memory, false), "memory.limit_in_bytes = 1048576");
        assert_eq!(orders(Controller::Cpu, true), "cpu.max = 125000 100000");
        assert_eq!(orders(Controller::Cpu, false), "cpu.cfs_period_us = 100000, cpu.cfs_quota_us = 125000");
        assert_eq!([true, false].map(|is_v2| orders(Controller::Pids, is_v2)), ["pids.max = 7"; 2]);
        let of_swap = |controller, is_v2| swap_order(controller, is_v2, &limits);
        assert_eq!(of_swap(Controller::Memory, true), Some(("memory.swap.max", "0".to_owned())));
        let of_both = Some(("memory.memsw.limit_in_bytes", "1048576".to_owned()));
        assert_eq!(of_swap(Controller::Memory, false), of_both);
        assert_eq!(of_swap(Controller::Cpu, true), None);
    }
}
