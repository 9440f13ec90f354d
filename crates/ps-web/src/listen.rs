//! The sockets: a Unix socket that only its owner can use, an address, or a socket from systemd.

use std::fs::DirBuilder;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use listenfd::ListenFd;
use ps_apps::World;
use ps_cli::exit::Refusal;
use rustix::fs::Mode;

use crate::args::Args;

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Unix(tokio::net::UnixListener),
    Tcp(tokio::net::TcpListener),
}

/// A listening socket before it belongs to the runtime.
#[derive(Debug)]
pub(crate) enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// The socket, and the file that has to be removed at the end.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) socket: Socket,
    /// The address or path, for people.
    pub(crate) place: String,
    pub(crate) file: Option<PathBuf>,
}

impl Served {
    /// The address, if it is a TCP socket.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Unix(_) => None,
            Socket::Tcp(socket) => socket.local_addr().ok(),
        }
    }
}

impl Socket {
    /// Converts the socket. Must be called inside the runtime.
    pub(crate) fn listener(self) -> io::Result<Listener> {
        match self {
            Self::Unix(socket) => {
                socket.set_nonblocking(true)?;
                Ok(Listener::Unix(tokio::net::UnixListener::from_std(socket)?))
            }
            Self::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                Ok(Listener::Tcp(tokio::net::TcpListener::from_std(socket)?))
            }
        }
    }
}

/// Opens the socket. Must be called before there is a second thread.
pub(crate) fn open(args: &Args, world: &World) -> Result<Served> {
    if let Some(served) = handed_over()? {
        return Ok(served);
    }
    if let Some(address) = args.listen {
        let socket = TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
        let bound = socket.local_addr().context("listen")?;
        let scheme = if args.tls.is_empty() { "http" } else { "https" };
        return Ok(Served { socket: Socket::Tcp(socket), place: format!("{scheme}://{bound}"), file: None });
    }
    let path = match &args.socket {
        Some(path) => path.clone(),
        None => directory(world)?.join("socket"),
    };
    let socket = bind(&path)?;
    Ok(Served { socket: Socket::Unix(socket), place: path.display().to_string(), file: Some(path) })
}

/// The directory of this program's files.
pub(crate) fn directory(world: &World) -> Result<PathBuf> {
    let directory = world.web_dir();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
    made.with_context(|| format!("create {}", directory.display()))?;
    Ok(directory)
}

fn handed_over() -> Result<Option<Served>> {
    let mut handed = ListenFd::from_env();
    if handed.len() > 1 {
        return Err(Refusal::usage(format!("LISTEN_FDS hands over {} sockets: one is served", handed.len())));
    }
    if handed.len() == 0 {
        return Ok(None);
    }
    let place = "what was handed over".to_owned();
    if let Ok(Some(socket)) = handed.take_unix_listener(0) {
        return Ok(Some(Served { socket: Socket::Unix(socket), place, file: None }));
    }
    match handed.take_tcp_listener(0) {
        Ok(Some(socket)) => Ok(Some(Served { socket: Socket::Tcp(socket), place, file: None })),
        Ok(None) | Err(_) => Err(Refusal::usage(
            "LISTEN_FDS hands over a descriptor that is not a listening Unix or TCP socket",
        )),
    }
}

/// Makes a socket that only its owner can use. A socket without a server is replaced.
fn bind(path: &Path) -> Result<UnixListener> {
    let is_socket = path.symlink_metadata().is_ok_and(|about| about.file_type().is_socket());
    if is_socket {
        if UnixStream::connect(path).is_ok() {
            bail!(
                "{} is served already: give another --socket PATH, or end the other ps-web",
                path.display()
            );
        }
        std::fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
    }
    // The umask gives the socket its mode from the beginning. No other file is created meanwhile, because
    // there is one thread.
    let before = rustix::process::umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    bound.with_context(|| format!("listen on {}: --socket PATH chooses another place", path.display()))
}
