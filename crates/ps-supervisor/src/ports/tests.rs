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
    let beside_others = |name| regular(&spec("shop", 5000, false), &slot(name), Path::new("/services/shop"));
    let rows = [("t0.1", Some(5000)), ("t9.100", Some(5999)), ("t10.1", None), ("t0.101", None)];
    for (name, port) in rows {
        assert_eq!(beside_others(name), port, "{name}");
    }
    let alone = |name| regular(&spec("shop", 5000, false), &slot(name), Path::new("/run/ps-supervise/run-x"));
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
        assert!(assigned.port.is_some_and(|port| port != held && port > 20_000), "{address} {assigned:?}");
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
    // A copy of the file in another app's directory. If the start read the files instead of the index, `shop` would give
    // its port up to the copy.
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
