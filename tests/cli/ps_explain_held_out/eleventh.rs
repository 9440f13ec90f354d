//! The eleventh set: causes of the usual list by other programs, behind wrappers, long ago, healed, two at once, and several in which
//! nothing is wrong or nobody can know. It was written together with the twelfth, by somebody who had not read a rule, before any of
//! them was run.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::process::Command;

use rustix::process::{Pid, Signal};

use crate::checks::{SERVER, checked};
use crate::code::{NODE, PYTHON, crash};
use crate::containers::{IMAGE, contained, container, deploy, docker, until, without_restart};
use crate::ends::GO;
use crate::fault::{Fault, fault};
use crate::fifth::{GONE, node};
use crate::home::{self, eventually};
use crate::network::taken;
use crate::ninth::a_moment;
use crate::stage::{QUIET, Stage};

const MODULE: &[&str] = &["module", "import", "package", "class"];
const TAKEN: &[&str] = &["in use", "taken"];
const MEMORY: &[&str] = &["memory"];
const SPACE: &[&str] = &["space", "disk full", "disk is full", "is full"];
const NO_PROGRAM: &[&str] = &["program missing", "not found", "no such program", "does not exist"];
const WELL: &[&str] = &["well", "healthy", "nothing is wrong"];
/// Nobody can know more than this: any other cause is a guess. The first words are the cause, and the next begin the sentence.
pub(crate) const NOBODY_KNOWS: &[&str] = &["exit status it", "unknown why"];
const GROUP: &[&str] = &["cgroup", "/usr/bin/python3"];
/// Takes more memory than it is given.
pub(crate) const EATS: &str = "kept = []\nwhile True:\n    kept.append(bytearray(1 << 20))\n";

/// Somebody who listens on a port, whose number stands in a file of the app: its own port is another one.
pub(crate) fn on_a_taken_port(stage: &Stage) -> TcpListener {
    let (listener, port) = taken();
    stage.file("port", &port);
    listener
}

pub(crate) fn faults() -> Vec<Fault> {
    [memory(), ports(), beside(), long_ago(), scripts(), languages(), programs(), containers(), nothing()]
        .into_iter()
        .flatten()
        .collect()
}

fn memory() -> Vec<Fault> {
    let kind = "eleventh set: memory";
    vec![
        fault(kind, "a script that starts it for ever hides its end", MEMORY, |stage| {
            stage.file("eats.py", EATS);
            stage.file("run.sh", "while :; do\n  /usr/bin/python3 eats.py >/dev/null 2>&1\n  echo $? >>ends\n  sleep 0.3\ndone\n");
            stage.ends("sh run.sh", &[("web.memory-max", "40m")]);
            stage.until_row("web.1", |row| row["note"].as_str().is_some_and(|note| note.contains("out of memory")));
        })
        .needing(GROUP),
        fault(kind, "files that lie in memory", MEMORY, |stage| {
            stage.mount("data", "size=200m,mode=777");
            stage.file("app.py", "with open('data/cache', 'wb') as cache:\n    for _ in range(150):\n        cache.write(bytes(1 << 20))\n");
            stage.crashes("/usr/bin/python3 app.py", &[("web.memory-max", "40m")]);
        })
        .needing(&["root", "cgroup", "/usr/bin/python3"]),
        fault(kind, "a child of perl is killed, and perl says so in its own way", MEMORY, |stage| {
            stage.file("eats.py", EATS);
            stage.file("app.pl", "system('/usr/bin/python3', 'eats.py') == 0 or die \"report failed: $?\\n\";\n");
            stage.crashes("perl app.pl", &[("web.memory-max", "40m")]);
        })
        .needing(GROUP),
        fault(kind, "it was killed, and is back", &["well", "healthy", "running", "memory"], |stage| {
            stage.file("app.py", "import os, time\nif not os.path.exists('once'):\n    open('once', 'w').close()\n    kept = []\n    while True:\n        kept.append(bytearray(1 << 20))\ntime.sleep(3600)\n");
            stage.ends("/usr/bin/python3 app.py", &[("web.memory-max", "40m"), ("restart-policy", "on-failure:5")]);
            stage.until_row("web.1", |row| row["state"] == "running" && row["restarts"] == 1);
        })
        .needing(GROUP),
    ]
}

fn ports() -> Vec<Fault> {
    let kind = "eleventh set: ports and checks";
    vec![
        fault(kind, "node tries again for ever to get its port", TAKEN, |stage| {
            stage.file("app.js", "const server = require('http').createServer((asked, answer) => answer.end('ok'));\nconst listen = () => server.listen(require('fs').readFileSync('port', 'utf8'), '127.0.0.1');\nserver.on('error', (error) => { console.error(`cannot listen: ${error.message}, next attempt in 500 ms`); setTimeout(listen, 500); });\nlisten();\n");
            let _listening = home::listening();
            stage.keep(on_a_taken_port(stage));
            stage.ends("node app.js", &[("web.ready", "listening"), ("web.start-timeout-seconds", "3")]);
            stage.until_row("web.1", |row| row["state"] != "running" && row["state"] != "starting");
        })
        .needing(NODE),
        fault(kind, "perl listens on the next port", &["another port", "listens on port", "wrong port"], |stage| {
            let _listening = home::listening();
            stage.file("app.pl", "use IO::Socket::INET;\nmy $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ENV{PORT} + 1, Listen => 5, ReuseAddr => 1) or die \"listen: $!\";\nprint STDERR \"up\\n\";\nsleep 3600;\n");
            stage.crashes("perl app.pl", &[("web.ready", "listening"), ("web.start-timeout-seconds", "2")]);
        })
        .needing(&["/usr/bin/perl"]),
        fault(kind, "a script waits for a database that is not there", &["listen", "time", "slow", "refuse", "wait"], |stage| {
            let _listening = home::listening();
            stage.file("run.sh", "until (: </dev/tcp/127.0.0.1/1) 2>/dev/null; do\n  echo 'waiting for db:5432...'\n  sleep 0.3\ndone\nexec faultapp --listen\n");
            stage.exists();
            stage.set("web.ready", "listening");
            stage.set("web.start-timeout-seconds", "2");
            stage.procfile("web: bash run.sh\n");
            stage.fails_to_deploy(&["--scale", "web=1"]);
        }),
        fault(kind, "the server that a script started is stopped by a signal", &["stopped by a signal", "sigstop", "suspended", "answer", "time"], |stage| {
            let _listening = home::listening();
            stage.file("server.py", SERVER);
            stage.file("mode", "200");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "readiness", "path": "/", "interval": 1, "threshold": 1, "timeout": 1}"#));
            stage.file("run.sh", "/usr/bin/python3 server.py &\necho $! >pid.new && mv pid.new pid\nwait\n");
            stage.procfile("web: sh run.sh\n");
            stage.deploys(&[]);
            stage.until_file("pid");
            let pid = std::fs::read_to_string(stage.path("pid")).expect("a pid").trim().parse().ok();
            rustix::process::kill_process(pid.and_then(Pid::from_raw).expect("a pid"), Signal::STOP).expect("it lives");
            stage.until("web.1", &["unready"]);
        })
        .needing(PYTHON),
        fault(kind, "go has no descriptor left to accept with, and fails its check", &["descriptor", "open files"], |stage| {
            let _listening = home::listening();
            stage.file("main.go", "package main\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc main() {\n\thttp.ListenAndServe(\"127.0.0.1:\"+os.Getenv(\"PORT\"), http.HandlerFunc(func(out http.ResponseWriter, asked *http.Request) { out.Write([]byte(\"ok\")) }))\n}\n");
            let mut build = Command::new("/usr/local/go/bin/go");
            build.args(["build", "-o", "server", "main.go"]).current_dir(stage.path("")).env("GO111MODULE", "off");
            assert!(build.output().expect("go runs").status.success());
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "liveness", "path": "/", "interval": 1, "threshold": 2, "timeout": 2}"#));
            stage.procfile("web: ./server\n");
            stage.deploys(&["--scale", "web=0"]);
            stage.set("restart-policy", "no");
            stage.set("web.limit-nofile", "24");
            stage.does("ps-scale", &["web=1"]);
            let row = stage.until_row("web.1", |row| row["state"] == "running");
            let port = u16::try_from(row["port"].as_u64().expect("a port")).expect("a port");
            for _ in 0..40 {
                // What is not accepted waits in the queue.
                stage.keep(TcpStream::connect(("127.0.0.1", port)));
            }
            stage.until("web.1", &["crashed", "stopped"]);
        })
        .needing(GO),
    ]
}

fn beside() -> Vec<Fault> {
    let kind = "eleventh set: one of several";
    vec![
        fault(kind, "web lacks a module, and the worker, which is asked for, was killed for its memory", MEMORY, |stage| {
            stage.file("app.py", "import carts_of_nobody\n");
            stage.file("eats.py", EATS);
            stage.procfile("web: /usr/bin/python3 app.py\nworker: /usr/bin/python3 eats.py\n");
            stage.deploys(&["--scale", "web=0", "worker=0"]);
            stage.set("restart-policy", "on-failure:1");
            stage.set("worker.memory-max", "40m");
            stage.tries("ps-scale", &["web=1", "worker=1"]);
            stage.tries("ps-scale", &["worker=1"]);
            stage.until("worker.1", &["crashed"]);
            stage.about(&["worker.1"]);
        })
        .needing(GROUP),
        fault(kind, "the second worker alone has no settings", GONE, |stage| {
            stage.file("conf/worker.1", "queue = mail\n");
            stage.file("app.py", "import os, time\nprint(open('conf/' + os.environ['DYNO']).read(), flush=True)\ntime.sleep(3600)\n");
            stage.procfile(&format!("web: {QUIET}\nworker: /usr/bin/python3 app.py\n"));
            stage.deploys(&["--scale", "web=1", "worker=1"]);
            stage.set("restart-policy", "on-failure:1");
            stage.tries("ps-scale", &["worker=2"]);
            stage.until("worker.2", &["crashed"]);
        })
        .needing(PYTHON),
    ]
}

fn long_ago() -> Vec<Fault> {
    let kind = "eleventh set: long ago";
    vec![
        fault(kind, "its memory was too little, and is more now", &["out of memory"], |stage| {
            stage.file("app.py", EATS);
            stage.crashes("/usr/bin/python3 app.py", &[("web.memory-max", "40m")]);
            let then = a_moment();
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.about(&["--at", &then]);
        })
        .needing(GROUP),
        fault(kind, "a check was answered with 500, and is answered with 200 now", &["500"], |stage| {
            let _listening = home::listening();
            stage.file("server.py", SERVER);
            stage.file("mode", "200");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "readiness", "path": "/", "interval": 1, "threshold": 1, "timeout": 5}"#));
            stage.procfile("web: /usr/bin/python3 server.py\n");
            stage.deploys(&[]);
            stage.file("mode", "500");
            stage.until("web.1", &["unready"]);
            let then = a_moment();
            stage.file("mode", "200");
            stage.until("web.1", &["running"]);
            stage.about(&["--at", &then]);
        })
        .needing(PYTHON),
        fault(kind, "before there was such an app", &["never", "not deployed", "no such", "before", "does not exist"], |stage| {
            let then = a_moment();
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.about(&["--at", &then]);
        }),
    ]
}

fn scripts() -> Vec<Fault> {
    let kind = "eleventh set: wrappers and scripts";
    vec![
        crash(kind, "a shell reads a file of variables that has a blank", &["shop.env", "env invalid", "variable", "quote"], "sh run.sh", &[
            ("run.sh", "set -e\n. ./shop.env\nexec sleep 3600\n"),
            ("shop.env", "SHOP_REGION=eu\nSHOP_TITLE=Our Shop\n"),
        ])
        .quoting(&["shop: not found"]),
        crash(kind, "bash starts npm, which starts node", MODULE, "bash -c 'npm start --silent'", &[
            ("package.json", "{\"name\": \"shop\", \"version\": \"1.0.0\", \"scripts\": {\"start\": \"node server.js\"}}\n"),
            ("server.js", "console.log('starting the shop');\nconst app = require('fastify-of-nobody')();\napp.listen({ port: 5000 });\n"),
        ])
        .needing(&["/usr/bin/node", "/usr/bin/npm"]),
        crash(kind, "tini does not find the program", NO_PROGRAM, "tini -- gunicornn app:app", &[]).needing(&["/usr/bin/tini"]),
        crash(kind, "zsh does not find the program", NO_PROGRAM, "zsh run.zsh", &[("run.zsh", "print 'starting'\ngunicornn --bind :5000 app:app\n")])
            .needing(&["/usr/bin/zsh"]),
        crash(kind, "curl gets 404 for its settings", &["404", "dependency failed"], "sh run.sh", &[(
            "run.sh",
            "set -e\n/usr/bin/python3 -c 'import http.server; s = http.server.HTTPServer((\"127.0.0.1\", 0), http.server.SimpleHTTPRequestHandler); open(\"port\", \"w\").write(str(s.server_port)); s.handle_request()' 2>/dev/null &\nuntil test -s port; do sleep 0.1; done\nport=$(cat port)\nrm port\ncurl -fsS -o settings.json \"http://127.0.0.1:$port/settings/shop.json\"\nexec sleep 3600\n",
        )])
        .needing(&["/usr/bin/python3", "/usr/bin/curl"])
        .quoting(&["404"]),
    ]
}

fn languages() -> Vec<Fault> {
    let kind = "eleventh set: languages";
    vec![
        node(kind, "node, a plugin that is loaded later, in its own words", MODULE, &[(
            "app.js",
            "import('./plugins/payments.mjs').catch((error) => {\n  console.error('startup failed:', error.message);\n  process.exit(1);\n});\n",
        )]),
        fault(kind, "node, its port, in the words of a template", TAKEN, |stage| {
            stage.file("bin.js", "const server = require('http').createServer();\nconst port = require('fs').readFileSync('port', 'utf8');\nserver.listen(port, '127.0.0.1');\nserver.on('error', (error) => {\n  if (error.syscall !== 'listen') throw error;\n  switch (error.code) {\n    case 'EACCES': console.error(`Port ${port} requires elevated privileges`); process.exit(1);\n    case 'EADDRINUSE': console.error(`Port ${port} is already in use`); process.exit(1);\n    default: throw error;\n  }\n});\n");
            stage.keep(on_a_taken_port(stage));
            stage.crashes("node bin.js", &[]);
        })
        .needing(NODE),
        fault(kind, "c++, no address space is left", MEMORY, |stage| {
            stage.file("main.cc", "#include <string>\n#include <vector>\nint main() { std::vector<std::string> kept; for (;;) kept.emplace_back(1 << 20, 'x'); }\n");
            stage.runs("g++", &["-o", "server", "main.cc"]);
            stage.crashes("ulimit -v 100000; exec ./server", &[]);
        })
        .needing(&["/usr/bin/g++"]),
        fault(kind, "java, a class that was there when it was built", MODULE, |stage| {
            stage.file("Main.java", "class Main { public static void main(String[] words) { System.out.println(\"starting\"); new Payments().pay(); } }\nclass Payments { void pay() { } }\n");
            stage.runs("javac", &["Main.java"]);
            stage.runs("rm", &["Payments.class"]);
            stage.crashes("java -cp . Main", &[]);
        })
        .needing(&["/usr/bin/javac"]),
        fault(kind, "perl, a full disk", SPACE, |stage| {
            stage.mount("data", "size=64k,mode=777");
            stage.file("app.pl", "open(my $cache, '>', 'data/cache') or die \"open: $!\";\nprint $cache 'x' x 1000000;\nclose $cache or die \"cannot write the cache: $!\";\n");
            stage.crashes("perl app.pl", &[]);
        })
        .needing(&["root", "/usr/bin/perl"]),
        crash(kind, "tcl, a package", MODULE, "tclsh app.tcl", &[("app.tcl", "puts starting\npackage require payments_of_nobody 1.2\n")])
            .needing(&["/usr/bin/tclsh"])
            .quoting(&["can't find package"]),
        fault(kind, "rust, a file of settings", GONE, |stage| {
            stage.file("main.rs", "fn main() {\n    let settings = std::fs::read_to_string(\"config/shop.toml\").unwrap();\n    println!(\"{}\", settings.len());\n}\n");
            stage.runs("rustc", &["-o", "server", "main.rs"]);
            stage.crashes("./server", &[]);
        })
        .needing(&["rustc"]),
        crash(kind, "python, a log file of its settings", GONE, "/usr/bin/python3 app.py", &[(
            "app.py",
            "import logging.config\nlogging.config.dictConfig({'version': 1, 'handlers': {'file': {'class': 'logging.FileHandler', 'filename': 'log/shop/app.log'}}, 'root': {'handlers': ['file']}})\n",
        )])
        .needing(PYTHON),
    ]
}

fn programs() -> Vec<Fault> {
    let kind = "eleventh set: programs";
    vec![
        fault(kind, "busybox, its port", TAKEN, |stage| {
            stage.keep(on_a_taken_port(stage));
            stage.crashes("busybox httpd -f -p 127.0.0.1:$(cat port)", &[]);
        })
        .needing(&["/usr/bin/busybox"]),
        crash(
            kind,
            "node, a file of variables that is not there",
            &["file missing", "env invalid"],
            "node --env-file=shop.env app.js",
            &[("app.js", "setInterval(() => {}, 1000);\n")],
        )
        .needing(NODE),
    ]
}

fn containers() -> Vec<Fault> {
    let kind = "eleventh set: containers";
    [
        fault(kind, "a child is killed for its memory, and its shell ends with 137", MEMORY, |stage| {
            contained(stage, "sh -c 'sleep 2; tail /dev/zero; exit $?'", &["--scale", "web=0"]);
            stage.set("restart-policy", "no");
            stage.set("web.memory-max", "16m");
            stage.tries("ps-scale", &["web=1"]);
            until(&container(stage), ".State.Status", "exited");
        }),
        fault(kind, "the engine died, and left its socket", &["engine", "docker"], |stage| {
            contained(stage, "sleep 3600", &[]);
            let socket = stage.home.path("docker.sock");
            drop(UnixListener::bind(&socket).expect("a socket"));
            stage.with("DOCKER_HOST", &format!("unix://{}", socket.display()));
        }),
        fault(kind, "its image says how it is asked, and it is not well", &["unhealthy", "healthcheck", "health check", "check failed"], |stage| {
            contained(stage, "sleep 3600", &["--scale", "web=0"]);
            stage.file("Dockerfile", &format!("FROM {IMAGE}\nWORKDIR /app\nCOPY . ./\nHEALTHCHECK --interval=1s --timeout=2s --retries=1 CMD test -e /tmp/ready\n"));
            stage.set("restart-policy", "no");
            let ran = deploy(stage, &["--scale", "web=1"]);
            assert!(ran.status == Some(0), "{ran:?}");
            until(&container(stage), ".State.Health.Status", "unhealthy");
        }),
        fault(kind, "a small disk in memory is full", SPACE, |stage| {
            let id = without_restart(stage, "sh -c 'sleep 2; dd if=/dev/zero of=/dev/shm/cache bs=1M count=80 || exit 1; exec sleep 3600'");
            until(&id, ".State.Status", "exited");
        }),
        fault(kind, "nobody has its image any more, and it is well", WELL, |stage| {
            let id = without_restart(stage, "sleep 3600");
            let image = Command::new("docker").args(["inspect", "--format", "{{.Image}}", &id]).output().expect("docker runs");
            let image = String::from_utf8(image.stdout).expect("text").trim().to_owned();
            let names = Command::new("docker").args(["image", "inspect", "--format", "{{join .RepoTags \" \"}}", &image]).output();
            let names = String::from_utf8(names.expect("docker runs").stdout).expect("text");
            assert!(!names.trim().is_empty(), "the image has a name");
            for name in names.split_whitespace() {
                docker(&["rmi", "--force", name]);
            }
        }),
    ]
    .into_iter()
    .map(|fault| fault.needing(&["engine"]))
    .collect()
}

fn nothing() -> Vec<Fault> {
    let kind = "eleventh set: nobody can know";
    vec![
        fault(kind, "a disk is full to which it does not write", NOBODY_KNOWS, |stage| {
            stage.mount("data", "size=64k,mode=777");
            let _ = std::fs::write(stage.path("data/old"), vec![0; 1 << 20]);
            stage.crashes("echo 'loading 12 carts'; exit 4", &[]);
        })
        .needing(&["root"]),
        fault(kind, "somebody listens on its port, for which it did not ask", NOBODY_KNOWS, |stage| {
            stage.procfile("web: until test -e go; do sleep 0.1; done; exit 5\n");
            stage.deploys(&["--scale", "web=0"]);
            let (listener, port) = taken();
            drop(listener);
            stage.set("web.port", &port);
            stage.set("restart-policy", "no");
            stage.does("ps-scale", &["web=1"]);
            let address = format!("127.0.0.1:{port}");
            stage.keep(TcpListener::bind(address).expect("nobody has it"));
            stage.file("go", "");
            stage.until("web.1", &["crashed", "stopped"]);
        }),
        crash(kind, "what clients asked for stands in its log", NOBODY_KNOWS, "/usr/bin/python3 app.py", &[(
            "app.py",
            "import sys\nfor asked in ['bind%20failed:%20Address%20already%20in%20use', 'Permission denied', 'EADDRINUSE: address already in use :::5000']:\n    print(f'10.0.0.7 - - [28/Nov/2026:03:12:09 +0000] \"GET /search?q={asked} HTTP/1.1\" 200 512', file=sys.stderr)\nsys.exit(9)\n",
        )])
        .needing(PYTHON),
        fault(kind, "it is well, and the deploy before the last one failed", WELL, |stage| {
            stage.is_replaced_badly("echo 'ModuleNotFoundError: No module named shop' >&2; exit 1");
            stage.procfile(&format!("web: {QUIET} --say 3\n"));
            stage.deploys(&[]);
            eventually("it runs", || {
                let states = stage.home.states("shop");
                if states.values().all(|state| state == "running") { Ok(()) } else { Err(format!("{states:?}")) }
            });
        }),
    ]
}
