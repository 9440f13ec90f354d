//! The root of a world, for verbs. It is started if none runs. If it cannot be started, a verb starts an app's
//! supervisor itself, which then is not restarted when it dies.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use os_process::service_unit;
use ps_root::{Client, LastWill, Place, Provision, Started, spawn_root};
use ps_scheduler::{Progress, Requester};

use crate::pause::Pause;
use crate::service::Service;

const START_DEADLINE: Duration = Duration::from_secs(5);
/// How long a root may fail to answer while it executes a newer program.
const ANEW: Duration = Duration::from_secs(2);
/// How much of the end of the root's log is read to find its last line, in bytes.
const LAST_BYTES: u64 = 1 << 12;

/// Why there is no root, until that was printed: a verb prints it once for all of its apps.
static TROUBLE: Mutex<Trouble> = Mutex::new(Trouble::Unknown);
/// Held while a root is started, so that apps that are restored at the same time start only one. It contains the roots that were started
/// and have not answered yet, by their places.
static STARTING: Mutex<BTreeMap<PathBuf, Child>> = Mutex::new(BTreeMap::new());

enum Trouble {
    Unknown,
    Untold(String),
    Told,
}

/// Starts the root if none runs, and upgrades it to the installed build.
pub fn ensure(service: &Service) {
    drop(reach(service));
}

/// Starts the root if none runs, and does not wait until it listens: the caller does something else meanwhile. If the start fails, the
/// next function that needs the root tries again, and reports the reason.
pub fn call(service: &Service) {
    let (place, mut starting) = (place(service), STARTING.lock().unwrap_or_else(PoisonError::into_inner));
    if Client::connect(&place).is_err()
        && let Ok(program) = service.program()
        && durable::create_root(service.world.lib()).is_ok()
        && let Ok(root) = spawn_root(&program, service.world.lib(), &place)
    {
        starting.insert(service.parent(), root);
    }
}

/// The pid of the root, if one lives.
pub fn pid(service: &Service) -> Option<u32> {
    Client::connect(&place(service)).ok()?.root()
}

/// Has the root start the supervisor of an app and keep it alive; `None`: there is no root, or it refuses.
pub fn start(service: &Service) -> Option<Started> {
    // A root that no app needs may be exiting at this moment. The second try reaches the root that replaces it.
    (0..2).find_map(|_| {
        let started = reach(service)?.start(&service.app);
        match started {
            Err(ps_root::Error::Refused(reason)) => {
                note(&reason);
                None
            }
            started => started.ok(),
        }
    })
}

/// Has the root run a command about an app if this program dies; `None`: there is no root, or it is one of an earlier version
/// that refuses. No root is started beside a supervisor that systemd started: each would restart it when it dies.
pub fn provide_for(service: &Service, will: &LastWill) -> Option<Provision> {
    let supervisor = service.connect().and_then(|client| client.supervisor());
    if supervisor.is_some_and(|pid| service_unit(pid).is_some()) {
        return None;
    }
    reach(service)?.provide_for(&service.app, will).ok()
}

/// Whether a root lives. None is started.
pub fn lives(service: &Service) -> bool {
    Client::connect(&place(service)).is_ok()
}

/// The same as [`provide_for`], with a root that lives already; none is started.
pub fn provide_with_a_living_one(service: &Service, will: &LastWill) -> Option<Provision> {
    Client::connect(&place(service)).ok()?.provide_for(&service.app, will).ok()
}

/// Tells the root not to restart the supervisor of an app when that ends. [`Client::wait_for_end`] waits for the answer.
pub fn let_go(service: &Service) -> Option<Client> {
    let mut client = Client::connect(&place(service)).ok()?;
    client.let_go(&service.app).ok().map(|()| client)
}

/// Tells the requester why there is no root, once.
pub fn tell(requester: &mut Requester<'_>) {
    let mut trouble = TROUBLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Trouble::Untold(reason) = &*trouble {
        (requester.tell)(Progress::Note(format!(
            "no root keeps supervisors alive, so a supervisor that dies is not restarted before the next verb: {reason}"
        )));
        *trouble = Trouble::Told;
    }
}

fn note(reason: &str) {
    let mut trouble = TROUBLE.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*trouble, Trouble::Unknown) {
        *trouble = Trouble::Untold(reason.to_owned());
    }
}

fn place(service: &Service) -> Place {
    Place::of(&service.parent())
}

fn reach(service: &Service) -> Option<Client> {
    let program = service.program().ok()?;
    let reached = connect_or_start(service, &program).and_then(|mut client| {
        if client.is_of_another_program(&program).map_err(|error| error.to_string())? {
            client.reexec(&program).map_err(|error| error.to_string())?;
            let place = place(service);
            return await_client(&place, ANEW).map_or_else(|| connect_or_start(service, &program), Ok);
        }
        Ok(client)
    });
    reached.map_err(|reason| note(&reason)).ok()
}

fn connect_or_start(service: &Service, program: &Path) -> Result<Client, String> {
    let place = place(service);
    if let Ok(client) = Client::connect(&place) {
        return Ok(client);
    }
    let mut starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Ok(client) = Client::connect(&place) {
        return Ok(client);
    }
    // A root that was started long ago and got no request has ended by itself.
    let is_alive = |root: &mut Child| root.try_wait().is_ok_and(|ended| ended.is_none());
    let called = starting.remove(&service.parent()).and_then(|mut root| is_alive(&mut root).then_some(root));
    let mut child = called
        .map_or_else(|| spawn_root(program, service.world.lib(), &place), Ok)
        .map_err(|error| format!("start {}: {error}", program.display()))?;
    let (deadline, mut pause) = (Instant::now() + START_DEADLINE, Pause::short());
    loop {
        if let Ok(client) = Client::connect(&place) {
            return Ok(client);
        }
        let ended = child.try_wait().ok().flatten();
        // If it exited with success, another verb's root was faster and is about to answer.
        if let Some(status) = ended.filter(|status| !status.success()) {
            return Err(why_it_ended(&place, status));
        }
        if Instant::now() >= deadline {
            return Err(format!("no root answers in {}", place.services().display()));
        }
        pause.rest();
    }
}

fn await_client(place: &Place, patience: Duration) -> Option<Client> {
    let (deadline, mut pause) = (Instant::now() + patience, Pause::short());
    loop {
        if let Ok(client) = Client::connect(place) {
            return Some(client);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause.rest();
    }
}

fn why_it_ended(place: &Place, status: ExitStatus) -> String {
    last_line(&place.log()).unwrap_or_else(|_| {
        let services = place.services().display();
        format!("the one for {services} ended at once ({status}): ps-supervise --root says why")
    })
}

fn last_line(log: &Path) -> io::Result<String> {
    let mut file: File = durable::open(log).map_err(|_| io::ErrorKind::NotFound)?;
    file.seek(SeekFrom::Start(file.metadata()?.len().saturating_sub(LAST_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LAST_BYTES).read_to_end(&mut bytes)?;
    let last = String::from_utf8_lossy(&bytes).lines().last().map(str::to_owned);
    last.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
