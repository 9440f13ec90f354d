//! The promises of a rollout, kept by the native scheduler with the real supervisor and real processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use formation::RestartPolicy;
use ps_apps::World;
use ps_rollout::Strategy;
use ps_scheduler::conformance::Subject;
use ps_scheduler::conformance::rollouts::{self, Harness};
use ps_scheduler::{Scheduler, Source};
use ps_scheduler_native::Native;
use tempfile::TempDir;

/// `ps-supervise` of the same build, built if it is not there yet.
fn supervise() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let directory = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps/<test>");
    let built = Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "ps-supervise"]).status();
    assert!(built.expect("cargo runs").success(), "ps-supervise cannot be built");
    directory.join("ps-supervise")
}

/// A world with nothing in it, and a directory to deploy from.
struct Processes {
    native: Native,
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
        Self { native: Native::new(&world).with_supervise(supervise()), source, _home: home }
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

    /// Each process that runs in the source directory, whoever knows of it, also one that has not become its command yet.
    fn alive(&self) -> BTreeSet<String> {
        let is_ours = |pid: &String| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|directory| directory == self.source.path())
        };
        let entries = fs::read_dir("/proc").expect("there is a /proc").flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(is_ours).collect()
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A promise, as a function that panics where it is broken.
type Promise<'a> = &'a (dyn Fn(&dyn Harness) + Sync);

/// Each in a world of its own, side by side: most of it is waiting.
fn all_keep(promises: &[Promise<'_>]) {
    thread::scope(|scope| {
        for promise in promises {
            scope.spawn(|| promise(&Processes::new()));
        }
    });
}

#[test]
fn what_fails_is_refused_or_is_cancelled_leaves_the_same_processes() {
    let fails = |strategy| {
        move |harness: &dyn Harness| {
            rollouts::a_failed_deploy_leaves_the_same_instances(harness, strategy);
            rollouts::a_failed_restart_leaves_the_same_instances(harness, strategy);
            rollouts::a_type_that_fails_leaves_the_others_alone(harness, strategy);
            rollouts::a_cancelled_deploy_leaves_the_same_instances(harness, strategy);
        }
    };
    all_keep(&[
        &fails(Strategy::Overlap),
        &fails(Strategy::OneByOne),
        &rollouts::a_refused_input_leaves_the_same_instances,
        &rollouts::a_first_deploy_that_fails_leaves_nothing,
    ]);
}

#[test]
fn old_and_new_processes_stand_side_by_side_as_the_strategy_says() {
    all_keep(&[
        &rollouts::overlap_has_both_for_a_moment_and_one_afterwards,
        &rollouts::one_by_one_touches_nothing_before_its_trial_and_then_as_few_as_it_may,
        &rollouts::stop_first_never_has_two_and_is_back_after_a_failure,
        &rollouts::a_scale_after_a_failed_deploy_fills_what_is_wanted,
        &rollouts::a_start_of_which_one_type_fails_leaves_the_others_up,
    ]);
}

#[test]
fn after_a_death_at_any_step_the_same_verb_again_or_a_stop_ends_as_wanted() {
    let dies = |strategy| {
        move |harness: &dyn Harness| {
            rollouts::the_same_verb_again_after_a_death_at_any_step_ends_as_wanted(harness, strategy);
            rollouts::a_stop_after_a_death_at_any_step_ends_old_and_new(harness, strategy);
        }
    };
    all_keep(&[&dies(Strategy::Overlap), &dies(Strategy::OneByOne), &dies(Strategy::StopFirst)]);
}
