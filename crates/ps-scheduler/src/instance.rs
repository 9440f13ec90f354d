//! Running instances, and the status of an app as the sum of its instances.

use std::collections::BTreeSet;
use std::path::PathBuf;

use formation::{Addresses, AppName, Exit, FIRST_TYPE, OutOfMemory, Restarts, Slot, State};
use jiff::Timestamp;
use ps_rollout::{Lane, Role, Side};

/// Why a slot that the formation wants is empty, and stays empty until a person starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Its process ended by itself with success, as a job does.
    Finished,
    /// Its process failed more often than the restart policy allows.
    GivenUp,
    /// Somebody stopped it.
    StoppedByHand,
}

/// How much of the machine an instance may use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// The most memory that it may use, in bytes.
    pub memory_max: Option<u64>,
    /// The most CPU time that it may use, in CPUs: 0.5 is half of one.
    pub cpu_max: Option<f64>,
    /// How many processes and threads it may have.
    pub pids_max: Option<u64>,
    /// If it uses more memory than this, in bytes, another instance takes its place.
    pub memory_restart: Option<u64>,
    /// Which limits were set and cannot be enforced, and why: a sentence for people.
    pub lacking: Option<String>,
}

/// One run in a slot. During a rollout a slot may have two. A field is `None` if the scheduler does not know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The slot it fills.
    pub slot: Slot,
    /// The number of its run, which no other run of the app has had.
    pub run: Option<u64>,
    /// The number of the release that it was started from.
    pub release: Option<u64>,
    /// Its lane: which of the slot's two places it takes.
    pub lane: Option<Lane>,
    /// Its role in the slot; `None` from a scheduler without runs, which has one instance a slot.
    pub role: Option<Role>,
    /// On which side it is compared with instances of another release, while a canary is judged.
    pub compared: Option<Side>,
    /// Whether its scheduler numbers the instances of the type, and chooses which of them end when the count becomes lower.
    pub is_interchangeable: bool,
    /// Whether somebody else has changed what it is made from, so that it is not what was deployed. To converge replaces it.
    pub is_altered: bool,
    /// The machine that it runs on, if that need not be this one.
    pub node: Option<String>,
    /// The scheduler's own id of this attempt to run it, such as a task of a swarm.
    pub task: Option<String>,
    /// What it is doing.
    pub state: State,
    /// Its main process.
    pub pid: Option<u32>,
    /// The process that people care about, if the main process is only a helper that started it: Node, below `ps-node`.
    pub program: Option<u32>,
    /// Its container, the full id.
    pub container_id: Option<String>,
    /// Where it can be reached, `127.0.0.1:5000`.
    pub address: Option<String>,
    /// Its `PORT`.
    pub port: Option<u16>,
    /// Whether it was given the sockets of the app's address, and accepts clients there itself.
    pub has_socket: bool,
    /// How many connections from the app's address it has now; `None` if the app has no address, or no client has connected yet.
    pub connections: Option<u64>,
    /// Since when it has been in this state.
    pub since: Option<Timestamp>,
    /// How often it was started again without a person asking for that.
    pub restarts: Option<u32>,
    /// The number of restarts by reason, over all runs and releases of the slot. Replacements by a rollout of the supervisor itself
    /// count too.
    pub restarts_by_reason: Option<Restarts>,
    /// How many processes of the slot the kernel has killed because memory had run out.
    pub oom_kills: Option<u64>,
    /// How many bytes of its output were dropped because its log could not be written, since the log's beginning.
    pub log_dropped_bytes: Option<u64>,
    /// CPU time used per wall time since it started, in percent of one CPU.
    pub cpu_percent: Option<f64>,
    /// CPU time used since it started, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Resident memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// How its process ended the last time.
    pub last_exit: Option<Exit>,
    /// Set if the kernel ended it then, because memory had run out.
    pub out_of_memory: Option<OutOfMemory>,
    /// The limits that were set; `None` if none was.
    pub limits: Option<Limits>,
    /// Why it does not run; `None` if it runs, or if the scheduler does not know.
    pub over: Option<Over>,
    /// The working directory of its process.
    pub directory: Option<PathBuf>,
    /// The path as it was typed in the deploy, if it differs from `directory`, for example because it contains a symbolic link,
    /// which may lead elsewhere by now.
    pub typed_directory: Option<PathBuf>,
    /// When it is due next, if it runs by a schedule.
    pub next: Option<Timestamp>,
    /// A note for people about its last start or end, one sentence.
    pub note: Option<String>,
    /// The last lines of its output, if it was given up.
    pub last_lines: Vec<String>,
}

impl Instance {
    /// An instance with nothing known but its state.
    pub fn new(slot: Slot, state: State) -> Self {
        Self {
            slot,
            run: None,
            release: None,
            lane: None,
            role: None,
            compared: None,
            is_interchangeable: false,
            is_altered: false,
            node: None,
            task: None,
            state,
            pid: None,
            program: None,
            container_id: None,
            address: None,
            port: None,
            has_socket: false,
            connections: None,
            since: None,
            restarts: None,
            restarts_by_reason: None,
            oom_kills: None,
            log_dropped_bytes: None,
            cpu_percent: None,
            cpu_seconds: None,
            memory_bytes: None,
            last_exit: None,
            out_of_memory: None,
            limits: None,
            over: None,
            directory: None,
            typed_directory: None,
            next: None,
            note: None,
            last_lines: Vec::new(),
        }
    }
}

/// Empty slots that a person may have stopped. That is not known, because the list of slots that were stopped by hand cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubtful {
    /// The slots.
    pub slots: Vec<Slot>,
    /// Which file cannot be read, and why.
    pub reason: String,
}

impl Doubtful {
    /// The trouble and the remedy, as one sentence for people.
    pub fn said(&self, app: &AppName) -> String {
        let reason = &self.reason;
        format!("{reason}: what was stopped by hand is not known from there: stop it again, or deploy {app}")
    }
}

/// Every instance of one app.
#[derive(Clone, Debug, PartialEq)]
pub struct AppStatus {
    /// The app.
    pub app: AppName,
    /// Its instances, ordered by type, then index, then run.
    pub instances: Vec<Instance>,
    /// Where clients reach the app, whatever the ports of its instances are. Empty if the app has no address, and if only the states
    /// of the instances were asked for.
    pub listen: Addresses,
    /// Other troubles of the app, for people: one sentence each.
    pub troubles: Vec<String>,
    /// Slots that may have been stopped by hand; `None`: it is known of each slot whether it was.
    pub doubtful: Option<Doubtful>,
}

/// Dokku's `running`: `true`, `false` or `mixed`; and `unknown` if the scheduler did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// All instances run.
    True,
    /// No process runs, or none exists.
    False,
    /// Some run.
    Mixed,
    /// The scheduler did not answer for at least one of them.
    Unknown,
}

impl Running {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Mixed => "mixed",
            Self::Unknown => "unknown",
        }
    }
}

impl Instance {
    /// Whether it is a process, not a container, that has ended with success and is not started again.
    fn is_finished_process(&self) -> bool {
        self.over == Some(Over::Finished) && self.container_id.is_none()
    }
}

impl AppStatus {
    /// The status of an app without an address, without troubles and without doubtful slots.
    pub fn of(app: AppName, instances: Vec<Instance>) -> Self {
        Self { app, instances, listen: Addresses::default(), troubles: Vec::new(), doubtful: None }
    }

    /// Whether the slot is empty and it is not known whether a person stopped it.
    pub fn is_doubtful(&self, slot: &Slot) -> bool {
        self.doubtful.as_ref().is_some_and(|doubtful| doubtful.slots.contains(slot))
    }

    /// Whether clients of the app's address are sent to this instance once it is ready.
    pub fn leads_to(&self, instance: &Instance) -> bool {
        !self.listen.is_empty() && instance.slot.process_type.as_str() == FIRST_TYPE
    }

    /// The instances that fill their slots, or filled them last: one in each slot, also during a replacement.
    pub fn current(&self) -> impl Iterator<Item = &Instance> {
        let is_beside = |instance: &&Instance| matches!(instance.role, Some(Role::Incoming | Role::Leaving));
        self.instances.iter().filter(move |instance| !is_beside(instance))
    }

    /// Whether all slots have a living instance (`true`), some (`mixed`) or none (`false`), as Dokku's trigger
    /// `scheduler-app-status` counts. One instance whose state is unknown makes the answer `unknown`.
    pub fn running(&self) -> Running {
        if self.instances.iter().any(|instance| instance.state == State::Unknown) {
            return Running::Unknown;
        }
        // An instance that waits for its time, or has ended with success, does not count for or against `running`.
        let has_schedule = self.instances.iter().any(|instance| instance.state == State::Scheduled);
        let is_idle =
            |instance: &&Instance| instance.state == State::Scheduled || instance.is_finished_process();
        let others = self.instances.iter().filter(|instance| !is_idle(instance));
        let slots: BTreeSet<&Slot> = others.map(|instance| &instance.slot).collect();
        let alive = self.instances.iter().filter(|instance| instance.state.is_alive());
        match alive.map(|instance| &instance.slot).collect::<BTreeSet<_>>().len() {
            0 if slots.is_empty() && has_schedule => Running::True,
            0 => Running::False,
            all if all == slots.len() => Running::True,
            _ => Running::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_whose_instance_is_being_replaced_counts_once() {
        let row = |slot: &str, role, state| Instance {
            role: Some(role),
            ..Instance::new(slot.parse().expect("a legal slot"), state)
        };
        let mut status = AppStatus::of("shop".parse().expect("a legal name"), vec![]);
        assert_eq!(status.running(), Running::False);
        status.instances =
            vec![row("web.1", Role::Current, State::Running), row("web.1", Role::Incoming, State::Starting)];
        assert_eq!((status.running(), status.current().count()), (Running::True, 1));
        status.instances.push(row("web.2", Role::Incoming, State::Crashed));
        assert_eq!(status.running(), Running::Mixed);
    }

    #[test]
    fn a_process_that_has_done_its_work_makes_no_app_mixed_and_a_container_counts_as_in_dokku() {
        let row = |slot: &str, state| Instance::new(slot.parse().expect("a legal slot"), state);
        let finished = Instance { over: Some(Over::Finished), ..row("migrate.1", State::Stopped) };
        let mut status = AppStatus::of(
            "shop".parse().expect("a legal name"),
            vec![row("web.1", State::Running), finished.clone()],
        );
        assert_eq!(status.running(), Running::True);
        status.instances[1].container_id = Some("5f0c".to_owned());
        assert_eq!(status.running(), Running::Mixed);
        status.instances = vec![finished];
        assert_eq!(status.running(), Running::False);
    }
}
