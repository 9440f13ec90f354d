//! The second half of the ninth set: servers that programs need, languages, and containers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::asking::some_address;
use crate::certificates::Made;
use crate::code::{JAVA, NODE, crash};
use crate::containers::{IMAGE, contained, container, deploy, without_restart};
use crate::ends::{GO, go};
use crate::fault::{Fault, fault};
use crate::fifth::{node, python};
use crate::home::eventually;
use crate::stage::QUIET;

const POSTGRES: &[&str] = &["root", "/usr/lib/postgresql/15/bin/postgres"];
const CREDENTIALS: &[&str] = &["password", "credential", "authentic"];
const REFUSED: &[&str] = &["refuse", "nobody listens", "unreachable"];

pub(crate) fn faults() -> Vec<Fault> {
    [servers(), languages(), limits(), containers()].into_iter().flatten().collect()
}

/// A server of PostgreSQL that is really there, with the user `shop` and the password `right`.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    server: Child,
    _place: TempDir,
}

impl Postgres {
    pub(crate) fn new() -> Self {
        let place = TempDir::new().expect("a directory");
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
        fs::write(place.path().join("password"), "right\n").expect("a file");
        let as_nobody = |program: &str| {
            let mut command = Command::new(format!("/usr/lib/postgresql/15/bin/{program}"));
            command.args(["-D", "data"]).current_dir(place.path()).uid(65534).gid(65534);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let words = ["--no-sync", "--username", "shop", "--auth", "scram-sha-256", "--pwfile", "password"];
        assert!(as_nobody("initdb").args(words).status().expect("initdb runs").success());
        let port = some_address().port();
        let here = format!("unix_socket_directories={}", place.path().display());
        let server = as_nobody("postgres")
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                &here,
            ])
            .spawn()
            .expect("postgres runs");
        eventually("it answers", || {
            let words = ["-q", "-h", "127.0.0.1", "-p", &port.to_string()];
            let ready = Command::new("/usr/lib/postgresql/15/bin/pg_isready").args(words).status();
            if ready.is_ok_and(|status| status.success()) { Ok(()) } else { Err("not yet".to_owned()) }
        });
        Self { port, server, _place: place }
    }
}

impl Drop for Postgres {
    /// SIGQUIT ends it at once.
    fn drop(&mut self) {
        let pid = i32::try_from(self.server.id()).ok().and_then(rustix::process::Pid::from_raw);
        let _ = rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::QUIT);
        let _ = self.server.wait();
    }
}

/// A client that asks this of a real server, by this address, in which `PORT` is its port.
pub(crate) fn asks_postgres(
    kind: &'static str,
    name: &'static str,
    names: &'static [&'static str],
    address: &'static str,
    query: &'static str,
) -> Fault {
    fault(kind, name, names, move |stage| {
        let server = Postgres::new();
        stage.file("query.sql", query);
        let address = address.replace("PORT", &server.port.to_string());
        stage.file("run.sh", &format!("set -e\necho 'warming up'\npsql -v ON_ERROR_STOP=1 -f query.sql '{address}'\nexec sleep 3600\n"));
        stage.crashes("sh run.sh", &[]);
        drop(server);
    })
    .needing(POSTGRES)
}

fn servers() -> Vec<Fault> {
    let kind = "ninth set: servers";
    vec![
        asks_postgres(kind, "postgres, another password", CREDENTIALS, "postgresql://shop:wrong@127.0.0.1:PORT/postgres", "select 1;\n")
            .quoting(&["password authentication failed"]),
        asks_postgres(kind, "postgres, a migration that nobody ran", &["table", "relation", "schema", "migrat"], "postgresql://shop:right@127.0.0.1:PORT/postgres", "select count(*) from orders;\n")
            .quoting(&["does not exist"]),
        fault(kind, "node, a certificate of its own, asked by fetch", &["certificate"], |stage| {
            Made::of("localhost").put(&stage.path("tls"));
            stage.file("app.js", "const fs = require('fs'), https = require('https');\nconst server = https.createServer({ cert: fs.readFileSync('tls/server.crt'), key: fs.readFileSync('tls/server.key') }, (a, b) => b.end());\nserver.listen(0, '127.0.0.1', async () => { await fetch(`https://localhost:${server.address().port}/prices`); });\n");
            stage.crashes("node app.js", &[]);
        })
        .needing(NODE),
        node(kind, "node, a name, asked by fetch", &["name", "dns", "resol", "host"], &[
            ("app.js", "async function main() {\n  const answer = await fetch('http://prices.shop.invalid/');\n  console.log(answer.status);\n}\nmain();\n"),
        ]),
        fault(kind, "go, a server that accepts and says nothing", &["answer", "time"], |stage| {
            go(stage, "package main\n\nimport (\n\t\"log\"\n\t\"net\"\n\t\"net/http\"\n\t\"time\"\n)\n\nfunc main() {\n\tserver, _ := net.Listen(\"tcp\", \"127.0.0.1:0\")\n\tclient := http.Client{Timeout: 200 * time.Millisecond}\n\tif _, err := client.Get(\"http://\" + server.Addr().String() + \"/prices\"); err != nil {\n\t\tlog.Fatalf(\"load prices: %v\", err)\n\t}\n}\n");
        })
        .needing(GO)
        .quoting(&["deadline exceeded"]),
        crash(kind, "java, a server that accepts and says nothing", &["answer", "time"], "java Main.java", &[(
            "Main.java",
            "import java.net.*;\nclass Main {\n  public static void main(String[] words) throws Exception {\n    ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());\n    Socket client = new Socket(server.getInetAddress(), server.getLocalPort());\n    client.setSoTimeout(200);\n    client.getInputStream().read();\n  }\n}\n",
        )])
        .needing(JAVA),
        python(kind, "python, mail with another password", CREDENTIALS, &[(
            "app.py",
            "import smtplib, socket, threading\nserver = socket.create_server(('127.0.0.1', 0))\ndef serve():\n    one, _ = server.accept()\n    lines = one.makefile('rwb')\n    def say(text):\n        lines.write(text + b'\\r\\n'); lines.flush()\n    say(b'220 mail.shop.test ESMTP')\n    for line in lines:\n        say(b'250-mail.shop.test\\r\\n250 AUTH PLAIN LOGIN' if line.upper().startswith(b'EHLO') else b'535 5.7.8 Username and Password not accepted')\nthreading.Thread(target=serve, daemon=True).start()\nmail = smtplib.SMTP('127.0.0.1', server.getsockname()[1])\nmail.login('shop', 'secret')\n",
        )])
        .quoting(&["535"]),
        node(kind, "node, the socket of a server that died", REFUSED, &[(
            "app.js",
            "const net = require('net'), { execFileSync } = require('child_process');\nexecFileSync('/usr/bin/python3', ['-c', \"import os, socket\\nif os.path.exists('db.sock'): os.unlink('db.sock')\\nsocket.socket(socket.AF_UNIX).bind('db.sock')\"]);\nnet.connect('db.sock');\n",
        )]),
        python(kind, "python, an error that is raised from another one", REFUSED, &[(
            "app.py",
            "import socket\nclass StoreError(Exception):\n    pass\ndef connect():\n    try:\n        return socket.create_connection(('127.0.0.1', 1))\n    except OSError as error:\n        raise StoreError('the store cannot be opened') from error\nconnect()\n",
        )]),
        node(kind, "node, lines of JSON", REFUSED, &[(
            "app.js",
            "const say = (level, msg, more) => console.log(JSON.stringify({ level, time: Date.now(), pid: process.pid, hostname: 'shop', msg, ...more }));\nsay(30, 'starting');\nrequire('net').connect(1, '127.0.0.1').on('error', (error) => {\n  say(60, 'cannot reach the database', { err: { type: error.name, message: error.message, stack: error.stack, code: error.code } });\n  process.exit(1);\n});\n",
        )]),
    ]
}

fn languages() -> Vec<Fault> {
    let kind = "ninth set: languages";
    vec![
        fault(kind, "rust, a port in use", &["in use", "taken"], |stage| {
            let (listener, port) = crate::network::taken();
            stage.keep(listener);
            stage.file("main.rs", &format!("fn main() {{\n    let _server = std::net::TcpListener::bind(\"127.0.0.1:{port}\").unwrap();\n}}\n"));
            stage.runs("rustc", &["-o", "server", "main.rs"]);
            stage.crashes("./server", &[]);
        })
        .needing(&["rustc"]),
        fault(kind, "rust, a value that is none", &["panic", "does not handle", "exception", "variable", "value"], |stage| {
            stage.file("main.rs", "fn main() {\n    let workers: u8 = std::env::args().nth(1).unwrap_or_default().parse().expect(\"SHOP_WORKERS is a number\");\n    println!(\"{workers}\");\n}\n");
            stage.runs("rustc", &["-o", "server", "main.rs"]);
            stage.crashes("./server many", &[]);
        })
        .needing(&["rustc"])
        .quoting(&["shop_workers is a number"]),
        fault(kind, "go, a number that is none", &["value", "number", "parse"], |stage| {
            go(stage, "package main\n\nimport (\n\t\"log\"\n\t\"strconv\"\n)\n\nfunc main() {\n\tif _, err := strconv.Atoi(\"4 workers\"); err != nil {\n\t\tlog.Fatal(err)\n\t}\n}\n");
        })
        .needing(GO)
        .quoting(&["invalid syntax"]),
        crash(kind, "java, an error while a class is prepared", &["number", "value", "exception", "does not handle"], "java Main.java", &[(
            "Main.java",
            "class Main {\n  static class Settings { static final int WORKERS = Integer.parseInt(\"four\"); }\n  public static void main(String[] words) { System.out.println(Settings.WORKERS); }\n}\n",
        )])
        .needing(JAVA)
        .quoting(&["numberformatexception"]),
        fault(kind, "python, a file of yaml", &["config", "setting", "syntax", "yaml", "pars"], |stage| {
            stage.file("shop.yml", "web:\n  port: 5000\n   workers: 4\n");
            stage.file("app.py", "import yaml\nprint(yaml.safe_load(open('shop.yml')))\n");
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(&["/usr/bin/python3", "/usr/lib/python3/dist-packages/yaml/__init__.py"])
        .quoting(&["mapping values"]),
        python(kind, "python, its last words have colours", &["missing", "not there", "no such", "does not exist", "not found"], &[(
            "app.py",
            "import sys\ntry:\n    open('config/shop.ini')\nexcept OSError as error:\n    print(f'\\x1b[1m\\x1b[31mERROR\\x1b[0m \\x1b[2mshop.settings\\x1b[0m {error}', file=sys.stderr)\n    sys.exit(78)\n",
        )])
        .quoting(&["no such file"]),
        crash(kind, "lua, nothing where a table should be", &["exception", "does not handle", "nil"], "lua5.4 app.lua", &[(
            "app.lua",
            "local settings = { port = 5000 }\nprint(settings.database.host)\n",
        )])
        .needing(&["/usr/bin/lua5.4"])
        .quoting(&["attempt to index a nil value"]),
        crash(kind, "gunicorn, a worker that does not boot", &["module", "import"], "gunicorn --bind 127.0.0.1:0 shop:app", &[(
            "shop.py",
            "import payments_of_nobody\napp = None\n",
        )])
        .needing(&["gunicorn"]),
    ]
}

fn limits() -> Vec<Fault> {
    let kind = "ninth set: limits";
    vec![
        fault(kind, "go, descriptors", &["descriptor", "open files"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.file("main.go", "package main\n\nimport (\n\t\"log\"\n\t\"os\"\n)\n\nfunc main() {\n\tvar kept []*os.File\n\tfor {\n\t\tfile, err := os.Open(\"main.go\")\n\t\tif err != nil {\n\t\t\tlog.Fatal(err, len(kept))\n\t\t}\n\t\tkept = append(kept, file)\n\t}\n}\n");
            let mut build = Command::new("/usr/local/go/bin/go");
            build.args(["build", "-o", "server", "main.go"]).current_dir(stage.path("")).env("GO111MODULE", "off");
            assert!(build.output().expect("go runs").status.success());
            stage.crashes("./server", &[("web.limit-nofile", "60")]);
        })
        .needing(GO),
        fault(kind, "java, threads", &["thread", "process"], |stage| {
            stage.file("Main.java", "class Main {\n  public static void main(String[] words) {\n    for (int n = 0; n < 400; n++) {\n      Thread worker = new Thread(() -> { try { Thread.sleep(3600000); } catch (InterruptedException e) { } });\n      worker.setDaemon(true);\n      worker.start();\n    }\n  }\n}\n");
            stage.runs("javac", &["Main.java"]);
            stage.crashes("java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp . Main", &[("web.pids-max", "100")]);
        })
        .needing(&["cgroup", "/usr/bin/javac"]),
        fault(kind, "node, processes that it starts", &["process", "limit"], |stage| {
            stage.file("app.js", "const { spawn } = require('child_process');\nfor (let n = 0; n < 60; n++) spawn('sleep', ['3600'], { stdio: 'ignore' });\n");
            stage.crashes("node app.js", &[("web.pids-max", "30")]);
        })
        .needing(&["cgroup", "/usr/bin/node"]),
    ]
}

fn containers() -> Vec<Fault> {
    let kind = "ninth set: containers";
    let stays = "sleep 3600";
    [
        fault(kind, "its user may not write there", &["permission", "may not"], move |stage| {
            contained(stage, stays, &["--scale", "web=0"]);
            stage.file("Dockerfile", &format!("FROM {IMAGE}\nWORKDIR /app\nCOPY . ./\nRUN chmod 755 /\nUSER 1000\n"));
            stage.procfile("web: sh -c 'echo $$ >run.pid && exec sleep 3600'\n");
            let ran = deploy(stage, &["--scale", "web=1"]);
            assert!(ran.status != Some(0), "{ran:?}");
        }),
        fault(kind, "a worker's server refuses, and web is well", REFUSED, move |stage| {
            stage.procfile("");
            let command = "sh -c 'sleep 2; nc 127.0.0.1 1 </dev/null || exit 1'";
            contained(stage, &format!("{stays}\nworker: {command}"), &["--scale", "web=1", "worker=0"]);
            stage.set("restart-policy", "no");
            stage.tries("ps-scale", &["worker=1"]);
            stage.until_row("worker.1", |row| row["state"] != "running" && row["container_id"].is_string());
        }),
        fault(kind, "a name that has no address", &["name", "dns", "resol", "address"], |stage| {
            without_restart(stage, "sh -c 'sleep 2; wget -q -O- http://prices.shop.invalid/ || exit 1'");
            stage.until_row("web.1", |row| row["state"] != "running");
        }),
        fault(kind, "a program of another machine", &["architecture", "machine", "format"], move |stage| {
            contained(stage, stays, &["--scale", "web=0"]);
            let mut program = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 183, 0, 1, 0, 0, 0];
            program.resize(4096, 0);
            fs::write(stage.path("server"), program).expect("a file");
            stage.runs("chmod", &["755", "server"]);
            stage.procfile("web: exec ./server\n");
            let ran = deploy(stage, &["--scale", "web=1"]);
            assert!(ran.status != Some(0), "{ran:?}");
        }),
        fault(kind, "it listens on a port of its own", &["listen", "port", "answer", "refuse"], move |stage| {
            contained(stage, stays, &["--scale", "web=0"]);
            stage.file("app.json", r#"{"healthchecks": {"web": [{"type": "startup", "path": "/", "attempts": 2, "wait": 1}]}}"#);
            stage.procfile("web: exec httpd -f -p 8080\n");
            let ran = deploy(stage, &["--scale", "web=1"]);
            assert!(ran.status != Some(0), "{ran:?}");
        }),
        fault(kind, "a variable that nobody set", &["variable", "not set", "parameter"], |stage| {
            let id = without_restart(stage, "sh -c 'sleep 2; : ${SHOP_DATABASE:?}; exec sleep 3600'");
            crate::containers::until(&id, ".State.Status", "exited");
            container(stage);
        }),
    ]
    .into_iter()
    .map(|fault| fault.needing(&["engine"]))
    .collect()
}
