//! Many at once: no update is lost, no reader sees half a value, nothing of a destroyed app comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use faults::reading::Question;
use faults::sandbox::Sandbox;
use faults::{count, note, programs};
use ps_apps::{App, Error, Scope, StoredEntry, StoredFormation, World};

const WRITERS: usize = 50;
const READERS: usize = 8;
const LIMIT: Duration = Duration::from_secs(120);

fn world_of(sandbox: &Sandbox) -> World {
    World::new(sandbox.world().join("home"), sandbox.world().join("lib"))
}

fn with_app() -> (Sandbox, World, App) {
    let sandbox = Sandbox::new().expect("a sandbox");
    let world = world_of(&sandbox);
    let app = world.create_app(&"hello".parse().expect("a name")).expect("an app");
    (sandbox, world, app)
}

fn entry(name: &str, count: i64) -> StoredEntry {
    StoredEntry { name: name.to_owned(), count }
}

fn add(world: &World, app: &App, name: &str) -> Result<(), Error> {
    let added = world.update_formation(&app.name, |before| {
        let mut after = before.clone();
        after.scale.push(entry(name, 1));
        Ok::<_, Error>(after)
    });
    added.map(drop)
}

/// Starts `program` once for each of [`WRITERS`] types and waits for all; which types are then on disk.
fn added_by_programs(sandbox: &Sandbox, program: &str, words: &[&str]) -> BTreeSet<String> {
    let program = programs::path(program).expect("a built program");
    let start = |n: usize| -> Child {
        let mut command: Command = sandbox.command(&program);
        command.args(words).arg(format!("t{n}=1")).stdout(Stdio::null()).stderr(Stdio::inherit());
        command.spawn().expect("a process")
    };
    let deadline = Instant::now() + LIMIT;
    for mut child in (0..WRITERS).map(start).collect::<Vec<_>>() {
        while child.try_wait().expect("a child of ours").is_none() {
            assert!(Instant::now() < deadline, "a writer still runs after {LIMIT:?}");
            thread::sleep(Duration::from_millis(1));
        }
    }
    let text = fs::read_to_string(sandbox.world().join("lib/config/ps/hello/scale")).expect("a formation");
    let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.to_owned());
    names.filter(|name| name.starts_with('t')).collect()
}

#[test]
fn fifty_threads_lose_no_update() {
    let rounds = count(4, 200);
    let mut lost = 0;
    for _ in 0..rounds {
        let (_sandbox, world, app) = with_app();
        thread::scope(|scope| {
            for n in 0..WRITERS {
                let (world, app) = (&world, &app);
                scope.spawn(move || add(world, app, &format!("t{n}")).expect("an update"));
            }
        });
        lost += WRITERS + 1 - world.formation(&app.name).expect("a formation").scale.len();
    }
    note(&format!("threads: {rounds} rounds of {WRITERS} writers, {lost} updates lost"));
    assert_eq!(lost, 0);
}

#[test]
fn fifty_programs_lose_no_update_and_a_writer_in_place_does() {
    programs::build().expect("the programs build");
    let rounds = count(2, 200);
    let (mut lost, mut lost_in_place) = (0, 0);
    for _ in 0..rounds {
        let (sandbox, ..) = with_app();
        lost +=
            WRITERS - added_by_programs(&sandbox, "ps-scale", &["--skip-deploy", "--quiet", "hello"]).len();
    }
    // On a busy machine the writers may take turns by chance, so the control has some rounds more.
    for _ in 0..rounds + 20 {
        let (control, ..) = with_app();
        lost_in_place += WRITERS - added_by_programs(&control, "in-place-writer", &["add", "hello"]).len();
        if lost_in_place > 0 {
            break;
        }
    }
    note(&format!(
        "programs: {rounds} rounds of {WRITERS} ps-scale, {lost} updates lost; in place (control): {lost_in_place}"
    ));
    assert_eq!(lost, 0);
    assert!(lost_in_place > 0, "the control lost nothing: this test is blind");
}

/// Calls `write` with 0, 1, 2, … until `deadline`; how often.
fn write_until(deadline: Instant, write: impl Fn(usize)) -> usize {
    let mut turn = 0;
    while Instant::now() < deadline {
        write(turn);
        turn += 1;
    }
    turn
}

/// What a reader sees that takes its time between `scale.old` and `scale`.
fn one_file_after_the_other(sandbox: &Sandbox) -> String {
    let (from, root) = (sandbox.world().join("lib/config/ps/hello"), sandbox.scratch("naive"));
    let to = root.join("lib/config/ps/hello");
    fs::create_dir_all(&to).expect("a directory");
    for name in ["scale.old", "scale"] {
        fs::copy(from.join(name), to.join(name)).expect("a copy");
        thread::sleep(Duration::from_micros(300));
    }
    Question::Formation("hello".to_owned()).ask(&root).expect("an answer")
}

/// Reads `path` until `is_over`: how often, and how often it was not one of `legal`.
fn read_until(path: &Path, legal: &[&str], is_over: impl Fn() -> bool) -> (usize, usize) {
    let (mut reads, mut torn) = (0, 0);
    while !is_over() {
        reads += 1;
        let value = fs::read(path).unwrap_or_default();
        torn += usize::from(!legal.iter().any(|legal| legal.as_bytes() == value));
    }
    (reads, torn)
}

#[test]
fn no_reader_sees_half_a_value_and_one_of_a_writer_in_place_does() {
    const LEGAL: [&str; 2] = ["always", "on-failure:20"];
    programs::build().expect("the programs build");
    let (sandbox, world, app) = with_app();
    let scope = Scope::App(&app.name);
    let set =
        |turn: usize| world.set_property("ps", scope, "restart-policy", LEGAL[turn % 2]).expect("a write");
    let path = sandbox.world().join("lib/config/ps/hello/restart-policy");
    let deadline = Instant::now() + Duration::from_secs(count(2, 40) as u64);
    set(0);
    let (writes, (reads, torn)) = thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(deadline, set));
        let read = read_until(&path, &LEGAL, || Instant::now() >= deadline);
        (writer.join().expect("a writer that does not fail"), read)
    });
    let mut control = sandbox.command(&programs::path("in-place-writer").expect("a built program"));
    let mut control = control.args(["flip", "hello", "restart-policy", "20000"]).spawn().expect("a process");
    let limit = Instant::now() + LIMIT;
    let child = std::cell::RefCell::new(&mut control);
    let is_over =
        || child.borrow_mut().try_wait().expect("a child of ours").is_some() || Instant::now() > limit;
    let (control_reads, control_torn) = read_until(&path, &LEGAL, is_over);
    note(&format!(
        "torn reads: {torn} of {reads} during {writes} writes; in place (control): {control_torn} of {control_reads}"
    ));
    assert!(reads > 0 && writes > 0, "only {reads} reads and {writes} writes");
    assert_eq!(torn, 0);
    assert!(control_torn > 0, "the control tore nothing: this test is blind");
}

#[test]
fn no_reader_sees_a_mixture_of_two_formations() {
    let (sandbox, world, app) = with_app();
    let one = StoredFormation { scale: vec![entry("web", 1), entry("worker", 2)], old: vec![] };
    let two =
        StoredFormation { scale: vec![entry("web", 3)], old: vec![entry("worker", 0), entry("clock", 0)] };
    let put = |turn: usize| {
        let after = [&one, &two][turn % 2];
        world.update_formation(&app.name, |_| Ok::<_, Error>(after.clone())).expect("an update");
    };
    put(0);
    let deadline = Instant::now() + Duration::from_secs(count(2, 40) as u64);
    let is_legal =
        |read: &StoredFormation| [&one, &two].iter().any(|legal| legal.effective() == read.effective());
    let is_over = AtomicBool::new(false);
    let mut naive_mixed = 0;
    let read = || {
        let (mut reads, mut mixed) = (0, BTreeSet::new());
        while Instant::now() < deadline {
            reads += 1;
            let read = world.formation(&app.name).expect("a formation");
            if !is_legal(&read) {
                mixed.insert(format!("{:?}", read.effective()));
            }
        }
        (reads, mixed)
    };
    let (reads, mixed) = thread::scope(|scope| {
        scope.spawn(|| (0..usize::MAX).take_while(|_| !is_over.load(Ordering::Relaxed)).for_each(put));
        // So many that the kernel takes turns with them between the two files.
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        while Instant::now() < deadline || (naive_mixed == 0 && Instant::now() < deadline + LIMIT) {
            let answer = one_file_after_the_other(&sandbox);
            naive_mixed += usize::from(answer != "web=1 worker=2" && answer != "clock=0 web=3 worker=0");
        }
        is_over.store(true, Ordering::Relaxed);
        readers.into_iter().fold((0, BTreeSet::new()), |(reads, mut mixed), reader| {
            let (more, others) = reader.join().expect("a reader");
            mixed.extend(others);
            (reads + more, mixed)
        })
    });
    note(&format!(
        "mixed formations: {} kinds in {reads} reads; one file after the other (control): {naive_mixed}",
        mixed.len()
    ));
    assert!(mixed.is_empty(), "{mixed:?}");
    assert!(naive_mixed > 0, "the control saw no mixture: this test is blind");
}

#[test]
fn what_is_destroyed_does_not_come_back() {
    let rounds = count(40, 1000);
    let mut refused = 0;
    for round in 0..rounds {
        let (sandbox, world, app) = with_app();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut refused = 0;
                while !is_over.load(Ordering::Relaxed) {
                    match world.set_property("ps", Scope::App(&app.name), "restart-policy", "always") {
                        Ok(()) => (),
                        Err(Error::NoSuchApp { .. }) => refused += 1,
                        Err(error) => panic!("round {round}: {error}"),
                    }
                }
                refused
            });
            // Each round destroys at another moment of a write.
            thread::sleep(Duration::from_micros(1500 + 37 * (round as u64 % 40)));
            world.destroy_app(&app.name).expect("destroyed");
            thread::sleep(Duration::from_millis(2));
            is_over.store(true, Ordering::Relaxed);
            refused += writer.join().expect("a writer that is told the truth");
        });
        let left: Vec<_> = ["home/hello", "lib/config/ps/hello", "lib/data/ps/hello", "lib/config/hello"]
            .into_iter()
            .filter(|path| sandbox.world().join(path).exists())
            .collect();
        assert!(left.is_empty(), "round {round}: {left:?} came back");
        let answer = Question::App("hello".to_owned()).ask(&sandbox.world()).expect("an answer");
        assert_eq!(answer, "no app");
    }
    note(&format!("destroyed during writes: {rounds} rounds, {refused} writes refused, nothing came back"));
}

#[test]
fn programs_say_that_the_app_is_gone_when_somebody_removes_it() {
    const NO_SUCH_APP: i32 = 20;
    programs::build().expect("the programs build");
    let lines: [&[&str]; 3] = [
        &["ps-set", "hello", "restart-policy", "always"],
        &["ps-scale", "--skip-deploy", "hello", "web=3"],
        &["ps-set", "hello", "restart-policy"],
    ];
    let rounds = count(15, 300);
    let mut statuses = BTreeMap::new();
    for round in 0..rounds {
        let (sandbox, ..) = with_app();
        let run_until_refused = |line: &[&str]| -> Vec<i32> {
            let words: Vec<String> = line.iter().map(ToString::to_string).collect();
            let deadline = Instant::now() + LIMIT;
            let mut seen = Vec::new();
            while Instant::now() < deadline && seen.last() != Some(&NO_SUCH_APP) {
                let output = sandbox
                    .command(&programs::path(&words[0]).expect("a built program"))
                    .args(&words[1..])
                    .output();
                let output = output.expect("a run");
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let status = output.status.code().unwrap_or(-1);
                assert!([0, NO_SUCH_APP].contains(&status), "round {round}: {line:?}: {status}: {said}");
                seen.push(status);
            }
            seen
        };
        thread::scope(|scope| {
            let runners: Vec<_> =
                lines.map(|line| scope.spawn(|| run_until_refused(line))).into_iter().collect();
            thread::sleep(Duration::from_millis(5 + round as u64 % 7));
            for path in ["home/hello", "lib/config/ps/hello"] {
                let path = sandbox.world().join(path);
                let is_gone = |_| fs::remove_dir_all(&path).is_ok() || !path.exists();
                assert!((0..10_000).any(is_gone), "round {round}: {} stays", path.display());
            }
            for status in runners.into_iter().flat_map(|runner| runner.join().expect("only 0 or 20")) {
                *statuses.entry(status).or_insert(0) += 1;
            }
        });
        for path in ["home/hello", "lib/config/ps/hello"] {
            assert!(!sandbox.world().join(path).exists(), "round {round}: {path} came back");
        }
    }
    note(&format!(
        "removed by others under ps-set and ps-scale: {rounds} rounds, exit statuses {statuses:?}"
    ));
}
