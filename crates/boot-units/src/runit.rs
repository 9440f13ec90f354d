//! runit: a service directory whose process is the root. The same script also restores the apps, in the background,
//! because the root answers only a moment after its start.

use std::path::Path;

use crate::installation::Installation;
use crate::piece::{MARK, Piece};
use crate::quote::{self, Unusable};

pub(crate) fn pieces(installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    let lib = quote::shell_path(&installation.lib)?;
    let become_user = match &installation.user {
        Some(user) => format!("chpst -u {} ", quote::shell(user)),
        None => String::new(),
    };
    let roots = format!("export DOKKU_ROOT={} DOKKU_LIB_ROOT={lib}", quote::shell_path(&installation.root)?);
    let restore = format!("{become_user}{} restore --all &", quote::shell_path(&installation.lifecycle)?);
    let root = format!("exec {become_user}{} --root {lib}", quote::shell_path(&installation.supervise)?);
    let directory = Path::new("/etc/sv").join(&installation.name);
    let lines = ["#!/bin/sh", MARK, "exec 2>&1", &roots, &restore, &root];
    let link = Piece::link(installation.scanned.join(&installation.name), &directory);
    Ok(vec![Piece::program(directory.join("run"), &lines), link])
}
