//! The fifteenth set, programs: causes of the usual list as they look at night, each by a program or behind a wrapper that no earlier set has.
//! It was written by somebody who had not read the rules, before any of it was run. The other half is in `fifteenth_machine.rs`.

use crate::certificates::Made;
use crate::checks::{SERVER, checked};
use crate::code::{NODE, PYTHON, crash};
use crate::eleventh::NOBODY_KNOWS;
use crate::ends::{GO, go};
use crate::fault::{Fault, fault};
use crate::fifth::{PERL, node, python};
use crate::home;
use crate::ninth_programs::Postgres;
use crate::stage::QUIET;
use crate::thirteenth::{NGINX, WELL, nginx};

pub(crate) fn faults() -> Vec<Fault> {
    [limits(), beginnings(), servers(), starts(), settings(), nothing()].into_iter().flatten().collect()
}

fn limits() -> Vec<Fault> {
    let kind = "fifteenth set: limits";
    vec![
        fault(kind, "tar finds no inode for what it unpacks", &["inode"], |stage| {
            stage.mount("data", "size=10m,nr_inodes=12,mode=777");
            stage.file("run.sh", "set -e\nmkdir -p parts\nfor n in $(seq 20); do : >parts/$n; done\ntar -cf parts.tar parts\ncd data\ntar -xf ../parts.tar\nexec sleep 3600\n");
            stage.crashes("sh run.sh", &[]);
        })
        .needing(&["root"]),
        fault(kind, "sqlite finds no inode for its journal", &["inode"], |stage| {
            stage.mount("data", "size=10m,nr_inodes=6,mode=777");
            stage.file("run.sh", "set -e\nsqlite3 data/shop.db 'create table if not exists orders (n)'\nfor n in 1 2 3 4 5 6 7 8; do : >data/cache$n || break; done 2>/dev/null\nsqlite3 data/shop.db 'insert into orders values (1)'\nexec sleep 3600\n");
            stage.crashes("bash run.sh", &[]);
        })
        .needing(&["root", "/usr/bin/sqlite3"])
        .quoting(&["unable to open database"]),
        fault(kind, "perl, processes of its user", &["process"], |stage| {
            stage.runs("chmod", &["755", ".", ".."]);
            stage.file("app.pl", "print \"reading the clock\\n\";\nmy $pid = fork();\ndie \"cannot fork the clock reader: $!\" unless defined $pid;\nsleep 3600;\n");
            stage.crashes("setpriv --reuid 61234 --clear-groups bash -c 'ulimit -u 1; exec perl app.pl'", &[]);
        })
        .needing(&["root", "/usr/bin/perl"])
        .quoting(&["cannot fork"]),
        fault(kind, "zsh, processes of its group", &["process"], |stage| {
            stage.file("run.zsh", "echo 'starting the workers'\nfor n in {1..20}; do sleep 3600 & done || exit 1\n/bin/true || exit 1\nwait\n");
            stage.crashes("zsh -e run.zsh", &[("web.pids-max", "8")]);
        })
        .needing(&["cgroup", "/usr/bin/zsh"]),
        fault(kind, "rust, files of a server that opens one for each order", &["open files", "descriptor"], |stage| {
            stage.file("main.rs", "use std::fs::File;\nfn orders() -> Result<Vec<File>, std::io::Error> {\n    (0..100).map(|_| File::open(\"main.rs\")).collect()\n}\nfn main() -> Result<(), Box<dyn std::error::Error>> {\n    println!(\"loading orders\");\n    orders()?;\n    Ok(())\n}\n");
            stage.runs("rustc", &["-o", "server", "main.rs"]);
            stage.crashes("./server", &[("web.limit-nofile", "30")]);
        })
        .needing(&["rustc"]),
        fault(kind, "bash, files that it keeps open", &["open files", "descriptor"], |stage| {
            stage.file("run.sh", "echo 'opening the ledgers'\nfor n in {1..40}; do\n  exec {ledger}<run.sh || exit 1\ndone\nexec sleep 3600\n");
            stage.crashes("bash run.sh", &[("web.limit-nofile", "20")]);
        })
        .needing(&["/usr/bin/bash"]),
    ]
}

fn beginnings() -> Vec<Fault> {
    let kind = "fifteenth set: what does not begin";
    vec![
        fault(kind, "node, an addon whose library was removed", &["librar", "shared object", ".so"], |stage| {
            stage.file("vips.c", "int resize(void) { return 1; }\n");
            stage.file("addon.c", "int resize(void);\nint thumbnails(void) { return resize(); }\n");
            stage.runs("cc", &["-shared", "-fPIC", "-o", "libvips-of-nobody.so.42", "vips.c"]);
            stage.runs("cc", &["-shared", "-fPIC", "-o", "addon.node", "addon.c", "-L.", "-l:libvips-of-nobody.so.42"]);
            stage.runs("rm", &["libvips-of-nobody.so.42"]);
            stage.file("app.js", "console.log('shop 4.1');\nconst thumbnails = require('./addon.node');\nthumbnails.start();\n");
            stage.crashes("node app.js", &[]);
        })
        .needing(&["/usr/bin/node", "/usr/bin/cc"]),
        fault(kind, "node, an addon that was copied from a Mac", &["architecture", "machine", "format"], |stage| {
            stage.runs("mkdir", &["-p", "node_modules/fast-hash/build"]);
            stage.runs("sh", &["-c", "{ printf '\\317\\372\\355\\376\\014\\000\\000\\001'; head -c 4096 /dev/zero; } >node_modules/fast-hash/build/hash.node"]);
            stage.file("node_modules/fast-hash/index.js", "module.exports = require('./build/hash.node');\n");
            stage.file("app.js", "const hash = require('fast-hash');\nhash('order');\n");
            stage.crashes("node app.js", &[]);
        })
        .needing(&["/usr/bin/node"])
        .quoting(&["invalid elf header"]),
        crash(kind, "awk, a script that was edited on Windows", &["line ending", "carriage", "windows"], "bin/serve", &[
            ("bin/serve", "#!/usr/bin/awk -f\r\nBEGIN { print \"serving\" }\r\n"),
        ])
        .needing(&["/usr/bin/awk"]),
        crash(kind, "npm starts a script that may not be executed", &["executable", "permission", "chmod"], "npm start", &[
            ("package.json", "{\"name\": \"shop\", \"version\": \"1.0.0\", \"scripts\": {\"start\": \"./serve.sh\"}}\n"),
            ("serve.sh", "#!/bin/sh\nexec sleep 3600\n"),
        ])
        .needing(&["/usr/bin/npm"]),
        fault(kind, "a virtual environment that was moved, behind timeout", &["interpreter", "shebang", "#!"], |stage| {
            stage.runs("/usr/bin/python3", &["-m", "venv", "--without-pip", "old"]);
            stage.runs("sh", &["-c", "printf '#!%s/old/bin/python3\\nprint(1)\\n' \"$PWD\" >old/bin/serve; chmod +x old/bin/serve; mv old venv"]);
            stage.crashes("timeout 3600 venv/bin/serve", &[]);
        })
        .needing(PYTHON),
        fault(kind, "a link to a release whose directory was renamed", &["directory"], |stage| {
            stage.runs("mkdir", &["-p", "releases/1"]);
            stage.runs("ln", &["-s", "releases/1", "current"]);
            stage.file("releases/1/Procfile", "web: exec sleep 3600\n");
            stage.does("deploy", &["--dir", stage.path("current").to_str().expect("text")]);
            stage.runs("mv", &["releases/1", "releases/1.old"]);
            stage.set("restart-policy", "on-failure:1");
            stage.tries("restart", &[]);
            stage.signals("web.1", rustix::process::Signal::KILL);
            stage.until("web.1", &["crashed"]);
        }),
        crash(kind, "tar is called without a word", &["option", "argument", "usage"], "tar", &[])
            .quoting(&["must specify one"]),
    ]
}

fn servers() -> Vec<Fault> {
    let kind = "fifteenth set: servers";
    vec![
        fault(kind, "sqlite, another process holds its database", &["lock"], |stage| {
            stage.runs("sqlite3", &["shop.db", "create table orders (n)"]);
            stage.keep(crate::fifteenth_machine::Held::new(
                stage,
                &["python3", "-c", "import sqlite3, time\nheld = sqlite3.connect('shop.db', isolation_level=None)\nheld.execute('begin exclusive')\nopen('held', 'w').close()\ntime.sleep(3600)\n"],
            ));
            stage.until_file("held");
            stage.file("run.sh", "set -e\necho 'counting orders'\nsqlite3 shop.db 'insert into orders values (1)'\nexec sleep 3600\n");
            stage.crashes("sh run.sh", &[]);
        })
        .needing(&["/usr/bin/sqlite3", "/usr/bin/python3"]),
        fault(kind, "postgres has no connection left for its user", &["connection"], |stage| {
            let server = Postgres::new();
            let at = |who: &str| format!("postgresql://{who}@127.0.0.1:{}/postgres", server.port);
            stage.runs("psql", &["-c", "create role till login connection limit 1 password 'right'", &at("shop:right")]);
            let holder = ["psql", "-c", "select pg_sleep(3600)", &at("till:right")];
            stage.keep(crate::fifteenth_machine::Held::new(stage, &holder));
            stage.file("wait.sh", &format!("until psql -Atc \"select 'held' from pg_stat_activity where usename = 'till'\" '{}' | grep held; do sleep 0.1; done\n", at("shop:right")));
            stage.runs("sh", &["wait.sh"]);
            stage.file("run.sh", &format!("set -e\necho 'opening the till'\npsql -c 'select 1' '{}'\nexec sleep 3600\n", at("till:right")));
            stage.crashes("sh run.sh", &[]);
            drop(server);
        })
        .needing(&["root", "/usr/lib/postgresql/15/bin/postgres"])
        .quoting(&["too many connections"]),
        crash(kind, "git clones from a host that has no address", &["name", "dns", "resol", "host"], "sh run.sh", &[
            ("run.sh", "set -e\nrm -rf catalogue\ngit clone --depth 1 https://git.shop.invalid/catalogue.git catalogue\nexec sleep 3600\n"),
        ])
        .needing(&["/usr/bin/git"]),
        fault(kind, "go, a certificate that is not valid yet", &["certificate"], |stage| {
            Made::with("localhost", |params| {
                params.not_before = rcgen::date_time_ymd(2040, 1, 1);
                params.not_after = rcgen::date_time_ymd(2041, 1, 1);
            })
            .put(&stage.path("tls"));
            go(stage, "package main\n\nimport (\n\t\"crypto/tls\"\n\t\"crypto/x509\"\n\t\"log\"\n\t\"net\"\n\t\"os\"\n)\n\nfunc main() {\n\tpair, err := tls.LoadX509KeyPair(\"tls/server.crt\", \"tls/server.key\")\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n\tserver, _ := tls.Listen(\"tcp\", \"127.0.0.1:0\", &tls.Config{Certificates: []tls.Certificate{pair}})\n\tgo func() {\n\t\tfor {\n\t\t\tif one, err := server.Accept(); err == nil {\n\t\t\t\tgo func(one net.Conn) { one.(*tls.Conn).Handshake() }(one)\n\t\t\t}\n\t\t}\n\t}()\n\troots := x509.NewCertPool()\n\ttext, _ := os.ReadFile(\"tls/server.crt\")\n\troots.AppendCertsFromPEM(text)\n\tif _, err := tls.Dial(\"tcp\", server.Addr().String(), &tls.Config{RootCAs: roots, ServerName: \"localhost\"}); err != nil {\n\t\tlog.Fatalf(\"payments: %v\", err)\n\t}\n}\n");
        })
        .needing(GO),
        fault(kind, "nginx sends its check to https", &["301", "redirect"], |stage| {
            let _listening = home::listening();
            stage.exists();
            let command = nginx(stage, "listen 127.0.0.1:PORT; return 301 https://shop.example$request_uri;");
            stage.file("run.sh", &format!("sed -i \"s/127.0.0.1:PORT/127.0.0.1:$PORT/\" nginx.conf\nexec {command}\n"));
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/up", "attempts": 2, "wait": 1}"#));
            stage.procfile("web: sh run.sh\n");
            stage.fails_to_deploy(&["--scale", "web=1"]);
        })
        .needing(NGINX),
    ]
}

fn starts() -> Vec<Fault> {
    let kind = "fifteenth set: starts";
    vec![
        fault(kind, "a release waits for an answer that nobody gives", &["release"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.file("migrate.sh", "printf 'Apply 3 destructive migrations? [y/N] '\nread answer || exit 1\n");
            stage.procfile(&format!("release: sh migrate.sh\nweb: {QUIET} --say 2\n"));
            stage.fails_to_deploy(&[]);
        }),
        fault(kind, "it waits for a name that never comes, past its time", &["listen", "time", "slow", "ready"], |stage| {
            let _listening = home::listening();
            stage.file("run.sh", "until getent hosts peer.shop.invalid >/dev/null; do\n  echo 'waiting for peer.shop.invalid to come up'\n  sleep 0.5\ndone\nexec /usr/bin/python3 -m http.server --bind 127.0.0.1 $PORT\n");
            stage.exists();
            stage.set("web.ready", "listening");
            stage.set("web.start-timeout-seconds", "4");
            stage.set("restart-policy", "on-failure:1");
            stage.procfile("web: bash run.sh\n");
            stage.fails_to_deploy(&["--scale", "web=1"]);
        })
        .needing(PYTHON),
        fault(kind, "it ends again and again, by a word of its own", &["status 3"], |stage| {
            stage.file("app.pl", "sleep 0.2;\nprint STDERR \"shop: the license of this host ended yesterday\\n\";\nexit 3;\n");
            stage.ends("perl app.pl", &[("restart-policy", "on-failure:3")]);
            stage.until("web.1", &["crashed"]);
        })
        .needing(PERL)
        .quoting(&["license"])
        .telling(&["times", "in a row"]),
    ]
}

fn settings() -> Vec<Fault> {
    let kind = "fifteenth set: settings";
    vec![
        fault(kind, "somebody has put the missing variable into .env, and not deployed", &["variable", "parameter", "not set"], |stage| {
            stage.file(".env", "SHOP_REGION=eu\n");
            stage.file("run.sh", "echo \"region $SHOP_REGION\"\n: \"${SHOP_DATABASE:?the address of the database}\"\nexec sleep 3600\n");
            stage.crashes("bash run.sh", &[]);
            stage.file(".env", "SHOP_REGION=eu\nSHOP_DATABASE=postgresql://db/shop\n");
        })
        .needing(&["/usr/bin/bash"])
        .telling(&["changed"]),
        fault(kind, ".env was changed, and the app was deployed again", WELL, |stage| {
            stage.file(".env", "SHOP_REGION=eu\n");
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.file(".env", "SHOP_REGION=us\n");
            stage.deploys(&[]);
        }),
    ]
}

fn nothing() -> Vec<Fault> {
    let kind = "fifteenth set: nothing is wrong, or nobody can know";
    vec![
        fault(kind, "go, clients that did not like its certificate", NOBODY_KNOWS, |stage| {
            go(stage, "package main\n\nimport (\n\t\"log\"\n\t\"os\"\n)\n\nfunc main() {\n\tlog.Println(\"serving on :8443\")\n\tfor _, port := range []string{\"51234\", \"51236\", \"51240\"} {\n\t\tlog.Printf(\"http: TLS handshake error from 10.0.0.7:%s: remote error: tls: bad certificate\", port)\n\t}\n\tos.Exit(9)\n}\n");
        })
        .needing(GO),
        crash(kind, "a run of tests that found nothing", NOBODY_KNOWS, "sh run.sh", &[(
            "run.sh",
            "echo 'Tests: 0 failed, 0 errors, 214 passed'\necho 'Time: 2.4 s'\nexit 5\n",
        )]),
        node(kind, "node, what customers wrote", NOBODY_KNOWS, &[(
            "app.js",
            "console.log('ticket 88 of bob: \"ModuleNotFoundError: No module named requests\" since the update');\nconsole.log('ticket 89 of eve: my disk says No space left on device');\nconsole.log('2 tickets were handed on');\nprocess.exitCode = 7;\n",
        )]),
        python(kind, "python, its own words in German", &["error"], &[(
            "app.py",
            "import sys\nprint('Lager wird geladen')\nsys.exit('Verbindung zum Lagerserver fehlgeschlagen, Abbruch')\n",
        )])
        .quoting(&["lagerserver"]),
        fault(kind, "a check failed for a moment, and it was started again", &["well", "healthy", "a check"], |stage| {
            let _listening = home::listening();
            stage.file("server.py", SERVER);
            stage.file("mode", "200");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "liveness", "path": "/", "interval": 1, "attempts": 1, "timeout": 2}"#));
            stage.procfile("web: /usr/bin/python3 server.py\n");
            stage.deploys(&[]);
            stage.file("mode", "500");
            stage.until_row("web.1", |row| row["restarts"].as_u64().is_some_and(|count| count > 0));
            stage.file("mode", "200");
            stage.until("web.1", &["running"]);
        })
        .needing(PYTHON),
        fault(kind, "a job ends, whose last word is about an old error", &["finished"], |stage| {
            stage.procfile("job: echo 'removed 12 reports named error: disk full, connection refused'; sleep 1.2\n");
            stage.deploys(&["--scale", "job=0"]);
            stage.set("restart-policy", "no");
            stage.does("ps-scale", &["job=1"]);
            stage.until("job.1", &["stopped"]);
        }),
    ]
    .into_iter()
    .chain([fault(kind, "node stayed within its limits", WELL, |stage| {
        stage.file("app.js", "console.log('limits: open files 30, processes 40');\nsetTimeout(() => require('fs').writeFileSync('said', ''), 50);\nsetInterval(() => {}, 1000);\n");
        stage.procfile("web: node app.js\n");
        stage.deploys(&["--scale", "web=0"]);
        stage.set("web.limit-nofile", "60");
        stage.does("ps-scale", &["web=1"]);
        stage.until_file("said");
    })
    .needing(NODE)])
    .collect()
}
