//! `PORT`: base + 100 x place of the type + (n - 1), as foreman has it; where that is not to be had, the next free port
//! above 20000, kept for ever in `<type>.<n>/port`.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use ps_scheduler::Slot;

use crate::Error;
use crate::spec::Spec;

const PER_TYPE: u32 = 100;
const FIRST_SPARE: u16 = 20_001;
const PORT_FILE: &str = "port";

/// The port of an instance, `None` for `release`. Chosen at its first start, then kept; `taken` tells of ports that
/// other instances of this app have.
pub(crate) fn assign(
    spec: &Spec,
    slot: &Slot,
    directory: &Path,
    taken: &dyn Fn(u16) -> bool,
) -> Result<Option<u16>, Error> {
    if slot.process_type.as_str() == "release" {
        return Ok(None);
    }
    let path = directory.join(PORT_FILE);
    if let Some(kept) = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()) {
        return Ok(Some(kept));
    }
    let regular = regular(spec, slot).filter(|port| !taken(*port) && is_free(*port));
    let spare = || (FIRST_SPARE..=u16::MAX).find(|port| !taken(*port) && is_free(*port));
    let port = regular.or_else(spare);
    if let Some(port) = port {
        fs::write(&path, format!("{port}\n")).map_err(|error| Error::io("write", &path, error))?;
    }
    Ok(port)
}

fn regular(spec: &Spec, slot: &Slot) -> Option<u16> {
    let place = *spec.places.get(slot.process_type.as_str())?;
    let offset =
        u32::from(slot.index).checked_sub(1).filter(|offset| *offset < PER_TYPE && spec.base_port > 0)?;
    u16::try_from(u32::from(spec.base_port) + PER_TYPE * u32::from(place) + offset).ok()
}

/// Whether nobody listens there. Somebody may come between; then the process says so itself.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}
