//! Faults of kinds that no earlier set has, made by real programs. They were written by somebody who knew how the rules work, and run once
//! before anything was mended for them.

use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::ends::GO;
use crate::fault::{Fault, fault};
use crate::fifth::{CC, GONE, NGINX, PERL, PHP, RUBY, SETTINGS, node, python};
use crate::stage::as_text;

pub(crate) fn faults() -> Vec<Fault> {
    [pythons(), runtimes(), shells(), tools()].into_iter().flatten().collect()
}

fn pythons() -> Vec<Fault> {
    let kind = "eighth set: python";
    vec![
        crash(kind, "a list of requirements that is not there", GONE, "/usr/bin/python3 -m pip install -r requirements.txt", &[])
            .needing(PYTHON)
            .quoting(&["could not open requirements file", "no module named pip", "externally-managed-environment"]),
        python(
            kind,
            "a log file in a directory that is not there",
            &["missing", "is not there", "handler"],
            &[("app.py", "import logging.config\nlogging.config.dictConfig({'version': 1, 'handlers': {'file': {'class': 'logging.FileHandler', 'filename': 'log/of/nobody/app.log'}}, 'root': {'handlers': ['file']}})\n")],
        )
        .quoting(&["unable to configure handler", "no such file"]),
        python(
            kind,
            "a database that may only be read",
            &["read-only", "readonly", "read only"],
            &[("app.py", "import sqlite3\nsqlite3.connect('shop.db').execute('create table if not exists a (b)')\nsqlite3.connect('file:shop.db?mode=ro', uri=True).execute('insert into a values (1)')\n")],
        )
        .quoting(&["readonly database"]),
        python(
            kind,
            "a row that is there already",
            &["unique", "constraint", "already"],
            &[("app.py", "import sqlite3\ndb = sqlite3.connect(':memory:')\ndb.execute('create table a (b unique)')\nfor _ in range(2):\n    db.execute('insert into a values (1)')\n")],
        )
        .quoting(&["unique constraint failed"]),
        python(
            kind,
            "an argument that this version does not take",
            &["argument", "version"],
            &[("app.py", "def connect(host):\n    return host\nconnect(host='db', pool_size=5)\n")],
        )
        .quoting(&["unexpected keyword argument"]),
    ]
}

fn runtimes() -> Vec<Fault> {
    let kind = "eighth set: other runtimes";
    vec![
        node(kind, "node, a file in the place of a directory", &["directory"], &[
            ("app.js", "require('fs').readFileSync('settings/port');\n"),
            ("settings", "5000\n"),
        ])
        .quoting(&["enotdir"]),
        node(kind, "node, an assertion", &["assert", "does not handle"], &[(
            "app.js",
            "const assert = require('assert');\nassert.ok(Number.isInteger(5000.5), 'the port must be a whole number');\n",
        )])
        .quoting(&["the port must be a whole number"]),
        node(kind, "node, a number that is too large", &["exception", "does not handle", "bigint"], &[(
            "app.js",
            "console.log(JSON.stringify({ total: 10n }));\n",
        )])
        .quoting(&["bigint"]),
        crash(kind, "java, a state of its own", &["exception", "does not handle"], "java Main.java", &[(
            "Main.java",
            "class Main {\n  public static void main(String[] args) {\n    throw new IllegalStateException(\"No datasource is configured\");\n  }\n}\n",
        )])
        .needing(JAVA)
        .quoting(&["no datasource is configured"]),
        crash(kind, "java, a bundle of texts", &["missing", "not there", "exception"], "java Main.java", &[(
            "Main.java",
            "class Main {\n  public static void main(String[] args) {\n    java.util.ResourceBundle.getBundle(\"messages\");\n  }\n}\n",
        )])
        .needing(JAVA)
        .quoting(&["can't find bundle"]),
        crash(kind, "ruby, a file", GONE, "ruby app.rb", &[("app.rb", "File.read('config/database.yml')\n")])
            .needing(RUBY)
            .quoting(&["no such file"]),
        crash(kind, "ruby, a key of its settings", &["exception", "does not handle", "key"], "ruby app.rb", &[(
            "app.rb",
            "config = { \"host\" => \"db\" }\nputs config.fetch(\"adapter\")\n",
        )])
        .needing(RUBY)
        .quoting(&["key not found"]),
        crash(kind, "perl, a function that is none", &["exception", "does not handle", "subroutine"], "perl app.pl", &[(
            "app.pl",
            "use strict;\nserve(5000);\n",
        )])
        .needing(PERL)
        .quoting(&["undefined subroutine"]),
        crash(kind, "php, its libraries", &["missing", "not installed", "not there"], "php app.php", &[(
            "app.php",
            "<?php\nrequire 'vendor/autoload.php';\n",
        )])
        .needing(PHP)
        .quoting(&["failed opening required"]),
        fault(kind, "go, a pointer to nothing", &["exception", "does not handle", "sigsegv"], |stage| {
            stage.file("main.go", "package main\n\ntype shop struct{ name string }\n\nfunc open() *shop { return nil }\n\nfunc main() {\n\tprintln(open().name)\n}\n");
            stage.runs("/usr/local/go/bin/go", &["build", "-o", "server", "main.go"]);
            stage.crashes("./server", &[]);
        })
        .needing(GO)
        .quoting(&["nil pointer"]),
        fault(kind, "c, a line of its settings", &["parse", "config", "setting"], |stage| {
            stage.file("main.c", "#include <stdio.h>\nint main(void) { fprintf(stderr, \"server: cannot understand line 3 of shop.conf\\n\"); return 3; }\n");
            stage.runs("cc", &["-o", "server", "main.c"]);
            stage.crashes("./server", &[]);
        })
        .needing(CC)
        .quoting(&["line 3 of shop.conf"]),
    ]
}

fn shells() -> Vec<Fault> {
    let kind = "eighth set: shells";
    vec![
        crash(
            kind,
            "a file of variables that is not there",
            GONE,
            "sh run.sh",
            &[("run.sh", ". ./production.env\nexec sleep 3600\n")],
        )
        .quoting(&["production.env"]),
        crash(
            kind,
            "a variable that may not change",
            &["read only", "readonly", "variable"],
            "sh run.sh",
            &[("run.sh", "readonly WORKERS=2\nWORKERS=4\nexec sleep 3600\n")],
        )
        .quoting(&["is read only"]),
        crash(
            kind,
            "bash divides by nothing",
            &["divi"],
            "bash run.sh",
            &[("run.sh", "set -e\nCPUS=0\nexec sleep $((3600 / CPUS))\n")],
        )
        .quoting(&["division by 0"]),
        crash(
            kind,
            "awk does not understand",
            &["syntax"],
            "sh run.sh",
            &[
                ("run.sh", "set -e\nport=$(awk '{ print $2' settings)\nexec sleep 3600\n"),
                ("settings", "port 5000\n"),
            ],
        )
        .quoting(&["missing } near end of file"]),
        crash(
            kind,
            "xargs has nothing to run",
            GONE,
            "sh run.sh",
            &[("run.sh", "echo 5000 | xargs gunicorn_of_nobody --port\n")],
        ),
    ]
}

fn tools() -> Vec<Fault> {
    let kind = "eighth set: tools and servers";
    vec![
        crash(kind, "wget, a name", &["name", "host", "resol"], "wget -q -O warm http://warm.shop.invalid/ || wget -nv -O warm http://warm.shop.invalid/", &[])
            .needing(&["/usr/bin/wget"])
            .quoting(&["unable to resolve host"]),
        crash(kind, "tail, a log that is not there", GONE, "tail -f log/production.log", &[]),
        crash(kind, "docker, no daemon", &["does not answer", "unreachable", "daemon", "engine"], "DOCKER_HOST=unix:///nowhere/docker.sock docker ps", &[])
            .needing(&["/usr/local/bin/docker"])
            .quoting(&["cannot connect to the docker daemon", "failed to connect to the docker api"]),
        crash(kind, "pg_isready, no answer", &["does not answer", "no response"], "pg_isready -h 127.0.0.1 -p 1", &[])
            .needing(&["/usr/bin/pg_isready"])
            .quoting(&["no response"]),
        crash(kind, "openssl, no certificate", &["certificate", "file", "missing"], "openssl s_server -accept 127.0.0.1:0", &[])
            .needing(&["/usr/bin/openssl"])
            .quoting(&["could not open file"]),
        fault(kind, "nginx, a directive in the wrong place", SETTINGS, |stage| {
            stage.file("nginx.conf", "pid nginx.pid;\nevents {}\nlisten 127.0.0.1:5996;\n");
            let command = format!("/usr/sbin/nginx -p {} -e stderr -c nginx.conf -g 'daemon off;'", as_text(&stage.path("")));
            stage.crashes(&command, &[]);
        })
        .needing(NGINX)
        .quoting(&["directive is not allowed here"]),
        crash(kind, "make, a step that fails", GONE, "make serve", &[("Makefile", "serve:\n\tcp build/index.html public.html\n\tsleep 3600\n")])
            .needing(&["/usr/bin/make"])
            .quoting(&["cannot stat"]),
        crash(kind, "npm, a step that fails", &["directory", "missing", "is not there"], "npm start", &[
            ("package.json", "{\"name\": \"shop\", \"version\": \"1.0.0\", \"scripts\": {\"start\": \"cd dist && node server.js\"}}\n"),
        ])
        .needing(NODE)
        .quoting(&["can't cd to"]),
    ]
}
