//! The promises of a rollout, kept by the native scheduler with the real supervisor and real processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use formation::RestartPolicy;
use ps_apps::World;
use ps_scheduler::conformance::{Another, Harness, Subject, rollouts, stops};
use ps_scheduler::{Scheduler, Source};
use ps_scheduler_native::Native;
use tempfile::TempDir;

use crate::supervise;

/// An empty world, and a directory to deploy from.
struct Processes {
    native: Native,
    world: World,
    source: TempDir,
    _home: TempDir,
}

impl Processes {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let world = World::new(home.path().join("home"), home.path().join("lib"));
        for root in [world.root(), world.lib()] {
            fs::create_dir_all(root).expect("a root");
        }
        let source = tempfile::tempdir().expect("a source directory");
        Self { native: Native::new(&world).with_supervise(supervise()), world, source, _home: home }
    }

    fn subject(source: PathBuf, command: &str) -> Subject {
        let command = Some(command.to_owned());
        let restart_policy = RestartPolicy::OnFailure(Some(1));
        Subject {
            source: Source::Directory(source),
            command,
            restart_policy,
            stop_timeout: Duration::from_secs(5),
        }
    }
}

impl Harness for Processes {
    fn scheduler(&self) -> &dyn Scheduler {
        &self.native
    }

    fn good(&self) -> Subject {
        Self::subject(self.source.path().to_owned(), "exec sleep 1000")
    }

    fn bad(&self) -> Subject {
        Self::subject(self.source.path().to_owned(), "exit 1")
    }

    fn refused(&self) -> Subject {
        Self::subject(self.source.path().join("missing"), "exec sleep 1000")
    }

    /// Each process that runs in the source directory, whether it is known to a supervisor or not, and even if it has not
    /// executed its command yet.
    fn alive(&self) -> BTreeSet<String> {
        let is_ours = |pid: &String| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|directory| directory == self.source.path())
        };
        let entries = fs::read_dir("/proc").expect("there is a /proc").flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(is_ours).collect()
    }

    fn another(&self) -> Another {
        let world = self.world.clone();
        Box::new(move || Box::new(Native::new(&world).with_supervise(supervise())))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// A deploy is tested at every second of its steps; with `FORMATION_TEST_LONG=1` at every step.
    fn stride(&self) -> usize {
        if std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1") { 1 } else { 2 }
    }
}

/// How many promises are tested at the same time.
const AT_A_TIME: usize = 9;

#[test]
fn what_fails_is_refused_or_is_cancelled_leaves_the_same_processes() {
    rollouts::all_keep(&rollouts::of_failures(), AT_A_TIME, Processes::new);
}

#[test]
fn old_and_new_processes_stand_side_by_side_as_the_strategy_says() {
    rollouts::all_keep(&rollouts::of_strategies(), AT_A_TIME, Processes::new);
}

#[test]
fn after_a_death_at_any_step_the_same_verb_again_or_a_stop_ends_as_wanted() {
    rollouts::all_keep(&rollouts::of_deaths(), AT_A_TIME, Processes::new);
}

#[test]
fn what_another_program_stops_during_a_deploy_stays_stopped() {
    rollouts::all_keep(&stops::of_stops(), AT_A_TIME, Processes::new);
}
