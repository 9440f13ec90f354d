//! The program executes itself again, or the version that has been installed in its place meanwhile. Its sockets stay
//! open across the exec, with the data in them.
//!
//! A descriptor cannot be taken over by its number without unsafe code. So the descriptors are queued in a socket pair,
//! whose other end becomes stdin.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use balance::wire::Mode;
use nix::sys::signal::{SigSet, Signal};
use tokio::time::sleep;

use crate::balancer::Balancer;
use crate::clock;
use crate::handover::{self, Description, FORMAT};

/// The hidden option with which the program that follows is started.
const TAKE_OVER: &str = "--take-over";
/// How long the program that is to follow may take to say whether it can.
const ANSWER: Duration = Duration::from_secs(5);

/// This program as it was started.
#[derive(Debug)]
pub(crate) struct Itself {
    path: PathBuf,
    words: Vec<OsString>,
}

impl Itself {
    /// Called at the start, while the file of the program is the one that runs.
    pub(crate) fn new() -> Result<Self> {
        let path = std::env::current_exe().context("find this program")?;
        let words = ps_cli::exit::arguments().into_iter().filter(|word| word != TAKE_OVER).collect();
        Ok(Self { path, words })
    }
}

/// Whether the installed program can take over. From here on signals are held back, until this program listens to them again, or
/// the next one does: one that comes before the next program has a handler would end it.
pub(crate) async fn prepare(itself: &Itself, balancer: &Balancer) -> Result<()> {
    signals().thread_block().context("hold signals back")?;
    if balancer.manner().mode() == Mode::Http || balancer.listeners().iter().any(|it| it.tls.is_some()) {
        bail!("what comes by HTTP or TLS cannot be handed over: start another one, and have this one leave");
    }
    understands(&itself.path).await
}

/// Replaces this program. Returns only if that failed: then everything is as it was.
pub(crate) fn upgrade(itself: &Itself, balancer: &Balancer) -> Result<()> {
    let (controls, listeners) = (balancer.controls.all(), balancer.listeners());
    let state = balancer.state().connections.clone();
    let mut stages: Vec<_> = state.iter().map(|(number, it)| (*number, it, it.stage())).collect();
    let mut residues = Vec::new();
    let mut connections = Vec::new();
    for (number, connection, stage) in &mut stages {
        connections.extend(stage.carry(*number, connection, &mut residues)?);
    }
    let description = Description {
        format: FORMAT,
        carried: balancer.carried(),
        listeners: listeners.len(),
        options: Some(balancer.manner().options().clone()),
        has_control: balancer.control.is_some(),
        controls: controls.iter().map(|control| control.carry()).collect(),
        told: balancer.controls.carry(&controls),
        connections,
    };
    let listeners = listeners.iter().map(|listener| listener.socket.as_fd());
    let control = balancer.control.iter().map(|control| control.as_fd());
    let controls = controls.iter().map(|control| control.as_fd());
    let connections = stages.iter().flat_map(|(_, _, stage)| stage.fds());
    let fds: Vec<_> = listeners.chain(control).chain(controls).chain(connections).collect();
    let socket = handover::pack(&description, &residues, &fds)?;
    execute(itself, &socket)
}

/// Whether the program that is installed now can go on from what this one leaves.
async fn understands(path: &Path) -> Result<()> {
    let mut asked = Command::new(path)
        .args(["--understands", &FORMAT.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("start {}", path.display()))?;
    let until = clock::now() + ANSWER;
    while clock::now() < until {
        // Others are served meanwhile, and signals that came before arrive here.
        sleep(Duration::from_millis(5)).await;
        match asked.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(_)) => bail!("{} cannot take over from this version", path.display()),
            Ok(None) => {}
            Err(error) => return Err(error).context("wait for an answer"),
        }
    }
    // It may have ended meanwhile.
    let _ = asked.kill();
    let _ = asked.wait();
    bail!("{} does not say whether it can take over", path.display());
}

fn execute(itself: &Itself, socket: &impl AsFd) -> Result<()> {
    let path = text(itself.path.as_os_str())?;
    let mut words = itself.words.iter().map(|word| text(word)).collect::<Result<Vec<_>>>()?;
    let behind = words.len().min(1);
    words.insert(behind, text(OsStr::new(TAKE_OVER))?);
    let failed = match rustix::stdio::dup2_stdin(socket) {
        Ok(()) => match nix::unistd::execv(&path, &words) {
            Err(error) => std::io::Error::from(error),
        },
        Err(error) => error.into(),
    };
    forget_socket();
    Err(failed).with_context(|| format!("execute {}", itself.path.display()))
}

/// Lets signals through that were held back, here or by the program before. Called once they have handlers.
pub(crate) fn listen_to_signals() -> Result<()> {
    signals().thread_unblock().context("let signals through")
}

/// Makes stdin what it was: nothing. Where there is no /dev/null, the closed socket says the same.
pub(crate) fn forget_socket() {
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
    }
}

fn signals() -> SigSet {
    [Signal::SIGUSR2, Signal::SIGTERM, Signal::SIGINT].into_iter().collect()
}

fn text(word: &OsStr) -> Result<CString> {
    CString::new(word.as_bytes()).context("an argument with a zero byte")
}
