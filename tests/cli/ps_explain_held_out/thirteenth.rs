//! The thirteenth set: variants of the usual causes by other programs, behind other wrappers, and seven in which nothing is wrong or
//! nobody can know. It was written together with the fourteenth by somebody who had not read the rules, before any of them was run.

use rustix::process::Signal;

use crate::checks::{SERVER, checked};
use crate::code::{NODE, PYTHON, crash};
use crate::containers::{contained, container, deploy, docker, until};
use crate::eleventh::{EATS, NOBODY_KNOWS, on_a_taken_port};
use crate::ends::{GO, go};
use crate::fault::{Fault, fault};
use crate::fifth::{GONE, PERL, node};
use crate::home::{self, eventually};
use crate::stage::{QUIET, Stage, as_text};

pub(crate) const TAKEN: &[&str] = &["in use", "taken"];
pub(crate) const MEMORY: &[&str] = &["memory", "address space"];
pub(crate) const MODULE: &[&str] = &["module", "import", "package", "class"];
pub(crate) const SPACE: &[&str] = &["space", "disk full", "disk is full", "is full"];
pub(crate) const WELL: &[&str] = &["well", "healthy", "nothing is wrong"];
/// What `scripts/setup` has unpacked.
pub(crate) const NGINX: &[&str] = &["usr/sbin/nginx"];
pub(crate) const GROUP: &[&str] = &["cgroup", "/usr/bin/python3"];

pub(crate) fn faults() -> Vec<Fault> {
    [ports(), checks(), memory(), files(), limits(), signals(), wrappers(), containers(), nothing()]
        .into_iter()
        .flatten()
        .collect()
}

/// A real nginx with this server in its configuration; the command that runs it.
pub(crate) fn nginx(stage: &Stage, server: &str) -> String {
    let program = skipped::server(NGINX[0]).expect("it is needed");
    let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("  {name}_temp_path tmp/{name};\n"))
        .concat();
    stage.runs("mkdir", &["-p", "tmp"]);
    stage.file(
        "nginx.conf",
        &format!(
            "pid nginx.pid;\nevents {{}}\nhttp {{\n  access_log off;\n{places}  server {{ {server} }}\n}}\n"
        ),
    );
    format!("{} -p {} -e stderr -c nginx.conf -g 'daemon off;'", program.display(), as_text(&stage.path("")))
}

fn ports() -> Vec<Fault> {
    let kind = "thirteenth set: ports";
    vec![
        fault(kind, "nginx tries five times to get its port", TAKEN, |stage| {
            let listener = on_a_taken_port(stage);
            let port = listener.local_addr().expect("bound").port();
            stage.keep(listener);
            let command = nginx(stage, &format!("listen 127.0.0.1:{port};"));
            stage.crashes(&command, &[]);
        })
        .needing(NGINX),
        fault(kind, "a server of many workers tells it as errors of a log", TAKEN, |stage| {
            stage.file("app.py", "import logging, socket, sys, time\nlogging.basicConfig(format='[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s', level='INFO')\naddress = ('127.0.0.1', int(open('port').read()))\nlogging.info('Starting shop 21.2')\nfor _ in range(3):\n    try:\n        server = socket.create_server(address)\n        break\n    except OSError:\n        logging.error('Connection in use: %s', address)\n        logging.error('Retrying in 1 second.')\n        time.sleep(0.3)\nelse:\n    logging.error(\"Can't connect to %s\", address)\n    sys.exit(1)\n");
            stage.keep(on_a_taken_port(stage));
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON)
        .quoting(&["connection in use"]),
        fault(kind, "node listens where its settings say, behind bash and env", &["listens on port", "another port", "wrong port"], |stage| {
            let _listening = home::listening();
            let port = crate::asking::some_address().port();
            stage.file("app.js", "require('http').createServer((asked, answer) => answer.end('ok')).listen(require('./config.json').port, '127.0.0.1', () => console.log('the shop is open'));\n");
            stage.file("config.json", &format!("{{\"port\": {port}}}\n"));
            stage.crashes("bash -c 'env NODE_ENV=production node app.js'", &[("web.ready", "listening"), ("web.start-timeout-seconds", "4")]);
        })
        .needing(NODE),
        fault(kind, "npm starts node, which reads its index for too long", &["listen", "time", "slow", "ready"], |stage| {
            let _listening = home::listening();
            stage.file("package.json", "{\"name\": \"shop\", \"version\": \"1.0.0\", \"scripts\": {\"start\": \"node server.js\"}}\n");
            stage.file("server.js", "let n = 0;\nsetInterval(() => console.log(`index: segment ${++n} of 4000 was read`), 100);\nsetTimeout(() => require('http').createServer().listen(process.env.PORT), 400000);\n");
            stage.exists();
            stage.set("web.ready", "listening");
            stage.set("web.start-timeout-seconds", "4");
            stage.procfile("web: npm start\n");
            stage.fails_to_deploy(&["--scale", "web=1"]);
        })
        .needing(&["/usr/bin/node", "/usr/bin/npm"]),
    ]
}

fn checks() -> Vec<Fault> {
    let kind = "thirteenth set: checks";
    vec![
        fault(kind, "nginx answers 502, because what is behind it is away", &["502", "refuse", "upstream"], |stage| {
            let _listening = home::listening();
            stage.exists();
            let closed = crate::asking::some_address().port();
            let server = format!("listen 127.0.0.1:PORT; location / {{ proxy_pass http://127.0.0.1:{closed}; }}");
            let command = nginx(stage, &server);
            stage.file("run.sh", &format!("sed -i \"s/127.0.0.1:PORT/127.0.0.1:$PORT/\" nginx.conf\nexec {command}\n"));
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "attempts": 2, "wait": 1}"#));
            stage.procfile("web: sh run.sh\n");
            stage.fails_to_deploy(&["--scale", "web=1"]);
        })
        .needing(NGINX),
        fault(kind, "its check has no password", &["401"], |stage| {
            let _listening = home::listening();
            stage.file("server.py", SERVER);
            stage.file("mode", "401");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/admin", "attempts": 2, "wait": 1}"#));
            stage.fails_when_deployed("/usr/bin/python3 server.py", &[]);
        })
        .needing(PYTHON),
        fault(kind, "it listens, and then waits for a lock that it holds itself", &["answer", "time"], |stage| {
            let _listening = home::listening();
            stage.file("app.py", "import os, socket, threading\nserver = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\nprint('listening', flush=True)\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()\n");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "attempts": 1, "wait": 1, "timeout": 1}"#));
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON),
        fault(kind, "its liveness fails, and it wrote the trace of each request", &["500"], |stage| {
            let _listening = home::listening();
            stage.file("app.js", "const fs = require('fs');\nrequire('http').createServer((asked, answer) => {\n  try { fs.readFileSync('prices'); answer.end('ok'); } catch (error) { console.error(`${asked.method} ${asked.url}`, error); answer.statusCode = 500; answer.end(); }\n}).listen(process.env.PORT, '127.0.0.1');\n");
            stage.file("prices", "");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "liveness", "path": "/", "interval": 1, "threshold": 2, "timeout": 2}"#));
            stage.procfile("web: node app.js\n");
            stage.deploys(&[]);
            stage.set("restart-policy", "no");
            stage.does("restart", &[]);
            stage.runs("rm", &["prices"]);
            stage.until("web.1", &["crashed", "stopped"]);
        })
        .needing(NODE),
    ]
}

fn memory() -> Vec<Fault> {
    let kind = "thirteenth set: memory";
    vec![
        fault(kind, "node, a worker of a cluster is killed, and the first process gives up", MEMORY, |stage| {
            stage.file("app.js", "const cluster = require('cluster');\nif (cluster.isPrimary) {\n  cluster.fork();\n  cluster.on('exit', (worker, code, signal) => { console.error(`worker ${worker.process.pid} died (${signal || code})`); process.exit(1); });\n} else {\n  const kept = [];\n  setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 5);\n}\n");
            stage.crashes("node app.js", &[("web.memory-max", "160m")]);
        })
        .needing(&["cgroup", "/usr/bin/node"]),
        fault(kind, "awk keeps every line", MEMORY, |stage| {
            stage.file("count.awk", "BEGIN { while (1) { n++; kept[n] = sprintf(\"%1000d\", n) } }\n");
            stage.crashes("awk -f count.awk", &[("web.memory-max", "40m")]);
        })
        .needing(&["cgroup", "/usr/bin/awk"]),
        fault(kind, "the second instance alone", MEMORY, |stage| {
            stage.file("app.py", &format!("import os, time\nif os.environ['DYNO'] == 'web.1':\n    time.sleep(3600)\n{EATS}"));
            stage.procfile("web: /usr/bin/python3 app.py\n");
            stage.deploys(&["--scale", "web=0"]);
            stage.set("restart-policy", "on-failure:1");
            stage.set("web.memory-max", "40m");
            stage.does("ps-scale", &["web=1"]);
            stage.tries("ps-scale", &["web=2"]);
            stage.until("web.2", &["crashed"]);
        })
        .needing(GROUP),
        fault(kind, "go, no address space for its heap", MEMORY, |stage| {
            stage.file("run.sh", "ulimit -v 90000\nexec ./server\n");
            stage.file("main.go", "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tvar kept [][]byte\n\tfor {\n\t\tkept = append(kept, make([]byte, 1<<20))\n\t\tfmt.Println(len(kept))\n\t}\n}\n");
            stage.runs("env", &["GO111MODULE=off", GO[0], "build", "-o", "server", "main.go"]);
            stage.crashes("sh run.sh", &[]);
        })
        .needing(GO),
    ]
}

fn files() -> Vec<Fault> {
    let kind = "thirteenth set: modules, variables and directories";
    vec![
        crash(kind, "bash does not find the virtual environment", GONE, "bash -c 'source venv/bin/activate && exec python3 app.py'", &[("app.py", "print(1)\n")]),
        crash(kind, "node, a module that is loaded before the program", MODULE, "node -r dotenv/config app.js", &[("app.js", "setInterval(() => {}, 1000);\n")])
            .needing(NODE),
        crash(kind, "perl, a module of its command line", MODULE, "env PERL5OPT= perl -MStarman::Server app.pl", &[("app.pl", "sleep 3600;\n")])
            .needing(PERL),
        crash(kind, "a file of variables with one quote", &["env invalid", "production.env", "quot", "syntax"], "sh run.sh", &[
            ("run.sh", "set -a\n. ./production.env\nset +a\nexec sleep 3600\n"),
            ("production.env", "SHOP_REGION=eu\nSHOP_GREETING=\"good morning\nSHOP_PORT=5000\n"),
        ]),
        fault(kind, "a link to a release that was removed", &["directory", "missing", "does not exist", "not found"], |stage| {
            stage.runs("ln", &["-s", "releases/20261127", "current"]);
            stage.crashes("cd current && exec /usr/bin/python3 app.py", &[]);
        }),
        fault(kind, "node, a directory that a clean-up took while it ran", GONE, |stage| {
            stage.file("app.js", "const fs = require('fs');\nsetInterval(() => fs.readdirSync('uploads').length, 200);\n");
            stage.runs("mkdir", &["uploads"]);
            stage.procfile("web: node app.js\n");
            stage.deploys(&[]);
            stage.set("restart-policy", "on-failure:1");
            stage.does("restart", &[]);
            stage.runs("rm", &["-r", "uploads"]);
            stage.until("web.1", &["crashed"]);
        })
        .needing(NODE),
        crash(kind, "env gives it no variables at all", &["variable", "not set"], "env -i /usr/bin/python3 app.py", &[(
            "app.py",
            "import os, socket\nserver = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\nserver.accept()\n",
        )])
        .needing(PYTHON),
    ]
}

fn limits() -> Vec<Fault> {
    let kind = "thirteenth set: limits";
    vec![
        fault(kind, "go, a full disk", SPACE, |stage| {
            stage.mount("data", "size=64k,mode=777");
            go(stage, "package main\n\nimport (\n\t\"log\"\n\t\"os\"\n)\n\nfunc main() {\n\tif err := os.WriteFile(\"data/cache\", make([]byte, 1<<20), 0o644); err != nil {\n\t\tlog.Fatalf(\"cannot warm the cache: %v\", err)\n\t}\n}\n");
        })
        .needing(&["root", "/usr/local/go/bin/go"]),
        fault(kind, "node, no inode is left", &["inode"], |stage| {
            stage.mount("data", "size=10m,nr_inodes=16,mode=777");
            stage.file("app.js", "const fs = require('fs');\nfor (let n = 0; n < 100; n++) fs.mkdirSync(`data/session-${process.pid}-${n}`);\n");
            stage.crashes("node app.js", &[]);
        })
        .needing(&["root", "/usr/bin/node"]),
        fault(kind, "its migration meets a full disk", &["release"], |stage| {
            stage.exists();
            stage.mount("data", "size=32k,mode=777");
            stage.file("schema.sql", "create table orders (note text);\nwith recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) insert into orders select hex(randomblob(100)) from n;\n");
            stage.procfile(&format!("release: sqlite3 -bail data/shop.db <schema.sql\nweb: {QUIET}\n"));
            stage.fails_to_deploy(&["--scale", "web=1"]);
        })
        .needing(&["root", "/usr/bin/sqlite3"]),
        fault(kind, "perl, sockets", &["open files", "descriptor"], |stage| {
            stage.file("app.pl", "use Socket;\nmy @kept;\nfor (1 .. 100) {\n  socket(my $socket, PF_INET, SOCK_STREAM, 0) or die \"cannot make socket $_: $!\";\n  push @kept, $socket;\n}\n");
            stage.crashes("perl app.pl", &[("web.limit-nofile", "40")]);
        })
        .needing(PERL),
        fault(kind, "sh, workers in the background", &["process limit", "fork", "processes"], |stage| {
            stage.file("run.sh", "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do\n  sleep 3600 &\ndone\nwait\n");
            stage.crashes("sh run.sh", &[("web.pids-max", "8")]);
        })
        .needing(&["cgroup"]),
        fault(kind, "tcl, a variable with a slip, and started again too often", &["variable", "name"], |stage| {
            stage.file("app.tcl", "set port $env(PORT)\nputs \"open on $prot\"\nvwait forever\n");
            stage.procfile("web: tclsh app.tcl\n");
            stage.deploys(&["--scale", "web=0"]);
            stage.set("restart-policy", "always");
            stage.set("web.start-limit", "3/1m");
            stage.tries("ps-scale", &["web=1"]);
            stage.until("web.1", &["crashed"]);
        })
        .needing(&["/usr/bin/tclsh"])
        .quoting(&["no such variable"]),
    ]
}

fn signals() -> Vec<Fault> {
    let kind = "thirteenth set: signals";
    vec![
        fault(kind, "somebody wanted the second instance to read its settings again", &["operator", "ps-lifecycle signal"], |stage| {
            stage.procfile("web: perl -e 'sleep 3600'\n");
            stage.deploys(&["--scale", "web=2"]);
            stage.set("restart-policy", "no");
            stage.does("restart", &[]);
            let ran = stage.home.run(&["ps-lifecycle", "signal", "HUP", "shop", "web.2"]);
            assert_eq!(ran.status, Some(0), "{ran:?}");
            stage.until("web.2", &["crashed", "stopped"]);
        })
        .needing(PERL),
        fault(kind, "what bash runs is killed by a guard of the same app", &["killed", "outside", "137", "sigkill"], |stage| {
            stage.file("run.sh", "/usr/bin/python3 serve.py\ncode=$?\necho \"the server has ended, code $code\" >&2\nexit $code\n");
            stage.file("serve.py", "import os, time\nopen('pid.new', 'w').write(str(os.getpid()))\nos.rename('pid.new', 'pid')\ntime.sleep(3600)\n");
            stage.file("guard.sh", "until test -e hung; do sleep 0.1; done\nkill -KILL $(cat pid)\nexec sleep 3600\n");
            stage.procfile("web: bash run.sh\nguard: sh guard.sh\n");
            stage.deploys(&["--scale", "web=1", "guard=1"]);
            stage.set("restart-policy", "no");
            stage.does("restart", &["web.1"]);
            stage.until_file("pid");
            stage.file("hung", "");
            stage.until("web.1", &["crashed", "stopped"]);
        })
        .needing(PYTHON),
    ]
}

fn wrappers() -> Vec<Fault> {
    let kind = "thirteenth set: wrappers";
    vec![
        fault(kind, "supervisord starts what lacks a module, and stays", &["module", "listen", "ready"], |stage| {
            let _listening = home::listening();
            let packages = skipped::state_of_setup().join("consumers/usr/lib/python3/dist-packages");
            stage.file("app.py", "import payments_of_nobody\n");
            stage.file("supervisord.conf", "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=supervisord.pid\n[program:shop]\ncommand=/usr/bin/python3 app.py\nstartretries=1\nstdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nredirect_stderr=true\n");
            stage.exists();
            stage.set("web.ready", "listening");
            stage.set("web.start-timeout-seconds", "8");
            stage.procfile(&format!("web: env PYTHONPATH={} /usr/bin/python3 -m supervisor.supervisord -c supervisord.conf\n", as_text(&packages)));
            stage.fails_to_deploy(&["--scale", "web=1"]);
        })
        .needing(&["/usr/bin/python3", "usr/bin/supervisord"]),
        crash(kind, "a script that starts it again hides what it wrote", NOBODY_KNOWS, "bash run.sh", &[
            ("run.sh", "n=0\nwhile ! perl app.pl >/dev/null 2>&1; do\n  n=$((n + 1))\n  [ $n -lt 3 ] || { echo 'the shop would not start' >&2; exit 1; }\n  sleep 0.3\ndone\n"),
            ("app.pl", "use strict;\nuse Payments::Of::Nobody;\n"),
        ])
        .needing(PERL)
        .quoting(&["would not start"]),
    ]
}

fn containers() -> Vec<Fault> {
    let kind = "thirteenth set: containers";
    [
        fault(kind, "busybox serves files, and its check asks for another one", &["404"], |stage| {
            contained(stage, "sleep 3600", &["--scale", "web=0"]);
            stage.file("app.json", r#"{"healthchecks": {"web": [{"type": "startup", "path": "/healthz", "attempts": 2, "wait": 1}]}}"#);
            stage.procfile("web: exec busybox httpd -f -p $PORT\n");
            let ran = deploy(stage, &["--scale", "web=1"]);
            assert!(ran.status != Some(0), "{ran:?}");
        }),
        fault(kind, "somebody stopped web with the engine's own client, and the worker is well", &["outside", "docker", "engine", "signal"], |stage| {
            contained(stage, "exec sleep 3600", &["--scale", "web=0"]);
            stage.procfile("web: exec sleep 3600\nworker: exec sleep 3600\n");
            let ran = deploy(stage, &["--scale", "web=1", "worker=1"]);
            assert_eq!(ran.status, Some(0), "{ran:?}");
            let id = container(stage);
            docker(&["stop", "--time", "1", &id]);
            until(&id, ".State.Status", "exited");
        }),
        fault(kind, "it is well, and tells of others", WELL, |stage| {
            contained(stage, "sh -c 'echo \"node 7: worker 12 OOMKilled, exit 137\" >&2; exec sleep 3600'", &[]);
        }),
    ]
    .into_iter()
    .map(|fault| fault.needing(&["engine"]))
    .collect()
}

fn nothing() -> Vec<Fault> {
    let kind = "thirteenth set: nothing is wrong, or nobody can know";
    vec![
        crash(kind, "there is no space in a van", NOBODY_KNOWS, "sh run.sh", &[(
            "run.sh",
            "echo 'tour 7: no space left in van 3, 2 parcels stay here' >&2\necho 'tour 8: 11 parcels'\nexit 1\n",
        )]),
        node(kind, "connections of a pool are in use", NOBODY_KNOWS, &[(
            "app.js",
            "console.error('pool: 3 of 10 connections in use');\nconsole.error('port 5000 is in use by us since 03:12');\nprocess.exitCode = 1;\n",
        )]),
        crash(kind, "it ends with 137 of its own accord", &["137"], "echo done; exit 137", &[]),
        fault(kind, "a file of variables was changed, and it is well", WELL, |stage| {
            stage.file(".env", "SHOP_REGION=eu\n");
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.file(".env", "SHOP_REGION=\"us\n");
        }),
        fault(kind, "it was killed, and somebody started it again", &["well", "healthy", "nothing is wrong", "outside"], |stage| {
            stage.procfile("web: sleep 3600\n");
            stage.deploys(&[]);
            stage.set("restart-policy", "no");
            stage.does("restart", &[]);
            stage.signals("web.1", Signal::KILL);
            stage.until("web.1", &["crashed", "stopped"]);
            stage.does("start", &[]);
            stage.until("web.1", &["running"]);
        }),
        fault(kind, "node tells of a rejection, and goes on", WELL, |stage| {
            stage.file("app.js", "process.on('unhandledRejection', (error) => { console.error('unhandled rejection', error); require('fs').writeFileSync('said', ''); });\nfetch('http://127.0.0.1:1/');\nsetInterval(() => {}, 1000);\n");
            stage.procfile("web: node app.js\n");
            stage.deploys(&[]);
            stage.until_file("said");
            eventually("it runs", || {
                let states = stage.home.states("shop");
                if states.values().all(|state| state == "running") { Ok(()) } else { Err(format!("{states:?}")) }
            });
        })
        .needing(NODE),
    ]
}
