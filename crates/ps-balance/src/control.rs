//! Control connections: that of the supervisor which has started this program, and those to its control socket.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyhow::Context as _;
use balance::wire::{Introduction, Report, Request, VERSION};
use ps_cli::say;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

use crate::balancer::Balancer;
use crate::talk::Control;
use crate::{reach, requests};

/// How long it waits when there is no descriptor for another connection.
const AGAIN: Duration = Duration::from_millis(100);

/// Takes one in.
pub(crate) fn begin(balancer: &Arc<Balancer>, stream: UnixStream) {
    tokio::spawn(serve(Arc::clone(balancer), Arc::new(Control::new(stream))));
}

/// Serves one of them until the other side closes it. What it was told goes on.
pub(crate) async fn serve(balancer: Arc<Balancer>, control: Arc<Control>) {
    balancer.controls.add(&control);
    let (mode, reach) = (balancer.manner().mode(), Some(reach::present(&balancer)));
    control.say(&Report::Hello(Introduction { version: VERSION, mode, reach }));
    loop {
        let next = poll_fn(|cx| {
            if let Poll::Ready(Err(_)) = control.poll_write(&balancer.listeners(), cx) {
                return Poll::Ready(None);
            }
            control.poll_read(cx).map(|read| read.ok().flatten())
        });
        let Some(requests) = next.await else { break };
        for request in requests {
            match serde_json::from_slice::<Request>(&request) {
                Ok(request) => requests::answer(&balancer, &control, request),
                Err(error) => {
                    control
                        .say(&Report::Refused { reason: format!("the request is not understood: {error}") });
                }
            }
        }
    }
    let was_supervisor = balancer.controls.forget(&control);
    if was_supervisor && balancer.is_out_of_reach {
        balancer.begin_to_leave();
    }
}

/// Accepts for ever who may give orders: this user, and root.
pub(crate) async fn accept(balancer: Arc<Balancer>) {
    let Some(listener) = &balancer.control else { return };
    let own = rustix::process::geteuid().as_raw();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let peer = stream.peer_cred().map(|peer| peer.uid());
                if peer.is_ok_and(|uid| uid == own || uid == 0) {
                    begin(&balancer, stream);
                }
            }
            Err(_) => sleep(AGAIN).await,
        }
    }
}

/// Creates the control socket. If no file can be made there, because the disk is full or read-only or something else is in the place, a
/// program that a supervisor has started goes on without it, because clients would wait for as long as that lasts. The supervisor has its own
/// connection; only the next one, which finds this program by the socket, cannot reach it, so this program leaves when the connection to its
/// supervisor ends.
pub(crate) fn open(path: &Path, is_supervised: bool) -> anyhow::Result<Option<UnixListener>> {
    match bind(path) {
        // Where another ps-balance serves the socket, the error is none of the system.
        Err(error) if is_supervised && error.is::<io::Error>() => {
            say::failure(&format!("ps-balance: {error:#}; it goes on without one until its supervisor ends"));
            Ok(None)
        }
        bound => bound.map(Some),
    }
}

/// Creates the control socket, and replaces one that is no longer served.
fn bind(path: &Path) -> anyhow::Result<UnixListener> {
    let bound = || format!("make the control socket {}", path.display());
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        anyhow::bail!("another ps-balance serves the control socket {}", path.display());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).with_context(bound),
        _ => {}
    }
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = listener.with_context(bound)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(bound)?;
    Ok(listener)
}
