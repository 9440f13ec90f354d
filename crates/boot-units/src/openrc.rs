//! OpenRC: a service whose daemon is the root process. OpenRC's own supervisor restarts it.

use std::path::Path;

use crate::installation::Installation;
use crate::piece::{MARK, Piece};
use crate::quote::{self, Unusable};

pub(crate) fn pieces(installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    let lib = quote::shell_path(&installation.lib)?;
    let supervise = quote::shell_path(&installation.supervise)?;
    let restore = installation.verb("restore --all")?;
    let user = installation.user.as_deref().map(|user| format!("command_user={}", quote::shell(user)));
    let description = quote::shell(&format!("The apps of {}", quote::text(&installation.lib)?));
    let roots = format!("export DOKKU_ROOT={} DOKKU_LIB_ROOT={lib}", quote::shell_path(&installation.root)?);
    let description = format!("description={description}");
    let command = format!("command={supervise}");
    // The words are read by a shell a second time.
    let arguments = format!("command_args={}", quote::shell(&format!("--root {lib}")));
    let restore = format!("\t{restore} || ewarn \"not every app came back\"");
    let mut lines = vec!["#!/sbin/openrc-run", MARK, &description, &roots, "supervisor=supervise-daemon"];
    lines.extend([&*command, &arguments]);
    lines.extend(user.as_deref());
    lines.extend(["respawn_delay=1", "respawn_max=0", "", "depend() {", "\tneed localmount", "\tuse net"]);
    lines.extend(["\tafter bootmisc", "}", "", "start_post() {", &restore, "\treturn 0", "}"]);
    let script = Path::new("/etc/init.d").join(&installation.name);
    let link = Piece::link(Path::new("/etc/runlevels/default").join(&installation.name), &script);
    Ok(vec![Piece::program(script, &lines), link])
}
