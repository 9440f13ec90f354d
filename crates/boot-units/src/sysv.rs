//! System V init: a script that restores the apps. System V init does not restart a process that died, so the root is
//! not part of the script: `restore` starts it, and it stays as long as it keeps anything alive.

use std::path::{Path, PathBuf};

use crate::installation::Installation;
use crate::piece::{Content, MARK, Piece};
use crate::quote::{self, Unusable};

pub(crate) fn pieces(installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    let lib = quote::shell_path(&installation.lib)?;
    let roots = format!("export DOKKU_ROOT={} DOKKU_LIB_ROOT={lib}", quote::shell_path(&installation.root)?);
    let restore =
        format!("start | restart | reload | force-reload) {} ;;", installation.verb("restore --all")?);
    let status = format!("status) {} ;;", installation.verb("status")?);
    let name = &installation.name;
    let provides = format!("# Provides:          {name}");
    let mut lines = vec!["#!/bin/sh", MARK];
    lines.extend(["### BEGIN INIT INFO", &provides]);
    lines.extend(["# Required-Start:    $remote_fs $syslog $network", "# Required-Stop:"]);
    lines.extend([
        "# Default-Start:     2 3 4 5",
        "# Default-Stop:",
        "# Short-Description: apps of Formation",
    ]);
    lines.extend(["### END INIT INFO", &roots, "case \"$1\" in"]);
    lines.push(&restore);
    lines
        .extend(["# Apps end with the machine, or by `ps-lifecycle stop`, which is remembered.", "stop) ;;"]);
    lines.extend([&status, "*) echo \"usage: $0 start|stop|restart|status\" >&2; exit 2 ;;", "esac"]);
    let link = |level: u8| Piece {
        path: PathBuf::from(format!("/etc/rc{level}.d/S20{name}")),
        content: Content::NumberedLink(format!("../init.d/{name}").into()),
    };
    let script = Piece::program(Path::new("/etc/init.d").join(name), &lines);
    Ok([script].into_iter().chain((2..=5).map(link)).collect())
}
