use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use formation::{State, Stream};
use log_store::Segment;
use ps_rollout::Role;

use super::*;
use crate::Begin;
use crate::signals::Heard;
use crate::state::Statuses;
use crate::status::Status;

/// A supervisor reaps every child of its process, so there is one at a time.
static ONE: Mutex<()> = Mutex::new(());
const DEADLINE: Duration = Duration::from_secs(60);

/// What each run writes when it starts, and that it stays. `$1` is the revision.
fn spec(directory: &Path, revision: u64, command: &str) -> Spec {
    let path = std::env::var("PATH").expect("there is one");
    let spec = serde_json::json!({
        "app": "shop", "revision": revision, "directory": directory, "env": { "PATH": path }, "env_files": [],
        "base_port": 0, "places": { "web": 0 }, "restart_policy": "on-failure:10", "stop_timeout_seconds": 5,
        "processes": [{ "process_type": "web", "command": command, "quantity": 1 }],
    });
    serde_json::from_value(spec).expect("a spec")
}

fn says_and_stays(word: &str) -> String {
    format!("echo {word} on $PORT; exec sleep 1000")
}

fn run(number: u64) -> Run {
    Run { slot: slot(), number }
}

fn slot() -> Slot {
    "web.1".parse().expect("a slot")
}

/// A supervisor of one slot, in a directory of its own, and everything it has told so far.
struct Stage {
    service: tempfile::TempDir,
    supervisor: Option<Box<Supervisor>>,
    told: Vec<Event>,
}

impl Stage {
    fn open(command: &str) -> Self {
        let service = tempfile::tempdir().expect("a directory");
        spec(service.path(), 1, command).write(service.path()).expect("written");
        let mut stage = Self { service, supervisor: None, told: Vec::new() };
        stage.take_over();
        stage
    }

    /// The next supervisor: the one before it, if there was one, is gone without a word.
    fn take_over(&mut self) {
        self.supervisor = None;
        // The signals of a program with several threads cannot be held back in one of them.
        let heard = Heard::handled(&[]).expect("descriptors are left");
        let supervisor = Supervisor::open_with(self.service.path(), Begin::Usual, heard);
        let mut supervisor = supervisor.expect("it takes charge");
        supervisor.listen_to_runs(true);
        supervisor.publish();
        self.supervisor = Some(supervisor);
    }

    fn supervisor(&mut self) -> &mut Supervisor {
        self.supervisor.as_mut().expect("it was opened")
    }

    /// Turn after turn, until that is so.
    fn until(&mut self, fact: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let (control, over) = (self.service.path().join("control"), AtomicBool::new(false));
        let begin = Instant::now();
        std::thread::scope(|scope| {
            // What waits for nothing is woken to see how late it is.
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(50));
                    let _ = UnixStream::connect(&control);
                }
            });
            let mut has_come = false;
            while !has_come && begin.elapsed() < DEADLINE {
                self.supervisor().publish();
                let news = self.supervisor().take_news();
                self.told.extend(news);
                has_come = is_so(self);
                if !has_come {
                    self.supervisor().turn().expect("it goes on");
                }
            }
            over.store(true, Ordering::Relaxed);
            assert!(has_come, "not within {DEADLINE:?}: {fact}; told {:?}", self.told);
        });
    }

    /// Until run 2 is told to have died, with this status; how soon that was depends on the machine.
    fn until_died(&mut self, status: &str) {
        let is_it = |event: &Event| matches!(event, Event::Died { run, how } if run.number == 2 && how.ends_with(status));
        self.until(status, |stage| stage.told.iter().any(is_it));
        self.told.clear();
    }

    fn until_told(&mut self, event: &Event) {
        self.until(&format!("{event:?}"), |stage| stage.told.contains(event));
        self.told.clear();
    }

    fn views(&mut self) -> Vec<(u64, bool, Lane)> {
        let views = self.supervisor().view_runs().into_iter();
        views.map(|view| (view.run.number, view.is_current, view.lane)).collect()
    }

    fn statuses(&self) -> Vec<Status> {
        Statuses::of(self.service.path()).read_all(&slot()).expect("readable")
    }

    fn pids(&self) -> Vec<(u64, u32)> {
        let pid = |status: Status| Some((status.run, status.process?.pid));
        self.statuses().into_iter().filter_map(pid).collect()
    }

    fn log(&self, number: u64) -> String {
        let log = crate::layout::log(&self.service.path().join("web.1"), Stream::Stdout);
        fs::read_to_string(log.path(Segment::first_of(number))).unwrap_or_default()
    }

    fn start(&mut self, number: u64, lane: Lane, command: &str) {
        let spec = spec(self.service.path(), 2, command);
        self.supervisor().start_run(&run(number), lane, &spec);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(supervisor) = &mut self.supervisor {
            supervisor.begin_end();
            let _ = supervisor.run(crate::Until::AtRest);
        }
    }
}

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn a_trial_ends_and_the_old_run_never_noticed() {
    let _alone = alone();
    let mut stage = Stage::open(&says_and_stays("old"));
    stage.until("the old one writes", |stage| !stage.log(1).is_empty());
    let old = stage.pids();
    stage.start(7, Lane::Second, &says_and_stays("new"));
    stage.until_told(&Event::Started(run(7)));
    stage.until("the new one writes", |stage| !stage.log(7).is_empty());
    assert_eq!(stage.views(), [(1, true, Lane::Own), (7, false, Lane::Second)]);
    let roles: Vec<(Option<Role>, State)> =
        stage.statuses().iter().map(|run| (run.role, run.state)).collect();
    assert_eq!(roles, [(Some(Role::Current), State::Running), (Some(Role::Incoming), State::Running)]);
    let ports: Vec<Option<u16>> = stage.statuses().iter().map(|run| run.port).collect();
    assert!(ports[0].is_some() && ports[1].is_some() && ports[0] != ports[1], "{ports:?}");
    assert!(stage.log(7).contains(&ports[1].expect("a port").to_string()), "{}", stage.log(7));
    stage.supervisor().end_run(&run(7));
    stage.until_told(&Event::Ended(run(7)));
    stage.supervisor().forget_run(&run(7));
    assert_eq!((stage.pids(), stage.views()), (old, vec![(1, true, Lane::Own)]));
    assert_eq!(crate::layout::numbers(&stage.service.path().join("web.1")), [1].into());
    assert!(stage.supervisor().next_run_number() > 7);
}

#[test]
fn a_run_that_is_promoted_fills_the_slot_and_the_old_one_leaves_beside_it() {
    let _alone = alone();
    let mut stage = Stage::open(&says_and_stays("old"));
    let old = stage.pids();
    stage.start(2, Lane::Second, &says_and_stays("new"));
    stage.until_told(&Event::Started(run(2)));
    assert!(stage.supervisor().promote_run(&run(2)));
    stage.until("both are written down", |stage| stage.pids().len() == 2);
    let roles: Vec<(u64, Option<Role>)> = stage.statuses().iter().map(|run| (run.run, run.role)).collect();
    assert_eq!(roles, [(2, Some(Role::Current)), (1, Some(Role::Leaving))]);
    assert!(stage.pids().contains(&old[0]), "it was not told to end");
    assert!(stage.supervisor().promote_run(&run(2)), "a second time changes nothing");
    stage.supervisor().end_run(&run(1));
    stage.until_told(&Event::Ended(run(1)));
    assert_eq!(stage.views(), [(2, true, Lane::Second)]);
    assert_eq!(crate::layout::numbers(&stage.service.path().join("web.1")), [2].into());
    // From here on its restart policy has it, on the lane where it is.
    let pid = stage.pids()[0].1;
    let raw = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(raw, rustix::process::Signal::KILL).expect("it is ours");
    stage.until_told(&Event::Respawned { died: run(2), run: run(3) });
    assert_eq!(stage.views(), [(3, true, Lane::Second)]);
}

#[test]
fn a_death_is_told_and_leads_back_to_the_old_run() {
    let _alone = alone();
    let mut stage = Stage::open(&says_and_stays("old"));
    let old = stage.pids();
    stage.start(2, Lane::Second, "exit 3");
    stage.until_died("(exit status 3)");
    stage.supervisor().end_run(&run(2));
    stage.until_told(&Event::Ended(run(2)));
    let nothing = Spec { processes: Vec::new(), ..spec(stage.service.path(), 2, "") };
    stage.supervisor().start_run(&run(3), Lane::Second, &nothing);
    stage.until("it is refused", |stage| {
        stage.told.iter().any(|event| matches!(event, Event::StartRefused { run, .. } if run.number == 3))
    });
    stage.start(4, Lane::Second, "exit 0");
    stage.until_told(&Event::Ended(run(4)));
    // A job that did what it was started for fills the slot like any other run, and is done.
    assert!(stage.supervisor().promote_run(&run(4)));
    stage.supervisor().end_run(&run(1));
    stage.until_told(&Event::Ended(run(1)));
    assert!(stage.statuses()[0].done && stage.statuses()[0].run == 4, "{:?}", stage.statuses());
    assert!(!std::path::Path::new(&format!("/proc/{}", old[0].1)).exists());
}

#[test]
fn what_fills_a_slot_is_taken_from_its_restart_policy_and_the_slot_gets_another_run() {
    let _alone = alone();
    let mut stage = Stage::open("exit 1");
    stage.until("it waits", |stage| stage.statuses().iter().any(|run| run.state == State::Backoff));
    let (known, ..) = stage.views()[0];
    stage.supervisor().end_run(&run(known));
    stage.until_told(&Event::Ended(run(known)));
    stage.supervisor().end_run(&run(known));
    stage.until_told(&Event::Ended(run(known)));
    let number = stage.supervisor().next_run_number();
    stage.start(number, Lane::Own, &says_and_stays("new"));
    stage.until_told(&Event::Started(run(number)));
    assert_eq!(stage.views(), [(number, false, Lane::Own)]);
    assert!(stage.supervisor().promote_run(&run(number)));
    stage.until("it fills the slot", |stage| {
        stage.statuses().iter().map(|run| (run.run, run.state)).eq([(number, State::Running)])
    });
}

/// The app restarts whatever ends; its new revision does not.
#[test]
fn a_run_that_came_in_is_judged_by_the_policy_of_its_own_revision() {
    let _alone = alone();
    let mut stage = Stage::open(&says_and_stays("old"));
    let once = spec(stage.service.path(), 2, "exit 0");
    for (number, policy) in [(2, "always"), (3, "no")] {
        let once = Spec { restart_policy: policy.parse().expect("a policy"), ..once.clone() };
        stage.supervisor().start_run(&run(number), Lane::Second, &once);
        if policy == "no" {
            stage.until_told(&Event::Ended(run(3)));
        } else {
            stage.until_died("(exit status 0)");
        }
        stage.supervisor().end_run(&run(number));
        stage.until_told(&Event::Ended(run(number)));
    }
}

/// Whoever takes over finds both, and, since no rollout goes on, ends the one that came in.
#[test]
fn both_runs_outlive_their_supervisor() {
    let _alone = alone();
    let mut stage = Stage::open(&says_and_stays("old"));
    let old = stage.pids();
    stage.start(2, Lane::Second, &says_and_stays("new"));
    stage.until("both run", |stage| stage.pids().len() == 2);
    let both = stage.pids();
    stage.take_over();
    assert_eq!(stage.views(), [(1, true, Lane::Own)]);
    assert_eq!(stage.supervisor().seats[&slot()].runs().count(), 2);
    stage.until("the new one is gone", |stage| stage.pids() == old);
    assert_eq!(both[0], old[0]);
    assert!(os_process::ProcessId::of(both[1].1).is_none());
}
