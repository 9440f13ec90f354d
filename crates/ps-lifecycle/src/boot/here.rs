//! Facts about this machine: its init system, the paths under which the programs are found after an upgrade too, and the
//! owner of the apps.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use boot_units::{Init, Installation};
use ps_apps::{World, variable};
use ps_cli::exit::Refusal;
use ps_cli::say;
use rustix::process::geteuid;

use crate::args::{BootArgs, BootVerb};

/// The init system of this machine, and how it was recognised.
pub(super) fn init_system() -> Result<(Init, &'static str)> {
    let is_there = |path: &str| Path::new(path).exists();
    let first = fs::read_to_string("/proc/1/comm").unwrap_or_default();
    if is_there("/run/systemd/system") {
        let init = if geteuid().is_root() { Init::Systemd } else { Init::SystemdUser };
        return Ok((init, "/run/systemd/system is there"));
    }
    if is_there("/run/openrc") {
        return Ok((Init::Openrc, "/run/openrc is there"));
    }
    if first.trim_end() == "runit" || is_there("/run/runit") {
        return Ok((Init::Runit, "process 1 is runit"));
    }
    if first.trim_end() == "init" && is_there("/etc/init.d") && is_there("/etc/inittab") {
        return Ok((Init::Sysv, "process 1 is init, and there are /etc/inittab and /etc/init.d"));
    }
    bail!("the init system of this machine is not recognised: name it with --init")
}

/// The service that has to be started at boot.
pub(super) fn installation(world: &World, init: Init, args: &BootArgs) -> Result<Installation> {
    let is_lost = || "ps-lifecycle and ps-supervise are in different directories: install them in one";
    let program = |name| os_process::lasting_sister(name).with_context(is_lost);
    let (lifecycle, supervise) = (program("ps-lifecycle")?, program("ps-supervise")?);
    if os_process::names_a_version(&lifecycle) {
        say::warning(&format!(
            "the path {} contains a version, and may not exist after an upgrade: make a link to it in a directory on PATH",
            lifecycle.display()
        ));
    }
    Ok(Installation {
        lifecycle,
        supervise,
        name: name(world, init)?,
        root: world.root().to_owned(),
        lib: world.lib().to_owned(),
        watches: watches(init, args)?,
        user: user(world, init, args)?,
        config: config(init)?,
        scanned: scanned(args),
    })
}

/// The name of the service. The usual world is that of root, or for a systemd user manager that of the user.
fn name(world: &World, init: Init) -> Result<String> {
    let state = variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
    let own = state.filter(|_| init == Init::SystemdUser).map(|state| state.join("formation"));
    let base = world.base();
    let is_usual = base == Path::new("/var/lib/formation") || own.is_some_and(|own| own == base);
    Ok(if is_usual { boot_units::USUAL.to_owned() } else { boot_units::service_of(base)? })
}

/// Whether the containers are to be watched too. A service that is removed may have been written with `--watch`.
fn watches(init: Init, args: &BootArgs) -> Result<bool> {
    if args.watch && init == Init::Sysv {
        bail!(
            "System V init keeps no program running: start ps-lifecycle watch --all by something that does"
        );
    }
    Ok(args.watch || args.what == BootVerb::Disable)
}

/// The user to whom the apps belong. `None`: root, or the user of the systemd user manager.
fn user(world: &World, init: Init, args: &BootArgs) -> Result<Option<String>> {
    let owner = fs::metadata(world.lib()).map_or_else(|_| geteuid().as_raw(), |lib| lib.uid());
    let (own, owner_name) = (os_process::user_name(geteuid().as_raw()), os_process::user_name(owner));
    let user = args
        .user
        .clone()
        .unwrap_or_else(|| if init == Init::SystemdUser { own.clone() } else { owner_name.clone() });
    if init == Init::SystemdUser && user != own {
        return Err(Refusal::failed(format!(
            "only {user} can change the systemd user manager of {user}: run this as {user}"
        )));
    }
    if args.root.is_none() {
        let Some(id) = os_process::user_id(&user) else {
            bail!("there is no user {user:?}: name one of this machine with --user");
        };
        if id != owner && world.lib().is_dir() {
            bail!("{} belongs to {owner_name}, and {user} cannot keep apps there", world.lib().display());
        }
    }
    Ok(Some(user).filter(|user| user != "root" && init != Init::SystemdUser))
}

/// The directory of a user's own units.
fn config(init: Init) -> Result<PathBuf> {
    // From the place where somebody calls this, a relative path leads elsewhere than from that of systemd.
    let directory = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = directory("XDG_CONFIG_HOME").or_else(|| Some(directory("HOME")?.join(".config")));
    match config {
        Some(config) => Ok(config),
        None if init == Init::SystemdUser => {
            bail!(
                "neither HOME nor XDG_CONFIG_HOME says where your units are: set one of them to an absolute path"
            )
        }
        None => Ok(PathBuf::new()),
    }
}

/// The directory of services that runit scans, which depends on the distribution.
fn scanned(args: &BootArgs) -> PathBuf {
    let below = |path: &str| match &args.root {
        Some(root) => root.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    };
    let of_void = "/var/service";
    PathBuf::from(if below(of_void).is_dir() { of_void } else { "/etc/service" })
}
