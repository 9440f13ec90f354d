//! The command line. Parsing checks every argument; it reads no file and no clock.

mod address;
mod all;
mod apply;
mod canary;
mod past;
mod proxy;
mod releases;
mod require;
mod run;
mod status;
mod tags;
mod target;
mod telling;
mod verb;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use boot_units::Init;
use clap::{Parser, Subcommand, ValueEnum};
use formation::{ProcessType, SignalName, Which};
use ps_apps::SnapshotName;
use ps_cli::Format;
use ps_cli::worlds::{AllWorldsArg, WorldArg};
use type_settings::Switch;

use crate::source_args::SourceArgs;
pub(crate) use address::AddressArgs;
pub(crate) use all::{AllArgs, InvalidParallel};
pub(crate) use apply::{ApplyArgs, DeclarationFormat};
pub(crate) use canary::CanaryArgs;
pub(crate) use past::{Past, PastArgs};
pub(crate) use proxy::ProxyArgs;
pub(crate) use releases::{ReleasesArgs, RollbackArgs};
pub(crate) use require::{RequireArgs, Requirement};
pub(crate) use run::{EnterArgs, RunArgs};
pub(crate) use status::StatusArgs;
pub(crate) use tags::{TagArgs, TagsArgs};
pub(crate) use target::{RestartArgs, TargetArgs};
pub(crate) use telling::{Telling, TellingArgs};
pub(crate) use verb::Verb;
pub(crate) use watch::{MendArgs, Mending, WatchArgs};

/// Deploys, starts, stops, restarts, inspects and destroys apps
///
/// An app is a Procfile plus something to run it from: a directory (its processes run natively,
/// under a supervisor) or an image (they run in Docker).
///
/// Examples:
///   ps-lifecycle deploy shop --dir ~/src/shop      # from a directory with a Procfile
///   ps-lifecycle deploy box --image box:1 --scale web=2
///   ps-lifecycle status --json | jq -r '"\(.app) \(.process_type).\(.index) \(.state)"'
///   ps-lifecycle restart shop web
///   ps-lifecycle logs shop web.1 -n 50 -f
///   ps-lifecycle inspect box | ps-inspect-sanitize
///
/// Exit status: 0 done, 1 failed, 2 wrong usage, 20 no such app, 75 another program is changing the
/// app, 137 retire is running.
#[derive(Debug, Parser)]
#[command(name = "ps-lifecycle", version = ps_cli::VERSION, verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,

    /// Print no progress messages
    #[arg(long, global = true)]
    pub(crate) quiet: bool,

    /// How many seconds to wait while another program changes the same app; 0: do not wait
    #[arg(long, global = true, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) wait: Duration,

    #[command(flatten)]
    pub(crate) world: WorldArg,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DeployArgs {
    /// The app
    pub(crate) app: String,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// The scheduler that runs it, also after later deploys
    #[arg(long, value_name = "NAME", value_parser = ["native", "docker-local", "swarm"])]
    pub(crate) scheduler: Option<String>,
    /// How many instances of a type: a number, `max` (one for each CPU), 50% of the CPUs, or -1 (all CPUs but one); can be
    /// repeated
    #[arg(long, value_name = "TYPE=N", num_args = 1..)]
    pub(crate) scale: Vec<String>,
    /// A dotenv file, which becomes the app's environment
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// On a swarm: the environment comes as a secret, from now on, and not in the specification of services; --env-as-secrets=no: in
    /// the specification
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "yes", value_parser = switch)]
    pub(crate) env_as_secrets: Option<Switch>,
    /// Change nothing; print what would happen to each instance
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// With --dry-run: one JSON object a line
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
    #[command(flatten, next_help_heading = "The app's address")]
    pub(crate) address: AddressArgs,
    #[command(flatten)]
    pub(crate) canary: CanaryArgs,
    #[command(flatten)]
    pub(crate) require: RequireArgs,
    #[command(flatten)]
    pub(crate) telling: TellingArgs,
    /// Not an option: the number of the kept release that a rollback deploys again.
    #[arg(skip)]
    pub(crate) restores: Option<u64>,
    /// Not an option: the changed types and variables of a declaration.
    #[arg(skip)]
    pub(crate) declared: Option<Declared>,
}

/// The changes that a declaration asks a deploy for.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// The types whose instances are replaced; others are left alone.
    pub(crate) changed: BTreeSet<ProcessType>,
    /// The app's new environment, if it changes.
    pub(crate) environment: Option<Vec<u8>>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConvergeArgs {
    /// The app
    pub(crate) app: String,
    /// Change nothing; print what would happen to each instance
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// With --dry-run: one JSON object a line
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) require: RequireArgs,
    #[command(flatten)]
    pub(crate) telling: TellingArgs,
    /// The name of the verb that this is a part of. It writes the last event.
    #[arg(long, value_name = "VERB", hide = true)]
    pub(crate) part_of: Option<String>,
    /// With --dry-run: read the formation from stdin, one <type>=<n> a line, in place of the stored one
    #[arg(long, requires = "dry_run")]
    pub(crate) formation: bool,
    /// With --dry-run: deploy these types as a whole and touch no others, as Dokku does; "" is no type
    #[arg(long, value_name = "TYPE,…", requires = "dry_run")]
    pub(crate) whole: Option<String>,
    /// End with this exit status if the scheduler refuses the plan before anything is changed
    #[arg(long, value_name = "STATUS", hide = true)]
    pub(crate) refusal_status: Option<u8>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FinishArgs {
    /// The app
    pub(crate) app: String,
    /// The killed verb was a start of this type or instance; without one, of all
    #[arg(long)]
    pub(crate) start: bool,
    #[arg(value_name = "TYPE[.N]", requires = "start")]
    pub(crate) which: Option<Which>,
}

// One app, or all of them.
#[derive(Debug, clap::Args)]
pub(crate) struct AppsArgs {
    /// The app
    #[arg(required_unless_present = "all")]
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) all: AllArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The app; inside Dokku, without one, all apps
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) all: AllArgs,
    /// How long an app may take to come up; one that takes longer counts as missing
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(crate) deadline: Duration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SignalArgs {
    /// The signal
    #[arg(value_name = "SIG")]
    pub(crate) signal: SignalName,
    /// The app
    pub(crate) app: String,
    /// Only this type, or this instance: web, web.1
    #[arg(value_name = "TYPE[.N]")]
    pub(crate) which: Option<Which>,
    /// Only to the main process of each instance, not to its descendants
    #[arg(long)]
    pub(crate) main: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SnapshotArgs {
    #[command(subcommand)]
    pub(crate) verb: SnapshotVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotVerb {
    /// Saves the state of these apps; without names, of all deployed apps
    Save {
        /// The name of the snapshot
        name: SnapshotName,
        /// The apps
        apps: Vec<String>,
        /// Replace a snapshot that has this name
        #[arg(long)]
        replace: bool,
    },
    /// Restores the state of these apps; without names, of all that the snapshot contains
    Restore {
        /// The name of the snapshot
        name: SnapshotName,
        /// The apps
        apps: Vec<String>,
        /// How many apps at a time; -1: one per CPU
        #[arg(long, value_name = "N", default_value = "1", allow_hyphen_values = true, value_parser = all::parallel)]
        parallel: i32,
    },
    /// Lists the snapshots
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Shows the apps of a snapshot
    Show {
        /// The name of the snapshot
        name: SnapshotName,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Removes a snapshot; no app is touched
    Delete {
        /// The name of the snapshot
        name: SnapshotName,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct RetireArgs {
    /// The app
    pub(crate) app: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DestroyArgs {
    /// The app
    pub(crate) app: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LogsArgs {
    /// The app
    pub(crate) app: String,
    /// Only this type, or this instance: web, web.1
    #[arg(value_name = "TYPE[.N]")]
    pub(crate) which: Option<Which>,
    #[command(flatten)]
    pub(crate) past: PastArgs,
    #[command(flatten)]
    pub(crate) worlds: AllWorldsArg,
}

#[derive(Debug, clap::Args)]
pub(crate) struct EventsArgs {
    /// The app [default: all]
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) past: PastArgs,
    #[command(flatten)]
    pub(crate) worlds: AllWorldsArg,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The app
    pub(crate) app: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ProcessesArgs {
    /// The app
    pub(crate) app: String,
    /// How the rows are printed; JSON is one object a line
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    #[command(flatten)]
    pub(crate) worlds: AllWorldsArg,
}

impl ProcessesArgs {
    /// How the rows are printed.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct BootArgs {
    /// What to do
    #[arg(value_enum)]
    pub(crate) what: BootVerb,
    /// systemd, systemd-user, openrc, runit or sysv [default: the one that runs this machine]
    #[arg(long, value_name = "INIT")]
    pub(crate) init: Option<Init>,
    /// Also have it run ps-lifecycle watch --all, which watches containers
    #[arg(long)]
    pub(crate) watch: bool,
    /// The user who runs the apps [default: their owner]
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Write below this directory, such as an image that is being built, and leave the running init system alone
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write what was found, the status, the descriptions and the journals of all apps into this tar file, without secrets
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
}

/// The actions of `boot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BootVerb {
    /// Write what is needed
    Enable,
    /// Remove what enable wrote
    Disable,
    /// Print what enable would write, with the paths
    Show,
    /// Compare what is installed with what would be written; status 1 if they differ
    Check,
}

fn switch(word: &str) -> Result<Switch, &'static str> {
    word.parse().map_err(|()| "use yes or no")
}

fn seconds(word: &str) -> Result<Duration, String> {
    word.parse().map(Duration::from_secs).map_err(|_| "a whole number of seconds is needed".to_owned())
}
