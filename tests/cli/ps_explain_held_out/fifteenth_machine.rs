//! The fifteenth set, the machine: the clock, the engine, a swarm, other processes and people. It was written with the other half.

use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};
use swarm_cluster::Cluster;

use crate::asking::some_address;
use crate::containers::{IMAGE, docker};
use crate::fault::{Fault, fault};
use crate::home::eventually;
use crate::stage::{QUIET, Stage, as_text};
use crate::thirteenth::TAKEN;

const CLUSTER: &[&str] = &["root", "engine"];

pub(crate) fn faults() -> Vec<Fault> {
    [clocks(), engines(), others(), ports()].into_iter().flatten().collect()
}

/// A process beside the app that is killed, with what it has started, when all is said.
pub(crate) struct Held(Child);

impl Held {
    pub(crate) fn new(stage: &Stage, words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(stage.path("")).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// A clock of all programs of this world alone, which is as many seconds ahead as stand in the file `clock`: nobody sets the machine's clock in a test.
const CLOCK: &str = r"#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long ahead(void) {
    char text[32] = {0};
    int file = open(CLOCK_FILE, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    long count = read(file, text, sizeof text - 1);
    close(file);
    return count > 0 ? strtol(text, 0, 10) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME) now->tv_sec += ahead();
    return (int)failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *kept) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (kept) *kept = exact.tv_sec;
    return exact.tv_sec;
}
";

fn with_a_clock_of_its_own(stage: &Stage) {
    stage.file("clock.c", CLOCK);
    let file = format!("-DCLOCK_FILE=\"{}\"", stage.path("clock").display());
    stage.runs("cc", &["-shared", "-fPIC", "-O1", &file, "-o", "clock.so", "clock.c"]);
    stage.everywhere("LD_PRELOAD", &as_text(&stage.path("clock.so")));
}

fn clocks() -> Vec<Fault> {
    let kind = "fifteenth set: the clock";
    let jumps = |name: &'static str, seconds: &'static str| {
        fault(kind, name, &["module"], move |stage| {
            with_a_clock_of_its_own(stage);
            stage.file("app.py", "import carts_of_nobody\n");
            stage.crashes("/usr/bin/python3 app.py", &[]);
            stage.file("clock", seconds);
        })
        .needing(&["/usr/bin/cc", "/usr/bin/python3"])
        .telling(&["clock"])
    };
    vec![
        jumps("it was set back by two hours after it had crashed", "-7200"),
        jumps("it was set forward by a day after it had crashed", "86400"),
    ]
}

/// The process of a node's engine: what listens on this socket.
fn engine_of(cluster: &Cluster, node: u8) -> Pid {
    let socket = cluster.socket(node);
    let socket = socket.to_str().expect("text").to_owned();
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let is_it = |entry: &std::fs::DirEntry| {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        words.starts_with(b"dockerd\0") && String::from_utf8_lossy(&words).contains(&socket)
    };
    let found = entries.filter(is_it).find_map(|entry| entry.file_name().to_str()?.parse().ok());
    found.and_then(Pid::from_raw).expect("the node has an engine")
}

fn on_a_cluster(stage: &Stage, cluster: &Cluster, scheduler: &str) {
    stage.everywhere("DOCKER_HOST", &format!("unix://{}", cluster.socket(1).display()));
    stage.home.write("lib/config/ps/shop/stop-timeout-seconds", "1");
    stage.home.write("lib/config/ps/shop/start-cmd", "exec sleep 3600");
    stage.does("deploy", &["--image", IMAGE, "--scheduler", scheduler]);
}

fn engines() -> Vec<Fault> {
    let kind = "fifteenth set: engines";
    vec![
        fault(kind, "the engine is stopped by a signal", &["engine", "docker"], |stage| {
            let cluster = Cluster::up(1).expect("a cluster");
            on_a_cluster(stage, &cluster, "docker-local");
            let engine = engine_of(&cluster, 1);
            rustix::process::kill_process(engine, Signal::STOP).expect("it lives");
            stage.afterwards(move || {
                let _ = rustix::process::kill_process(engine, Signal::CONT);
            });
            stage.keep(cluster);
        })
        .needing(CLUSTER),
        fault(
            kind,
            "two of three managers of a swarm are lost",
            &["quorum", "manager", "majority", "leader"],
            |stage| {
                let cluster = std::rc::Rc::new(Cluster::up_to_lose_nodes(3).expect("a cluster"));
                on_a_cluster(stage, &cluster, "swarm");
                cluster.lose(2);
                cluster.lose(3);
                eventually("the swarm has no leader", || {
                    let host = format!("unix://{}", cluster.socket(1).display());
                    let asked = Command::new("timeout")
                        .args(["10", "docker", "node", "ls"])
                        .env("DOCKER_HOST", host)
                        .output();
                    if asked.is_ok_and(|asked| asked.status.success()) {
                        Err("it has".to_owned())
                    } else {
                        Ok(())
                    }
                });
                let mended = cluster.clone();
                stage.afterwards(move || {
                    mended.heal(2);
                    mended.heal(3);
                });
                stage.keep(cluster);
            },
        )
        .needing(CLUSTER),
    ]
}

fn others() -> Vec<Fault> {
    let kind = "fifteenth set: other processes and people";
    vec![
        fault(
            kind,
            "another app kills what it takes for idle",
            &["outside", "another", "sigkill"],
            |stage| {
                stage.procfile("web: exec sleep 3600\n");
                stage.deploys(&[]);
                stage.set("restart-policy", "no");
                stage.does("restart", &[]);
                stage.file("idle", &stage.pid("web.1").as_raw_nonzero().to_string());
                let words =
                    format!("janitor: kill -9 $(cat {}); exec sleep 3600\n", stage.path("idle").display());
                let other = stage.home.source("janitor", &words);
                stage.home.does(&[
                    "ps-lifecycle",
                    "deploy",
                    "janitor",
                    "--dir",
                    &other,
                    "--scale",
                    "janitor=1",
                ]);
                stage.until("web.1", &["crashed", "stopped"]);
            },
        ),
        fault(kind, "somebody has left a debugger at it", &["trac", "debugger", "gdb"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            let pid = stage.pid("web.1").as_raw_nonzero().to_string();
            stage.keep(Held::new(stage, &["gdb", "-nx", "-batch", "-p", &pid, "-ex", "shell sleep 3600"]));
            eventually("it is traced", || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
                let state = stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('t'));
                if state == Some(true) { Ok(()) } else { Err(stat) }
            });
        })
        .needing(&["root", "/usr/bin/gdb"]),
        fault(
            kind,
            "somebody sent the second one SIGQUIT with us",
            &["ps-lifecycle", "asked", "operator", "by hand"],
            |stage| {
                stage.procfile("web: exec /usr/bin/python3 -c 'import time; time.sleep(3600)'\n");
                stage.deploys(&["--scale", "web=2"]);
                stage.set("restart-policy", "no");
                stage.does("restart", &[]);
                let ran = stage.home.run(&["ps-lifecycle", "signal", "QUIT", "shop", "web.2"]);
                assert_eq!(ran.status, Some(0), "{ran:?}");
                stage.until("web.2", &["crashed", "stopped"]);
            },
        )
        .needing(&["/usr/bin/python3"]),
    ]
}

fn ports() -> Vec<Fault> {
    let kind = "fifteenth set: ports";
    vec![
        fault(kind, "java, a program of another user has its port", TAKEN, |stage| {
            let address = some_address();
            let program = format!("import socket, time\nserver = socket.create_server(('127.0.0.1', {}))\ntime.sleep(3600)\n", address.port());
            stage.keep(Held::new(stage, &["setpriv", "--reuid", "61235", "--clear-groups", "/usr/bin/python3", "-I", "-c", &program]));
            eventually("it listens", || TcpStream::connect(address).map(drop).map_err(|error| error.to_string()));
            stage.file("Main.java", &format!("import java.net.*;\nclass Main {{ public static void main(String[] words) throws Exception {{ System.out.println(\"opening the shop\"); new ServerSocket({}, 5, InetAddress.getLoopbackAddress()).accept(); }} }}\n", address.port()));
            stage.runs("javac", &["Main.java"]);
            stage.crashes("java -cp . Main", &[]);
        })
        .needing(&["root", "/usr/bin/javac", "/usr/bin/python3"]),
        fault(kind, "python, a container has its port", TAKEN, |stage| {
            let port = some_address().port();
            let name = format!("held-port-{}", std::process::id());
            docker(&["run", "--detach", "--rm", "--name", &name, "--publish", &format!("127.0.0.1:{port}:80"), IMAGE, "sleep", "3600"]);
            stage.keep(Removed(name));
            stage.file("app.py", &format!("import http.server\nprint('opening the shop', flush=True)\nhttp.server.HTTPServer(('127.0.0.1', {port}), http.server.BaseHTTPRequestHandler).serve_forever()\n"));
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(&["engine", "/usr/bin/python3"]),
    ]
}

struct Removed(String);

impl Drop for Removed {
    fn drop(&mut self) {
        // It may be gone.
        let _ = Command::new("docker").args(["rm", "--force", &self.0]).output();
    }
}
