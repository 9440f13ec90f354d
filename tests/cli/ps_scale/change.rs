//! Changing a formation: what is stored and told, one writer after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ps_apps::World;

use crate::support::{DEADLINE, run};
use crate::{PROGRAM, hello, quietly, scale, scale_inside_dokku, shop, stored};

#[test]
fn a_type_that_an_earlier_change_ended_waits_for_the_deploy_whatever_is_changed_before_it() {
    let place = hello("web=1\nworker=2\n");
    for words in [&["worker=0"][..], &["web=2"], &["clock=1"], &["--replace", "web=3"]] {
        let words = [&["hello", "--skip-deploy", "--quiet"], words].concat();
        assert_eq!(scale_inside_dokku(&place, &words).status, 0);
    }
    let hook = |words: &[&str]| scale_inside_dokku(&place, &[&["--from-trigger"], words].concat());
    assert_eq!(hook(&["post-release-builder", "dockerfile", "hello", "image"]).status, 0);
    assert_eq!(stored(&place, "hello"), ("web=3\n".into(), "clock=0\nworker=0\n".into()));
    assert_eq!(hook(&["ps-current-scale", "hello"]).stdout, "clock=0\nweb=3\nworker=0");
}

#[test]
fn a_change_is_stored_and_told_on_stderr_on_our_own_and_on_stdout_inside_dokku() {
    let place = shop("web=1\n");
    let ran = scale(&place, &["shop", "web=2", "worker=1"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, ""), "-----> Scaling shop processes: web=2 worker=1\n"));
    assert_eq!(stored(&place, "shop"), ("web=2\nworker=1\nrelease=0\n".into(), String::new()));
    let ran = scale_inside_dokku(&place, &["shop", "web=3"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, "-----> Scaling shop processes: web=3\n"), ""));
    let ran = scale(&place, &["shop", "web=4", "--quiet"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, ""), ""));
}

#[test]
fn a_change_with_a_format_prints_the_new_formation_and_nothing_else_on_stdout() {
    let place = hello("web=1\n");
    let expected = "[{\"process_type\":\"web\",\"quantity\":3}]\n";
    assert_eq!(quietly(&scale(&place, &["hello", "web+=2", "--json"])), (0, expected));
    let ran = scale_inside_dokku(&place, &["hello", "web=3", "--json"]);
    assert_eq!((quietly(&ran), &*ran.stderr), ((0, expected), "-----> Scaling hello processes: web=3\n"));
}

#[test]
fn replace_takes_the_named_types_as_the_whole_formation_and_clear_goes_back_to_the_first() {
    let place = shop("web=1\nworker=3\n");
    assert_eq!(scale(&place, &["shop", "--replace", "web=2"]).status, 0);
    assert_eq!(stored(&place, "shop").0, "web=2\nrelease=0\nworker=0\n");
    assert_eq!(scale(&place, &["shop", "worker=3"]).status, 0);
    let ran = scale_inside_dokku(&place, &["--clear", "shop"]);
    assert_eq!(quietly(&ran), (0, "-----> Resetting shop processes to the default scale\n"));
    assert_eq!(stored(&place, "shop").0, "web=1\nrelease=0\nworker=0\n");
    for (words, part) in [
        (&["shop", "--replace"][..], "at least one"),
        (&["shop", "--clear", "web=1"], "takes no types"),
        (&["shop", "--clear", "--replace"], "exclude each other"),
    ] {
        let ran = scale(&place, words);
        assert_eq!(ran.status, 2, "{words:?}");
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
        assert_eq!(scale_inside_dokku(&place, words).status, 1, "{words:?}");
    }
}

#[test]
fn max_is_one_instance_per_cpu_that_we_may_use() {
    let place = hello("web=1\n");
    assert_eq!(scale(&place, &["hello", "web=max"]).status, 0);
    let cpus = thread::available_parallelism().expect("a machine has CPUs");
    assert_eq!(stored(&place, "hello").0, format!("web={cpus}\n"));
}

#[test]
fn fifty_writers_of_different_types_lose_nothing() {
    let place = hello("web=1\n");
    for round in 1..=count(2, 200) {
        let writers = (0..50).map(|n| {
            let mut command = place.command(PROGRAM);
            command.args(["hello", "--skip-deploy", "--quiet", &format!("type{n}={}", (round + n) % 9 + 1)]);
            thread::spawn(move || run(&mut command))
        });
        for writer in writers.collect::<Vec<_>>() {
            let ran = writer.join().expect("a writer");
            assert_eq!((ran.status, &*ran.stderr), (0, ""));
        }
        let rows = scale(&place, &["hello", "--format", "csv"]).stdout;
        for n in 0..50 {
            assert!(
                rows.contains(&format!("\ntype{n},{}\n", (round + n) % 9 + 1)),
                "type{n} is lost:\n{rows}"
            );
        }
    }
}

#[test]
fn a_reader_never_sees_a_torn_or_empty_formation() {
    let place = hello("web=1\n");
    let formations = [
        "[{\"process_type\":\"web\",\"quantity\":1},{\"process_type\":\"worker\",\"quantity\":0}]\n",
        "[{\"process_type\":\"web\",\"quantity\":2},{\"process_type\":\"worker\",\"quantity\":9}]\n",
    ];
    let change = |words: &[&str]| {
        let mut command = place.command(PROGRAM);
        command.args(["hello", "--skip-deploy", "--quiet"]).args(words);
        command
    };
    let mut changes = [change(&["web=1", "worker=0"]), change(&["web=2", "worker=9"])];
    assert_eq!(run(&mut changes[0]).status, 0);
    let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (stop, counter) = (Arc::clone(&is_over), Arc::clone(&written));
    let writer = thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let writes = counter.fetch_add(1, Ordering::Relaxed);
            assert_eq!(run(&mut changes[writes % 2]).status, 0);
        }
    });
    let (reads, deadline) = (count(100, 1000), Instant::now() + DEADLINE);
    for read in 0.. {
        let ran = scale(&place, &["hello", "--json"]);
        assert!(ran.status == 0 && formations.contains(&&*ran.stdout), "{ran:?}");
        if read >= reads && written.load(Ordering::Relaxed) >= 10 {
            break;
        }
        assert!(Instant::now() < deadline, "{read} reads, {written:?} writes");
    }
    is_over.store(true, Ordering::Relaxed);
    writer.join().expect("the writer");
}

/// How often: the first count, or the second one in a long run.
fn count(plain: usize, long: usize) -> usize {
    if std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1") { long } else { plain }
}

#[test]
fn a_write_that_fails_leaves_the_old_formation() {
    let place = shop("web=1\n");
    place.write("lib/config/ps/shop/.stage", "a file where a directory belongs");
    let before = place.state();
    let ran = scale(&place, &["shop", "web=2", "--quiet"]);
    assert_eq!(quietly(&ran), (1, ""));
    assert!(ran.stderr.contains(".stage"), "{}", ran.stderr);
    assert_eq!(place.state(), before);
}

#[test]
fn an_app_that_is_being_changed_is_busy_and_its_holder_is_named() {
    let place = hello("web=1\n");
    let world = World::new(place.root(), place.lib());
    let app = "hello".parse().expect("a name");
    let held = world.lock_app(&app, Duration::ZERO).expect("nobody holds it");
    let before = place.contents();
    let ran = scale(&place, &["hello", "web=2", "--wait", "0", "--quiet"]);
    assert_eq!(quietly(&ran), (75, ""));
    assert!(ran.stderr.contains(&format!("pid {}", std::process::id())), "{}", ran.stderr);
    assert_eq!(place.contents(), before);
    assert_eq!(scale(&place, &["hello"]).status, 0);
    let (name, token) = held.token();
    let ran = run(place.command(PROGRAM).args(["hello", "web=2", "--wait", "0"]).env(name, token));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    drop(held);
    assert_eq!(scale(&place, &["hello", "web=3", "--wait", "20"]).status, 0);
}
