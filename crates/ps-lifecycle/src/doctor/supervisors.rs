//! Checks the installed programs, and those that run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use formation::AppName;
use ps_apps::World;
use ps_root::Place;
use ps_rows::FindingRow;
use ps_scheduler::Running;
use ps_service::Service;
use ps_supervisor::{Build, Client};

/// The name of the check of supervisors.
pub(super) const CHECK: &str = "supervisors";
/// Programs that are started by other programs of this project.
const STARTED: [&str; 3] = ["ps-lifecycle", "ps-supervise", "ps-balance"];
/// A supervisor that does not answer within this time hangs.
const ANSWER: Duration = Duration::from_secs(3);

/// What the supervisors of the apps answered.
pub(super) struct Supervisors {
    current: usize,
    earlier: Vec<AppName>,
    silent: Vec<AppName>,
    missing: Vec<AppName>,
    process: Option<u32>,
}

/// Asks each supervisor which build it runs.
pub(super) fn of(world: &World) -> Result<Supervisors> {
    let mut all = Supervisors {
        current: 0,
        earlier: Vec::new(),
        silent: Vec::new(),
        missing: Vec::new(),
        process: None,
    };
    let installed = os_process::sister("ps-supervise").and_then(|program| Build::at(&program).ok());
    for app in Service::apps(world)? {
        let service = Service::of(world, &app, None);
        let Ok(mut client) = Client::connect(&service.directory) else {
            if !service.is_free() {
                all.silent.push(app);
            } else if is_running(world, &app) {
                all.missing.push(app);
            }
            continue;
        };
        all.process = all.process.or_else(|| client.supervisor());
        match client.hello(Instant::now() + ANSWER) {
            Ok(Some(greeting)) if greeting.build.is_some() && greeting.build == installed => all.current += 1,
            Ok(_) => all.earlier.push(app),
            Err(_) => all.silent.push(app),
        }
    }
    Ok(all)
}

impl Supervisors {
    /// A supervisor that lives. If it may create cgroups, all of them may.
    pub(super) fn first_process(&self) -> Option<u32> {
        self.process
    }

    /// The rows about the supervisors, and about the root that keeps them alive.
    pub(super) fn rows(&self, world: &World) -> Vec<FindingRow> {
        vec![self.supervisors(), self.root(world)]
    }

    fn supervisors(&self) -> FindingRow {
        let Self { current, earlier, silent, missing, .. } = self;
        if !silent.is_empty() {
            return FindingRow::fail(
                CHECK,
                format!("the supervisor of {} does not answer", names(silent)),
                "kill -9 it: its processes run on, and the next verb has another one take them over",
            );
        }
        if !missing.is_empty() {
            return FindingRow::warn(
                CHECK,
                format!("processes of {} run without a supervisor: nobody restarts them", names(missing)),
                format!("ps-lifecycle start {}", missing[0]),
            );
        }
        if !earlier.is_empty() {
            return FindingRow::warn(
                CHECK,
                format!(
                    "the supervisor of {} runs another build than the one that is installed",
                    names(earlier)
                ),
                format!(
                    "ps-lifecycle converge {}: the supervisor executes the new program, and no process of the app restarts",
                    earlier[0]
                ),
            );
        }
        FindingRow::pass(CHECK, format!("{current} run, all of the build that is installed"))
    }

    fn root(&self, world: &World) -> FindingRow {
        const CHECK: &str = "root-process";
        let place = Place::of(&world.lib().join("data/scheduler-native"));
        let program = os_process::sister("ps-supervise").unwrap_or_default();
        let Ok(mut root) = ps_root::Client::connect(&place) else {
            if self.process.is_none() {
                return FindingRow::pass(CHECK, "no supervisor runs, so none is needed");
            }
            return FindingRow::warn(
                CHECK,
                "no root runs: a supervisor that dies stays dead until the next verb",
                "ps-lifecycle start of any app starts one; ps-lifecycle boot enable has the init system do it",
            );
        };
        match root.is_of_another_program(&program) {
            Ok(true) => FindingRow::warn(
                CHECK,
                "the root runs another build than the one that is installed",
                "the next verb that starts something has it execute the new program",
            ),
            Ok(false) => FindingRow::pass(CHECK, "it keeps the supervisors alive"),
            Err(error) => FindingRow::fail(
                CHECK,
                error.to_string(),
                "kill -9 it: the next verb starts another one, and no app notices",
            ),
        }
    }
}

/// Whether the programs find each other.
pub(super) fn programs() -> FindingRow {
    const CHECK: &str = "programs";
    let found: Vec<(&str, Option<PathBuf>)> =
        STARTED.into_iter().map(|name| (name, os_process::sister(name))).collect();
    let missing: Vec<&str> = found.iter().filter(|(_, path)| path.is_none()).map(|(name, _)| *name).collect();
    let version = ps_cli::VERSION;
    if missing.is_empty() {
        return FindingRow::pass(
            CHECK,
            format!("version {version}, the programs are in one directory or on PATH"),
        );
    }
    FindingRow::fail(
        CHECK,
        format!("{} is neither in the directory of ps-lifecycle nor on PATH", missing.join(" and ")),
        "install all programs in one directory (scripts/install)",
    )
}

fn names(apps: &[AppName]) -> String {
    const MOST: usize = 5;
    let mut names: Vec<&str> = apps.iter().take(MOST).map(AppName::as_str).collect();
    let more = format!("{} more", apps.len().saturating_sub(MOST));
    if apps.len() > MOST {
        names.push(&more);
    }
    names.join(", ")
}

fn is_running(world: &World, app: &AppName) -> bool {
    matches!(ps_schedulers::running(world, app), Ok(Running::True | Running::Mixed))
}
