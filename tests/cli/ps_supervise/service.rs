//! A service directory of its own for each test, with the real supervisor in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use formation::Stream;
use ps_supervisor::{Client, Message, ProcessSpec, Request, SPEC_FILE, Spec, Status};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A directory and whoever supervises it. Whatever runs in it ends with the test.
pub(crate) struct Service {
    directory: TempDir,
    spec: Spec,
    supervisor: Option<Child>,
    user: Option<u32>,
    /// Soft and hard limit of open files.
    limits: Option<(Option<u64>, Option<u64>)>,
}

impl Service {
    pub(crate) fn new(processes: &[(&str, &str, u16)]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let places =
            processes.iter().zip(0..).map(|((name, ..), place)| ((*name).to_owned(), place)).collect();
        let path = std::env::var("PATH").unwrap_or_default();
        let spec = Spec {
            app: "test".to_owned(),
            revision: 1,
            deploy: None,
            directory: directory.path().to_owned(),
            typed: None,
            env: BTreeMap::from([("PATH".into(), format!("{}:{path}", programs().display()).into())]),
            env_files: vec![],
            dokku_env_files: vec![],
            base_port: 0,
            port_is_set: false,
            listen: Vec::new(),
            frontend: balance::Frontend::default(),
            certificates: std::path::PathBuf::new(),
            places,
            restart_policy: "on-failure:10".parse().expect("a policy"),
            stop_timeout_seconds: 5,
            processes: processes
                .iter()
                .map(|(name, command, quantity)| ProcessSpec {
                    process_type: (*name).to_owned(),
                    command: (*command).to_owned(),
                    quantity: *quantity,
                    ..ProcessSpec::default()
                })
                .collect(),
            stopped: vec![],
        };
        Self { directory, spec, supervisor: None, user: None, limits: None }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Spec)) -> Self {
        change(&mut self.spec);
        self
    }

    /// As somebody who may not make cgroups.
    pub(crate) fn given_to(mut self, uid: u32) -> Self {
        std::os::unix::fs::chown(self.path(), Some(uid), Some(uid))
            .expect("only root gives directories away");
        self.user = Some(uid);
        self
    }

    /// With these limits of open files, soft and hard.
    pub(crate) fn limited_to(&mut self, soft: Option<u64>, hard: Option<u64>) {
        self.limits = Some((soft, hard));
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(crate) fn rewrite(&mut self, change: impl FnOnce(&mut Spec)) {
        change(&mut self.spec);
        fs::write(self.path().join(SPEC_FILE), serde_json::to_vec(&self.spec).expect("plain data"))
            .expect("written");
    }

    pub(crate) fn start(&mut self) {
        self.rewrite(|_| ());
        self.start_as_it_is();
    }

    /// With the spec that lies there.
    pub(crate) fn start_as_it_is(&mut self) {
        self.supervisor = Some(self.command().spawn().expect("ps-supervise starts"));
        self.client();
    }

    pub(crate) fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_ps-supervise");
        let mut command = match self.user {
            Some(uid) => {
                let mut command = Command::new("setpriv");
                let id = uid.to_string();
                command.args(["--reuid", &id, "--regid", &id, "--clear-groups", program]);
                command
            }
            None => Command::new(program),
        };
        if let Some((soft, hard)) = self.limits {
            let word =
                |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
            command = Command::new("prlimit");
            command.arg(format!("--nofile={}:{}", word(soft), word(hard))).arg(program);
        }
        command.arg(self.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// A connection, once the supervisor listens.
    pub(crate) fn client(&self) -> Client {
        eventually("the supervisor listens", || Client::connect(self.path()).ok())
    }

    /// Asks for something and returns the answer.
    pub(crate) fn ask(&self, request: &Request) -> Option<String> {
        let mut client = self.client();
        client.send(request).expect("the supervisor reads");
        loop {
            match client.next(Instant::now() + DEADLINE).expect("the supervisor answers") {
                Some(Message::Reply { error }) => return error,
                Some(_) => (),
                None => panic!("no answer to {request:?}"),
            }
        }
    }

    pub(crate) fn status(&self, slot: &str) -> Option<Status> {
        Status::read(&self.path().join(slot)).expect("a status can be read")
    }

    /// The status of a slot, once `is_so` holds for it.
    pub(crate) fn await_status(&self, slot: &str, fact: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        eventually(&format!("{slot} {fact}"), || self.status(slot).filter(&is_so))
    }

    /// All that a slot wrote to stdout, whichever of its runs did.
    pub(crate) fn log(&self, slot: &str) -> Vec<u8> {
        let log = ps_supervisor::log(&self.path().join(slot), Stream::Stdout);
        let segments = log.segments().expect("its directory can be read").into_iter();
        segments.flat_map(|segment| fs::read(log.path(segment)).unwrap_or_default()).collect()
    }

    /// The log that the run which fills a slot writes its stdout to.
    pub(crate) fn log_file(&self, slot: &str) -> PathBuf {
        let status = self.status(slot).expect("it has a status");
        let place = status.log_place(Stream::Stdout);
        ps_supervisor::log(&self.path().join(slot), Stream::Stdout).path(place.segment)
    }

    /// The directory of the run that fills a slot.
    pub(crate) fn run_directory(&self, slot: &str) -> PathBuf {
        let run = self.status(slot).expect("it has a status").run;
        self.path().join(slot).join("runs").join(run.to_string())
    }

    pub(crate) fn supervisor_pid(&self) -> u32 {
        self.supervisor.as_ref().expect("a supervisor runs").id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.supervisor_pid();
        kill_process(Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid"), signal)
            .expect("it is ours");
    }

    /// Waits for the supervisor to leave.
    pub(crate) fn await_end(&mut self) -> ExitStatus {
        let mut child = self.supervisor.take().expect("a supervisor runs");
        let ended = eventually("the supervisor ends", || child.try_wait().expect("it is ours"));
        self.supervisor = None;
        ended
    }

    /// The supervisor is killed, as by the kernel.
    pub(crate) fn kill_supervisor(&mut self) {
        self.signal(Signal::KILL);
        self.await_end();
    }

    /// Every live process of this service: found by the mark in its environment, which no code of ours looks for here.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mark = format!("FORMATION_INSTANCE={}/", self.path().display()).into_bytes();
        let has_mark = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(&mark))
        };
        let entries = fs::read_dir("/proc").expect("/proc is there");
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(has_mark)
            .collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.supervisor.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let begin = Instant::now();
        while begin.elapsed() < DEADLINE {
            let left = self.processes();
            if left.is_empty() {
                break;
            }
            for pid in left.into_iter().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Where the programs of this build lie; `faultapp` is built if it is not there yet.
pub(crate) fn programs() -> PathBuf {
    let directory = Path::new(env!("CARGO_BIN_EXE_ps-supervise")).parent().expect("a program lies somewhere");
    if !directory.join("faultapp").is_file() {
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "faultapp"]).status();
        assert!(built.expect("cargo runs").success(), "faultapp can be built");
    }
    directory.to_owned()
}

/// What `look` finds, once it finds something.
pub(crate) fn eventually<T>(fact: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_seen(fact, look, String::new)
}

/// The same; if it never comes, what `seen` says is told.
pub(crate) fn eventually_seen<T>(
    fact: &str,
    mut look: impl FnMut() -> Option<T>,
    seen: impl Fn() -> String,
) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < DEADLINE, "not within {DEADLINE:?}: {fact}: {}", seen());
        thread::sleep(Duration::from_millis(5));
    }
}

/// The pid in a status.
pub(crate) fn pid(status: &Status) -> u32 {
    status.process.as_ref().expect("it has a process").pid
}
