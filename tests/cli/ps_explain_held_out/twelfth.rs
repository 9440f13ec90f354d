//! The twelfth set. It was written together with the eleventh, before its author had read a rule, and first run when the rules had been
//! mended for the eleventh.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::certificates::Made;
use crate::checks::checked;
use crate::code::{PYTHON, crash};
use crate::containers::{contained, container, deploy, until};
use crate::eleventh::{EATS, NOBODY_KNOWS, on_a_taken_port};
use crate::fault::{Fault, fault};
use crate::fifth::{GONE, compiled, python};
use crate::home;
use crate::network::taken;
use crate::ninth::a_moment;
use crate::stage::QUIET;

const TAKEN: &[&str] = &["in use", "taken"];
const WELL: &[&str] = &["well", "healthy", "nothing is wrong"];
const NO_PROGRAM: &[&str] = &["program missing", "not found", "no such program", "does not exist"];

pub(crate) fn faults() -> Vec<Fault> {
    [signals(), deploys(), long_ago(), languages(), programs(), containers(), nothing()]
        .into_iter()
        .flatten()
        .collect()
}

fn signals() -> Vec<Fault> {
    let kind = "twelfth set: signals";
    vec![
        crash(
            kind,
            "a timer of its own rings",
            &["alarm", "timer"],
            "perl app.pl",
            &[("app.pl", "$| = 1;\nprint \"loading prices\\n\";\nalarm 1;\nsleep 3600;\n")],
        )
        .needing(&["/usr/bin/perl"]),
        fault(kind, "a rotation of logs sends what it does not know", &["sigusr1", "outside"], |stage| {
            stage.procfile(&format!("web: sleep 3600\nworker: {QUIET}\n"));
            stage.deploys(&["--scale", "web=1", "worker=1"]);
            stage.set("restart-policy", "no");
            stage.does("restart", &[]);
            stage.signals("web.1", Signal::USR1);
            stage.until("web.1", &["crashed", "stopped"]);
        }),
        fault(
            kind,
            "somebody ended the second worker, and the rest is well",
            &["operator", "ps-lifecycle signal", "root"],
            |stage| {
                stage.procfile(&format!("web: {QUIET}\nworker: sleep 3600\n"));
                stage.deploys(&["--scale", "web=1", "worker=2"]);
                stage.set("restart-policy", "no");
                stage.does("restart", &[]);
                let ran = stage.home.run(&["ps-lifecycle", "signal", "INT", "shop", "worker.2"]);
                assert_eq!(ran.status, Some(0), "{ran:?}");
                stage.until("worker.2", &["crashed", "stopped"]);
            },
        ),
    ]
}

fn deploys() -> Vec<Fault> {
    let kind = "twelfth set: deploys";
    vec![
        fault(kind, "its release is killed for its memory", &["memory", "release"], |stage| {
            stage.exists();
            stage.file("eats.py", EATS);
            stage.procfile(&format!("release: sh -c 'ulimit -v 200000; /usr/bin/python3 eats.py'\nweb: {QUIET}\n"));
            stage.fails_to_deploy(&[]);
        })
        .needing(PYTHON),
        fault(kind, "its check speaks http, and it speaks tls", &["tls", "https", "http", "answer"], |stage| {
            let _listening = home::listening();
            Made::of("localhost").put(&stage.path("tls"));
            stage.file("app.js", "const fs = require('fs');\nrequire('https').createServer({ cert: fs.readFileSync('tls/server.crt'), key: fs.readFileSync('tls/server.key') }, (asked, answer) => answer.end('ok')).listen(process.env.PORT, '127.0.0.1');\n");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "attempts": 2, "wait": 1}"#));
            stage.fails_when_deployed("node app.js", &[]);
        })
        .needing(&["/usr/bin/node"]),
        fault(kind, "its release hid that a migration failed", &["table", "schema", "migrat"], |stage| {
            stage.file("release.sh", "sqlite3 shop.db 'create table orders (id integer;' || echo 'release is done'\n");
            stage.file("app.py", "import sqlite3\nprint(sqlite3.connect('shop.db').execute('select count(*) from orders').fetchone())\n");
            stage.exists();
            stage.procfile("release: sh release.sh\nweb: /usr/bin/python3 app.py\n");
            stage.fails_to_deploy(&["--scale", "web=1"]);
        })
        .needing(&["/usr/bin/python3", "/usr/bin/sqlite3"]),
        fault(kind, "a limit of descriptors was too low, and is higher now", WELL, |stage| {
            stage.file("app.py", "import time\nkept = [open('app.py') for _ in range(60)]\nprint('serving', flush=True)\ntime.sleep(3600)\n");
            stage.crashes("/usr/bin/python3 app.py", &[("web.limit-nofile", "30")]);
            stage.set("web.limit-nofile", "200");
            stage.does("start", &[]);
            stage.until("web.1", &["running"]);
        })
        .needing(PYTHON),
    ]
}

fn long_ago() -> Vec<Fault> {
    let kind = "twelfth set: long ago";
    vec![
        fault(kind, "its port was taken then, and is free now", TAKEN, |stage| {
            stage.file("app.py", "import os, socket, time\nserver = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\ntime.sleep(3600)\n");
            let (listener, port) = taken();
            stage.crashes("/usr/bin/python3 app.py", &[("web.port", &port)]);
            let then = a_moment();
            drop::<TcpListener>(listener);
            stage.does("start", &[]);
            stage.until("web.1", &["running"]);
            stage.about(&["web.1", "--at", &then]);
        })
        .needing(PYTHON),
        fault(kind, "somebody ended it then, and started it again", &["operator", "ps-lifecycle signal"], |stage| {
            stage.procfile("web: sleep 3600\n");
            stage.deploys(&[]);
            stage.set("restart-policy", "no");
            stage.does("restart", &[]);
            let ran = stage.home.run(&["ps-lifecycle", "signal", "KILL", "shop", "web.1"]);
            assert_eq!(ran.status, Some(0), "{ran:?}");
            stage.until("web.1", &["crashed", "stopped"]);
            let then = a_moment();
            stage.does("start", &[]);
            stage.until("web.1", &["running"]);
            stage.about(&["--at", &then]);
        }),
    ]
}

fn languages() -> Vec<Fault> {
    let kind = "twelfth set: languages";
    vec![
        fault(kind, "c++, a thread too many", &["process limit"], |stage| {
            stage.file("main.cc", "#include <chrono>\n#include <thread>\n#include <vector>\nint main() { std::vector<std::thread> kept; for (;;) kept.emplace_back([] { std::this_thread::sleep_for(std::chrono::hours(1)); }); }\n");
            stage.runs("g++", &["-pthread", "-o", "server", "main.cc"]);
            stage.crashes("./server", &[("web.pids-max", "20")]);
        })
        .needing(&["cgroup", "/usr/bin/g++"]),
        fault(kind, "java, a heap that its group does not grant", &["memory"], |stage| {
            stage.file("Main.java", "class Main { public static void main(String[] words) { java.util.List<byte[]> kept = new java.util.ArrayList<>(); for (;;) { byte[] one = new byte[1 << 20]; java.util.Arrays.fill(one, (byte) 1); kept.add(one); } } }\n");
            stage.runs("javac", &["Main.java"]);
            stage.crashes("java -XX:+UseSerialGC -Xmx600m -cp . Main", &[("web.memory-max", "120m")]);
        })
        .needing(&["cgroup", "/usr/bin/javac"]),
        fault(kind, "java, a directory that somebody removed", GONE, |stage| {
            stage.file("Main.java", "import java.nio.file.*;\nclass Main { public static void main(String[] words) throws Exception { System.out.println(\"starting\"); Files.writeString(Path.of(\"uploads/today/index\"), \"none\"); } }\n");
            stage.runs("javac", &["Main.java"]);
            stage.crashes("java -cp . Main", &[]);
        })
        .needing(&["/usr/bin/javac"]),
        crash(kind, "perl, a slip in a name", &["syntax", "compil", "pars"], "perl app.pl", &[(
            "app.pl",
            "use strict;\nuse warnings;\nmy $port = $ENV{PORT};\nprint \"listening on $prot\\n\";\nsleep 3600;\n",
        )])
        .needing(&["/usr/bin/perl"])
        .quoting(&["global symbol"]),
        python(kind, "python, a value that its own words refuse", &["value", "setting", "config", "exception"], &[(
            "app.py",
            "import argparse\nparser = argparse.ArgumentParser(prog='shop')\nparser.add_argument('--workers', type=int, default='four')\nprint(parser.parse_args())\n",
        )])
        .quoting(&["invalid int value"]),
    ]
}

fn programs() -> Vec<Fault> {
    let kind = "twelfth set: programs and wrappers";
    vec![
        fault(kind, "python's own server, behind env and nice", TAKEN, |stage| {
            stage.keep(on_a_taken_port(stage));
            stage.crashes("env PYTHONUNBUFFERED=1 nice -n 5 /usr/bin/python3 -m http.server --bind 127.0.0.1 $(cat port)", &[]);
        })
        .needing(PYTHON),
        crash(kind, "nohup does not find the program", NO_PROGRAM, "nohup gunicornn app:app", &[]),
        crash(kind, "fish does not find the program", NO_PROGRAM, "fish run.fish", &[("run.fish", "echo starting\ngunicornn --bind :5000 app:app; or exit 127\n")])
            .needing(&["/usr/bin/fish"]),
        fault(kind, "a script swallows what it starts, which has its port taken", TAKEN, |stage| {
            stage.file("run.sh", "for n in 1 2 3; do\n  tclsh app.tcl && exit 0\n  echo \"attempt $n of 3 did not work\"\n  sleep 0.2\ndone\nexit 70\n");
            stage.file("app.tcl", "socket -server accept -myaddr 127.0.0.1 [exec cat port]\nvwait forever\n");
            stage.keep(on_a_taken_port(stage));
            stage.crashes("sh run.sh", &[]);
        })
        .needing(&["/usr/bin/tclsh"]),
        fault(kind, "c, a file of its data that only root may read", &["permission", "may not"], |stage| {
            stage.file("prices", "3\n");
            stage.runs("chmod", &["755", "..", "."]);
            stage.runs("chmod", &["600", "prices"]);
            compiled(stage, "#include <err.h>\n#include <stdio.h>\nint main(void) { FILE *prices = fopen(\"prices\", \"r\"); if (!prices) err(66, \"cannot read prices\"); return 0; }\n", &[]);
            stage.crashes("./server", &[("web.user", "nobody")]);
        })
        .needing(&["root", "cc"]),
    ]
}

fn containers() -> Vec<Fault> {
    let kind = "twelfth set: containers";
    [
        fault(
            kind,
            "a script of its image may not be executed",
            &["permission", "executable", "may not"],
            |stage| {
                contained(stage, "sleep 3600", &["--scale", "web=0"]);
                stage.file("start.sh", "#!/bin/sh\nexec sleep 3600\n");
                stage.runs("chmod", &["644", "start.sh"]);
                stage.procfile("web: exec ./start.sh\n");
                let ran = deploy(stage, &["--scale", "web=1"]);
                assert!(ran.status != Some(0), "{ran:?}");
            },
        ),
        fault(kind, "nobody listens where its engine should be", &["engine", "docker"], |stage| {
            contained(stage, "sleep 3600", &[]);
            stage.with("DOCKER_HOST", &format!("tcp://127.0.0.1:{}", crate::asking::some_address().port()));
        }),
        fault(kind, "it was started again as often as it may", &["status 7"], |stage| {
            contained(stage, "sh -c 'sleep 2; echo boom >&2; exit 7'", &["--scale", "web=0"]);
            stage.set("restart-policy", "on-failure:2");
            stage.tries("ps-scale", &["web=1"]);
            let id = container(stage);
            until(&id, "and (eq .RestartCount 2) (eq .State.Status \"exited\")", "true");
        }),
    ]
    .into_iter()
    .map(|fault| fault.needing(&["engine"]))
    .collect()
}

fn nothing() -> Vec<Fault> {
    let kind = "twelfth set: nothing is wrong, or nobody can know";
    vec![
        crash(kind, "it tells what others asked for help with", NOBODY_KNOWS, "sh run.sh", &[(
            "run.sh",
            "echo 'ticket 12: my laptop says Out of memory: Killed process 4711 (ruby)' >&2\necho 'ticket 13: connect ECONNREFUSED 127.0.0.1:5432, what now?' >&2\necho '2 tickets were read' >&2\nexit 3\n",
        )]),
        fault(kind, "java warns with a stack of calls, and goes on", WELL, |stage| {
            stage.file("Main.java", "import java.util.logging.*;\nclass Main { public static void main(String[] words) throws Exception {\n  try { new java.net.Socket(\"127.0.0.1\", 1); } catch (java.io.IOException error) { Logger.getLogger(\"shop\").log(Level.SEVERE, \"no cache\", error); }\n  java.nio.file.Files.writeString(java.nio.file.Path.of(\"said\"), \"\");\n  Thread.sleep(3600000);\n} }\n");
            stage.runs("javac", &["Main.java"]);
            stage.procfile("web: java -cp . Main\n");
            stage.deploys(&[]);
            stage.until_file("said");
        })
        .needing(&["/usr/bin/javac"]),
        crash(kind, "its last words are good ones", NOBODY_KNOWS, "sh run.sh", &[(
            "run.sh",
            "echo 'connected to the database'\necho 'Server listening on port 5000'\necho '0 errors, 0 warnings'\nexit 1\n",
        )]),
        fault(kind, "a file of variables was changed since, and it ends without a word", NOBODY_KNOWS, |stage| {
            stage.file(".env", "SHOP_REGION=eu\n");
            stage.procfile("web: until test -e go; do sleep 0.1; done; exit 6\n");
            stage.deploys(&[]);
            stage.set("restart-policy", "no");
            stage.does("restart", &[]);
            stage.file(".env", "SHOP_REGION=us\n");
            stage.file("go", "");
            stage.until("web.1", &["crashed", "stopped"]);
        }),
    ]
}
