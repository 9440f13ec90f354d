//! systemd: a service whose main process is the root, and which restores the apps once the root answers. Ending the
//! service ends only the root: the apps keep running, and the next root finds them.

use std::path::Path;

use crate::installation::Installation;
use crate::piece::{MARK, Piece};
use crate::quote::{self, Unusable};

/// The group into which systemd puts the root, from version 254 on; earlier versions warn about the unknown key.
const SUBGROUP: &str = "formation-root";
pub(crate) const SYSTEM: &str = "/etc/systemd/system";

/// The unit of the machine.
pub(crate) fn of_machine(installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    render(installation, Path::new(SYSTEM), "multi-user.target")
}

/// The unit of one user.
pub(crate) fn of_user(installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    let of_user = Installation { user: None, ..installation.clone() };
    render(&of_user, &installation.config.join("systemd/user"), "default.target")
}

fn render(installation: &Installation, units: &Path, target: &str) -> Result<Vec<Piece>, Unusable> {
    let Installation { root, lib, .. } = installation;
    let description = format!("Description=Formation: the apps of {}", quote::text(lib)?.replace('%', "%%"));
    let user = installation.user.as_deref().map(|user| format!("User={}", quote::unit(user)));
    let [root, lib_variable] = [("DOKKU_ROOT", root), ("DOKKU_LIB_ROOT", lib)].map(|(name, path)| {
        quote::text(path).map(|path| format!("Environment={}", quote::unit(&format!("{name}={path}"))))
    });
    let supervise = quote::unit_program(&installation.supervise)?;
    let start = format!("ExecStart={supervise} --root {}", quote::unit_argument(lib)?);
    let restore = format!("ExecStartPost=-{} restore --all", quote::unit_program(&installation.lifecycle)?);
    // Before version 254 systemd could not put the next root into a group whose apps have controllers.
    let clear = format!("ExecStopPost=-{supervise} --clear-unit");
    let subgroup = format!("DelegateSubgroup={SUBGROUP}");
    let (root, lib_variable, wanted) = (root?, lib_variable?, format!("WantedBy={target}"));
    let mut lines = vec![MARK, "[Unit]", &description, "Documentation=man:ps-lifecycle(1)"];
    if installation.user.is_some() || units == Path::new(SYSTEM) {
        lines.extend(["Wants=network-online.target", "After=network-online.target local-fs.target"]);
    }
    lines.extend(["StartLimitIntervalSec=0", "", "[Service]", "Type=notify"]);
    lines.extend(user.as_deref());
    lines.extend([&*root, &lib_variable, &start, &restore, &clear]);
    // Apps have their own deadlines, so the unit has none. An app that does not come up must not delay the others or the
    // boot.
    lines.extend([
        "TimeoutStartSec=infinity",
        "Delegate=yes",
        &subgroup,
        "KillMode=process",
        "Restart=always",
        "RestartSec=1",
    ]);
    lines.extend(["", "[Install]", &wanted]);
    let (unit, wants) = (format!("{}.service", installation.name), units.join(format!("{target}.wants")));
    let link = Piece::link(wants.join(&unit), Path::new("..").join(&unit));
    Ok(vec![Piece::file(units.join(&unit), &lines), link])
}
