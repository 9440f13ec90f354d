//! The first step of an instance: `ps-pm2 --launch HOME APP`. It executes the app's own program in its place, with the
//! variables, the directory and the log files of the instance's id. It forks nothing, so the process that the
//! supervisor knows is the app's.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Command};

use anyhow::{Context, Result, anyhow};
use formation::Slot;
use ps_cli::exit::Outcome;
use ps_service::Service;
use ps_supervisor::OwnOutputs;

use crate::book::{App, Book, Instance};
use crate::home::{Home, private};
use crate::sharing;

/// The word by which it is called.
pub(crate) const WORD: &str = "--launch";
/// The word by which a schedule of an app calls this program.
pub(crate) const ON_SCHEDULE: &str = "--on-schedule";
/// What of our own surroundings is passed on: what the supervisor tells its processes.
const PASSED: [&str; 8] = [
    ps_supervisor::MARKER,
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "NODE_CHANNEL_FD",
];

/// Becomes the instance of an app whose slot the variable `PS` names. Returns only if that fails.
pub(crate) fn run(words: &[OsString]) -> Result<Outcome> {
    let [home, app] = words else { return Err(anyhow!("{WORD}: HOME and APP are wanted")) };
    let home = Home::at(Path::new(home));
    let book = Book::read(&home)?;
    let app = book.apps.iter().find(|known| OsString::from(&known.ours) == *app);
    let app = app.context("there is no such app any more")?;
    let slot = env::var("PS").ok().and_then(|name| name.parse::<Slot>().ok());
    let slot = slot.context("PS names no slot")?;
    let instance = app.instances.iter().find(|instance| instance.slot == slot.index);
    let instance = instance.with_context(|| format!("{} has no instance in {slot}", app.name))?;
    execute(&home, app, instance)
}

fn execute(home: &Home, app: &App, instance: &Instance) -> Result<Outcome> {
    let open = |path: &Path| private(path).with_context(|| format!("write {}", path.display()));
    let (out, err) = (open(&app.out_of(instance.id))?, open(&app.err_of(instance.id))?);
    note_outputs(home, app, instance);
    let words = if let Some(sharing) = app.sharing {
        sharing::words(home, app, instance, sharing)?
    } else {
        for file in app.pid_files_of(instance.id) {
            write_pid(&file, process::id());
        }
        app.words.iter().map(OsString::from).collect()
    };
    let (program, arguments) = words.split_first().context("there is no program")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&app.cwd).env_clear().envs(variables(app, instance));
    if let Some(identity) = app.account.identity()?.filter(|identity| !identity.is_own()) {
        // The list of apps and the logs are ours, and were opened before.
        identity.assume().with_context(|| format!("become the user {}", identity.user()))?;
    }
    // What fails from here on is still said to the supervisor's log: the streams are exchanged at the last moment.
    let failed: io::Error = command.stdout(out).stderr(err).exec();
    Err(failed).with_context(|| format!("execute {} in {}", Path::new(program).display(), app.cwd.display()))
}

/// Notes where the instance writes from now on, so that `ps-logs` and `ps-explain` find it, and which files its supervisor removes when it
/// has ended. Without the note they only know less, and the files stay.
fn note_outputs(home: &Home, app: &App, instance: &Instance) {
    let Ok(name) = app.app_name() else { return };
    let slot = Slot::new(formation::FIRST_TYPE.parse().expect("it is the name of a type"), instance.slot);
    let outputs = OwnOutputs::begun(app.out_of(instance.id), app.err_of(instance.id))
        .with_pid_files(app.pid_files_of(instance.id));
    let _ = outputs.note(&Service::of(&home.world(), &name, None).instance(&slot));
}

/// Writes the file that says the pid of an instance. Nothing depends on it.
pub(crate) fn write_pid(file: &Path, pid: u32) {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or("pid");
    let _ = durable::replace(file.parent().unwrap_or(Path::new("/")), name, pid.to_string().as_bytes());
}

/// The variables of an instance: those of the app, what pm2 tells each of its processes, and what the supervisor does.
fn variables(app: &App, instance: &Instance) -> Vec<(String, OsString)> {
    let mut variables: Vec<(String, OsString)> =
        app.env.iter().map(|(name, value)| (name.clone(), value.into())).collect();
    let mut set = |name: &str, value: OsString| {
        variables.retain(|(there, _)| there != name);
        variables.push((name.to_owned(), value));
    };
    let mode = if app.is_cluster { "cluster_mode" } else { "fork_mode" };
    set("PWD", app.cwd.clone().into());
    set("pm_id", instance.id.to_string().into());
    set("name", (&app.name).into());
    set("exec_mode", mode.into());
    set(app.instance_variable(), (instance.slot - 1).to_string().into());
    set("pm_cwd", app.cwd.clone().into());
    set("pm_exec_path", app.script.clone().into());
    set("pm_out_log_path", app.out_of(instance.id).into());
    set("pm_err_log_path", app.err_of(instance.id).into());
    set("pm_pid_path", app.pid.clone().into());
    if let Some(port) = &app.port {
        let own = env::var_os("PORT").filter(|_| app.has_address);
        set("PORT", own.unwrap_or_else(|| procfile_exchange::pm2::as_text(port).into()));
    }
    for name in PASSED {
        if let Some(value) = env::var_os(name) {
            set(name, value);
        }
    }
    variables
}
