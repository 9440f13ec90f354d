//! `ps-lifecycle watch`, which watches containers, as a second service in addition to that of the apps. System V
//! init cannot keep it running, so there is no such service for it.

use std::path::Path;

use crate::installation::Installation;
use crate::piece::{MARK, Piece};
use crate::quote::{self, Unusable};
use crate::{Init, systemd};

pub(crate) fn pieces(init: Init, installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    match init {
        Init::Systemd => of_systemd(installation, Path::new(systemd::SYSTEM), "multi-user.target"),
        Init::SystemdUser => {
            let of_user = Installation { user: None, ..installation.clone() };
            of_systemd(&of_user, &installation.config.join("systemd/user"), "default.target")
        }
        Init::Openrc => of_openrc(installation),
        Init::Runit => of_runit(installation),
        Init::Sysv => Ok(Vec::new()),
    }
}

fn of_systemd(installation: &Installation, units: &Path, target: &str) -> Result<Vec<Piece>, Unusable> {
    let Installation { root, lib, .. } = installation;
    let lib_text = quote::text(lib)?.replace('%', "%%");
    let description = format!("Description=Formation: the containers of {lib_text}");
    let variable = |name: &str, path: &Path| {
        quote::text(path).map(|path| format!("Environment={}", quote::unit(&format!("{name}={path}"))))
    };
    let (root, lib) = (variable("DOKKU_ROOT", root)?, variable("DOKKU_LIB_ROOT", lib)?);
    let start = format!("ExecStart={} watch --all", quote::unit_program(&installation.lifecycle)?);
    let user = installation.user.as_deref().map(|user| format!("User={}", quote::unit(user)));
    let wanted = format!("WantedBy={target}");
    let after = format!("After=docker.service {}.service", installation.name);
    let mut lines = vec![MARK, "[Unit]", &description, &after];
    lines.extend(["StartLimitIntervalSec=0", "", "[Service]"]);
    lines.extend(user.as_deref());
    // With this mode, an operation on an app that the watch has begun is completed even if the watch is stopped.
    lines.extend([&*root, &lib, &start, "KillMode=process", "Restart=always", "RestartSec=1"]);
    lines.extend(["", "[Install]", &wanted]);
    let unit = format!("{}.service", installation.name_of_watch());
    let link = Piece::link(units.join(format!("{target}.wants")).join(&unit), Path::new("..").join(&unit));
    Ok(vec![Piece::file(units.join(&unit), &lines), link])
}

fn of_openrc(installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    let lib = quote::shell_path(&installation.lib)?;
    let user = installation.user.as_deref().map(|user| format!("command_user={}", quote::shell(user)));
    let text = quote::text(&installation.lib)?;
    let description = format!("description={}", quote::shell(&format!("The containers of {text}")));
    let roots = format!("export DOKKU_ROOT={} DOKKU_LIB_ROOT={lib}", quote::shell_path(&installation.root)?);
    let command = format!("command={}", quote::shell_path(&installation.lifecycle)?);
    let mut lines = vec!["#!/sbin/openrc-run", MARK, &description, &roots, "supervisor=supervise-daemon"];
    lines.extend([&*command, "command_args='watch --all'"]);
    lines.extend(user.as_deref());
    lines.extend(["respawn_delay=1", "respawn_max=0", "", "depend() {", "\tneed localmount"]);
    let (name, after) = (installation.name_of_watch(), format!("\tafter docker {}", installation.name));
    lines.extend([&*after, "}"]);
    let script = Path::new("/etc/init.d").join(&name);
    let link = Piece::link(Path::new("/etc/runlevels/default").join(&name), &script);
    Ok(vec![Piece::program(script, &lines), link])
}

fn of_runit(installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    let lib = quote::shell_path(&installation.lib)?;
    let become_user = match &installation.user {
        Some(user) => format!("chpst -u {} ", quote::shell(user)),
        None => String::new(),
    };
    let roots = format!("export DOKKU_ROOT={} DOKKU_LIB_ROOT={lib}", quote::shell_path(&installation.root)?);
    let watch = format!("exec {become_user}{} watch --all", quote::shell_path(&installation.lifecycle)?);
    let name = installation.name_of_watch();
    let directory = Path::new("/etc/sv").join(&name);
    let lines = ["#!/bin/sh", MARK, "exec 2>&1", &roots, &watch];
    let link = Piece::link(installation.scanned.join(&name), &directory);
    Ok(vec![Piece::program(directory.join("run"), &lines), link])
}
