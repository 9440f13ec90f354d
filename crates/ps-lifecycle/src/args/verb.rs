//! The verbs with their help texts. The arguments of a verb are built only when it is called, because building all of
//! them takes longer than most verbs.

use clap::Subcommand;

use super::{
    ApplyArgs, AppsArgs, BootArgs, ConvergeArgs, DeployArgs, DestroyArgs, DoctorArgs, EnterArgs, EventsArgs,
    FinishArgs, InspectArgs, LogsArgs, MendArgs, ProcessesArgs, ProxyArgs, ReleasesArgs, RestartArgs,
    RestoreArgs, RetireArgs, RollbackArgs, RunArgs, SignalArgs, SnapshotArgs, StatusArgs, TagArgs, TagsArgs,
    TargetArgs, WatchArgs,
};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Verb {
    /// Runs a new release of an app, and creates the app if it does not exist
    ///
    /// The `release` process of the Procfile runs first, to its end; if it or any new instance fails,
    /// the earlier release stays. Without a source, that of the last deploy is used again.
    ///
    /// `web`, and so the command of --command, must listen on the port in PORT within 30 seconds.
    /// For one that does not listen, write this into app.json in the directory:
    /// {"formation": {"web": {"ready": "alive"}}}
    ///
    /// Examples:
    ///   ps-lifecycle deploy shop --dir ~/src/shop --env-file shop.env --scale web=2 worker=1
    ///   ps-lifecycle deploy files --command 'python3 -m http.server $PORT' --dir /srv/files
    ///   ps-lifecycle deploy api --dir ~/src/api --scale web=max -- node app.js --verbose
    ///   ps-lifecycle deploy chat --interpreter ./venv/bin/python --command chat.py -- --room 7
    ///   ps-lifecycle deploy box --image registry.local/box:42 --pull always
    ///   ps-lifecycle deploy site --dir ~/src/site --scheduler docker-local --build-arg VERSION=7
    ///   ps-lifecycle deploy jobs --dir ~/src/jobs --base python:3.13-slim
    #[command(verbatim_doc_comment)]
    Deploy(Box<DeployArgs>),
    /// Changes an app so that it matches a declaration: a file of pm2, process-compose, supervisord or Compose, or a Procfile with its app.json
    ///
    /// Only what differs is touched: applied twice, the second time starts and restarts nothing.
    /// A type keeps its count if the file does not give one. A type that the file does not name
    /// any more stays, unless --prune is given.
    ///
    /// Examples:
    ///   ps-lifecycle apply process-compose.yaml
    ///   ps-lifecycle apply supervisord.conf --app shop --diff
    ///   ps-lifecycle apply ecosystem.json --prune --dry-run
    ///   ps-lifecycle apply compose.yaml --strict
    ///   ps-lifecycle apply Procfile --only worker
    ///
    /// Exit status of --diff: 0 the app matches, 1 it differs, 2 and above: an error.
    #[command(verbatim_doc_comment)]
    Apply(Box<ApplyArgs>),
    /// Makes the instances match the formation: starts missing ones, stops surplus ones, touches no others
    Converge(ConvergeArgs),
    /// Starts the wanted instances that do not run; running ones are left alone
    Start(TargetArgs),
    /// Stops instances: SIGTERM to the whole process tree, SIGKILL after the grace period
    Stop(TargetArgs),
    /// Replaces running instances by new ones of the same release
    Restart(RestartArgs),
    /// Deploys the source of the last deploy again
    Rebuild(AppsArgs),
    /// Starts the apps that ran before a reboot; apps that were stopped by hand stay stopped
    Restore(RestoreArgs),
    /// Deploys an earlier release again: its image, or the directory that it ran in if that has the same content as then
    ///
    /// It is a deploy like any other: running instances are replaced once the new ones have passed their
    /// checks, and it becomes the newest release. Environment and properties are the present ones,
    /// and so are the counts of the types that the app has now.
    ///
    /// Examples:
    ///   ps-lifecycle rollback shop           # the release before the one that runs
    ///   ps-lifecycle releases shop
    ///   ps-lifecycle rollback shop --to 12
    #[command(verbatim_doc_comment)]
    Rollback(RollbackArgs),
    /// Lists the kept releases of an app, the newest first: one row each
    Releases(ReleasesArgs),
    /// Gives a tag to the image that an app runs: dokku/<app>:<tag>, to be deployed again with deploy --tag
    ///
    /// Examples:
    ///   ps-lifecycle tag box v1.2
    ///   ps-lifecycle deploy box --tag v1.2
    #[command(verbatim_doc_comment)]
    Tag(TagArgs),
    /// Lists the tags of an app's images: one row each
    Tags(TagsArgs),
    /// Removes a tag from an app's image, and the image if that has no other name; latest and a tag in use are refused
    Untag(TagArgs),
    /// Runs a command once, beside the app's instances: with its environment, in its image or its directory, as its user and within its limits
    ///
    /// The command is that of a process type, or the one after --; without either it is a shell. It
    /// has a terminal if stdin is one, and otherwise three pipes, which pass on every byte unchanged.
    /// The exit status is that of the command, 128 + n if signal n ended it, and 124 if its
    /// time was over. It is not an instance: status, ps-scale and stop do not show or touch it.
    /// Nothing is left of it once it has ended.
    ///
    /// Examples:
    ///   ps-lifecycle run shop -- bin/migrate --all
    ///   ps-lifecycle run shop                          # a shell
    ///   ps-lifecycle run shop --no-tty -- pg_dump shop > shop.sql
    ///   ps-lifecycle run shop worker --env QUEUE=mail --timeout 10m --detach
    #[command(verbatim_doc_comment)]
    Run(RunArgs),
    /// Runs a command, or a shell, where an instance runs: in its container, or in its directory, with its variables and as its user
    ///
    /// It has a terminal if stdin is one. The exit status is that of the command.
    ///
    /// Examples:
    ///   ps-lifecycle enter shop web.1
    ///   ps-lifecycle enter shop worker.2 env
    #[command(verbatim_doc_comment)]
    Enter(EnterArgs),
    /// Sends a signal to every process of running instances
    ///
    /// The signal is a name with or without SIG, or a number: SIGHUP, hup and 1 are the same. An instance
    /// that does not run is named, and the exit status is 1. An instance that the signal ends is treated
    /// like one that ends by itself: its restart policy decides what follows.
    ///
    /// Examples:
    ///   ps-lifecycle signal HUP shop web.1 --main     # nginx reads its configuration again
    ///   ps-lifecycle signal USR1 shop
    #[command(verbatim_doc_comment)]
    Signal(SignalArgs),
    /// Changes the address of an app and how clients are served there, at once; without options: shows what is set, and what is in force
    ///
    /// No instance is replaced and no connection closes. Only an app that gets its first address, or
    /// loses it, gets new instances of web, because they listen at other ports then.
    ///
    /// Examples:
    ///   ps-lifecycle proxy shop
    ///   ps-lifecycle proxy shop --listen 0.0.0.0:80 --tls 0.0.0.0:443 --http --redirect-https
    ///   ps-lifecycle proxy shop --http=false
    #[command(verbatim_doc_comment)]
    Proxy(Box<ProxyArgs>),
    /// Sets the counters of restarts to 0; running instances are left alone
    Reset(TargetArgs),
    /// Makes running instances read their configuration again: by the type's reload-signal, or else by a restart
    Reload(TargetArgs),
    /// Saves under a name which apps run, with which formation and release, and restores such a state
    ///
    /// A reboot needs no snapshot, because the current state is always stored. A snapshot is a state to
    /// come back to later. It does not contain the environment and the properties of apps.
    ///
    /// Examples:
    ///   ps-lifecycle snapshot save before-the-move
    ///   ps-lifecycle snapshot restore before-the-move shop
    #[command(verbatim_doc_comment)]
    Snapshot(SnapshotArgs),
    /// Removes what earlier deploys left behind, of one app or of all
    Retire(RetireArgs),
    /// Stops an app and removes everything that is stored about it
    Destroy(DestroyArgs),
    /// Shows the state of every instance, one row each
    Status(StatusArgs),
    /// Shows the logs of an app
    Logs(LogsArgs),
    /// Shows the journal of an app, or of all apps: who asked for what, how it ended, and what happened by itself
    ///
    /// Examples:
    ///   ps-lifecycle events shop --since 14:03
    ///   ps-lifecycle events -f
    ///   ps-lifecycle events --json | jq -r 'select(.outcome == "failed") | "\(.app): \(.error)"'
    #[command(verbatim_doc_comment)]
    Events(EventsArgs),
    /// Prints raw descriptions of an app's instances as JSON; they contain secrets: pipe them into ps-inspect-sanitize
    Inspect(InspectArgs),
    /// Shows the processes of an app's instances, in containers or not, one row each
    Processes(ProcessesArgs),
    /// Checks whether this machine provides what apps need, and says what to do if it does not
    ///
    /// One line for each check: pass, warn or fail, and below it what to do. Nothing is changed. The exit
    /// status is 1 if a check failed.
    ///
    /// Examples:
    ///   ps-lifecycle doctor
    ///   ps-lifecycle doctor --json | jq -r 'select(.verdict != "pass") | "\(.check): \(.cure)"'
    ///   ps-lifecycle doctor --bundle report.tar      # what to attach to a bug report
    #[command(verbatim_doc_comment)]
    Doctor(DoctorArgs),
    /// Makes the init system start the apps when the machine starts: systemd, OpenRC, runit or System V init
    ///
    /// Examples:
    ///   ps-lifecycle boot show                       # what would be written, and where
    ///   ps-lifecycle boot enable --user shop         # the apps run as this user
    ///   ps-lifecycle boot enable --init systemd-user # without root
    ///   ps-lifecycle boot check || ps-lifecycle boot enable
    #[command(verbatim_doc_comment)]
    Boot(BootArgs),
    /// Watches the containers of an app, or of all apps: stays in the foreground until it is told to end
    ///
    /// It makes the liveness and readiness checks of app.json: a container that fails a liveness check
    /// is replaced, and clients are not sent to one that fails a readiness check until it is ready again.
    /// It records the new addresses of containers that the engine has restarted, and starts an
    /// instance again that the engine has given up, three times at most for one release. It runs types
    /// with a schedule, such as the cron of app.json, when they are due. It sends the clients of an app on
    /// a swarm that has an address to the present tasks. One watch per DOKKU_LIB_ROOT
    /// is enough; a second one says so and ends with status 75.
    ///
    /// Examples:
    ///   ps-lifecycle watch --all
    ///   ps-lifecycle boot enable --watch             # by the init system
    #[command(verbatim_doc_comment)]
    Watch(WatchArgs),
    #[command(hide = true)]
    Mend(MendArgs),
    /// Finishes what a killed verb has left unfinished, so that what is recorded of the app runs
    #[command(hide = true)]
    Finish(FinishArgs),
}

impl Verb {
    /// Whether stdout has JSON for a script, so that no progress messages may be printed there.
    pub(crate) fn prints_json(&self) -> bool {
        match self {
            Self::Start(args) | Self::Stop(args) | Self::Reset(args) | Self::Reload(args) => args.all.json,
            Self::Restart(args) => args.target.all.json,
            Self::Rebuild(args) => args.all.json,
            Self::Restore(args) => args.all.json,
            _ => false,
        }
    }
}
