//! Faults of kinds that no earlier set has, each made by a real program and a real cause: runtimes, shells and tools as people meet them
//! at night. They were written, and run once, by somebody who had not read the rules.

use crate::checks;
use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::fault::{Fault, fault};
use crate::home;
use crate::network::{taken, taken_port};
use crate::stage::{Files, Stage};

pub(crate) const CC: &[&str] = &["/usr/bin/cc"];
pub(crate) const PERL: &[&str] = &["/usr/bin/perl"];
pub(crate) const RUBY: &[&str] = &["/usr/bin/ruby"];
pub(crate) const PHP: &[&str] = &["/usr/bin/php"];
pub(crate) const NGINX: &[&str] = &["/usr/sbin/nginx"];
pub(crate) const GONE: &[&str] =
    &["missing", "not found", "does not exist", "no such", "is gone", "not there"];
pub(crate) const SETTINGS: &[&str] = &["config", "setting", "directive", "syntax"];

pub(crate) fn faults() -> Vec<Fault> {
    [pythons(), nodes(), shells(), languages(), tools(), natives(), circumstances()]
        .into_iter()
        .flatten()
        .collect()
}

pub(crate) fn python(
    kind: &'static str,
    name: &'static str,
    names: &'static [&'static str],
    files: Files,
) -> Fault {
    crash(kind, name, names, "/usr/bin/python3 app.py", files).needing(PYTHON)
}

pub(crate) fn node(
    kind: &'static str,
    name: &'static str,
    names: &'static [&'static str],
    files: Files,
) -> Fault {
    crash(kind, name, names, "node app.js", files).needing(NODE)
}

/// A program of C, compiled with these words behind the compiler's name.
pub(crate) fn compiled(stage: &Stage, text: &str, words: &[&str]) {
    stage.file("main.c", text);
    stage.runs("cc", &[&["-o", "server", "main.c"], words].concat());
}

fn pythons() -> Vec<Fault> {
    let kind = "fifth set: python";
    vec![
        crash(kind, "there is no virtual environment", GONE, ".venv/bin/python app.py", &[("app.py", "print('up')\n")])
            .needing(PYTHON),
        fault(kind, "the interpreter of the virtual environment is gone", &["missing", "not found", "does not exist", "no such", "link"], |stage| {
            stage.file("app.py", "print('up')\n");
            stage.runs("mkdir", &["-p", ".venv/bin"]);
            stage.runs("ln", &["-s", "/opt/python3.19/bin/python3", ".venv/bin/python"]);
            stage.crashes(".venv/bin/python app.py", &[]);
        })
        .needing(PYTHON),
        python(kind, "a program of Python 2", &["syntax", "version", "parse"], &[("app.py", "import os\nprint 'starting'\n")]),
        python(
            kind,
            "a loader that does not find the application",
            &["attribute", "name-missing", "no such name"],
            &[
                ("app.py", "import importlib, sys\nname, _, of = 'shop:application'.partition(':')\nmodule = importlib.import_module(name)\ntry:\n    getattr(module, of)\nexcept AttributeError:\n    print(f'Failed to find attribute {of!r} in {name!r}.', file=sys.stderr)\n    sys.exit(4)\n"),
                ("shop.py", "app = object()\n"),
            ],
        )
        .quoting(&["failed to find attribute"]),
        fault(kind, "bytes that are no UTF-8", &["encod", "decod", "utf", "unicode"], |stage| {
            stage.file("app.py", "print(open('settings.txt', encoding='utf-8').read())\n");
            stage.runs("sh", &["-c", "printf 'name=Caf\\351\\n' >settings.txt"]);
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON)
        .quoting(&["unicodedecodeerror"]),
        crash(
            kind,
            "a locale that has no umlauts",
            &["encod", "ascii", "unicode", "locale"],
            "PYTHONIOENCODING=ascii /usr/bin/python3 app.py",
            &[("app.py", "print('Gesch\\u00e4ft ge\\u00f6ffnet')\n")],
        )
        .needing(PYTHON)
        .quoting(&["unicodeencodeerror"]),
        python(
            kind,
            "a socket's file of an earlier life",
            &["socket", "address"],
            &[("app.py", "import socket\nsocket.socket(socket.AF_UNIX).bind('app.sock')\nraise SystemExit(1)\n")],
        )
        .quoting(&["address already in use"]),
        python(
            kind,
            "a worker of a pool is killed",
            &["worker", "child", "pool"],
            &[("app.py", "import concurrent.futures, os\nif __name__ == '__main__':\n    with concurrent.futures.ProcessPoolExecutor(2) as pool:\n        pool.submit(os._exit, 9).result()\n")],
        )
        .quoting(&["brokenprocesspool"]),
        python(
            kind,
            "tls to a port that has none",
            &["tls", "ssl", "https"],
            &[("app.py", "import socket, ssl, threading\nserver = socket.create_server(('127.0.0.1', 0))\ndef serve():\n    one, _ = server.accept()\n    one.recv(100)\n    one.sendall(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n')\nthreading.Thread(target=serve, daemon=True).start()\nssl.create_default_context().wrap_socket(socket.create_connection(server.getsockname()), server_hostname='localhost')\n")],
        )
        .quoting(&["wrong_version_number"]),
        fault(kind, "a database file that is none", &["not a database", "corrupt", "damaged"], |stage| {
            stage.file("shop.db", &"<html>502 Bad Gateway</html>\n".repeat(200));
            stage.file("app.py", "import sqlite3\nsqlite3.connect('shop.db').execute('select 1 from users')\n");
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON)
        .quoting(&["file is not a database"]),
        python(
            kind,
            "two types want one lock",
            &["lock", "already running", "another process"],
            &[("app.py", "import fcntl\none = open('shop.lock', 'w')\nfcntl.flock(one, fcntl.LOCK_EX)\nfcntl.flock(open('shop.lock'), fcntl.LOCK_EX | fcntl.LOCK_NB)\n")],
        )
        .quoting(&["resource temporarily unavailable"]),
    ]
}

fn nodes() -> Vec<Fault> {
    let kind = "fifth set: node";
    vec![
        crash(kind, "an option that this version does not know", &["option", "argument", "flag"], "node --experimental-shop app.js", &[("app.js", "0\n")])
            .needing(NODE)
            .quoting(&["bad option"]),
        crash(
            kind,
            "a port that is no number",
            &["port", "value"],
            "LISTEN=80a node app.js",
            &[("app.js", "require('http').createServer().listen({ port: Number(process.env.LISTEN) });\n")],
        )
        .needing(NODE)
        .quoting(&["err_socket_bad_port"]),
        node(
            kind,
            "a package.json with a comma too many",
            &["package.json", "syntax", "config", "json"],
            &[("app.js", "console.log('up');\n"), ("package.json", "{\"name\": \"shop\", \"type\": \"commonjs\",}\n")],
        )
        .quoting(&["err_invalid_package_config"]),
        node(
            kind,
            "require in an ES module",
            &["es module", "module system", "kind of module", "module format"],
            &[("app.js", "const http = require('http');\nhttp.createServer();\n"), ("package.json", "{\"type\": \"module\"}\n")],
        )
        .quoting(&["require is not defined in es module scope"]),
        crash(
            kind,
            "an await that never settles",
            &["await", "ends by itself", "nothing left to wait"],
            "node app.mjs",
            &[("app.mjs", "console.log('connecting');\nawait new Promise(() => {});\nconsole.log('connected');\n")],
        )
        .needing(NODE)
        .quoting(&["unsettled top-level await"]),
        fault(kind, "a port in use, seen by a worker of a cluster", &["in use", "taken", "port"], |stage| {
            let (listener, port) = taken();
            stage.keep(listener);
            stage.file("app.js", &format!("const cluster = require('cluster');\nif (cluster.isPrimary) {{\n  cluster.fork();\n  cluster.on('exit', (worker, code) => {{ console.error(`worker ${{worker.id}} ended with ${{code}}`); process.exit(1); }});\n}} else {{\n  require('http').createServer().listen({port}, '127.0.0.1');\n}}\n"));
            stage.crashes("node app.js", &[]);
        })
        .needing(NODE),
        crash(
            kind,
            "a tool of npm's script that nobody installed",
            GONE,
            "npm run serve",
            &[("package.json", "{\"name\": \"shop\", \"version\": \"1.0.0\", \"scripts\": {\"serve\": \"vite-of-nobody --port 5000\"}}\n")],
        )
        .needing(NODE),
    ]
}

fn shells() -> Vec<Fault> {
    let kind = "fifth set: shells";
    vec![
        crash(
            kind,
            "sh, a substitution of bash",
            &["substitution", "syntax", "bash"],
            "sh run.sh",
            &[("run.sh", "NAME=shop\necho starting\nexec sleep ${NAME//shop/3600}\n")],
        )
        .quoting(&["bad substitution"]),
        crash(
            kind,
            "sh, a parameter that must be set",
            &["variable", "parameter", "not set"],
            "sh run.sh",
            &[("run.sh", "set -eu\necho starting\nexec sleep \"$SHOP_IDLE_SECONDS\"\n")],
        ),
        crash(
            kind,
            "a command line of options behind env",
            &["interpreter", "#!", "first line"],
            "bin/serve",
            &[("bin/serve", "#!/usr/bin/env python3 -u\nprint('up')\n")],
        ),
        crash(
            kind,
            "its directory was renamed",
            &["directory", "missing", "no such", "does not exist"],
            "sh run.sh",
            &[("run.sh", "set -e\ncd frontend/dist\nexec sleep 3600\n")],
        )
        .quoting(&["can't cd to"]),
        crash(
            kind,
            "a pipe whose reader went away",
            &["sigpipe", "pipe"],
            "bash run.sh",
            &[("run.sh", "set -eo pipefail\necho warming up\nyes | head -n 1 >/dev/null\nexec sleep 3600\n")],
        ),
        fault(
            kind,
            "a file system from which nothing may be executed",
            &["noexec", "permission", "execut"],
            |stage| {
                stage.mount("opt", "size=1m,noexec,mode=755");
                stage.runs("cp", &["/bin/sleep", "opt/serve"]);
                stage.crashes("opt/serve 3600", &[]);
            },
        )
        .needing(&["root"]),
        fault(
            kind,
            "a wrapper that is given nothing to run",
            &["with success", "ends by itself", "nothing to run"],
            |stage| {
                stage.file("bin/start", "#!/bin/sh\nset -e\nexec \"$@\"\n");
                stage.ends("bin/start", &[]);
                stage.until("web.1", &["stopped"]);
            },
        ),
    ]
}

fn languages() -> Vec<Fault> {
    let kind = "fifth set: other languages";
    vec![
        crash(
            kind,
            "java, an option that was removed",
            &["option", "argument", "flag"],
            "java -XX:+UseConcMarkSweepGC -cp . Main",
            &[],
        )
        .needing(JAVA)
        .quoting(&["unrecognized vm option"]),
        fault(
            kind,
            "java, an archive that cannot be started",
            &["manifest", "main class", "archive"],
            |stage| {
                stage.file("a.txt", "a");
                stage.runs(
                    "/usr/bin/python3",
                    &["-c", "import zipfile; zipfile.ZipFile('app.jar', 'w').write('a.txt')"],
                );
                stage.crashes("java -jar app.jar", &[]);
            },
        )
        .needing(&["/usr/bin/java", "/usr/bin/python3"])
        .quoting(&["no main manifest attribute", "corrupt jarfile"]),
        crash(
            kind,
            "perl, an object of no class",
            &["exception", "does not handle", "method"],
            "perl app.pl",
            &[("app.pl", "use strict;\nmy $server = Shop::Server->new(port => 5000);\n$server->run;\n")],
        )
        .needing(PERL)
        .quoting(&["can't locate object method"]),
        crash(
            kind,
            "ruby, a gem",
            &["module", "gem", "librar", "missing"],
            "ruby app.rb",
            &[("app.rb", "require 'sinatra_of_nobody'\nget('/') { 'up' }\n")],
        )
        .needing(RUBY),
        crash(
            kind,
            "ruby, nil",
            &["exception", "does not handle", "nil"],
            "ruby app.rb",
            &[("app.rb", "config = { 'port' => 5000 }\nputs config['database'].fetch('url')\n")],
        )
        .needing(RUBY)
        .quoting(&["nomethoderror", "undefined method"]),
        fault(kind, "php, a port in use", &["in use", "taken", "port"], |stage| {
            let (listener, port) = taken();
            stage.keep(listener);
            stage.crashes(&format!("php -S 127.0.0.1:{port}"), &[]);
        })
        .needing(PHP),
    ]
}

fn tools() -> Vec<Fault> {
    let kind = "fifth set: tools and servers";
    vec![
        crash(
            kind,
            "make has no such target",
            &["target", "rule"],
            "make serve",
            &[("Makefile", "build:\n\ttrue\n")],
        )
        .needing(&["/usr/bin/make"])
        .quoting(&["no rule to make target"]),
        crash(
            kind,
            "git, and no repository",
            &["repository"],
            "sh run.sh",
            &[("run.sh", "set -e\nrevision=$(git rev-parse HEAD)\nexec sleep 3600\n")],
        )
        .needing(&["/usr/bin/git"])
        .quoting(&["not a git repository"]),
        fault(kind, "nginx, a brace too few", SETTINGS, |stage| {
            stage
                .file("nginx.conf", "pid nginx.pid;\nevents {}\nhttp {\n  server { listen 127.0.0.1:5999;\n");
            let command = format!(
                "/usr/sbin/nginx -p {} -e stderr -c nginx.conf -g 'daemon off;'",
                crate::stage::as_text(&stage.path(""))
            );
            stage.crashes(&command, &[]);
        })
        .needing(NGINX)
        .quoting(&["unexpected end of file"]),
        crash(
            kind,
            "postgres does not run as root",
            &["root", "user"],
            "/usr/lib/postgresql/15/bin/postgres -D data",
            &[],
        )
        .needing(&["root", "/usr/lib/postgresql/15/bin/postgres"])
        .quoting(&["\"root\" execution"]),
        crash(
            kind,
            "jq, a bad file",
            &["syntax", "pars", "json", "config"],
            "sh run.sh",
            &[
                ("run.sh", "set -e\nport=$(jq .port settings.json)\nexec sleep 3600\n"),
                ("settings.json", "{\"port\": 5000\n \"host\": \"shop\"}\n"),
            ],
        )
        .needing(&["/usr/bin/jq"])
        .quoting(&["parse error"]),
    ]
}

fn natives() -> Vec<Fault> {
    let kind = "fifth set: compiled programs";
    vec![
        fault(kind, "memory that is freed twice", &["abort", "sigabrt"], |stage| {
            compiled(stage, "#include <stdlib.h>\nint main(void) { char *volatile a = malloc(20); free(a); free(a); return 0; }\n", &["-w"]);
            stage.crashes("./server", &[]);
        })
        .needing(CC)
        .quoting(&["double free"]),
        fault(kind, "a script's child crashes", &["sigsegv", "segmentation", "signal 11", "child killed"], |stage| {
            compiled(stage, "int main(void) { int *volatile a = 0; return *a; }\n", &[]);
            stage.file("run.sh", "./server\necho \"server is gone\" >&2\nexit 1\n");
            stage.crashes("bash run.sh", &[]);
        })
        .needing(CC),
    ]
}

fn circumstances() -> Vec<Fault> {
    let kind = "fifth set: circumstances";
    vec![
        fault(kind, "a variable that only the new release wants", &["variable", "not set"], |stage| {
            stage.file("app.py", "import os\nkey = os.environ['SHOP_PAYMENT_KEY']\n");
            stage.is_replaced_badly("/usr/bin/python3 app.py");
        })
        .needing(PYTHON),
        fault(kind, "a check that wants a password", &["401"], |stage| {
            let _listening = home::listening();
            stage.file(
                "app.json",
                &checks::checked(r#"{"type": "startup", "path": "/up", "attempts": 1, "wait": 1}"#),
            );
            stage.crashes("faultapp --listen --answer 401", &[]);
        }),
        fault(
            kind,
            "its PORT was taken by another server in the meantime",
            &["in use", "taken", "port"],
            |stage| {
                stage.file(
                    "app.rb",
                    "require 'socket'\nTCPServer.new('127.0.0.1', ENV.fetch('PORT')).accept\n",
                );
                taken_port(stage, "ruby app.rb");
            },
        )
        .needing(RUBY),
        crash(
            kind,
            "no network",
            &["network", "reach", "route"],
            "unshare -n /usr/bin/python3 app.py",
            &[("app.py", "import socket\nsocket.create_connection(('192.0.2.10', 5432), timeout=5)\n")],
        )
        .needing(&["root", "/usr/bin/python3", "/usr/bin/unshare"])
        .quoting(&["network is unreachable"]),
    ]
}
