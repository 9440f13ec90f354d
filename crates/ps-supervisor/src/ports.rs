//! `PORT`: base + 100 x place of the type + (n - 1), as in foreman; if that is not available, the next free port above
//! 20000. An
//! instance keeps its port from start to start, in `ports.json`. Before each start the port is bound to see whether it is
//! free. If another process holds it, the instance gets another port and a note says so. If a person chose the app's ports
//! (`ps-set <app> port`, or `<type>.port`), the start is refused instead, and the reason names the process that holds the
//! port.

mod claims;
mod index;
mod kept;
mod reserved;
mod second;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;

use formation::Slot;
use ps_rollout::Lane;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::marks::{MARKER, mark};
use crate::spec::Spec;
use crate::status::Status;
pub(crate) use claims::Claims;
use claims::{all_services, claims_of_others};
pub(crate) use reserved::{give_back_reserved, reserve};
pub(crate) use second::{release, second};

const PER_TYPE: u32 = 100;
/// Bases are a thousand apart, so the ports of a type from this place on would be those of another app.
const TYPES_PER_BASE: u16 = 10;
const FIRST_SPARE: u16 = 20_001;
/// Worlds begin to look for a spare port at so many different places, a hundred ports apart.
const BEGINNINGS: u64 = 20;
/// The port for a start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    /// The port; `None` for `release`, and if no port is free.
    pub(crate) port: Option<u16>,
    /// A note for people if the port is another one than before: which one and why.
    pub(crate) note: Option<String>,
}

/// Decides the port of a slot whose process is about to be started. `had` is the port of its last run, where that is known
/// from elsewhere than `ports.json`.
///
/// # Errors
/// The port that a person chose is not available: why, for people.
pub(crate) fn assign(
    spec: &Spec,
    slot: &Slot,
    service: &Path,
    had: Option<u16>,
    claims: &mut Claims,
) -> Result<Assigned, String> {
    // One that has the socket of the address needs no port.
    if slot.process_type.is_release() || spec.passes_sockets(&slot.process_type) {
        return Ok(Assigned { port: None, note: None });
    }
    if spec.has_address(&slot.process_type) {
        return Ok(Assigned { port: private(spec, slot, service, claims), note: None });
    }
    if spec.is_port_chosen(&slot.process_type) {
        claims.begin_choice(spec, service);
        let port = promised(spec, slot, |port| claims.is_anothers(port, spec, service))?;
        claims.kept(service).keep(slot, Lane::Own, Some(port));
        if !claims.chooses_alone(service) && claims_of_others(spec, service).contains(&port) {
            claims.kept(service).keep(slot, Lane::Own, None);
            return Err(of_another_app(spec, slot, port));
        }
        return Ok(Assigned { port: Some(port), note: None });
    }
    let kept = had.or_else(|| claims.kept(service).port(slot, Lane::Own));
    if let Some(port) = kept.filter(|port| is_free(*port) && !claims.is_anothers(*port, spec, service)) {
        claims.kept(service).keep(slot, Lane::Own, Some(port));
        return Ok(Assigned { port: Some(port), note: None });
    }
    let regular = regular(spec, slot, service);
    let port = choose_and_keep(spec, service, claims, regular, (slot, Lane::Own));
    Ok(Assigned { port, note: kept.map(|kept| replaced(spec, kept, port)) })
}

/// The port of an instance that is reached at the app's address: a spare one, kept from start to start.
fn private(spec: &Spec, slot: &Slot, service: &Path, claims: &mut Claims) -> Option<u16> {
    let kept =
        claims.kept(service).port(slot, Lane::Own).filter(|port| *port >= FIRST_SPARE && is_free(*port));
    match kept.filter(|port| !claims.is_anothers(*port, spec, service)) {
        Some(port) => Some(port),
        None => choose_and_keep(spec, service, claims, None, (slot, Lane::Own)),
    }
}

/// Chooses a port and records it. Two supervisors that choose at the same time must not choose the same one, so they take a
/// lock. A supervisor that waited too long for the lock chooses without it, and afterwards looks whether another app has
/// recorded the same port; if so, it chooses again. Since both record before they look, at least one of them sees the
/// other.
fn choose_and_keep(
    spec: &Spec,
    service: &Path,
    claims: &mut Claims,
    preferred: Option<u16>,
    (slot, lane): (&Slot, Lane),
) -> Option<u16> {
    loop {
        claims.begin_choice(spec, service);
        let mut is_claimed = |port: u16| claims.has(port, spec, service);
        let preferred = preferred.filter(|port| !is_claimed(*port) && is_free(*port));
        let spare = || spare_ports(service).find(|port| !is_claimed(*port) && is_untouched(*port));
        let port = preferred.or_else(spare);
        if let Some(chosen) = port {
            claims.kept(service).keep(slot, lane, port);
            claims.note_chosen(chosen, spec, service);
        }
        let is_alone = claims.chooses_alone(service);
        let is_mine = |port| !claims_of_others(spec, service).contains(&port);
        if is_alone || port.is_none_or(is_mine) {
            return port;
        }
        claims.release();
    }
}

/// All spare ports, in the order in which this world tries them. Two worlds do not know of each other's choices, and a port is free until
/// the process that has it listens. If both began at the same place, two deploys at the same moment would choose the same port.
fn spare_ports(service: &Path) -> impl Iterator<Item = u16> {
    let mut hasher = DefaultHasher::new();
    service.parent().hash(&mut hasher);
    let place = u16::try_from(hasher.finish() % BEGINNINGS).unwrap_or(0);
    let begin = FIRST_SPARE + place * 100;
    (begin..=u16::MAX).chain(FIRST_SPARE..begin)
}

/// The note for people about a slot that got another port than the one it had.
fn replaced(spec: &Spec, kept: u16, port: Option<u16>) -> String {
    let why = if is_free(kept) {
        format!("port {kept} belongs to an instance of another app")
    } else {
        obstacle(kept)
    };
    let now = port.map_or_else(|| "there is none free".to_owned(), |port| format!("it is {port} now"));
    // Dokku's `ps:set` has no property for ports.
    let way_out =
        if spec.is_dokkus() { String::new() } else { format!(" (ps-set {} port chooses)", spec.app) };
    format!("{why}: {now}{way_out}")
}

/// Why a slot could not be started with the port that a person chose; `None` if it could. `running` is the slot's own
/// process, which may hold the port until it is replaced. `service` is the app's service directory.
pub fn refusal(spec: &Spec, slot: &Slot, service: &Path, running: Option<u32>) -> Option<String> {
    let promised = || promised(spec, slot, |port| claims_of_others(spec, service).contains(&port));
    let is_chosen = spec.is_port_chosen(&slot.process_type);
    let reason = is_chosen.then(|| promised().err()).flatten()?;
    let holder = port_by_place(spec, slot).and_then(os_process::port_holder).and_then(|holder| holder.pid);
    let status = Status::read(&service.join(slot.to_string())).ok().flatten();
    let mark = mark(service, slot, status.map_or(0, |status| status.run));
    let own = running.map(|main| os_process::Processes::new(MARKER).of(&mark, main)).unwrap_or_default();
    let is_own = holder.is_some_and(|pid| own.contains(&pid));
    Some(reason).filter(|_| !is_own)
}

/// The port computed from the base that a person chose. `is_anothers` says whether a port belongs to another app.
///
/// # Errors
/// Which process or app holds the port, or why there is no such port.
fn promised(spec: &Spec, slot: &Slot, is_anothers: impl FnOnce(u16) -> bool) -> Result<u16, String> {
    let from = spec.own_port(&slot.process_type).unwrap_or(spec.base_port);
    let another = way_out(spec, slot);
    let port = port_by_place(spec, slot)
        .ok_or_else(|| format!("there is no port for {slot} from {from} on: {another}"))?;
    let is_same = |other: &Slot| other != slot && port_by_place(spec, other) == Some(port);
    if let Some(other) = spec.wanted().into_iter().find(is_same) {
        return Err(format!("port {port} is that of {other} too: {another}"));
    }
    if is_anothers(port) {
        return Err(of_another_app(spec, slot, port));
    }
    if is_free(port) {
        return Ok(port);
    }
    let end_that = if is_forbidden(port) { "" } else { "end that, or " };
    Err(format!("{}: {end_that}{another}", obstacle(port)))
}

fn of_another_app(spec: &Spec, slot: &Slot, port: u16) -> String {
    format!("port {port} belongs to an instance of another app: {}", way_out(spec, slot))
}

/// What a person does about a port that was chosen for this slot.
fn way_out(spec: &Spec, slot: &Slot) -> String {
    let property = match spec.own_port(&slot.process_type) {
        Some(_) => format!("{}.port", slot.process_type),
        None => "port".to_owned(),
    };
    format!("choose another with ps-set {} {property}", spec.app)
}

/// The port that a person chose for the type, else the port computed from the base and the place of the type. `None` beyond
/// 65535, beyond a hundred instances, without a base, and for `release`.
#[must_use]
pub fn port_by_place(spec: &Spec, slot: &Slot) -> Option<u16> {
    let offset = u32::from(slot.index).checked_sub(1).filter(|offset| *offset < PER_TYPE)?;
    if let Some(own) = spec.own_port(&slot.process_type) {
        return u16::try_from(u32::from(own) + offset).ok();
    }
    let place = u32::from(*spec.places.get(slot.process_type.as_str())?);
    let port = u32::from(spec.base_port) + PER_TYPE * place + offset;
    u16::try_from(port).ok().filter(|_| spec.base_port > 0)
}

/// [`port_by_place`], unless another app has it.
fn regular(spec: &Spec, slot: &Slot, service: &Path) -> Option<u16> {
    let place = *spec.places.get(slot.process_type.as_str())?;
    let is_own = place < TYPES_PER_BASE || all_services(spec, service).is_none();
    port_by_place(spec, slot).filter(|_| is_own)
}

/// The reason for a person why a port that is not free cannot be assigned.
#[must_use]
pub fn obstacle(port: u16) -> String {
    if is_forbidden(port) {
        return format!("port {port} is not for this user to listen on");
    }
    format!("port {port} is held by {}", os_process::describe_port_holder(port))
}

/// Whether a process could listen on the port, on every address of IPv4 and IPv6. Connections in TIME_WAIT do not matter.
pub(crate) fn is_free(port: u16) -> bool {
    can_bind(port, true)
}

/// Whether a socket can be bound to the port, on all addresses at once. `reuses`: also while connections of it are in TIME_WAIT.
fn can_bind(port: u16, reuses: bool) -> bool {
    let bind = |family, address: SocketAddr| -> Result<(), Errno> {
        let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        sockopt::set_socket_reuseaddr(&socket, reuses)?;
        rustix::net::bind(&socket, &address)
    };
    // A socket of IPv6 takes the addresses of IPv4 too; where there is no IPv6, those alone are asked for.
    match bind(AddressFamily::INET6, (Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(errno) if tells_nothing(errno) => {
            bind(AddressFamily::INET, (Ipv4Addr::UNSPECIFIED, port).into()).err().is_none_or(tells_nothing)
        }
        asked => asked.is_ok(),
    }
}

/// Whether the system forbids us to listen on the port, free or not. Processes run as the same user.
fn is_forbidden(port: u16) -> bool {
    let bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
    bound.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Like [`is_free`], but also for a program that does not set `SO_REUSEADDR` and therefore cannot bind while connections
/// are in TIME_WAIT.
fn is_untouched(port: u16) -> bool {
    can_bind(port, false) && is_free(port)
}

/// Whether this error of bind(2) says nothing about the port: the address family is missing, or no descriptor is left.
fn tells_nothing(errno: Errno) -> bool {
    !matches!(errno, Errno::ADDRINUSE | Errno::ACCESS)
}

#[cfg(test)]
mod tests;
