//! The settings of one process type.

use formation::{RestartPolicy, SignalName};
use timetable::{Schedule, ZoneName};

use crate::value::{
    Account, After, Age, Checking, CommandLine, Constraints, Cpus, EngineOptions, Exits, ExtraHosts,
    IoPriority, Labels, Limit, Missed, Mounts, Networks, Overlap, Paths, Patterns, Publish, Ready, Size,
    Span, Spread, StartLimit, StopTree, Switch, Ulimits, Umask, WhenFull, Whole,
};

/// The settings of one process type; `None`: not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeSettings {
    /// The types that it waits for before it starts.
    pub after: Option<After>,
    /// Which of its checks are made.
    pub checks: Option<Checking>,
    /// The conditions that a node of a swarm must meet to run an instance.
    pub constraints: Option<Constraints>,
    /// How many CPUs all processes of an instance may use together.
    pub cpu_max: Option<Cpus>,
    /// Further options of the engine for its container.
    pub engine_options: Option<EngineOptions>,
    /// Whether its variables are delivered as a secret of the swarm.
    pub env_as_secrets: Option<Switch>,
    /// Host names that it knows in addition to those of name servers.
    pub extra_hosts: Option<ExtraHosts>,
    /// Ends that count as a failure, exit status 0 among them.
    pub failure_exit_codes: Option<Exits>,
    /// The group that it runs as.
    pub group: Option<Account>,
    /// Whether the first process of its container is the engine's init.
    pub init: Option<Switch>,
    /// The priority of its reads and writes.
    pub io_priority: Option<IoPriority>,
    /// Labels of its container.
    pub labels: Option<Labels>,
    /// How large a core dump may become, in bytes.
    pub limit_core: Option<Limit>,
    /// How many files it may have open.
    pub limit_nofile: Option<Limit>,
    /// How old a piece of its logs may become before it is removed.
    pub log_max_age: Option<Age>,
    /// How many pieces a log may have.
    pub log_max_files: Option<Whole<1, 10_000>>,
    /// How large a piece of a log may become, in bytes.
    pub log_max_size: Option<Size>,
    /// What happens to its output while the disk is full.
    pub log_when_full: Option<WhenFull>,
    /// How much memory all processes of an instance may use together, in bytes.
    pub memory_max: Option<Size>,
    /// How much memory they may use before another instance takes its place, in bytes.
    pub memory_restart: Option<Size>,
    /// The files and directories in its container that outlive it.
    pub mounts: Option<Mounts>,
    /// The engine's networks that its container is in.
    pub networks: Option<Networks>,
    /// Its nice value.
    pub nice: Option<Whole<-20, 19>>,
    /// Whether programs that an instance runs are kept from getting more rights than it has.
    pub no_new_privileges: Option<Switch>,
    /// How early the kernel kills it when memory runs out.
    pub oom_score_adj: Option<Whole<-1000, 1000>>,
    /// How many processes and threads it may have at a time.
    pub pids_max: Option<Whole<1, 4_194_304>>,
    /// The `PORT` of the type's first instance.
    pub port: Option<Whole<1, 65_535>>,
    /// Whether it has its own directories for temporary files.
    pub private_tmp: Option<Switch>,
    /// Where its instances are reached from outside of a swarm.
    pub publish: Option<Publish>,
    /// What makes an instance ready, in addition to its startup checks.
    pub ready: Option<Ready>,
    /// The signal that makes an instance read its configuration again.
    pub reload_signal: Option<SignalName>,
    /// Whether nothing is started if the limits that were set for it cannot be applied.
    pub require_limits: Option<Switch>,
    /// The delay before the first start after an early death.
    pub restart_delay: Option<Span>,
    /// The longest delay of this kind.
    pub restart_delay_max: Option<Span>,
    /// Whether an instance that ends by itself is started again.
    pub restart_policy: Option<RestartPolicy>,
    /// How long a run may take.
    pub run_timeout: Option<Span>,
    /// When its instances run; without a schedule they run all the time.
    pub schedule: Option<Schedule>,
    /// What happens to times of the schedule at which nothing could be run.
    pub schedule_missed: Option<Missed>,
    /// What happens to a run that is due while the one before it still runs.
    pub schedule_overlap: Option<Overlap>,
    /// The time zone of its schedule.
    pub schedule_zone: Option<ZoneName>,
    /// The labels of nodes over whose values its instances are spread.
    pub spread: Option<Spread>,
    /// After how long an instance counts as stable, so that its earlier deaths are forgotten.
    pub stable_after: Option<Span>,
    /// How often it may be started again within a period.
    pub start_limit: Option<StartLimit>,
    /// Ends that count as success, in addition to exit status 0.
    pub success_exit_codes: Option<Exits>,
    /// How long an instance is given to become ready.
    pub start_timeout_seconds: Option<Whole<1, 86_400>>,
    /// The command that is run when an instance is to end, before the stop signal.
    pub stop_command: Option<CommandLine>,
    /// The signal that asks an instance to end.
    pub stop_signal: Option<SignalName>,
    /// Which processes get the stop signal.
    pub stop_tree: Option<StopTree>,
    /// The grace period, from the stop signal to SIGKILL.
    pub stop_timeout_seconds: Option<Whole<0, 86_400>>,
    /// Limits of its processes by the engine's names, such as `nofile`.
    pub ulimits: Option<Ulimits>,
    /// Permissions that new files do not get.
    pub umask: Option<Umask>,
    /// The user that it runs as.
    pub user: Option<Account>,
    /// The longest pause between two watchdog messages of an instance.
    pub watchdog_seconds: Option<Whole<1, 86_400>>,
    /// How long no watched file must have changed before a restart.
    pub watch_delay: Option<Span>,
    /// Files that may change without a restart.
    pub watch_ignore: Option<Patterns>,
    /// Files whose change restarts it.
    pub watch_paths: Option<Paths>,
}

impl TypeSettings {
    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The settings that a process applies to itself before it executes its command.
    #[must_use]
    pub fn of_process(&self) -> Self {
        Self {
            group: self.group.clone(),
            io_priority: self.io_priority,
            limit_core: self.limit_core,
            limit_nofile: self.limit_nofile,
            nice: self.nice,
            no_new_privileges: self.no_new_privileges,
            oom_score_adj: self.oom_score_adj,
            private_tmp: self.private_tmp,
            umask: self.umask,
            user: self.user.clone(),
            ..Self::default()
        }
    }
}
