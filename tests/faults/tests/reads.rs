//! Readers while a writer never rests: 1,000,000 reads through the library and 1,000 through the program in a long run, and
//! none of them sees half a formation, or none.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use faults::sandbox::Sandbox;
use faults::{count, note, programs};
use ps_apps::{App, Error, StoredEntry, StoredFormation, World};

const READERS: usize = 4;
/// After this long a test has failed.
const LIMIT: Duration = Duration::from_secs(900);

fn hello() -> (Sandbox, World, App) {
    let sandbox = Sandbox::new().expect("a sandbox");
    let world = World::new(sandbox.world().join("home"), sandbox.world().join("lib"));
    let app = world.create_app(&"hello".parse().expect("a name")).expect("an app");
    (sandbox, world, app)
}

/// Formations of different lengths, so that half of one is neither.
fn formation(turn: usize) -> StoredFormation {
    let (types, count) = if turn.is_multiple_of(2) { (3, 1) } else { (40, 2) };
    let entry = |n: usize| StoredEntry { name: format!("type{n}"), count };
    StoredFormation { scale: (0..types).map(entry).collect(), old: Vec::new() }
}

fn write(world: &World, app: &App, turn: usize) {
    let after = formation(turn);
    world.update_formation(&app.name, |_| Ok::<_, Error>(after)).expect("an update");
}

/// Fewer writes than these would prove little.
const LEAST_WRITES: usize = 100;

/// Has `read` called `wanted` times by several readers while `write` is called without end; what was read that should
/// not have been, how often was read and how often written.
fn read_during_writes(
    wanted: usize,
    write: impl Fn(usize) + Sync,
    read: impl Fn() -> Result<(), String> + Sync,
) -> (BTreeSet<String>, usize, usize) {
    let (reads, writes, is_over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let deadline = Instant::now() + LIMIT;
    let reader = || {
        let mut wrong = BTreeSet::new();
        // On a busy machine the reads may be done before there was much to read: then they go on.
        let is_due = || writes.load(Ordering::Relaxed) < LEAST_WRITES;
        while (reads.fetch_add(1, Ordering::Relaxed) < wanted || is_due()) && Instant::now() < deadline {
            wrong.extend(read().err());
        }
        wrong
    };
    let wrong = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                write(writes.fetch_add(1, Ordering::Relaxed) + 1);
            }
        });
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(reader)).collect();
        let wrong = readers.into_iter().flat_map(|reader| reader.join().expect("a reader")).collect();
        is_over.store(true, Ordering::Relaxed);
        wrong
    });
    assert!(Instant::now() < deadline, "{LIMIT:?} were not enough");
    (wrong, reads.into_inner(), writes.into_inner())
}

#[test]
fn the_library_never_reads_half_a_formation_or_none() {
    let (_sandbox, world, app) = hello();
    let legal = [formation(0), formation(1)];
    write(&world, &app, 0);
    let read = || match world.formation(&app.name) {
        Ok(read) if legal.contains(&read) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    let (wrong, reads, writes) =
        read_during_writes(count(20_000, 1_000_000), |turn| write(&world, &app, turn), read);
    note(&format!("library: {reads} reads during {writes} writes, {} wrong", wrong.len()));
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_reader_of_a_writer_in_place_does_read_half_a_formation() {
    let (sandbox, world, app) = hello();
    write(&world, &app, 0);
    let path = sandbox.world().join("lib/config/ps/hello/scale");
    let bytes = [0, 1].map(|turn| {
        write(&world, &app, turn);
        fs::read(&path).expect("a file")
    });
    let read = || match fs::read(&path) {
        Ok(read) if bytes.contains(&read) => Ok(()),
        other => Err(format!("{} bytes", other.expect("a file").len())),
    };
    let in_place = |turn: usize| fs::write(&path, &bytes[turn % 2]).expect("a write");
    let (wrong, reads, writes) = read_during_writes(200_000, in_place, read);
    note(&format!(
        "in place (control): {reads} reads during {writes} writes, {} kinds of wrong",
        wrong.len()
    ));
    assert!(!wrong.is_empty(), "the control tore nothing: these tests are blind");
}

#[test]
fn the_program_never_prints_half_a_formation_or_none() {
    programs::build().expect("the programs build");
    let (sandbox, world, app) = hello();
    let program = programs::path("ps-scale").expect("a built program");
    let legal = [0, 1].map(|turn| {
        write(&world, &app, turn);
        print(&sandbox, &program).expect("a formation")
    });
    assert_ne!(legal[0], legal[1]);
    let read = || match print(&sandbox, &program) {
        Ok(read) if legal.contains(&read) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    let (wrong, reads, writes) =
        read_during_writes(count(200, 1_000), |turn| write(&world, &app, turn), read);
    note(&format!("program: {reads} reads during {writes} writes, {} wrong", wrong.len()));
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn print(sandbox: &Sandbox, program: &Path) -> Result<String, String> {
    let mut command: Command = sandbox.command(program);
    let output = command.args(["hello", "--json"]).stdin(Stdio::null()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || !said.is_empty() {
        return Err(format!("{}: {said}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}
