//! `--root`: keeps the supervisors of all apps of a world alive (`ps-root`).

use std::env;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ps_apps::World;
use ps_cli::exit::{Outcome, Refusal};
use ps_root::{Holder, Place, Root, Stay};
use ps_supervisor::Against;

/// The directory of the service directories, below `DOKKU_LIB_ROOT`.
const SERVICES: &str = "data/scheduler-native";

/// The world that `--root` names: a directory without a Procfile that contains service directories, or is
/// `DOKKU_LIB_ROOT` of the environment. `None`: the option names a source directory.
pub(crate) fn meant(given: &Path, is_while_needed: bool) -> Result<Option<PathBuf>> {
    let own = World::from_env().ok().map(|world| world.lib().to_owned()).filter(|own| own == given);
    if let Some(own) = &own {
        durable::create_root(own)?;
    }
    let Ok(lib) = given.canonicalize() else { return Ok(None) };
    if lib.join("Procfile").is_file() {
        return Ok(None);
    }
    let is_meant = is_while_needed || own.is_some() || lib.join(SERVICES).is_dir();
    Ok(is_meant.then_some(lib))
}

/// Runs the root, which keeps the supervisors alive until it is asked to exit.
#[inline(never)]
pub(crate) fn run(lib: &Path, is_while_needed: bool) -> Result<Outcome> {
    let services = lib.join(SERVICES);
    let owned = if services.is_dir() { &services } else { lib };
    os_process::become_owner_of(owned).with_context(|| format!("become the owner of {}", owned.display()))?;
    // The process that started us may close its terminal, which must not end us. This fails only if we lead a session
    // already.
    let _ = rustix::process::setsid();
    ps_supervisor::disown(Against::Handlers).context("watch for signals")?;
    durable::create_below(lib, &services)?;
    let program = os_process::sister("ps-supervise").ok_or_else(|| {
        Refusal::failed("the program ps-supervise is not found in its own directory: install it again")
    })?;
    let stay = if is_while_needed { Stay::WhileNeeded } else { Stay::Always };
    if let Some(mut root) = Root::open(Place::of(&services), stay, program)? {
        tell_ready();
        root.run()?;
    }
    Ok(Outcome::Done)
}

/// Runs the holder, which keeps the outputs of all apps open. It runs as the user and in the directory of the root
/// that started it, and lives on when that root ends.
#[inline(never)]
pub(crate) fn hold(services: &Path) -> Result<Outcome> {
    let _ = rustix::process::setsid();
    ps_supervisor::disown(Against::Handlers).context("watch for signals")?;
    let listener = std::io::stdin().as_fd().try_clone_to_owned().context("listen")?;
    Holder::open(Place::of(services), listener.into())?.run()?;
    Ok(Outcome::Done)
}

/// Tells systemd (sd_notify(3)) that the root is ready. Without systemd nothing happens.
fn tell_ready() {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(&path),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(b"READY=1", &address);
    }
}
