//! Node programs in cluster mode: each instance is `ps-node` with one process below it, and all of them share the ports that the program
//! asks for (docs/programs/ps-node.md#one-process-of-several). In fork mode a program that is to exchange messages has a `ps-node` above it
//! too, and listens by itself.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use formation::{SignalName, State, Which};
use os_process::ProcessId;
use procfile_exchange::pm2::{Declaration, KILL_TIMEOUT};
use ps_scheduler::{Scheduler, SignalOrder};
use rustix::process::Signal;

use crate::book::{App, Instance, Sharing, process_type};
use crate::home::Home;
use crate::options;
use crate::say;

/// Milliseconds from the message `shutdown`, or from the last new connection, to the end, where nothing is said.
const GRACEFUL_TIMEOUT: u64 = 8_000;
/// Milliseconds in which a program is to say that it is ready, where nothing is said, as in pm2.
const LISTEN_TIMEOUT: u64 = 3_000;
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

/// What `ps-node` may be to an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A Node program in cluster mode.
    Cluster,
    /// A Node program in fork mode.
    Fork,
    /// A Node program that runs as another user, who cannot open our sockets.
    OfOther,
    /// Anything else.
    NoNode,
}

/// How the processes of a Node program share their ports, or exchange messages. Of any other app, what means nothing there is said.
pub(crate) fn judge(home: &Home, declared: &Declaration, kind: Kind) -> Result<Option<Sharing>> {
    let waits_ready = declared.flag("wait_ready")?.unwrap_or(false);
    let tells_shutdown = declared.flag("shutdown_with_message")?.unwrap_or(false);
    let kill_timeout = declared.number("kill_timeout")?;
    let drain = match kind {
        Kind::Cluster => graceful_timeout(home)?.max(kill_timeout.unwrap_or(0)),
        Kind::Fork if waits_ready || tells_shutdown => kill_timeout.unwrap_or(KILL_TIMEOUT),
        Kind::Fork => return Ok(None),
        Kind::OfOther | Kind::NoNode => {
            let flags = [("wait_ready", waits_ready), ("shutdown_with_message", tells_shutdown)];
            for (key, _) in flags.into_iter().filter(|(_, is_set)| *is_set) {
                say::warning(format_args!("{key} {}", kind.without_effect()));
            }
            return Ok(None);
        }
    };
    program()?;
    let listen = declared.number("listen_timeout")?.unwrap_or(LISTEN_TIMEOUT);
    Ok(Some(Sharing {
        owns_ports: kind == Kind::Fork,
        waits_ready,
        ready_limit: waits_ready.then(|| listen.div_ceil(1000)),
        tells_shutdown,
        must_listen: false,
        is_trial: false,
        drain_seconds: drain.div_ceil(1000).min(LONGEST_DRAIN),
    }))
}

impl Kind {
    /// Why messages have no effect.
    fn without_effect(self) -> &'static str {
        match self {
            Self::OfOther => "has no effect with uid or gid",
            Self::Cluster | Self::Fork | Self::NoNode => "has an effect on Node programs alone",
        }
    }
}

/// `PM2_GRACEFUL_TIMEOUT`, in milliseconds.
fn graceful_timeout(home: &Home) -> Result<u64> {
    let Some(said) = options::value(home, "PM2_GRACEFUL_TIMEOUT") else { return Ok(GRACEFUL_TIMEOUT) };
    let read = said.trim().parse();
    read.with_context(|| format!("PM2_GRACEFUL_TIMEOUT: milliseconds are wanted, not {said}"))
}

fn program() -> Result<PathBuf> {
    let program = os_process::lasting_sister("ps-node");
    program.context("ps-node is not beside ps-pm2: install it with the other programs, or use fork_mode")
}

/// `ps-node`, which starts the program, and ends as that does.
pub(crate) fn words(home: &Home, app: &App, instance: &Instance, sharing: Sharing) -> Result<Vec<OsString>> {
    let mut words: Vec<OsString> = vec![program()?.into()];
    if sharing.owns_ports {
        words.push("--own-ports".into());
    } else {
        words.extend(["--share".into(), home.sockets().into()]);
    }
    words.extend(
        app.pid_files_of(instance.id).into_iter().flat_map(|file| ["--pid-file".into(), file.into()]),
    );
    words.extend(["--drain-limit".into(), sharing.drain_seconds.to_string().into()]);
    if let Some(limit) = sharing.ready_limit.filter(|_| !sharing.is_trial) {
        words.extend(["--ready-limit".into(), limit.to_string().into()]);
    }
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
