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
    if slot.process_type.is_release() {
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
        let spare = || (FIRST_SPARE..=u16::MAX).find(|port| !is_claimed(*port) && is_untouched(*port));
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
mod tests {
    use std::fs::{self, File};
    use std::sync::atomic::{AtomicU16, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::fs::FlockOperation;

    use super::*;

    pub(super) fn spec(app: &str, base: u16, port_is_set: bool) -> Spec {
        let places = (0..12).map(|place| (format!("t{place}"), place)).collect();
        let json = serde_json::json!({
            "app": app, "revision": 1, "directory": "/", "env": {}, "env_files": [], "base_port": base,
            "places": {}, "restart_policy": "no", "stop_timeout_seconds": 1, "processes": [],
        });
        let spec: Spec = serde_json::from_value(json).expect("a spec");
        Spec { port_is_set, places, ..spec }
    }

    pub(super) fn slot(name: &str) -> Slot {
        name.parse().expect("a slot")
    }

    /// A port that no other test chooses: below those that the system gives to connections, above the first that an app without a port of
    /// its own gets, and another one for each call.
    pub(super) fn own_port() -> u16 {
        static CALLS: AtomicU16 = AtomicU16::new(0);
        let of_process = u16::try_from(std::process::id() % 100).expect("less than a hundred") * 100;
        let ports = (0..100).map(|_| 22_000 + of_process + CALLS.fetch_add(1, Ordering::Relaxed) % 100);
        ports.into_iter().find(|port| is_untouched(*port)).expect("one is free")
    }

    /// That what is said of a world of apps holds in one of five: apps of other tests use the same ports, and may take one in between. A
    /// version that is wrong fails in each.
    pub(super) fn holds_in_one_of_five(told: impl Fn(&Path) -> Result<(), String>) {
        let told = |_| told(tempfile::tempdir().expect("a directory").path()).err();
        let failed: Vec<String> = (0..5).map_while(told).collect();
        assert!(failed.len() < 5, "{failed:?}");
    }

    #[test]
    fn a_place_beyond_the_tenth_has_no_regular_port_because_it_would_be_another_apps() {
        let beside_others =
            |name| regular(&spec("shop", 5000, false), &slot(name), Path::new("/services/shop"));
        let rows = [("t0.1", Some(5000)), ("t9.100", Some(5999)), ("t10.1", None), ("t0.101", None)];
        for (name, port) in rows {
            assert_eq!(beside_others(name), port, "{name}");
        }
        let alone =
            |name| regular(&spec("shop", 5000, false), &slot(name), Path::new("/run/ps-supervise/run-x"));
        for (name, port) in [("t10.1", Some(6000)), ("t11.2", Some(6101)), ("t0.101", None)] {
            assert_eq!(alone(name), port, "{name}");
        }
        assert_eq!(port_by_place(&spec("shop", 65_000, true), &slot("t6.1")), None);
    }

    #[test]
    fn a_port_that_somebody_took_is_replaced_with_a_word_or_refused_where_a_person_chose_it() {
        let parent = tempfile::tempdir().expect("a directory");
        let service = parent.path().join("shop");
        fs::create_dir_all(service.join("t0.1")).expect("a directory");
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let held = listener.local_addr().expect("bound").port();
            let assigned =
                assign(&spec("shop", 0, false), &slot("t0.1"), &service, Some(held), &mut Claims::default());
            let assigned = assigned.expect("another one");
            assert!(
                assigned.port.is_some_and(|port| port != held && port > 20_000),
                "{address} {assigned:?}"
            );
            let note = assigned.note.expect("a word");
            assert!(note.contains(&format!("port {held} is held by")), "{note}");
            assert!(note.contains(&format!("pid {}", std::process::id())), "{note}");
            let refused =
                assign(&spec("shop", held, true), &slot("t0.1"), &service, None, &mut Claims::default());
            let reason = refused.expect_err("somebody chose it");
            assert!(reason.contains(&held.to_string()) && reason.contains("ps-set shop port"), "{reason}");
        }
    }

    #[test]
    fn a_port_that_two_apps_have_kept_is_given_up_by_the_one_that_starts() {
        let parent = tempfile::tempdir().expect("a directory");
        let kept = own_port();
        for app in ["one", "other"] {
            fs::create_dir_all(parent.path().join(app).join("t0.1")).expect("a directory");
            fs::write(parent.path().join(app).join("t0.1/port"), kept.to_string()).expect("a port");
        }
        let assigned = assign(
            &spec("one", 0, false),
            &slot("t0.1"),
            &parent.path().join("one"),
            Some(kept),
            &mut Claims::default(),
        );
        let assigned = assigned.expect("a port");
        assert!(assigned.port.is_some_and(|port| port != kept), "{assigned:?}");
        assert!(assigned.note.is_some_and(|note| note.contains("belongs to an instance of another app")));
    }

    #[test]
    fn a_start_asks_the_index_and_reads_no_file_of_another_app() {
        let parent = tempfile::tempdir().expect("a directory");
        let bases = [own_port(), own_port()];
        let start = |app: &str, base: u16, service: &Path| {
            let mut claims = Claims::default();
            let assigned = assign(&spec(app, base, false), &slot("t0.1"), service, None, &mut claims);
            claims.release();
            assigned.expect("a port").port.expect("a port")
        };
        let services = ["shop", "other"].map(|app| parent.path().join(app));
        for directory in
            [parent.path().join(crate::holder::ROOT), services[0].join("t0.1"), services[1].join("t0.1")]
        {
            fs::create_dir_all(directory).expect("made");
        }
        let port = start("shop", bases[0], &services[0]);
        // Somebody has copied it. Were the files read, the shop would give the port up.
        fs::copy(services[0].join(kept::FILE), services[1].join(kept::FILE)).expect("copied");
        assert_eq!(start("shop", bases[0], &services[0]), port);
        let another = start("other", bases[1], &services[1]);
        assert_ne!(another, port, "the app that has it as a copy gives it up when it starts");
        let again = (start("shop", bases[0], &services[0]), start("other", bases[1], &services[1]));
        assert_eq!(again, (port, another));
    }

    #[test]
    fn apps_that_choose_at_once_never_choose_the_same_though_nobody_can_wait_for_the_others() {
        let parent = tempfile::tempdir().expect("a directory");
        let held = claims::lock(parent.path()).expect("free");
        let apps: Vec<String> = (0..8).map(|n| format!("app{n}")).collect();
        for app in &apps {
            fs::create_dir_all(parent.path().join(app).join("t0.1")).expect("a directory");
        }
        let mut ports: Vec<Option<u16>> = thread::scope(|scope| {
            let assign = |app: &String| {
                assign(
                    &spec(app, 0, false),
                    &slot("t0.1"),
                    &parent.path().join(app),
                    None,
                    &mut Claims::default(),
                )
                .expect("a port")
                .port
            };
            let all: Vec<_> = apps.iter().map(|app| scope.spawn(move || assign(app))).collect();
            all.into_iter().map(|one| one.join().expect("it ends")).collect()
        });
        drop(held);
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), apps.len(), "{ports:?}");
    }

    #[test]
    fn a_slot_that_was_given_up_and_comes_back_gets_the_port_that_it_had() {
        holds_in_one_of_five(|parent| {
            let service = parent.join("shop");
            fs::create_dir_all(service.join("t0.1")).expect("a directory");
            let assign = || {
                let mut claims = Claims::default();
                let assigned = assign(&spec("shop", 0, false), &slot("t0.1"), &service, None, &mut claims);
                claims.release();
                assigned.expect("a port").port
            };
            let first = assign().expect("a port");
            let held = TcpListener::bind(("127.0.0.1", first));
            let another = assign();
            drop(held);
            let last = assign();
            let holds = another != Some(first) && last == another;
            holds.then_some(()).ok_or_else(|| format!("{first} {another:?} {last:?}"))
        });
    }

    #[test]
    fn what_another_app_keeps_is_given_to_nobody_else_whether_it_runs_or_not() {
        let parent = tempfile::tempdir().expect("a directory");
        let assign = |app: &str| {
            let service = parent.path().join(app);
            fs::create_dir_all(service.join("t0.1")).expect("a directory");
            let mut claims = Claims::default();
            let assigned = assign(&spec(app, 0, false), &slot("t0.1"), &service, None, &mut claims);
            claims.release();
            assigned.expect("a port").port
        };
        let (one, other) = (assign("one"), assign("other"));
        assert!(one.is_some() && other.is_some() && one != other, "{one:?} {other:?}");
    }

    #[test]
    fn instances_that_start_at_once_share_one_reading_and_nobody_else_chooses_until_they_have_chosen() {
        let parent = tempfile::tempdir().expect("a directory");
        let service = parent.path().join("shop");
        for name in ["t0.1", "t0.2"] {
            fs::create_dir_all(service.join(name)).expect("a directory");
        }
        let mut claims = Claims::default();
        let mut assign = |name: &str| {
            assign(&spec("shop", 0, false), &slot(name), &service, None, &mut claims).expect("a port").port
        };
        let ports = [assign("t0.1"), assign("t0.2")];
        assert!(ports[0].is_some() && ports[1].is_some() && ports[0] != ports[1], "{ports:?}");
        let try_lock = || {
            let directory = File::open(parent.path()).expect("a directory");
            rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive)
        };
        assert_eq!(try_lock(), Err(Errno::WOULDBLOCK));
        assert!(!service.join("ports.json").exists(), "what was chosen in a turn is written once");
        claims.release();
        // A child that another test is just starting has a copy of the lock's descriptor until it executes its program.
        let begin = Instant::now();
        while try_lock() == Err(Errno::WOULDBLOCK) {
            assert!(begin.elapsed() < Duration::from_secs(60), "the lock is still held");
        }
        assert_eq!(Claims::default().kept(&service).all().map(Some).collect::<Vec<_>>(), ports);
    }
}
