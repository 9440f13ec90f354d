//! The limits of an instance: from the settings of its type to the limits in force, and what was observed: that the
//! kernel killed processes for lack of memory, or that the instance uses more than it should. For a type without
//! limits, nothing of this exists.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use formation::{Exit, OutOfMemory};
use os_process::{Controller, Lack, LimitGroup, LimitRoot, Limits, Maker, MemoryWatch, ServiceName, Tree};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use type_settings::{Cpus, Size, Switch, TypeSettings, Whole};

use crate::groups;

/// What was told is looked at so much later: who was killed has ended by then, and a storm of events wakes once.
const SETTLED: Duration = Duration::from_secs(1);
/// How often the used memory is measured if the kernel does not report it, or has reported it already.
pub(crate) const SAMPLE: Duration = Duration::from_secs(30);
const OURS: &str = "ps-supervise";

/// The limits of a run that are in force, as its status shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// How much memory it has, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<u64>,
    /// How much of the CPUs it has, in thousandths of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_max: Option<u32>,
    /// How many processes and threads it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u64>,
    /// Beyond how many bytes another instance takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_restart: Option<u64>,
    /// What was set and does not hold, and why: a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacking: Option<String>,
    /// How many of its processes the kernel killed that were not its end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) kills_seen: u64,
}

/// A run that is limited, or measured.
#[derive(Debug)]
pub(crate) struct Limited {
    group: LimitGroup,
    watch: Option<MemoryWatch>,
    /// Whether the supervisor waits for what the watch tells.
    is_heard: bool,
    /// Whether something was told that is looked at in a moment.
    is_settling: bool,
    /// Beyond how many bytes another run takes its place.
    most: Option<u64>,
    /// When it is looked at, if it is.
    due: Option<Instant>,
}

/// What a look at a limited run has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How many of its processes the kernel has killed.
    pub(crate) kills: u64,
    /// How much it uses, if that is more than it should.
    pub(crate) beyond: Option<u64>,
}

/// What was set for a type; `None`: nothing.
fn wanted(settings: &TypeSettings) -> Option<Limits> {
    let limits = Limits {
        memory: settings.memory_max.map(Size::bytes),
        cpu: settings.cpu_max.map(Cpus::thousandths),
        pids: settings.pids_max.map(|pids: Whole<1, 4_194_304>| pids.get().unsigned_abs()),
        is_measured: settings.memory_restart.is_some(),
    };
    (limits != Limits::default()).then_some(limits)
}

/// The controllers that limits cannot be kept with, by name, each with the reason. `process` is a supervisor, if one lives; `user` is
/// the number of its user, or of the one that would start it.
pub fn lacking_controllers(process: Option<u32>, user: u32) -> Vec<(&'static str, Lack)> {
    let root = LimitRoot::find(maker(process, user), ServiceName { own: String::new(), earlier: None });
    let lack = |controller: Controller| Some((controller.as_str(), root.lack(controller)?.clone()));
    Controller::ALL.into_iter().filter_map(lack).collect()
}

/// Whoever makes the groups of a service: this process, or the supervisor with that pid and user.
fn maker(process: Option<u32>, user: u32) -> Maker {
    Maker { process, user, is_ours }
}

/// Whether a process is one of those that keep apps alive.
fn is_ours(pid: u32) -> bool {
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    program.file_name().is_some_and(|name| name.to_string_lossy().starts_with(OURS))
}

/// Removes the empty cgroups that dead supervisors of a service directory left behind: those of its process trees, and those
/// made for limits alone.
pub fn remove_empty_groups(service: &Path) {
    if let Some(root) = groups::root(service) {
        root.remove_empty_groups();
    }
    LimitRoot::find(maker(None, geteuid().as_raw()), groups::known_name(service)).remove_empty_groups();
}

/// What of the limits of a type its supervisor could not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The first setting that does not hold.
    pub setting: &'static str,
    /// What does not hold and why, for people.
    pub sentence: String,
    /// Whether an instance is not to be started like that.
    pub is_refused: bool,
}

/// The limits of a type that its supervisor could not enforce. `supervisor` returns the process that is the supervisor,
/// or will start it, and its user.
pub fn lacking(settings: &TypeSettings, supervisor: impl FnOnce() -> (Option<u32>, u32)) -> Option<Lacking> {
    let limits = wanted(settings)?;
    let (process, user) = supervisor();
    let root = LimitRoot::find(maker(process, user), ServiceName { own: String::new(), earlier: None });
    let lacks = Controller::ALL.into_iter().filter(|controller| limits.need(*controller));
    let lacks: Vec<(Controller, Lack)> =
        lacks.filter_map(|controller| Some((controller, root.lack(controller)?.clone()))).collect();
    let leaves_swap = root.leaves_swap();
    let of_swap = setting(Controller::Memory, settings).filter(|_| leaves_swap);
    let of_lack = lacks.iter().find_map(|(controller, _)| setting(*controller, settings));
    let is_refused = of_lack.is_some() && are_required(settings);
    let (setting, _) = of_lack.or(of_swap)?;
    Some(Lacking { setting, sentence: sentence(&lacks, leaves_swap, settings)?, is_refused })
}

/// Whether an instance without its limits is not to be started.
fn are_required(settings: &TypeSettings) -> bool {
    settings.require_limits.is_some_and(Switch::is_on)
}

/// The setting that a controller is needed for, and its value. What measures alone is not missed: there is another way.
fn setting(controller: Controller, settings: &TypeSettings) -> Option<(&'static str, String)> {
    match controller {
        Controller::Memory => Some(("memory-max", settings.memory_max?.to_string())),
        Controller::Cpu => Some(("cpu-max", settings.cpu_max?.to_string())),
        Controller::Pids => Some(("pids-max", settings.pids_max?.to_string())),
    }
}

/// What does not hold: settings with the same reason share it.
fn sentence(lacks: &[(Controller, Lack)], leaves_swap: bool, settings: &TypeSettings) -> Option<String> {
    let mut parts: Vec<(Vec<String>, String)> = Vec::new();
    for (controller, lack) in lacks {
        let Some((name, value)) = setting(*controller, settings) else { continue };
        let (name, reason) = (format!("{name} {value}"), lack.to_string());
        match parts.iter_mut().find(|(_, known)| *known == reason) {
            Some((names, _)) => names.push(name),
            None => parts.push((vec![name], reason)),
        }
    }
    let parts = parts.into_iter().map(|(names, reason)| {
        let holds = if names.len() == 1 { "does" } else { "do" };
        format!("{} {holds} not hold: {reason}", names.join(" and "))
    });
    let of_swap = setting(Controller::Memory, settings).filter(|_| leaves_swap);
    let of_swap = of_swap.map(|(name, value)| {
        format!("{name} {value} does not hold for swap, which the kernel does not count here")
    });
    let parts: Vec<String> = parts.chain(of_swap).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

impl InForce {
    /// The limits that are left if these controllers can no longer be used.
    fn without(&self, lacks: &[(Controller, Lack)]) -> Self {
        let mut left = self.clone();
        for (controller, lack) in lacks {
            let (name, is_lost) = match controller {
                Controller::Memory => ("memory-max", left.memory_max.take().is_some()),
                Controller::Cpu => ("cpu-max", left.cpu_max.take().is_some()),
                Controller::Pids => ("pids-max", left.pids_max.take().is_some()),
            };
            if is_lost {
                let earlier = left.lacking.take().map(|earlier| format!("{earlier}; ")).unwrap_or_default();
                left.lacking = Some(format!("{earlier}{name} does not hold any more: {lack}"));
            }
        }
        left
    }
}

impl Limited {
    /// Makes ready what the run of that name is limited by, in `tree`; `None`: nothing was set. What holds is its status's to say.
    ///
    /// # Errors
    /// What does not hold, where nothing is to be started without it.
    pub(crate) fn make(
        settings: &TypeSettings,
        service: &Path,
        tree: &Tree,
        name: &str,
    ) -> Result<Option<(Self, InForce)>, String> {
        let Some(limits) = wanted(settings) else { return Ok(None) };
        let root = LimitRoot::find(maker(None, geteuid().as_raw()), groups::known_name(service));
        let (group, lacks) = root.make(tree.cgroup(), name, &limits);
        // That memory is limited and swap is not keeps nothing from running.
        if let Some(lacking) = sentence(&lacks, false, settings).filter(|_| are_required(settings)) {
            group.remove();
            return Err(format!("{lacking} (require-limits is set)"));
        }
        let lacking = sentence(&lacks, group.leaves_swap(), settings);
        let holds = |controller| !lacks.iter().any(|(lacking, _)| *lacking == controller);
        let in_force = InForce {
            memory_max: limits.memory.filter(|_| holds(Controller::Memory)),
            cpu_max: limits.cpu.filter(|_| holds(Controller::Cpu)),
            pids_max: limits.pids.filter(|_| holds(Controller::Pids)),
            memory_restart: settings.memory_restart.map(Size::bytes),
            lacking,
            kills_seen: 0,
        };
        Ok(Some((Self::of(group, in_force.memory_restart), in_force)))
    }

    /// What an earlier supervisor limited a run by.
    pub(crate) fn left(in_force: &InForce, service: &Path, tree: &Tree, name: &str) -> Self {
        let root = LimitRoot::find(maker(None, geteuid().as_raw()), groups::known_name(service));
        let limited = Self::of(root.left(tree.cgroup(), name), in_force.memory_restart);
        // The kernel may have killed one of its processes while no supervisor was there, so the counter is read soon.
        Self { due: Some(Instant::now() + SETTLED), ..limited }
    }

    /// Limits a run again that lives and was limited before, and says what holds now.
    pub(crate) fn again(in_force: &InForce, service: &Path, tree: &Tree, name: &str) -> (Self, InForce) {
        let limits = Limits {
            memory: in_force.memory_max,
            cpu: in_force.cpu_max,
            pids: in_force.pids_max,
            is_measured: in_force.memory_restart.is_some(),
        };
        let root = LimitRoot::find(maker(None, geteuid().as_raw()), groups::known_name(service));
        let (group, lacks) = root.again(tree.cgroup(), name, &limits);
        let limited =
            Self { due: Some(Instant::now() + SETTLED), ..Self::of(group, in_force.memory_restart) };
        // A controller that was away counts from 0 again.
        let kills_seen = in_force.kills_seen.min(limited.kills());
        (limited, InForce { kills_seen, ..in_force.without(&lacks) })
    }

    fn of(group: LimitGroup, most: Option<u64>) -> Self {
        let watch = group.memory().and_then(|memory| memory.watch(most).ok());
        let due = (most.is_some() && watch.is_none()).then(|| Instant::now() + SAMPLE);
        Self { group, watch, is_heard: false, is_settling: false, most, due }
    }

    /// The files into which a process writes `0` to be limited, beside that of its tree.
    pub(crate) fn joining_files(&self) -> impl Iterator<Item = PathBuf> {
        self.group.joining_files()
    }

    /// The descriptors that have to be watched from now on, if they are not watched yet; each with its number, and
    /// whether its exceptional condition is meant.
    pub(crate) fn unheard(&mut self) -> Vec<(usize, std::os::fd::BorrowedFd<'_>, bool)> {
        if self.is_settling || std::mem::replace(&mut self.is_heard, true) {
            return Vec::new();
        }
        let watch = self.watch.iter().flat_map(MemoryWatch::descriptors);
        watch.enumerate().map(|(index, (fd, is_exceptional))| (index, fd, is_exceptional)).collect()
    }

    /// Notes that the kernel has reported something. It is examined after a moment; the returned descriptors need not
    /// be watched until then.
    pub(crate) fn hear(&mut self, now: Instant) -> Vec<std::os::fd::BorrowedFd<'_>> {
        (self.is_heard, self.is_settling) = (false, true);
        self.due = Some(self.due.map_or(now + SETTLED, |due| due.min(now + SETTLED)));
        let watch = self.watch.iter().flat_map(MemoryWatch::descriptors);
        watch.map(|(fd, _)| fd).collect()
    }

    /// When it is looked at.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Looks at it, if it is time. `used` measures a tree for which no controller counts.
    pub(crate) fn look(&mut self, now: Instant, used: impl FnOnce() -> Option<u64>) -> Option<Seen> {
        self.due.take_if(|due| *due <= now)?;
        self.watch.take_if(|watch| !watch.clear());
        self.is_settling = false;
        let memory = self.group.memory();
        let kills = memory.map_or(0, os_process::MemoryGroup::kills);
        let Some(most) = self.most else { return Some(Seen { kills, beyond: None }) };
        let used = memory.map_or_else(used, os_process::MemoryGroup::used);
        let beyond = used.filter(|used| *used >= most);
        // Once the usage including the page cache is beyond the threshold, the kernel does not report it again.
        let is_told = self.watch.is_none() || memory.is_some_and(|memory| memory.holds_more_than(most));
        if let Some(memory) = memory {
            let _ = memory.tell_beyond((!is_told).then_some(most));
        }
        self.due = is_told.then(|| now + SAMPLE);
        Some(Seen { kills, beyond })
    }

    /// Nothing was done about what was seen: it is looked at again by and by.
    pub(crate) fn look_again(&mut self, at: Instant) {
        self.due = Some(at);
    }

    /// How many of its processes the kernel has killed that were not its end, and that no look has shown.
    pub(crate) fn unseen_kills(&self, in_force: &InForce) -> u64 {
        self.kills().saturating_sub(in_force.kills_seen)
    }

    /// How many of its processes the kernel has killed.
    fn kills(&self) -> u64 {
        self.group.memory().map_or(0, os_process::MemoryGroup::kills)
    }

    /// That the kernel has killed for want of memory.
    pub(crate) fn blame(&self, in_force: &InForce, is_main: bool) -> OutOfMemory {
        let is_own = self.group.memory().is_some_and(os_process::MemoryGroup::has_reached_limit);
        OutOfMemory { limit_bytes: in_force.memory_max.filter(|_| is_own), main: is_main }
    }

    /// Why its main process has ended, if the kernel has killed processes for lack of memory since the last look. It is not the reason
    /// if the process succeeded.
    pub(crate) fn reason(&self, in_force: &InForce, exit: Option<Exit>) -> Option<OutOfMemory> {
        let exit = exit.filter(|exit| !exit.is_success())?;
        (self.kills() > in_force.kills_seen).then(|| self.blame(in_force, exit == Exit::Signal(KILL)))
    }

    /// Removes what is there for the limits alone: the tree is empty.
    pub(crate) fn remove(&self) {
        self.group.remove();
    }
}

const KILL: i32 = 9;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> TypeSettings {
        serde_json::from_str(json).expect("settings")
    }

    #[test]
    fn what_is_not_set_limits_nothing_and_what_is_set_arrives() {
        assert_eq!(wanted(&settings(r#"{"nice":"5","require-limits":"yes"}"#)), None);
        let all = settings(r#"{"memory-max":"64m","cpu-max":"0.5","pids-max":"9","memory-restart":"32m"}"#);
        let limits = Limits { memory: Some(64 << 20), cpu: Some(500), pids: Some(9), is_measured: true };
        assert_eq!(wanted(&all), Some(limits));
    }

    #[test]
    fn what_cannot_be_had_again_is_said_beside_what_never_held_and_the_rest_holds() {
        let lacking = Some("cpu-max 0.5 does not hold: no".to_owned());
        let held = InForce { memory_max: Some(1 << 20), pids_max: Some(9), lacking, ..InForce::default() };
        assert_eq!(held.without(&[]), held);
        let left = held.without(&[(Controller::Memory, Lack::NoGroups), (Controller::Cpu, Lack::NoGroups)]);
        assert_eq!((left.memory_max, left.pids_max), (None, Some(9)));
        assert_eq!(
            left.lacking.as_deref(),
            Some(
                "cpu-max 0.5 does not hold: no; memory-max does not hold any more: no cgroup can be made for a process tree here"
            )
        );
    }

    #[test]
    fn what_does_not_hold_is_said_once_for_each_reason_and_what_measures_alone_is_not_missed() {
        let all = settings(r#"{"memory-max":"64m","cpu-max":"0.5","pids-max":"9"}"#);
        let lacks = [
            (Controller::Memory, Lack::NoGroups),
            (Controller::Cpu, Lack::NotThere(Controller::Cpu)),
            (Controller::Pids, Lack::NoGroups),
        ];
        assert_eq!(
            sentence(&lacks, false, &all).as_deref(),
            Some(
                "memory-max 64m and pids-max 9 do not hold: no cgroup can be made for a process tree here; \
                 cpu-max 0.5 does not hold: the machine has no cgroup controller \"cpu\" here"
            )
        );
        assert_eq!(sentence(&lacks[..1], true, &settings(r#"{"memory-restart":"32m"}"#)), None);
        assert_eq!(
            sentence(&[], true, &all).as_deref(),
            Some("memory-max 64m does not hold for swap, which the kernel does not count here")
        );
    }
}
