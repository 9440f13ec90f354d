//! Node programs in cluster mode: each instance is `ps-node` with one process below it, and all of them share the ports that the program
//! asks for (docs/programs/ps-node.md#one-process-of-several).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use formation::{SignalName, State, Which};
use os_process::ProcessId;
use procfile_exchange::pm2::Declaration;
use ps_scheduler::{Scheduler, SignalOrder};
use rustix::process::Signal;

use crate::book::{App, Instance, Sharing, process_type};
use crate::home::Home;
use crate::options;
use crate::say;

/// Milliseconds from the message `shutdown`, or from the last new connection, to the end, where nothing is said.
const GRACEFUL_TIMEOUT: u64 = 8_000;
/// What an app.json may say at most about the end of an app, in seconds, without what comes on top.
const LONGEST_DRAIN: u64 = 86_000;
/// How long `ps-node` may take until its process is there.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(2);

/// Whether these words run a program of Node's.
pub(crate) fn runs_node(words: &[String]) -> bool {
    let program = words.first().and_then(|program| Path::new(program).file_name()).and_then(OsStr::to_str);
    words.len() > 1 && matches!(program, Some("node" | "nodejs"))
}

/// How the processes of a Node program in cluster mode share their ports. Of any other app, what means nothing there is said.
pub(crate) fn judge(home: &Home, declared: &Declaration, is_shared: bool) -> Result<Option<Sharing>> {
    let waits_ready = declared.flag("wait_ready")?.unwrap_or(false);
    let tells_shutdown = declared.flag("shutdown_with_message")?.unwrap_or(false);
    if !is_shared {
        let flags = [("wait_ready", waits_ready), ("shutdown_with_message", tells_shutdown)];
        for (key, _) in flags.into_iter().filter(|(_, is_set)| *is_set) {
            say::warning(format_args!("{key} has an effect on Node programs in cluster mode alone"));
        }
        return Ok(None);
    }
    program()?;
    let drain = match options::value(home, "PM2_GRACEFUL_TIMEOUT") {
        None => GRACEFUL_TIMEOUT,
        Some(said) => said
            .trim()
            .parse()
            .with_context(|| format!("PM2_GRACEFUL_TIMEOUT: milliseconds are wanted, not {said}"))?,
    };
    let drain = drain.max(declared.number("kill_timeout")?.unwrap_or(0)).div_ceil(1000).min(LONGEST_DRAIN);
    Ok(Some(Sharing { waits_ready, tells_shutdown, must_listen: false, drain_seconds: drain }))
}

fn program() -> Result<PathBuf> {
    let program = os_process::lasting_sister("ps-node");
    program.context("ps-node is not beside ps-pm2: install it with the other programs, or use fork_mode")
}

/// `ps-node`, which starts the program as one process of several, and ends as that does.
pub(crate) fn words(home: &Home, app: &App, instance: &Instance, sharing: Sharing) -> Result<Vec<OsString>> {
    let mut words: Vec<OsString> = vec![program()?.into(), "--share".into(), home.sockets().into()];
    words.extend(["--pid-file".into(), app.pid_of(instance.id).into()]);
    words.extend(["--drain-limit".into(), sharing.drain_seconds.to_string().into()]);
    let flags = [
        ("--wait-ready", sharing.waits_ready),
        ("--shutdown-message", sharing.tells_shutdown),
        ("--must-listen", sharing.must_listen),
    ];
    words.extend(flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag.into()));
    words.push("--".into());
    words.extend(app.words.iter().map(OsString::from));
    Ok(words)
}

/// The process of the program, if `ps-node` is the process with this pid.
pub(crate) fn process_below(app: &App, main: u32) -> Option<u32> {
    app.sharing.filter(|_| main > 0)?;
    os_process::children(main)?.first().copied()
}

/// Waits until the program of each of these slots has a process, or until it is clear that one gets none.
pub(crate) fn await_processes(home: &Home, app: &App, slots: &[u16]) -> Result<()> {
    if app.sharing.is_none() {
        return Ok(());
    }
    let name = app.app_name()?;
    let deadline = Instant::now() + PATIENCE;
    let is_on_its_way = || -> Result<bool> {
        let status = home.native().status_of(&name)?;
        let of_slot = |slot: &u16| status.instances.iter().find(|one| one.slot.index == *slot);
        Ok(slots.iter().any(|slot| match of_slot(slot).map(|one| (one.pid, one.state)) {
            Some((Some(main), _)) => process_below(app, main).is_none(),
            // The supervisor reports a process before its status file has it.
            Some((None, state)) => matches!(state, State::Starting | State::Waiting),
            None => true,
        }))
    };
    while is_on_its_way()? && Instant::now() < deadline {
        thread::sleep(LOOK);
    }
    Ok(())
}

/// An instance has no process that could get a signal.
#[derive(Debug, thiserror::Error)]
#[error("{name} ({id}) does not run, so nothing was sent")]
pub(crate) struct Rests {
    name: String,
    id: u64,
}

impl Rests {
    pub(crate) fn new(app: &App, instance: &Instance) -> Self {
        Self { name: app.name.clone(), id: instance.id }
    }
}

/// Sends a signal to the program, and not to `ps-node`.
pub(crate) fn signal(home: &Home, app: &App, instance: &Instance, signal: SignalName) -> Result<()> {
    let status = home.native().status_of(&app.app_name()?)?;
    let main = status.instances.iter().find(|one| one.slot == instance.slot()).and_then(|one| one.pid);
    let below = || ProcessId::of(process_below(app, main?)?);
    let number =
        Signal::from_named_raw(i32::from(signal.number())).context("this machine has no such signal")?;
    let process = below().ok_or_else(|| Rests::new(app, instance))?;
    let sent = os_process::send_signal(process.pid, number, || {
        process.is_alive() && below().is_some_and(|now| now == process)
    });
    sent.map(drop).with_context(|| format!("{} ({})", app.name, instance.id))
}

/// Lets the program get the message `shutdown` from now on when one of its running processes leaves.
pub(crate) fn announce_shutdown(home: &Home, app: &App) -> Result<()> {
    let order = SignalOrder {
        app: app.app_name()?,
        which: Which::Type(process_type()),
        signal: "SIGUSR2".parse().context("SIGUSR2 is a signal")?,
        main_alone: true,
        if_handled: false,
    };
    home.native().signal(&order)?;
    Ok(())
}
