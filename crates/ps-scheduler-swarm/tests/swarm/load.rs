//! Clients of an app that is published on its nodes, through ps-balance: 200 requests a second, each on a connection of its own. What fails
//! must have been under way while a node was being lost.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use ps_probe::{Ask, Check, Checks};
use ps_scheduler::{Intent, Process, Release};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use swarm_cluster::Cluster;
use type_settings::Setting;

use crate::place::Place;

/// Where the server in a container listens; without it there is nothing to serve.
const SERVE_AT: &str = "SWARM_SERVE_AT";
/// Whether it ends without answering what has come.
const IS_RUDE: &str = "SWARM_SERVER_IS_RUDE";
/// The type that clients ask, and its port on each node.
pub(crate) const TYPE: &str = "api";
const PORT: u16 = 8080;
/// Where the network that joins the nodes has its own address.
const BALANCER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 1)), 8000);
const RATE: u32 = 200;
const CLIENTS: u32 = 20;
/// How long an answer is waited for: longer than a request is held while no instance can be reached.
const PATIENCE: Duration = Duration::from_secs(90);
const HOLD: &str = "60";
/// How long the server takes for an answer, so that some are always under way.
const ANSWER: Duration = Duration::from_millis(20);

/// A type of the release that clients can ask, whose server is this program.
pub(crate) fn add_server(release: &mut Release, manner: &str) {
    let program = std::env::current_exe().expect("a test has a path");
    let command = format!(
        "{manner} {SERVE_AT}={PORT} exec chroot /host {} --exact load::a_server_that_another_test_deploys",
        program.display()
    );
    let mut process = Process::new(TYPE.parse().expect("a type"), Some(command));
    let port = PORT.to_string();
    for (name, value) in [("publish", "host"), ("port", port.as_str()), ("mounts", "/:/host:ro")] {
        let setting = Setting::named(name).expect("a setting");
        assert!(setting.take(value, &mut process.settings), "{name} {value}");
    }
    let listens = Check {
        ask: Ask::Listen,
        attempts: 10,
        timeout: Duration::from_secs(5),
        wait: Duration::from_secs(1),
        initial_delay: Duration::ZERO,
        only_warns: false,
        on_failure: Vec::new(),
        port: Some(PORT),
    };
    process.checks = Checks { startup: vec![listens], ..Checks::default() };
    release.processes.push(process);
}

/// The server: this program, in a container that sees the machine's files.
#[test]
fn a_server_that_another_test_deploys() {
    let Some(port) = std::env::var(SERVE_AT).ok().and_then(|port| port.parse().ok()) else { return };
    serve(port, std::env::var_os(IS_RUDE).is_some()).expect("serves");
}

/// Serves until it is told to end; then it answers what has come by that time.
fn serve(port: u16, is_rude: bool) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    let is_told = Arc::new(AtomicBool::new(false));
    let (mut signals, tells) = (Signals::new([SIGTERM])?, Arc::clone(&is_told));
    thread::spawn(move || {
        signals.forever().next();
        tells.store(true, Ordering::SeqCst);
        // The one who waits for clients looks up.
        TcpStream::connect(("127.0.0.1", port)).map(drop)
    });
    let mut answers = Vec::new();
    loop {
        match listener.accept() {
            Ok((client, _)) => answers.push(thread::spawn(move || answer(client))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
        answers.retain(|answer| !answer.is_finished());
        if is_told.load(Ordering::SeqCst) {
            if is_rude {
                return Ok(());
            }
            // Whoever is in the queue of the kernel has been let in, and is served.
            listener.set_nonblocking(true)?;
        }
    }
    drop(listener);
    for answer in answers {
        // A client that went away is its own affair.
        let _ = answer.join().expect("no answer panics");
    }
    Ok(())
}

fn answer(mut client: TcpStream) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(PATIENCE))?;
    let mut head = [0; 512];
    if client.read(&mut head)? > 0 {
        thread::sleep(ANSWER);
        client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhere\n")?;
    }
    Ok(())
}

/// `ps-balance` of the same build, made if nobody has.
fn balance() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().expect("a test has a path");
        let directory = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps/<test>");
        let is_built = std::env::var_os("FORMATION_TEST_PROGRAMS_ARE_BUILT").is_some() || {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--package", "ps-balance"]);
            build.env_remove("RUSTC_BOOTSTRAP").status().expect("cargo runs").success()
        };
        let program = directory.join("ps-balance");
        assert!(is_built && program.is_file(), "ps-balance is not at {}", program.display());
        program
    });
    program.clone()
}

/// A balancer before the nodes, in the network that joins them.
pub(crate) struct Balancer(Child);

impl Balancer {
    pub(crate) fn before(cluster: &Cluster, nodes: u8) -> Self {
        let mut command = cluster.in_switch(&balance());
        command.args(["--listen", &BALANCER.to_string(), "--hold", HOLD]);
        for node in 1..=nodes {
            command.args(["--backend", &format!("{}:{PORT}", cluster.address(node))]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let balancer = Self(command.spawn().expect("it starts"));
        let end = Instant::now() + PATIENCE;
        while let Err(error) = cluster.inside(ask) {
            assert!(Instant::now() < end, "nobody answers behind ps-balance: {error}");
        }
        balancer
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether clients get an answer. It has to be asked in the network that joins the nodes.
pub(crate) fn ask() -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&BALANCER, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let is_whole = answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("here\n");
    if is_whole { Ok(()) } else { Err(io::Error::other(format!("the answer was {answer:?}"))) }
}

/// A request that failed.
#[derive(Debug)]
struct Failure {
    from: Instant,
    to: Instant,
    why: String,
}

/// What has come of requests, and when nodes were lost.
#[derive(Debug, Default)]
pub(crate) struct Load {
    is_over: AtomicBool,
    asked: AtomicUsize,
    failed: Mutex<Vec<Failure>>,
    losses: Mutex<Vec<(Instant, Instant)>>,
}

impl Load {
    /// Does something while clients ask, and says what came of it and of them.
    pub(crate) fn during<T>(cluster: &Cluster, act: impl FnOnce(&Self) -> T) -> (T, Self) {
        let load = Self::default();
        let done = thread::scope(|scope| {
            let over = Over(&load.is_over);
            scope.spawn(|| cluster.inside(|| load.clients()));
            let done = act(&load);
            drop(over);
            done
        });
        (done, load)
    }

    fn clients(&self) {
        let (began, pause) = (Instant::now(), Duration::from_secs(1) * CLIENTS / RATE);
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                scope.spawn(move || {
                    let mut next = began + pause * client / CLIENTS;
                    while !self.is_over.load(Ordering::Relaxed) {
                        thread::sleep(next.saturating_duration_since(Instant::now()));
                        // Who is behind by more than a second goes on from here.
                        let from = Instant::now();
                        next = if from > next + Duration::from_secs(1) { from } else { next + pause };
                        self.asked.fetch_add(1, Ordering::Relaxed);
                        if let Err(why) = ask() {
                            let failure = Failure { from, to: Instant::now(), why: why.to_string() };
                            self.failed.lock().expect("nobody panics").push(failure);
                        }
                    }
                });
            }
        });
    }

    /// Loses a node: what is under way there meanwhile cannot be answered.
    pub(crate) fn loses(&self, happens: impl FnOnce()) {
        let from = Instant::now();
        happens();
        self.losses.lock().expect("nobody panics").push((from, Instant::now()));
    }

    /// Notes that nobody could serve for some time.
    pub(crate) fn lacked(&self, from: Instant, to: Instant) {
        self.losses.lock().expect("nobody panics").push((from, to));
    }

    /// How many requests were asked, how many of them failed while a node was being lost, and those that failed otherwise.
    pub(crate) fn outcome(&self) -> (usize, usize, Vec<String>) {
        let failed = self.failed.lock().expect("nobody panics");
        let losses = self.losses.lock().expect("nobody panics");
        let was_under_way =
            |failure: &&Failure| losses.iter().any(|(from, to)| failure.from <= *to && failure.to >= *from);
        let (excused, others): (Vec<&Failure>, Vec<&Failure>) = failed.iter().partition(was_under_way);
        let others = others
            .iter()
            .map(|failure| format!("after {:?}: {}", failure.to.duration_since(failure.from), failure.why));
        (self.asked.load(Ordering::Relaxed), excused.len(), others.collect())
    }
}

/// Tells clients that it is over when this is dropped, also where what is done meanwhile fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_release_after_another_on_every_node_loses_no_request_and_a_server_that_ends_at_once_is_seen_to_lose_some()
 {
    let Some(cluster) = Cluster::up(2) else { return };
    let place = Place::new(&cluster);
    let deploy = |manner: &str| {
        let mut release = place.release("exec sleep 1000");
        add_server(&mut release, manner);
        let wanted = ["web=1", "api=2"];
        place.carry_out(&place.plan(release, &wanted, &Intent::Deploy)).0.expect("it comes up");
    };
    deploy("");
    let _balancer = Balancer::before(&cluster, 2);
    let ((), load) = Load::during(&cluster, |_| (0..2).for_each(|_| deploy("")));
    let (asked, _, failed) = load.outcome();
    let _ =
        writeln!(io::stderr().lock(), "two releases under load: {asked} requests, {} failed", failed.len());
    assert!(failed.is_empty() && asked > 200, "of {asked}: {failed:?}");
    // A request has to be under way when a server ends; on a busy machine few are.
    let mut asked = 0;
    let is_seen = (0..5).any(|_| {
        deploy(&format!("{IS_RUDE}=1"));
        let ((), load) = Load::during(&cluster, |_| deploy(""));
        let (more, _, failed) = load.outcome();
        asked += more;
        !failed.is_empty()
    });
    assert!(is_seen, "nobody saw it, of {asked}");
    place.stop("", true).expect("is removed");
}
