//! The root keeps the supervisors of all apps alive, sees the ends that nobody else sees, and may die itself.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use formation::{AppName, Exit, State};
use ps_root::{Client, Place};
use ps_supervisor::Status;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::rounds;
use crate::service::{Service, eventually, pid};

const NOBODY: u32 = 65534;
const DAEMON: u32 = 1;

/// An installation, and its root. All of it ends with the test.
pub(crate) struct Roots {
    pub(crate) lib: TempDir,
    pub(crate) programs: PathBuf,
    pub(crate) started: Vec<Child>,
}

impl Roots {
    pub(crate) fn new() -> Self {
        let lib = TempDir::new().expect("a temporary directory");
        fs::create_dir_all(lib.path().join("data/scheduler-native")).expect("made");
        let program = Path::new(env!("CARGO_BIN_EXE_ps-supervise"));
        Self { lib, programs: program.parent().expect("it lies somewhere").to_owned(), started: vec![] }
    }

    pub(crate) fn place(&self) -> Place {
        Place::of(&self.lib.path().join("data/scheduler-native"))
    }

    pub(crate) fn service(&self, app: &str) -> PathBuf {
        self.place().services().join(app)
    }

    /// An app as a verb leaves it, with this command as `web`.
    pub(crate) fn app(&self, app: &str, command: &str) {
        let directory = self.lib.path().to_owned();
        let mut service = Service::new(&[("web", command, 1)]).with(|spec| spec.directory = directory);
        service.rewrite(|_| ());
        fs::create_dir_all(self.service(app)).expect("made");
        fs::copy(service.path().join("spec2.json"), self.service(app).join("spec2.json")).expect("copied");
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = self.program();
        command.args(words).arg("--root").arg(self.lib.path());
        command
    }

    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(self.programs.join("ps-supervise"));
        command.env("HOME", self.lib.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Starts a root; its pid, once it answers.
    pub(crate) fn start(&mut self, words: &[&str]) -> u32 {
        let root = self.command(words).spawn().expect("ps-supervise starts");
        let id = root.id();
        self.started.push(root);
        self.client();
        id
    }

    pub(crate) fn client(&self) -> Client {
        eventually("the root answers", || Client::connect(&self.place()).ok())
    }

    /// Has the supervisor of an app started; the pids of it and of its process.
    pub(crate) fn run(&self, app: &str) -> (u32, u32) {
        let started = self.client().start(&name(app)).expect("it is started");
        (started.process.pid, self.running(app))
    }

    pub(crate) fn running(&self, app: &str) -> u32 {
        pid(&self.await_status(app, |status| status.state == State::Running && status.process.is_some()))
    }

    pub(crate) fn await_status(&self, app: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        let slot = self.service(app).join("web.1");
        eventually("web.1 is as it should be", || Status::read(&slot).ok().flatten().filter(&is_so))
    }

    /// The supervisor that answers, once another one does than `before`.
    pub(crate) fn supervisor_after(&self, app: &str, before: u32) -> u32 {
        eventually("another supervisor answers", || {
            let client = ps_supervisor::Client::connect(&self.service(app)).ok()?;
            client.supervisor().filter(|pid| *pid != before)
        })
    }

    /// Waits for the end of a root that was started here.
    pub(crate) fn ended(&mut self, root: u32) -> Option<i32> {
        let child = self.started.iter_mut().find(|child| child.id() == root).expect("it was started here");
        eventually("the root ends", || child.try_wait().expect("it is ours")).code()
    }
}

impl Drop for Roots {
    fn drop(&mut self) {
        for mut root in self.started.drain(..) {
            let _ = root.kill();
            let _ = root.wait();
        }
        for app in fs::read_dir(self.place().services()).into_iter().flatten().flatten() {
            for supervisor in ps_supervisor::living_supervisors(&app.path()) {
                kill(supervisor, Signal::KILL);
            }
            ps_supervisor::strays(&app.path()).end(None, Duration::ZERO, |_| true);
        }
    }
}

pub(crate) fn name(app: &str) -> AppName {
    app.parse().expect("a name")
}

pub(crate) fn kill(pid: u32, signal: Signal) {
    let raw = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    // It may have ended.
    let _ = kill_process(raw, signal);
}

pub(crate) fn is_alive(pid: u32) -> bool {
    os_process::ProcessId::of(pid).is_some()
}

#[test]
fn a_supervisor_that_is_killed_is_back_and_its_process_notices_nothing() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    roots.start(&[]);
    let (mut supervisor, web) = roots.run("shop");
    for _ in 0..rounds(8, 1000) {
        kill(supervisor, Signal::KILL);
        supervisor = roots.supervisor_after("shop", supervisor);
        assert_eq!(roots.running("shop"), web);
    }
}

#[test]
fn how_a_process_ends_whose_supervisor_died_is_known() {
    let mut roots = Roots::new();
    roots.app("shop", "trap 'exit 7' USR1; sleep 1000 & wait");
    let root = roots.start(&[]);
    let (supervisor, web) = roots.run("shop");
    // Both die before the root can do anything.
    kill(root, Signal::STOP);
    for dies in [supervisor, web] {
        kill(dies, Signal::KILL);
        eventually("it is dead", || (!is_alive(dies)).then_some(()));
    }
    kill(root, Signal::CONT);
    let status = roots.await_status("shop", |status| status.process.is_some() && pid(status) != web);
    assert_eq!(status.last_exit, Some(Exit::Signal(9)));
    // The supervisor dies, and its process ends under the next one.
    let web = roots.running("shop");
    let before = roots.supervisor_after("shop", 0);
    kill(before, Signal::KILL);
    roots.supervisor_after("shop", before);
    assert_eq!(roots.running("shop"), web);
    kill(web, Signal::USR1);
    let status = roots.await_status("shop", |status| status.process.is_some() && pid(status) != web);
    assert_eq!(status.last_exit, Some(Exit::Code(7)));
}

#[test]
fn a_root_that_is_killed_harms_nobody_and_the_next_one_finds_what_lives() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    let root = roots.start(&[]);
    let (supervisor, web) = roots.run("shop");
    kill(root, Signal::KILL);
    roots.ended(root);
    assert!(is_alive(supervisor) && is_alive(web));
    roots.start(&[]);
    assert_eq!(roots.run("shop"), (supervisor, web), "nothing is started twice");
    // It is no child of this root, which learns of its death all the same.
    kill(supervisor, Signal::KILL);
    roots.supervisor_after("shop", supervisor);
    assert_eq!(roots.running("shop"), web);
}

#[test]
fn where_both_were_killed_the_next_root_brings_back_the_supervisors_that_are_missed() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    roots.app("idle", "exec sleep 1000");
    let root = roots.start(&[]);
    let (supervisor, web) = roots.run("shop");
    for dies in [root, supervisor] {
        kill(dies, Signal::KILL);
    }
    roots.ended(root);
    roots.start(&[]);
    roots.supervisor_after("shop", supervisor);
    assert_eq!(roots.running("shop"), web);
    assert!(!roots.service("idle").join("control").exists(), "nobody asked for it");
}

#[test]
fn a_root_of_a_verb_leaves_with_the_last_app_and_before_whoever_let_it_go_goes_on() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    roots.app("box", "exec sleep 1000");
    let root = roots.start(&["--while-needed"]);
    let apps = ["shop", "box"].map(|app| (app, roots.run(app).0));
    for (app, supervisor) in apps {
        assert!(is_alive(root), "{app} needs it");
        let mut client = roots.client();
        client.let_go(&name(app)).expect("it answers");
        kill(supervisor, Signal::TERM);
        client.wait_for_end();
        assert!(!is_alive(supervisor));
    }
    assert_eq!(roots.ended(root), Some(0));
    assert!(!roots.place().own().join("control").exists());
}

#[test]
fn one_that_stays_takes_the_place_of_one_that_a_verb_started_and_of_no_other() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    let verbs = roots.start(&["--while-needed"]);
    let before = roots.run("shop");
    roots.start(&[]);
    assert_eq!(roots.ended(verbs), Some(0));
    assert_eq!(roots.run("shop"), before);
    let third = roots.command(&[]).stderr(Stdio::piped()).output().expect("ps-supervise starts");
    let said = String::from_utf8_lossy(&third.stderr).into_owned();
    assert_eq!(third.status.code(), Some(1), "{said}");
    assert!(said.contains("has a root already"), "{said}");
    let fourth = roots.command(&["--while-needed"]).status().expect("ps-supervise starts");
    assert_eq!(fourth.code(), Some(0), "a verb that finds one needs none");
}

#[test]
fn an_upgraded_root_is_the_same_process_with_the_same_children() {
    let mut roots = Roots::new();
    roots.app("shop", "trap 'exit 7' USR1; sleep 1000 & wait");
    let today = roots.programs.clone();
    let installed = TempDir::new().expect("a temporary directory");
    fs::copy(today.join("ps-supervise"), installed.path().join("ps-supervise")).expect("copied");
    roots.programs = installed.path().to_owned();
    let root = roots.start(&[]);
    let before = roots.run("shop");
    kill(before.0, Signal::KILL);
    let supervisor = roots.supervisor_after("shop", before.0);
    let program = today.join("ps-supervise");
    assert!(roots.client().is_of_another_program(&program).expect("it answers"));
    roots.client().reexec(&program).expect("it does");
    eventually("it is of today", || {
        let is_another = Client::connect(&roots.place()).ok()?.is_of_another_program(&program).ok()?;
        (!is_another).then_some(())
    });
    let executed = fs::metadata(format!("/proc/{root}/exe")).expect("it lives");
    assert_eq!(executed.ino(), fs::metadata(&program).expect("it is there").ino());
    assert_eq!(roots.run("shop"), (supervisor, before.1));
    // The process that a dead supervisor has left is its child still.
    kill(before.1, Signal::USR1);
    let status = roots.await_status("shop", |status| status.process.is_some() && pid(status) != before.1);
    assert_eq!(status.last_exit, Some(Exit::Code(7)));
    kill(supervisor, Signal::KILL);
    roots.supervisor_after("shop", supervisor);
}

#[test]
fn an_app_of_another_owner_is_refused_by_name() {
    if !geteuid().is_root() {
        return skipped::skip("only root gives directories away");
    }
    let mut roots = Roots::new();
    for (app, owner) in [("shop", NOBODY), ("theirs", DAEMON)] {
        roots.app(app, "exec sleep 1000");
        give(&roots.service(app), owner);
    }
    give(roots.place().services(), NOBODY);
    fs::set_permissions(roots.lib.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    // Started by root, it becomes the owner of the place.
    let root = roots.start(&[]);
    assert_eq!(user_of(root), NOBODY);
    let (supervisor, web) = roots.run("shop");
    assert_eq!([user_of(supervisor), user_of(web)], [NOBODY; 2]);
    let refused = roots.client().start(&name("theirs")).expect_err("it is another user's").to_string();
    assert!(refused.contains("of theirs belongs to daemon"), "{refused}");
    assert!(!roots.service("theirs").join("supervisor.log").exists());
}

#[test]
fn the_root_of_root_becomes_the_owner_of_each_app() {
    if !geteuid().is_root() {
        return skipped::skip("only root becomes somebody else");
    }
    let mut roots = Roots::new();
    fs::set_permissions(roots.lib.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    roots.app("shop", "exec sleep 1000");
    give(&roots.service("shop"), NOBODY);
    let root = roots.start(&[]);
    let (supervisor, web) = roots.run("shop");
    assert_eq!([root, supervisor, web].map(user_of), [0, NOBODY, NOBODY]);
}

fn give(path: &Path, owner: u32) {
    std::os::unix::fs::chown(path, Some(owner), Some(owner)).expect("we are root");
    if let Ok(spec) = fs::metadata(path.join("spec2.json")) {
        assert!(spec.is_file());
        std::os::unix::fs::chown(path.join("spec2.json"), Some(owner), Some(owner)).expect("we are root");
    }
}

fn user_of(pid: u32) -> u32 {
    fs::metadata(format!("/proc/{pid}")).expect("it lives").uid()
}

#[test]
fn a_supervisor_that_ends_at_once_again_and_again_is_tried_ever_more_seldom() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    roots.start(&[]);
    let (supervisor, _) = roots.run("shop");
    fs::write(roots.service("shop").join("spec2.json"), "garbage").expect("written");
    kill(supervisor, Signal::KILL);
    let log = roots.service("shop").join("supervisor.log");
    let tries = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    eventually("it has been tried four times", || (tries() >= 4).then_some(()));
    let (before, began) = (tries(), Instant::now());
    thread::sleep(Duration::from_secs(2));
    // From the fourth try on it waits 400 ms and more, twice as long each time.
    let more = tries() - before;
    assert!(more <= 3, "{more} tries in {:?}", began.elapsed());
}

#[test]
fn a_root_with_nothing_to_do_does_nothing() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    let root = roots.start(&[]);
    roots.run("shop");
    let switches = || {
        let status = fs::read_to_string(format!("/proc/{root}/status")).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.expect("Linux counts them").trim().to_owned()
    };
    // What was asked last may still be on its way.
    let quiet = eventually("it has come to rest", || {
        let before = switches();
        thread::sleep(Duration::from_millis(200));
        (switches() == before).then_some(before)
    });
    thread::sleep(Duration::from_secs(2));
    assert_eq!(switches(), quiet);
}

#[test]
fn what_nobody_understands_is_answered_and_harms_nobody() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    roots.start(&[]);
    let place = roots.place();
    let ask = |said: &str| {
        let mut stream = UnixStream::connect(place.own().join("control")).expect("it listens");
        stream.write_all(said.as_bytes()).expect("it reads");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).expect("it answers");
        answer
    };
    for said in [
        "\u{7f}\n",
        "{}\n",
        "{\"do\":\"fly\"}\n",
        "half a line",
        "{\"do\":\"start\",\"app\":\"../../etc\"}\n",
    ] {
        assert!(ask(said).contains("\"error\":\""), "{said:?}: {}", ask(said));
    }
    assert!(ask("{\"do\":\"start\",\"app\":\"nobody\"}\n").contains("of nobody"));
    assert!(ask("{\"do\":\"hello\"}\n").contains("\"protocol\":1"));
    let mode = fs::metadata(place.own().join("control")).expect("it is there").mode() & 0o777;
    assert_eq!(mode, 0o600);
    roots.run("shop");
}

#[test]
fn a_socket_that_was_removed_is_made_anew_and_with_its_directory_a_root_is_over() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    let root = roots.start(&[]);
    let (supervisor, _) = roots.run("shop");
    fs::remove_file(roots.place().own().join("control")).expect("it was there");
    roots.client();
    assert!(is_alive(root));
    // The root may make its socket anew while this goes on.
    eventually("it is removed", || {
        let _ = fs::remove_dir_all(roots.place().own());
        (!roots.place().own().exists()).then_some(())
    });
    assert_eq!(roots.ended(root), Some(0));
    assert!(is_alive(supervisor));
}
