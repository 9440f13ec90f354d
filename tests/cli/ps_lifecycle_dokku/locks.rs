//! The app's lock, then Dokku's own lock of a deploy: who is refused, who waits, who is let in, and what is left.

use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use ps_apps::World;
use rustix::fs::FlockOperation;

use crate::support::{DEADLINE, run};
use crate::world::Dokku;

const LOCK: &str = "lib/data/apps/demo/.deploy.lock";

fn path(dokku: &Dokku) -> PathBuf {
    dokku.place.path().join(LOCK)
}

/// Holds the lock of a deploy as Dokku's shell does.
fn hold(dokku: &Dokku, content: &str) -> File {
    dokku.place.write(LOCK, content);
    let file = OpenOptions::new().write(true).open(path(dokku)).expect("the lock");
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).expect("it is free");
    file
}

/// Verbs that deploy or end something.
const VERBS: [&[&str]; 5] =
    [&["start", "demo"], &["stop", "demo"], &["restart", "demo"], &["rebuild", "demo"], &["restore", "demo"]];

#[test]
fn another_deploy_is_named_and_nothing_is_touched() {
    let dokku = Dokku::new();
    let _held = hold(&dokku, "build-17\n");
    for words in VERBS {
        let ran = run(&mut dokku.ps(words));
        assert_eq!(ran.status, 75, "{words:?} {ran:?}");
        assert!(ran.stderr.contains("demo is locked by deploy build-17"), "{words:?} {}", ran.stderr);
    }
    assert!(dokku.calls().iter().all(|call| call == "trigger pre-restore"), "{:?}", dokku.calls());
    assert_eq!(dokku.place.read(LOCK), "build-17\n");
}

#[test]
fn what_is_advised_is_what_dokku_has() {
    let dokku = Dokku::new();
    let held = hold(&dokku, "build-17\n");
    for words in VERBS {
        let ran = run(&mut dokku.ps(words));
        assert!(ran.stderr.contains("try again when it has ended\n"), "{words:?} {}", ran.stderr);
    }
    // What Dokku has noted as a build, it can end.
    dokku.place.write("lib/data/builds/demo/build-17.json", "{}");
    for words in VERBS {
        let ran = run(&mut dokku.ps(words));
        let advice = "try again when it has ended, or end it: dokku builds:cancel demo\n";
        assert!(ran.stderr.contains(advice), "{words:?} {}", ran.stderr);
    }
    drop(held);
    // The app's own lock, whose other way out Dokku's front-end would not understand.
    let world = World::new(dokku.place.root(), dokku.place.lib());
    let _held = world.lock_app(&"demo".parse().expect("a name"), Duration::ZERO).expect("nobody holds it");
    let ran = run(dokku.ps(&["stop", "demo"]).args(["--wait", "0"]));
    assert_eq!(ran.status, 75);
    let (pid, advice) = (std::process::id(), "try again when it has ended");
    assert!(ran.stderr.contains(&format!("demo is locked by pid {pid} ")), "{}", ran.stderr);
    assert!(ran.stderr.contains(advice) && !ran.stderr.contains("--wait"), "{}", ran.stderr);
}

#[test]
fn what_a_deploy_calls_is_part_of_it() {
    for (content, variable, value) in [
        ("build-17\n", "DOKKU_BUILD_ID", "build-17"),
        ("4242\n", "DOKKU_PID", "4242"),
        ("pid-4242\n", "DOKKU_PID", "4242"),
    ] {
        let dokku = Dokku::new();
        let _held = hold(&dokku, content);
        let ran = run(dokku.ps(&["restart", "demo"]).env(variable, value));
        assert_eq!(ran.status, 0, "{content} {ran:?}");
        assert_eq!(dokku.place.read(LOCK), content, "it is not ours to give back");
    }
}

#[test]
fn apps_lock_refuses_in_dokkus_words_until_apps_unlock() {
    let dokku = Dokku::new();
    dokku.place.write(LOCK, "");
    for words in VERBS {
        let ran = run(&mut dokku.ps(words));
        let said = " !     demo currently has a deploy lock in place. Exiting...\n \
                    !     Run 'apps:unlock' to release the existing deploy lock\n";
        assert_eq!((ran.status, ran.stderr.as_str()), (1, said), "{words:?}");
    }
    assert!(path(&dokku).exists(), "the next deploy must not remove it");
    fs::remove_file(path(&dokku)).expect("it is there");
    assert_eq!(run(&mut dokku.ps(&["restart", "demo"])).status, 0);
}

#[test]
fn a_lock_that_a_dead_deploy_left_is_told_and_taken() {
    let dokku = Dokku::new();
    dokku.place.write(LOCK, "build-3\n");
    let ran = run(&mut dokku.ps(&["restart", "demo"]));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.contains("left by deploy build-3, which is gone"), "{}", ran.stderr);
    assert!(!path(&dokku).exists(), "it is given back");
}

#[test]
fn the_lock_is_held_and_signed_meanwhile_but_not_while_receive_app_takes_it_itself() {
    let dokku = Dokku::new();
    let look = format!("cat '{0}' >&2; flock -n '{0}' true || echo held >&2", path(&dokku).display());
    dokku.hook("deploy", &look);
    let ran = run(dokku.ps(&["restart", "demo"]).env("DOKKU_BUILD_ID", "build-9"));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, "build-9\nheld\n"));
    assert!(!path(&dokku).exists());
    let take = format!("exec 200>'{0}' && flock -n 200 && echo mine && rm -f '{0}'", path(&dokku).display());
    dokku.hook("receive-app", &take);
    let ran = run(&mut dokku.ps(&["rebuild", "demo"]));
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "mine\n"));
}

#[test]
fn hooks_that_call_back_into_us_do_not_wait_for_us() {
    let dokku = Dokku::new();
    let program = env!("CARGO_BIN_EXE_ps-lifecycle");
    dokku.hook("deploy", &format!("[ \"$3\" = web ] || exec '{program}' restart demo web"));
    dokku.hook("pre-start", "ps-set demo restart-policy always");
    let began = Instant::now();
    let ran = run(&mut dokku.ps(&["restart", "demo"]));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(dokku.calls().contains(&"trigger deploy demo latest web".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn a_refused_deploy_that_emptied_our_lock_keeps_none_of_our_hooks_out() {
    let dokku = Dokku::new();
    let program = env!("CARGO_BIN_EXE_ps-lifecycle");
    let lock = path(&dokku);
    let refused = format!("(exec 200>'{}' && flock -n 200) && exit 5", lock.display());
    dokku.hook("deploy", &format!("[ \"$3\" = web ] || {{ {refused}; exec '{program}' restart demo web; }}"));
    let ran = run(&mut dokku.ps(&["restart", "demo"]));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(dokku.calls().contains(&"trigger deploy demo latest web".to_owned()));
    assert!(!lock.exists());
}

/// A restart whose deploy has begun, in a process group of its own.
fn restart_until_its_deploy_has_begun(dokku: &Dokku) -> std::process::Child {
    let command = dokku.ps(&["restart", "demo"]);
    let mut program = std::process::Command::new(command.get_program());
    program.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => program.env(name, value),
            None => program.env_remove(name),
        };
    }
    let child = std::os::unix::process::CommandExt::process_group(&mut program, 0).spawn().expect("it runs");
    let began = Instant::now();
    while !dokku.place.root().join("begun").exists() {
        assert!(began.elapsed() < DEADLINE, "the hook was never called");
        thread::sleep(Duration::from_millis(10));
    }
    child
}

#[test]
fn hooks_that_a_killed_command_left_running_are_waited_for() {
    let dokku = Dokku::new();
    let slow = "cd \"$DOKKU_ROOT\" && mkdir busy || exit 9; touch begun; sleep 2; rmdir busy";
    dokku.hook("deploy", slow);
    let mut child = restart_until_its_deploy_has_begun(&dokku);
    child.kill().expect("it is ours");
    child.wait().expect("it ended");
    let ran = run(&mut dokku.ps(&["restart", "demo"]));
    assert_eq!(ran.status, 0, "the two deploys crossed: {ran:?}");
    assert!(!ran.stderr.contains("still run"), "{}", ran.stderr);
}

#[test]
fn kill_9_gives_the_locks_back() {
    let dokku = Dokku::new();
    dokku.hook("deploy", "touch \"$DOKKU_ROOT/begun\"; exec sleep 600");
    let mut child = restart_until_its_deploy_has_begun(&dokku);
    let group = rustix::process::Pid::from_child(&child);
    child.kill().expect("it is ours");
    child.wait().expect("it ended");
    dokku.hook("deploy", "");
    let ran = run(dokku.ps(&["restart", "demo"]).args(["--wait", "0"]));
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).expect("the hook still sleeps");
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.contains("left by deploy 4242"), "{}", ran.stderr);
    assert!(ran.stderr.contains("had started still run (pid "), "{}", ran.stderr);
}

#[test]
fn many_commands_on_one_app_take_turns() {
    let dokku = Dokku::new();
    // Fails if another deploy is under way: only one can make the directory.
    dokku.hook("deploy", "mkdir \"$DOKKU_ROOT/busy\" && sleep 0.01 && rmdir \"$DOKKU_ROOT/busy\"");
    dokku.hook("scheduler-retire", "mkdir \"$DOKKU_ROOT/busy\" && rmdir \"$DOKKU_ROOT/busy\"");
    let failures: Vec<String> = thread::scope(|scope| {
        let round = |words: &'static [&'static str]| {
            let dokku = &dokku;
            scope.spawn(move || {
                let runs = (0..25).map(|_| run(&mut dokku.ps(words)));
                runs.filter(|ran| ran.status != 0).map(|ran| format!("{words:?} {ran:?}")).collect::<Vec<_>>()
            })
        };
        let all =
            [round(&["restart", "demo"]), round(&["restart", "demo", "web"]), round(&["retire", "demo"])];
        all.into_iter().flat_map(|worker| worker.join().expect("it ends")).collect()
    });
    // Who comes while another retires is told so.
    let wrong: Vec<_> = failures.iter().filter(|failure| !failure.contains("status: 137")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let deploys = dokku.calls().iter().filter(|call| call.starts_with("trigger deploy demo")).count();
    assert_eq!(deploys, 50);
    assert!(!path(&dokku).exists());
}

#[test]
fn retire_goes_around_an_app_that_is_being_deployed() {
    let dokku = Dokku::new();
    let _held = hold(&dokku, "build-17\n");
    let ran = run(&mut dokku.ps(&["retire"]));
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(
        ran.stderr.contains("Skipping ps:retire for demo this time: demo is locked by deploy build-17"),
        "{ran:?}"
    );
    assert_eq!(dokku.calls(), ["trigger scheduler-retire docker-local idle", "trigger scheduler-run-retire"]);
    assert_eq!(run(&mut dokku.ps(&["retire", "demo"])).status, 75);
}

#[test]
fn apps_lock_does_not_keep_the_broom_away() {
    let dokku = Dokku::new();
    dokku.place.write(LOCK, "");
    assert_eq!(run(&mut dokku.ps(&["retire"])).status, 0);
    assert_eq!(dokku.calls(), ["trigger scheduler-retire docker-local ''", "trigger scheduler-run-retire"]);
}

#[test]
fn one_retire_at_a_time() {
    let dokku = Dokku::new();
    dokku.place.write("lib/data/ps/retire", "");
    let file = File::open(dokku.place.path().join("lib/data/ps/retire")).expect("the lock");
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).expect("it is free");
    let ran = run(&mut dokku.ps(&["retire"]));
    assert_eq!((ran.status, ran.stderr.as_str()), (137, " !     Failed to acquire ps:retire lock\n"));
}
