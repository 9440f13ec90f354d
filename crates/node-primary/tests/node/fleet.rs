//! Real Node processes below a primary, and clients.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use node_primary::{Event, Id, Phase, Primary, Sharing};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal};

/// A time limit: no part of a test takes as long.
const LIMIT: Duration = Duration::from_secs(60);

/// The Node of this machine, if there is one.
pub(crate) fn node() -> Option<PathBuf> {
    let is_there = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        skipped::skip("no node on this machine");
    }
    is_there.then(|| "node".into())
}

pub(crate) fn app(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/programs").join(name)
}

/// A port that is free now.
pub(crate) fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// Workers of one app.
pub(crate) struct Fleet {
    pub(crate) primary: Primary,
    pub(crate) workers: BTreeMap<Id, Child>,
    /// Events that were not examined yet.
    pub(crate) events: Vec<Event>,
    pub(crate) node: PathBuf,
    app: PathBuf,
    environment: Vec<(String, String)>,
    last: Id,
}

impl Fleet {
    pub(crate) fn new(node: &Path, app: PathBuf, environment: &[(&str, String)]) -> Self {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let primary = Primary::new(Sharing::RoundRobin).expect("a primary");
        let (workers, events) = <(BTreeMap<Id, Child>, Vec<Event>)>::default();
        Self { primary, workers, events, node: node.to_owned(), app, environment, last: 0 }
    }

    /// A fleet whose workers have the sockets themselves.
    pub(crate) fn sharing(node: &Path, app: PathBuf, environment: &[(&str, String)]) -> Self {
        let mut fleet = Self::new(node, app, environment);
        fleet.primary = Primary::new(Sharing::Sockets).expect("a primary");
        fleet
    }

    /// Starts a worker, which gets connections as soon as it listens.
    pub(crate) fn start(&mut self) -> Id {
        self.last += 1;
        let (ours, theirs) = node_primary::channel_ends().expect("a channel");
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3<&0 0</dev/null; exec \"$@\"", "sh"]).arg(&self.node).arg(&self.app);
        command.envs(node_primary::environment(self.last, 3)).env("CHANNEL", "3");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let child = command.stdin(Stdio::from(theirs)).spawn().expect("node starts");
        self.primary.add(self.last, ours, true).expect("taken in");
        self.workers.insert(self.last, child);
        self.last
    }

    /// Starts this many workers, and waits until all listen.
    pub(crate) fn start_all(&mut self, count: usize) -> Vec<Id> {
        let ids: Vec<Id> = (0..count).map(|_| self.start()).collect();
        self.until("all listen", |fleet| ids.iter().all(|id| fleet.listens(*id)));
        ids
    }

    pub(crate) fn listens(&self, id: Id) -> bool {
        self.primary.phase(id) == Some(Phase::Listening)
    }

    /// Serves until a condition holds.
    pub(crate) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let limit = Instant::now() + LIMIT;
        while !is_so(self) {
            assert!(Instant::now() < limit, "{what}: not within a minute; heard {:?}", self.events);
            let pause = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
            let mut ready = [PollFd::new(&self.primary, PollFlags::IN)];
            let _ = rustix::event::poll(&mut ready, Some(&pause)).expect("waited");
            let heard = self.primary.turn().expect("a turn");
            self.events.extend(heard);
        }
    }

    /// Serves until a client is done. Returns its result.
    pub(crate) fn serve<T: Send + 'static>(&mut self, client: impl FnOnce() -> T + Send + 'static) -> T {
        let client = std::thread::spawn(client);
        self.wait_for(client)
    }

    pub(crate) fn wait_for<T>(&mut self, client: JoinHandle<T>) -> T {
        self.until("the client is done", |_| client.is_finished());
        client.join().expect("the client has what it wanted")
    }

    /// Tells a worker to leave, and waits until its process ends by itself.
    pub(crate) fn drain(&mut self, id: Id) {
        self.primary.leave(id);
        self.until("it has left", |fleet| fleet.primary.phase(id).is_none());
        let mut child = self.workers.remove(&id).expect("it was started");
        self.until("its process ends", |_| matches!(child.try_wait(), Ok(Some(_))));
        assert!(child.wait().expect("it has ended").success());
    }

    pub(crate) fn signal(&self, id: Id, signal: Signal) {
        let pid = self.workers[&id].id().try_into().expect("a pid");
        rustix::process::kill_process(Pid::from_raw(pid).expect("not 0"), signal).expect("signalled");
    }

    /// The text of each message of the app so far.
    pub(crate) fn messages(&self) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Message { text, .. } => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for child in self.workers.values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The file that has a worker ask its clients to reconnect before it leaves.
pub(crate) fn preload() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/keep-alive.js")
}
