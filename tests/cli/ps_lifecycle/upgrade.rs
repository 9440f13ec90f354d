//! Apps that the programs of an earlier commit deployed and run are taken over by today's: the same processes, not one byte
//! of their output lost, and what was over stays over.

#[path = "upgrade/in_place.rs"]
mod in_place;
#[path = "upgrade/renewal.rs"]
mod renewal;
#[path = "upgrade/worker.rs"]
mod worker;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use worker::Worker;

use crate::home::{Home, eventually, get, listening, programs, slot, table};
use crate::program::run;

/// The first commit whose apps must survive: no file of it names a version, and its supervisor knows neither `spec` nor
/// `hello`.
pub(crate) const FIRST: &str = include_str!("../../upgrade/first").trim_ascii_end();

/// What ends by itself does so once it may `end`: a deploy wants to see it alive for a second.
const PROCFILE: &str = "web: faultapp --listen\n\
                        worker: sh worker.sh\n\
                        job: echo ran >>runs; until [ -e end ]; do sleep 0.05; done\n\
                        flaky: echo ran >>tries; until [ -e end ]; do sleep 0.05; done; exit 3\n";

/// How far the worker may count while the earlier supervisor dies again and again, and how much further while something takes it
/// over: 55 MB together. What is kept of a stream by default is 100 MiB.
const WHILE_IT_DIES: u64 = 6_000_000;
const WHILE_IT_IS_TAKEN_OVER: u64 = 1_000_000;

/// How often the earlier supervisor dies: a few times, or with `FORMATION_TEST_LONG=1` a hundred.
fn deaths() -> usize {
    if std::env::var_os("FORMATION_TEST_LONG").is_some() { 100 } else { 5 }
}

/// An app of an earlier commit's programs: two webs, one of them stopped by hand, a worker that writes, a job that is done
/// and one that was given up.
struct Earlier {
    home: Home,
    /// Where the earlier programs lie.
    programs: PathBuf,
    /// The supervisors that this test started itself.
    started: Vec<Child>,
    /// The processes that are to survive.
    pids: BTreeMap<String, u64>,
    worker: Worker,
    /// How often the job had run, and the one that is given up, when today's programs came.
    runs: (usize, usize),
}

impl Earlier {
    /// `None`, noted as skipped, where the commit is not in this checkout.
    fn deploy() -> Option<Self> {
        let programs = built(FIRST)?;
        let home = Home::new();
        let source = home.source("shop", PROCFILE);
        let worker = Worker::of(&home);
        fs::create_dir(home.path("home/shop")).expect("an app");
        let (started, pids) = (Vec::new(), BTreeMap::new());
        let mut earlier = Self { home, programs, started, pids, worker, runs: (0, 0) };
        earlier.home.does(&["ps-set", "shop", "restart-policy", "on-failure:1"]);
        let scale = ["web=2", "worker=1", "job=1", "flaky=1"].map(|count| ["--scale", count]);
        earlier.does(&[&["deploy", "shop", "--dir", &source][..], &scale.concat()].concat());
        earlier.home.write("shop/end", "");
        earlier.does(&["stop", "shop", "web.2"]);
        earlier.is_at_rest();
        earlier.pids = earlier.home.pids("shop");
        assert_eq!(earlier.pids.keys().collect::<Vec<_>>(), ["web.1", "worker.1"]);
        Some(earlier)
    }

    fn does(&self, words: &[&str]) {
        let ran = run(self.home.command_at(&self.programs, &[&["ps-lifecycle"], words].concat()));
        assert_eq!(ran.status, Some(0), "the programs of {FIRST}: {words:?}: {ran:?}");
    }

    fn await_over(&self) {
        let over = [("flaky.1", "crashed"), ("job.1", "stopped"), ("web.1", "running")];
        let rest = [("web.2", "stopped"), ("worker.1", "running")];
        let wanted = table(&[&over[..], &rest].concat());
        eventually("what ends by itself is over", || {
            let states = self.home.states("shop");
            if states == wanted { Ok(()) } else { Err(format!("{states:?}")) }
        });
    }

    fn service(&self) -> PathBuf {
        self.home.path("lib/data/scheduler-native/shop")
    }

    /// The one supervisor, and its program.
    fn supervisor(&self) -> (Pid, PathBuf) {
        eventually("one app has one supervisor", || {
            let all = self.home.supervisors();
            let [pid] = all[..] else { return Err(format!("{all:?}")) };
            let program = fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
            Ok((pid, program.map_err(|error| error.to_string())?))
        })
    }

    fn kill_supervisor(&mut self) {
        let (pid, program) = self.supervisor();
        assert_eq!(program, self.programs.join("ps-supervise"));
        kill_process(pid, Signal::KILL).expect("it lives");
        for mut child in self.started.drain(..) {
            child.wait().expect("it is ours");
        }
        eventually("it is dead", || {
            // A zombie has no program any more.
            fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()))
                .map_or(Ok(()), |exe| Err(exe.display().to_string()))
        });
    }

    /// The earlier supervisor dies, and the next one of its kind takes over what runs, again and again. The worker writes when
    /// that happens, and while there is none.
    fn die(&mut self, times: usize) {
        let records = WHILE_IT_DIES / u64::try_from(2 * deaths()).expect("a few");
        for _ in 0..times {
            self.worker.may_write(records);
            self.kill_supervisor();
            self.worker.may_write(records);
            let mut command = self.home.command_at(&self.programs, &["ps-supervise"]);
            command.arg(self.service()).stdout(Stdio::null()).stderr(Stdio::null());
            let started = &mut self.started;
            started.push(command.spawn().expect("the earlier ps-supervise starts"));
            self.worker.await_all();
            self.is_at_rest();
        }
    }

    /// Today's programs do something about the app, while the worker writes.
    fn meets(&mut self, verb: &[&str]) {
        self.worker.may_write(WHILE_IT_IS_TAKEN_OVER);
        self.home.does(verb);
    }

    /// Waits until the earlier supervisor, which starts again what is over whenever it starts or one instance is stopped, has
    /// done so, and that is over again. Its answer comes after what it does by itself.
    fn is_at_rest(&mut self) {
        eventually("the earlier supervisor answers", || {
            let fail = |error: io::Error| error.to_string();
            let mut stream = UnixStream::connect(self.service().join("control")).map_err(fail)?;
            stream.write_all(b"{\"do\":\"watch\"}\n").map_err(fail)?;
            let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
            lines.find(|line| line.contains("reply")).map(drop).ok_or_else(|| "it hung up".to_owned())
        });
        self.await_over();
        self.runs = self.runs();
    }

    /// That what ran runs on, what was over is over, and the supervisor is today's.
    fn is_taken_over(&self) {
        let ran = self.home.run(&["ps-lifecycle", "status", "shop", "--json"]);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{ran:?}");
        let rows: BTreeMap<String, serde_json::Value> =
            ran.rows().into_iter().map(|row| (slot(&row), row)).collect();
        for (slot, pid) in &self.pids {
            assert_eq!((rows[slot]["pid"].as_u64(), rows[slot]["restarts"].as_u64()), (Some(*pid), Some(0)));
        }
        self.await_over();
        assert_eq!(self.runs(), self.runs, "what was over was started again");
        let port = rows["web.1"]["port"].as_u64().expect("a port");
        let answer = get(port, "/pid").expect("web.1 answers where it did");
        assert!(answer.ends_with(&format!("{}\n", self.pids["web.1"])), "{answer}");
        let (_, program) = self.supervisor();
        assert_eq!(program, programs().join("ps-supervise").canonicalize().expect("it is there"));
    }

    /// How often the job ran, and how often the one that was given up.
    fn runs(&self) -> (usize, usize) {
        let count = |file| fs::read_to_string(self.home.path(file)).unwrap_or_default().lines().count();
        (count("shop/runs"), count("shop/tries"))
    }

    /// What was taken over runs and writes on, and obeys.
    fn goes_on(&mut self) {
        self.worker.writes_on();
        self.is_taken_over();
        self.worker.kept_every_byte();
        self.obeys();
    }

    /// Every verb works on what was taken over.
    fn obeys(&self) {
        let lifecycle = |words: &[&str]| self.home.does(&[&["ps-lifecycle"], words].concat());
        lifecycle(&["restart", "shop", "web.1"]);
        let restarted = self.home.pids("shop");
        assert_ne!(restarted["web.1"], self.pids["web.1"]);
        assert_eq!(restarted["worker.1"], self.pids["worker.1"]);
        lifecycle(&["stop", "shop", "web.1"]);
        assert_eq!(self.home.pids("shop").keys().collect::<Vec<_>>(), ["worker.1"]);
        assert_eq!(self.runs(), self.runs);
        fs::remove_file(self.home.path("shop/end")).expect("it was written");
        lifecycle(&["deploy", "shop", "--dir", self.home.path("shop").to_str().expect("text")]);
        let deployed = self.home.pids("shop");
        assert!(
            deployed.contains_key("web.1") && deployed["worker.1"] != self.pids["worker.1"],
            "{deployed:?}"
        );
        assert_eq!(self.runs().0, self.runs.0 + 1, "a deploy runs the job of the new revision");
        lifecycle(&["stop", "shop"]);
        self.home.is_silent();
    }
}

/// The directory of the programs as they were at a commit; they are built where they are not there yet.
pub(crate) fn built(commit: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/upgrade/programs");
    let profile = programs();
    let target = profile.parent().expect("a profile's directory lies in the target directory");
    let built = Command::new(script).arg(commit).arg(target).arg(profile).output().expect("bash runs");
    let said = String::from_utf8_lossy(&built.stderr).trim().to_owned();
    match built.status.code() {
        Some(0) => Some(PathBuf::from(String::from_utf8_lossy(&built.stdout).lines().last()?)),
        Some(3) => {
            skipped::skip(said);
            None
        }
        _ => panic!("the programs of {commit} cannot be built: {said}"),
    }
}

#[test]
fn an_app_whose_earlier_supervisor_died_is_taken_over_running() {
    let _ports = listening();
    let Some(mut earlier) = Earlier::deploy() else { return };
    earlier.die(deaths());
    earlier.kill_supervisor();
    earlier.meets(&["ps-lifecycle", "start", "shop", "web.1"]);
    earlier.goes_on();
}

#[test]
fn an_earlier_supervisor_that_lives_is_replaced_by_the_next_verb_about_its_app() {
    let _ports = listening();
    let Some(mut earlier) = Earlier::deploy() else { return };
    earlier.die(1);
    earlier.meets(&["ps-lifecycle", "start", "shop", "web.1"]);
    earlier.goes_on();
    drop(earlier);
    for verb in [&["ps-lifecycle", "stop", "shop", "web.2"][..], &["ps-scale", "shop", "web=2"]] {
        let Some(mut earlier) = Earlier::deploy() else { return };
        earlier.meets(verb);
        earlier.is_taken_over();
    }
}

#[test]
fn a_job_that_finished_under_an_earlier_supervisor_is_not_run_again_where_nothing_else_runs() {
    let Some(programs) = built(FIRST) else { return };
    let home = Home::new();
    let source = home.source("shop", "job: echo ran >>runs; until [ -e end ]; do sleep 0.05; done\n");
    fs::create_dir(home.path("home/shop")).expect("an app");
    let deployed = run(
        home.command_at(&programs, &["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "job=1"])
    );
    assert_eq!(deployed.status, Some(0), "{deployed:?}");
    home.write("shop/end", "");
    let is_over = || match home.states("shop").get("job.1").map(String::as_str) {
        Some("stopped") => Ok(()),
        state => Err(format!("{state:?}")),
    };
    eventually("the job is over", is_over);
    home.does(&["ps-lifecycle", "converge", "shop"]);
    home.does(&["ps-lifecycle", "restore", "--all"]);
    assert_eq!(fs::read_to_string(home.path("shop/runs")).expect("it ran"), "ran\n");
    assert!(is_over().is_ok());
}

#[test]
fn an_earlier_supervisor_finds_no_spec_of_its_own_where_todays_programs_deployed() {
    let Some(programs) = built(FIRST) else { return };
    let home = Home::running("shop", "web: exec sleep 100000\n", &[]);
    let before = home.pids("shop");
    let service = home.path("lib/data/scheduler-native/shop");
    let mut command = home.command_at(&programs, &["ps-supervise"]);
    command.arg(&service);
    let ran = run(command);
    assert_eq!((ran.status, ran.stderr.contains("spec.json")), (Some(1), true), "{ran:?}");
    let ran = run(home.command_at(&programs, &["ps-lifecycle", "start", "shop"]));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn a_deploy_by_earlier_programs_after_a_downgrade_is_the_later_one_at_the_next_upgrade() {
    let Some(earlier) = built(FIRST) else { return };
    for has_supervisor in [true, false] {
        let home = Home::running("shop", "web: exec sleep 100001\n", &[]);
        let before = home.pids("shop");
        let service = home.path("lib/data/scheduler-native/shop");
        if !has_supervisor {
            home.does(&["ps-lifecycle", "stop", "shop"]);
        }
        let source = home.source("shop", "web: exec sleep 100002\n");
        let deployed = run(home.command_at(&earlier, &["ps-lifecycle", "deploy", "shop", "--dir", &source]));
        assert_eq!(deployed.status, Some(0), "{deployed:?}");
        let is_as_deployed = || {
            let words: Vec<String> = home.processes().into_iter().map(|(_, words)| words).collect();
            let runs = |number: &str| words.iter().any(|words| words.contains(number));
            assert!(runs("100002") && !runs("100001"), "{has_supervisor}: {words:?}");
        };
        is_as_deployed();
        let deployed = home.pids("shop");
        assert_ne!(deployed, before);
        for verb in ["start", "converge"] {
            home.does(&["ps-lifecycle", verb, "shop"]);
            assert_eq!(home.pids("shop"), deployed, "{has_supervisor}: {verb}");
        }
        home.does(&["ps-lifecycle", "restart", "shop"]);
        is_as_deployed();
        assert!(!service.join("spec.json").exists() && service.join("spec2.json").exists());
        home.does(&["ps-lifecycle", "stop", "shop"]);
        home.is_silent();
    }
}
