//! The fourteenth set. It was written together with the thirteenth, before its author had read a rule, and first run when the rules had
//! been mended for the thirteenth.

use crate::checks::{SERVER, checked};
use crate::code::{NODE, PYTHON, crash};
use crate::containers::{IMAGE, contained, container, deploy, until};
use crate::eleventh::{EATS, NOBODY_KNOWS, on_a_taken_port};
use crate::fault::{Fault, fault};
use crate::fifth::{GONE, PERL, compiled, python};
use crate::home;
use crate::ninth_programs::asks_postgres;
use crate::stage::{QUIET, Stage, as_text};
use crate::thirteenth::{GROUP, MEMORY, MODULE, NGINX, SPACE, TAKEN, WELL, nginx};

pub(crate) fn faults() -> Vec<Fault> {
    [servers(), checks(), memory(), files(), limits(), programs(), deploys(), containers(), nothing()]
        .into_iter()
        .flatten()
        .collect()
}

fn rust(stage: &Stage, text: &str) {
    stage.file("main.rs", text);
    stage.runs("rustc", &["-o", "server", "main.rs"]);
}

fn servers() -> Vec<Fault> {
    let kind = "fourteenth set: servers";
    vec![
        fault(kind, "haproxy, its port", TAKEN, |stage| {
            let listener = on_a_taken_port(stage);
            let port = listener.local_addr().expect("bound").port();
            stage.keep(listener);
            stage.file("haproxy.cfg", &format!("defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\nfrontend web\n  bind 127.0.0.1:{port}\n"));
            let program = skipped::server("usr/sbin/haproxy").expect("it is needed");
            let libraries = skipped::state_of_setup().join("consumers/usr/lib/x86_64-linux-gnu");
            stage.crashes(&format!("LD_LIBRARY_PATH={} {} -db -f haproxy.cfg", as_text(&libraries), program.display()), &[]);
        })
        .needing(&["usr/sbin/haproxy"]),
        fault(kind, "rust, its port", TAKEN, |stage| {
            rust(stage, "fn main() {\n    let port = std::fs::read_to_string(\"port\").unwrap();\n    let listener = std::net::TcpListener::bind(format!(\"127.0.0.1:{port}\")).expect(\"the shop listens\");\n    listener.accept().unwrap();\n}\n");
            stage.keep(on_a_taken_port(stage));
            stage.crashes("./server", &[]);
        })
        .needing(&["rustc"]),
        fault(kind, "nginx, the directory of its log", GONE, |stage| {
            let command = nginx(stage, "listen 127.0.0.1:5995;");
            stage.file("run.sh", &format!("sed -i 's|access_log off|access_log logs/access.log|' nginx.conf\nexec {command}\n"));
            stage.crashes("sh run.sh", &[]);
        })
        .needing(NGINX),
        fault(kind, "supervisord, the directory of its log", GONE, |stage| {
            let packages = skipped::state_of_setup().join("consumers/usr/lib/python3/dist-packages");
            stage.file("supervisord.conf", "[supervisord]\nnodaemon=true\nlogfile=log/supervisord.log\n[program:shop]\ncommand=/usr/bin/python3 app.py\n");
            stage.crashes(&format!("env PYTHONPATH={} /usr/bin/python3 -m supervisor.supervisord -c supervisord.conf", as_text(&packages)), &[]);
        })
        .needing(&["/usr/bin/python3", "usr/bin/supervisord"])
        .quoting(&["does not exist"]),
        asks_postgres(kind, "postgres, a database with a slip", &["database"], "postgresql://shop:right@127.0.0.1:PORT/shopp", "select 1;\n")
            .quoting(&["does not exist"]),
    ]
}

fn checks() -> Vec<Fault> {
    let kind = "fourteenth set: checks";
    vec![
        fault(kind, "nginx closes the connection without an answer", &["answer", "closed", "reset", "check"], |stage| {
            let _listening = home::listening();
            stage.exists();
            let command = nginx(stage, "listen 127.0.0.1:PORT; return 444;");
            stage.file("run.sh", &format!("sed -i \"s/127.0.0.1:PORT/127.0.0.1:$PORT/\" nginx.conf\nexec {command}\n"));
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/up", "attempts": 2, "wait": 1}"#));
            stage.procfile("web: sh run.sh\n");
            stage.fails_to_deploy(&["--scale", "web=1"]);
        })
        .needing(NGINX),
        fault(kind, "its readiness says 503 while it cannot reach its database", &["503", "refuse"], |stage| {
            let _listening = home::listening();
            stage.file("server.py", "import http.server, os, socket, sys\nclass Handler(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        try:\n            if os.path.exists('away'):\n                socket.create_connection(('127.0.0.1', 1))\n            self.send_response(200)\n        except OSError as error:\n            print(f'database: {error}', file=sys.stderr, flush=True)\n            self.send_response(503)\n        self.send_header('Content-Length', '0')\n        self.end_headers()\nhttp.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()\n");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "readiness", "path": "/", "interval": 1, "threshold": 1, "timeout": 2}"#));
            stage.procfile("web: /usr/bin/python3 server.py\n");
            stage.deploys(&[]);
            stage.file("away", "");
            stage.until("web.1", &["unready"]);
        })
        .needing(PYTHON),
        fault(kind, "it says that it is ready to a log, and not to its supervisor", &["ready=1", "notify", "ready"], |stage| {
            stage.crashes("perl -e '$| = 1; print \"ready\\n\"; sleep 3600'", &[("web.ready", "notify"), ("web.start-timeout-seconds", "2")]);
        })
        .needing(PERL),
    ]
}

fn memory() -> Vec<Fault> {
    let kind = "fourteenth set: memory";
    vec![
        fault(kind, "rust behind tini", MEMORY, |stage| {
            rust(stage, "fn main() {\n    let mut kept: Vec<Vec<u8>> = Vec::new();\n    loop {\n        kept.push(vec![1; 1 << 20]);\n    }\n}\n");
            stage.crashes("tini -- ./server", &[("web.memory-max", "40m")]);
        })
        .needing(&["cgroup", "rustc", "/usr/bin/tini"]),
        fault(kind, "python that says so in its own words", &["memory"], |stage| {
            stage.file("app.py", "import sys\ntry:\n    kept = [bytearray(1 << 20) for _ in range(4000)]\nexcept MemoryError:\n    sys.exit('shop: not enough memory for the catalogue')\n");
            stage.crashes("ulimit -v 300000; exec /usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON)
        .quoting(&["not enough memory"]),
        fault(kind, "a worker that is started again, while web is well", &["well", "healthy", "nothing is wrong", "memory"], |stage| {
            stage.file("eats.py", &format!("import os, time\nif os.path.exists('once'):\n    time.sleep(3600)\nopen('once', 'w').close()\n{EATS}"));
            stage.procfile(&format!("web: {QUIET}\nworker: /usr/bin/python3 eats.py\n"));
            stage.deploys(&["--scale", "web=1", "worker=0"]);
            stage.set("worker.memory-max", "40m");
            stage.tries("ps-scale", &["worker=1"]);
            stage.until_row("worker.1", |row| row["state"] == "running" && row["restarts"] == 1);
        })
        .needing(GROUP),
    ]
}

fn files() -> Vec<Fault> {
    let kind = "fourteenth set: modules, variables and files";
    vec![
        python(kind, "python, the words of a framework", MODULE, &[(
            "app.py",
            "def main():\n    try:\n        from flask_of_nobody.management import execute\n    except ImportError as error:\n        raise ImportError(\"Couldn't import Flask. Are you sure it's installed? Did you forget to activate a virtual environment?\") from error\n    execute()\nmain()\n",
        )]),
        crash(kind, "sh, a file of functions", GONE, "sh run.sh", &[("run.sh", "echo 'starting the shop'\n. lib/functions.sh\nserve\n")]),
        crash(kind, "a file of variables that was edited on Windows", &["line ending", "carriage", "value", "invalid"], "sh run.sh", &[
            ("run.sh", "set -e\n. ./shop.env\necho \"waiting $SHOP_PAUSE s for the database\"\nsleep \"$SHOP_PAUSE\"\nexec sleep 3600\n"),
            ("shop.env", "SHOP_REGION=eu\r\nSHOP_PAUSE=1\r\n"),
        ])
        .quoting(&["invalid time interval"]),
        crash(kind, "npm, sh and python, a variable", &["variable", "not set"], "npm start", &[
            ("package.json", "{\"name\": \"shop\", \"version\": \"1.0.0\", \"scripts\": {\"start\": \"sh run.sh\"}}\n"),
            ("run.sh", "echo 'starting the shop'\n/usr/bin/python3 app.py || exit $?\n"),
            ("app.py", "import os\nprint('connecting to', os.environ['SHOP_DATABASE'])\n"),
        ])
        .needing(&["/usr/bin/npm", "/usr/bin/python3"]),
    ]
}

fn limits() -> Vec<Fault> {
    let kind = "fourteenth set: limits";
    vec![
        fault(kind, "sort finds no room for what it sorts", SPACE, |stage| {
            stage.mount("data", "size=64k,mode=777");
            stage.file("run.sh", "set -e\nseq 1 400000 >orders\nsort -S 100k -T data -r orders >sorted\nexec sleep 3600\n");
            stage.crashes("sh run.sh", &[]);
        })
        .needing(&["root"]),
        fault(kind, "mktemp finds no inode", &["inode"], |stage| {
            stage.mount("data", "size=10m,nr_inodes=12,mode=777");
            stage.file("run.sh", "set -e\nexport TMPDIR=$PWD/data\nfor n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do mktemp -d >/dev/null; done\nexec sleep 3600\n");
            stage.crashes("sh run.sh", &[]);
        })
        .needing(&["root"]),
        fault(kind, "tcl, files", &["open files", "descriptor"], |stage| {
            stage.file("app.tcl", "set kept {}\nfor {set n 0} {$n < 100} {incr n} { lappend kept [open app.tcl] }\n");
            stage.crashes("tclsh app.tcl", &[("web.limit-nofile", "30")]);
        })
        .needing(&["/usr/bin/tclsh"]),
        fault(kind, "java, threads", &["process limit", "threads"], |stage| {
            stage.file("Main.java", "class Main { public static void main(String[] words) throws Exception { for (int n = 0; n < 100; n++) { Thread one = new Thread(() -> { try { Thread.sleep(3600000); } catch (InterruptedException error) { } }); one.setDaemon(true); one.start(); } } }\n");
            stage.runs("javac", &["Main.java"]);
            stage.crashes("java -XX:+UseSerialGC -cp . Main", &[("web.pids-max", "40")]);
        })
        .needing(&["cgroup", "/usr/bin/javac"]),
    ]
}

fn programs() -> Vec<Fault> {
    let kind = "fourteenth set: programs";
    vec![
        fault(kind, "java, a number of its settings, in a class that is begun", &["value", "number", "invalid"], |stage| {
            stage.file("Main.java", "class Main { public static void main(String[] words) { System.out.println(\"starting\"); System.out.println(Settings.WORKERS); } }\nclass Settings { static final int WORKERS = Integer.parseInt(\"four\"); }\n");
            stage.runs("javac", &["Main.java"]);
            stage.crashes("java -cp . Main", &[]);
        })
        .needing(&["/usr/bin/javac"])
        .quoting(&["for input string"]),
        python(kind, "python, a pool whose worker meets nobody", &["refuse", "unreachable"], &[(
            "app.py",
            "import multiprocessing, socket\ndef load(port):\n    socket.create_connection(('127.0.0.1', port))\nif __name__ == '__main__':\n    with multiprocessing.Pool(2) as pool:\n        pool.map(load, [1, 1])\n",
        )]),
        crash(kind, "setpriv, a user of another machine", &["user", "credential"], "setpriv --reuid shopkeeper --clear-groups sleep 3600", &[])
            .quoting(&["reuid"]),
        fault(kind, "c, its first process is killed by its second", &["outside", "another", "sigkill"], |stage| {
            compiled(stage, "#include <signal.h>\n#include <unistd.h>\nint main(void) { if (fork() == 0) { sleep(2); kill(getppid(), SIGKILL); _exit(0); } for (;;) pause(); }\n", &[]);
            stage.procfile("web: ./server\n");
            stage.deploys(&["--scale", "web=0"]);
            stage.set("restart-policy", "no");
            stage.does("ps-scale", &["web=1"]);
            stage.until("web.1", &["crashed", "stopped"]);
        })
        .needing(&["/usr/bin/cc"]),
    ]
}

fn deploys() -> Vec<Fault> {
    let kind = "fourteenth set: deploys";
    vec![
        fault(kind, "make runs a migration for a table that nobody made", &["release", "table"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.file(
                "Makefile",
                "migrate:\n\t@echo migrating\n\tsqlite3 shop.db 'alter table orders add column note text'\n",
            );
            stage.procfile(&format!("release: make migrate\nweb: {QUIET} --say 2\n"));
            stage.fails_to_deploy(&[]);
        })
        .needing(&["/usr/bin/make", "/usr/bin/sqlite3"]),
        fault(
            kind,
            "node, a new release whose settings are no JSON",
            &["json", "syntax", "pars", "config"],
            |stage| {
                stage.file(
                    "config.json",
                    "{\"port\": 5000,\n \"title\": \"Our Shop\"\n \"region\": \"eu\"}\n",
                );
                stage.file(
                    "app.js",
                    "const config = require('./config.json');\nsetInterval(() => config, 1000);\n",
                );
                stage.is_replaced_badly("node app.js");
            },
        )
        .needing(NODE),
    ]
}

fn containers() -> Vec<Fault> {
    let kind = "fourteenth set: containers";
    [
        fault(kind, "it listens on a port of its own choice, and its check asks for another", &["port", "refuse", "listen"], |stage| {
            contained(stage, "sleep 3600", &["--scale", "web=0"]);
            stage.file("app.json", r#"{"healthchecks": {"web": [{"type": "startup", "path": "/", "attempts": 2, "wait": 1}]}}"#);
            stage.procfile("web: exec busybox httpd -f -p 8099\n");
            let ran = deploy(stage, &["--scale", "web=1"]);
            assert!(ran.status != Some(0), "{ran:?}");
        }),
        fault(kind, "its base image has a slip", &["image", "build"], |stage| {
            contained(stage, "sleep 3600", &["--scale", "web=0"]);
            stage.file("Dockerfile", &format!("FROM {}\nCOPY . ./\n", IMAGE.replace("busybox", "bussybox")));
            let ran = deploy(stage, &["--scale", "web=1"]);
            assert!(ran.status != Some(0), "{ran:?}");
        }),
        fault(kind, "a variable that a script of its wants, and a worker that is well", &["variable", "not set", "parameter"], |stage| {
            contained(stage, "sleep 3600", &["--scale", "web=0"]);
            stage.file("run.sh", "set -u\nsleep 2\necho \"connecting to $SHOP_DATABASE\"\n");
            stage.procfile("web: sh run.sh\nworker: exec sleep 3600\n");
            let ran = deploy(stage, &["--scale", "web=0", "worker=1"]);
            assert_eq!(ran.status, Some(0), "{ran:?}");
            stage.set("restart-policy", "no");
            stage.tries("ps-scale", &["web=1"]);
            until(&container(stage), ".State.Status", "exited");
        }),
    ]
    .into_iter()
    .map(|fault| fault.needing(&["engine"]))
    .collect()
}

fn nothing() -> Vec<Fault> {
    let kind = "fourteenth set: nothing is wrong, or nobody can know";
    vec![
        crash(kind, "it killed sessions, and ends", NOBODY_KNOWS, "sh run.sh", &[(
            "run.sh",
            "echo 'Killed 3 stale sessions of user 12' >&2\necho 'memory: 120 of 400 MB, out of which 20 are cache' >&2\nexit 1\n",
        )]),
        python(kind, "a server was away, and was there later", NOBODY_KNOWS, &[(
            "app.py",
            "import socket, sys\nfor _ in range(2):\n    try:\n        socket.create_connection(('127.0.0.1', 1))\n    except OSError as error:\n        print(f'database: {error}', file=sys.stderr)\nserver = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(server.getsockname())\nprint('database: connected', file=sys.stderr)\nprint('12 orders were sent', file=sys.stderr)\nsys.exit(4)\n",
        )]),
        fault(kind, "a disk was full for a moment, and it is well", WELL, |stage| {
            stage.mount("data", "size=64k,mode=777");
            stage.file("app.py", "import os, time\ntry:\n    with open('data/cache', 'wb') as cache:\n        cache.write(bytes(1 << 20))\nexcept OSError as error:\n    print(f'cache: {error}', flush=True)\nos.remove('data/cache')\nopen('said', 'w').close()\ntime.sleep(3600)\n");
            stage.procfile("web: /usr/bin/python3 app.py\n");
            stage.deploys(&[]);
            stage.until_file("said");
        })
        .needing(&["root", "/usr/bin/python3"]),
        fault(kind, "a job that counted errors is done", &["finished"], |stage| {
            stage.procfile("job: echo 'import: 2 errors, 17 orders'; sleep 1.2\n");
            stage.deploys(&["--scale", "job=0"]);
            stage.set("restart-policy", "no");
            stage.does("ps-scale", &["job=1"]);
            stage.until("job.1", &["stopped"]);
        }),
        fault(kind, "another app was stopped, and this one is well", WELL, |stage| {
            let _listening = home::listening();
            let other = stage.home.source("bill", &format!("web: {QUIET}\n"));
            stage.home.does(&["ps-lifecycle", "deploy", "bill", "--dir", &other]);
            stage.home.does(&["ps-lifecycle", "stop", "bill"]);
            stage.file("server.py", SERVER);
            stage.file("mode", "200");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "wait": 1}"#));
            stage.procfile("web: /usr/bin/python3 server.py\n");
            stage.deploys(&[]);
        })
        .needing(PYTHON),
    ]
}
