//! The event loop of a root: it waits for events and handles them. What is done about a supervisor is decided in `keep`.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use formation::{AppName, Exit};
use ps_supervisor::{Poll, drain_signals, signal_stream};
use rustix::process::{Resource, Rlimit, WaitOptions, WaitStatus, getrlimit, setrlimit};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};

use crate::client::Client;
use crate::error::Error;
use crate::glance::Glance;
use crate::holding::Holding;
use crate::keep::{Event, Keep};
use crate::kept::{How, Kept};
use crate::place::Place;
use crate::server::Server;
use crate::spawn::{Beginning, carry_out};
use crate::wakeup::Wakeup;
use crate::words::{Message, PROTOCOL, Request, SOCKET};
use crate::{descriptors, removals};

/// How long a root that exits or executes another program may still hold the lock.
const HANDOVER: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(200);
/// How long a root without any app waits for its first request before it exits.
const UNASKED: Duration = Duration::from_secs(10);

/// How long a root runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Until a signal ends it. A root of this kind replaces one that a verb has started.
    Always,
    /// As long as it has a supervisor to keep alive.
    WhileNeeded,
}

/// The root of one place.
#[derive(Debug)]
pub struct Root {
    place: Place,
    stay: Stay,
    /// The program of supervisors.
    program: PathBuf,
    /// The soft limit of open files that this process was started with; supervisors get the same.
    open_files: Option<u64>,
    kept: BTreeMap<AppName, Kept>,
    glance: Glance,
    holding: Holding,
    server: Server,
    poll: Poll<Wakeup>,
    signals: UnixStream,
    children: UnixStream,
    removals: OwnedFd,
    clients: u64,
    /// Until when the root waits for its first request.
    unasked: Option<Instant>,
    /// Whether a client is about to ask for the start of a supervisor.
    is_about_to_start: bool,
    is_leaving: bool,
    reexec: Option<PathBuf>,
    /// Held as long as the root lives.
    lock: File,
}

impl Root {
    /// Takes the lock of a place and finds the supervisors that live there; supervisors are started with `program`. `None`:
    /// another root has the lock, and this one was only to stay while it is needed.
    ///
    /// # Errors
    /// The place belongs to another user, has a root that stays always, or cannot be used.
    pub fn open(place: Place, stay: Stay, program: PathBuf) -> Result<Option<Self>, Error> {
        place.make()?;
        let handed_on = os_process::handed_on(&place.own()).filter(Place::is_locked_by);
        let Some(lock) = handed_on.map_or_else(|| lock(&place, stay), |lock| Ok(Some(lock)))? else {
            return Ok(None);
        };
        let own = place.own();
        let fail = |error: io::Error| Error::io("watch", &own, error);
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(|e| fail(e.into()))?;
        let open_files = descriptors::raise();
        let children = signal_stream(&[SIGCHLD]).map_err(fail)?;
        let signals = signal_stream(&[SIGTERM, SIGINT]).map_err(fail)?;
        let server = Server::listen(&place).map_err(|error| Error::io("listen in", &own, error))?;
        let removals = removals::watch(&own).map_err(fail)?;
        let poll = Poll::new().map_err(|errno| fail(errno.into()))?;
        let (kept, glance, holding, clients, is_leaving, reexec) = Default::default();
        let unasked = (stay == Stay::WhileNeeded).then(|| Instant::now() + UNASKED);
        let mut root = Self {
            place,
            stay,
            program,
            open_files,
            kept,
            glance,
            holding,
            server,
            poll,
            signals,
            children,
            removals,
            clients,
            unasked,
            is_about_to_start: false,
            is_leaving,
            reexec,
            lock,
        };
        root.watch().map_err(|errno| Error::io("watch", &own, errno))?;
        root.find_holder();
        root.take_over();
        Ok(Some(root))
    }

    fn watch(&mut self) -> rustix::io::Result<()> {
        for (fd, wakeup) in [
            (self.children.as_fd(), Wakeup::Children),
            (self.signals.as_fd(), Wakeup::End),
            (self.removals.as_fd(), Wakeup::Place),
            (self.server.fd(), Wakeup::Listener),
        ] {
            self.poll.watch(fd, wakeup)?;
        }
        Ok(())
    }

    /// Finds the supervisors that live, and restarts those that died.
    fn take_over(&mut self) {
        for app in self.place.apps() {
            if self.place.refusal(&app).is_some() {
                continue;
            }
            let mut kept = Kept::of(self.place.service(&app));
            kept.take_over();
            if kept.keep() == Keep::Gone {
                self.holding.release(&app);
            } else {
                self.watch_supervisor(&app, &kept);
                self.kept.insert(app, kept);
            }
        }
    }

    /// Starts the holder if there is none. The supervisors tell a new holder what to hold.
    fn find_holder(&mut self) {
        if self.holding.find(&self.place, &self.program) {
            self.kept.values().for_each(|kept| kept.say(&[ps_supervisor::Request::Hold]));
        }
        if let Some(holder) = self.holding.fd() {
            let _ = self.poll.watch(holder, Wakeup::Holder);
        }
    }

    fn watch_supervisor(&mut self, app: &AppName, kept: &Kept) {
        if let Some(pidfd) = kept.pidfd() {
            // If the supervisor cannot be watched, the next verb for its app notices that it is gone.
            let _ = self.poll.watch(pidfd, Wakeup::Supervisor(app.clone()));
        }
    }

    /// Runs until it is asked to exit, or no app needs it.
    ///
    /// # Errors
    /// Waiting for events fails.
    pub fn run(&mut self) -> Result<(), Error> {
        loop {
            if self.holding.due().is_some_and(|due| due <= Instant::now()) {
                self.find_holder();
            }
            self.start_due();
            if self.is_leaving || self.is_unneeded() {
                // The socket is removed while the lock is held: afterwards the file may belong to another root.
                let _ = fs::remove_file(self.place.own().join(SOCKET));
                return Ok(());
            }
            self.server.tell_ended(self.kept.values().any(|kept| kept.keep() == Keep::LetGo));
            // A program that has left a last will is connected to this process, and would lose the connection by the exec.
            if !self.server.has_wills()
                && let Some(program) = self.reexec.take()
            {
                self.become_anew(&program);
            }
            self.turn()?;
        }
    }

    fn turn(&mut self) -> Result<(), Error> {
        let waiting =
            self.kept.values().filter_map(Kept::due).chain(self.unasked).chain(self.holding.due()).min();
        let timeout = waiting.map(|due| due.saturating_duration_since(Instant::now()));
        let happened =
            self.poll.wait(timeout).map_err(|errno| Error::io("watch", self.place.services(), errno))?;
        // Children are reaped before clients are answered, so that the answers are up to date.
        self.reap();
        for wakeup in happened {
            self.serve(wakeup);
        }
        self.carry_out_wills();
        self.look_ahead();
        Ok(())
    }

    /// Takes the snapshot of /proc early. A client that leaves a last will for an app without a supervisor is about to have it started;
    /// the snapshot is taken while the client still does other work.
    fn look_ahead(&mut self) {
        if std::mem::take(&mut self.is_about_to_start) {
            self.glance.look();
        }
    }

    /// Runs the last wills of clients that were killed before they were done.
    fn carry_out_wills(&mut self) {
        for will in self.server.take_wills() {
            // If the command cannot be started, the next verb about the app finds and completes what was left undone.
            let _ = carry_out(&will, &self.place, self.open_files);
        }
    }

    fn serve(&mut self, wakeup: Wakeup) {
        match wakeup {
            Wakeup::Children => drain_signals(&self.children),
            Wakeup::End => self.is_leaving = true,
            Wakeup::Place => self.look_at_place(),
            Wakeup::Holder => {
                self.poll.forget(&Wakeup::Holder);
                self.holding.ended();
            }
            Wakeup::Listener => self.welcome(),
            Wakeup::Client(id) => self.listen_to(id),
            Wakeup::Supervisor(app) => {
                self.poll.forget(&Wakeup::Supervisor(app.clone()));
                // The child has been reaped already.
                if self
                    .kept
                    .get(&app)
                    .is_some_and(|kept| kept.process().is_some_and(|process| !process.is_alive()))
                {
                    self.died(&app, How::Unseen);
                }
            }
        }
    }

    /// Reaps every child that has ended. A supervisor comes before the main processes that it left: the kernel reports
    /// children in the order in which they became ours.
    fn reap(&mut self) {
        self.kept.values_mut().for_each(Kept::look_at_orphans);
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let (pid, exit) = (pid.as_raw_nonzero().get().unsigned_abs(), exit_of(status));
            let is_it = |kept: &Kept| kept.process().is_some_and(|process| process.pid == pid);
            let app = self.kept.iter().find(|(_, kept)| is_it(kept)).map(|(app, _)| app.clone());
            match app {
                Some(app) => self.died(&app, How::Seen(exit)),
                None => self.kept.values_mut().for_each(|kept| kept.buried(pid, exit)),
            }
        }
    }

    fn died(&mut self, app: &AppName, how: How) {
        self.glance.forget();
        let Some(kept) = self.kept.get_mut(app) else { return };
        kept.died(how);
        if kept.keep() == Keep::Gone {
            self.kept.remove(app);
            self.holding.release(app);
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        let is_due = |kept: &Kept| kept.due().is_some_and(|due| due <= now);
        let due: Vec<AppName> =
            self.kept.iter().filter(|(_, kept)| is_due(kept)).map(|(app, _)| app.clone()).collect();
        // A supervisor that was killed alone has left processes, which its successor has to look for itself. If several supervisors died
        // together, everything may have been killed, so a snapshot pays.
        let may_look = due.len() > 1;
        for app in due {
            let is_refused = self.place.refusal(&app).is_some();
            // No client waits for this start, so nobody is told the reason; the next request for the app gets it.
            let event = if is_refused { Event::LetGo } else { Event::Due };
            let _ = self.handle(&app, event, may_look);
        }
    }

    /// Handles an event of an app's supervisor; an error if one had to be started and could not be. `may_look`: a
    /// supervisor that is started may be told that no process of its app lives, if a look shows that.
    fn handle(&mut self, app: &AppName, event: Event, may_look: bool) -> io::Result<()> {
        let service = self.place.service(app);
        let mut is_clear = || may_look && self.glance.shows_nothing_of(&service);
        let mut kept = self.kept.remove(app).unwrap_or_else(|| Kept::of(service.clone()));
        let started = if kept.handle(event) {
            kept.start(&self.program, &Beginning { open_files: self.open_files, is_clear: is_clear() })
        } else {
            Ok(())
        };
        self.watch_supervisor(app, &kept);
        if kept.keep() != Keep::Gone {
            self.kept.insert(app.clone(), kept);
        }
        started
    }

    fn welcome(&mut self) {
        self.clients += 1;
        while self.server.accept(self.clients).is_some() {
            let id = self.clients;
            if let Some(fd) = self.server.client_fd(id) {
                let _ = self.poll.watch(fd, Wakeup::Client(id));
            }
            self.clients += 1;
        }
    }

    fn listen_to(&mut self, id: u64) {
        let requests = self.server.read(id);
        if self.server.client_fd(id).is_none() {
            self.poll.forget(&Wakeup::Client(id));
        }
        for request in requests {
            let answer = match request {
                Ok(request) => self.answer(id, request),
                Err(reason) => Message::Reply { error: Some(reason) },
            };
            self.server.say(id, &answer);
        }
    }

    fn answer(&mut self, id: u64, request: Request) -> Message {
        let done = |done: Result<(), String>| Message::Reply { error: done.err() };
        match request {
            Request::Hello => Message::Hello {
                protocol: PROTOCOL,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                program: executed(),
            },
            Request::Start { app } => {
                self.unasked = None;
                self.start(&app).unwrap_or_else(|reason| done(Err(reason)))
            }
            Request::LetGo { app } => {
                self.unasked = None;
                let app = app.parse::<AppName>().map_err(|error| error.to_string());
                self.server.waits(id);
                done(app.map(|app| drop(self.handle(&app, Event::LetGo, false))))
            }
            Request::Provide { app, will } => {
                self.unasked = None;
                let app = app.parse::<AppName>().map_err(|error| error.to_string());
                done(app.map(|app| {
                    self.is_about_to_start |= !self.kept.contains_key(&app);
                    self.server.provide(id, Some(will));
                }))
            }
            Request::Done => {
                self.server.provide(id, None);
                done(Ok(()))
            }
            Request::Reexec { program } => {
                self.reexec = Some(program);
                done(Ok(()))
            }
            Request::Leave if self.stay == Stay::Always => done(Err("it was started to stay".to_owned())),
            Request::Leave => {
                self.is_leaving = true;
                done(Ok(()))
            }
        }
    }

    fn start(&mut self, app: &str) -> Result<Message, String> {
        let app: AppName = app.parse().map_err(|error: formation::InvalidAppName| error.to_string())?;
        if let Some(reason) = self.place.refusal(&app) {
            return Err(reason);
        }
        let before = self.kept.get(&app).and_then(Kept::process).cloned();
        self.handle(&app, Event::Asked, true)
            .map_err(|error| format!("start the supervisor of {app}: {error}"))?;
        let process = self.kept.get(&app).and_then(Kept::process).cloned();
        let process = process.ok_or_else(|| format!("the supervisor of {app} has ended"))?;
        let is_new = Some(&process) != before.as_ref();
        Ok(Message::Started { process, is_new })
    }

    /// Executes a program with the arguments of this process, in this process. The directory with the lock becomes stdin, so that the lock
    /// stays held meanwhile. Returns only on failure; then the root goes on.
    fn become_anew(&self, program: &Path) {
        let Ok(lock) = self.lock.try_clone() else { return };
        let raised = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: self.open_files, ..raised });
        let _ = Command::new(program).args(std::env::args_os().skip(1)).stdin(lock).exec();
        let _ = setrlimit(Resource::Nofile, raised);
    }

    fn is_unneeded(&self) -> bool {
        let is_over = self.unasked.is_none_or(|until| until <= Instant::now());
        self.stay == Stay::WhileNeeded && self.kept.is_empty() && is_over && !self.server.has_wills()
    }

    /// Something was removed from the root's directory: a missing socket is made again; without its directory the root
    /// exits.
    fn look_at_place(&mut self) {
        removals::drain(&self.removals);
        if self.place.own().join(SOCKET).symlink_metadata().is_ok() {
            return;
        }
        match Server::listen(&self.place) {
            Ok(server) => {
                self.poll.forget(&Wakeup::Listener);
                self.server = server;
                self.is_leaving |= self.poll.watch(self.server.fd(), Wakeup::Listener).is_err();
            }
            Err(_) => self.is_leaving = true,
        }
    }
}

/// Takes the lock of a place. A root that only stays while it is needed gives way to one that stays always.
fn lock(place: &Place, stay: Stay) -> Result<Option<File>, Error> {
    let free = place.lock(MOMENT)?;
    if free.is_some() || stay == Stay::WhileNeeded {
        return Ok(free);
    }
    if let Ok(mut client) = Client::connect(place) {
        client.leave()?;
    }
    let taken = place.lock(HANDOVER)?;
    taken.map(Some).ok_or_else(|| Error::AlreadyKept { place: place.services().to_owned() })
}

/// Device and inode of the file that this process executes, even if it was replaced.
fn executed() -> (u64, u64) {
    fs::metadata("/proc/self/exe").map_or((0, 0), |file| (file.dev(), file.ino()))
}

fn exit_of(status: WaitStatus) -> Exit {
    let signal = status.terminating_signal().map(Exit::Signal);
    signal.unwrap_or_else(|| Exit::Code(status.exit_status().unwrap_or(-1)))
}
