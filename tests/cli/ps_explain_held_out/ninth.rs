//! Faults in circumstances that no earlier set has: beside something that is well, long ago, healed, hidden by a wrapper, or two at once.
//! They were all written, by somebody who had not read the rules, before the first of them was run.

use std::process::Command;

use rustix::process::Signal;

use crate::asking::some_address;
use crate::checks::checked;
use crate::code::{NODE, PYTHON, crash};
use crate::fault::{Fault, fault};
use crate::home::{self, eventually};
use crate::stage::{QUIET, Stage};

const MODULE: &[&str] = &["module", "import"];
const WELL: &[&str] = &["well", "healthy", "running", "nothing is wrong"];
const IMPORTS: &str = "import reports_of_nobody\n";

pub(crate) fn faults() -> Vec<Fault> {
    [beside(), before(), hidden(), deploys(), asked()].into_iter().flatten().collect()
}

/// This second, for `--at`.
fn now() -> String {
    let ran = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().expect("date runs");
    String::from_utf8(ran.stdout).expect("text").trim().to_owned()
}

/// Waits until a new second has begun; which one that is.
fn next_second() -> String {
    let last = now();
    eventually("the second is over", || if now() == last { Err(last.clone()) } else { Ok(now()) })
}

/// A moment at which all is as it is now, and that is past when this returns.
pub(crate) fn a_moment() -> String {
    let moment = next_second();
    next_second();
    moment
}

/// What is named here is to be started again once when it fails; what is not is well.
fn with_types(stage: &Stage, procfile: &str, all: &[&str]) {
    stage.procfile(procfile);
    let none: Vec<String> = procfile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| format!("{name}=0"))
        .collect();
    let none: Vec<&str> = none.iter().map(String::as_str).collect();
    stage.deploys(&[&["--scale"], &*none].concat());
    stage.set("restart-policy", "on-failure:1");
    stage.tries("ps-scale", all);
}

fn beside() -> Vec<Fault> {
    let kind = "ninth set: beside something that is well";
    vec![
        fault(kind, "a worker lacks a module, and web is well", MODULE, |stage| {
            stage.file("worker.py", IMPORTS);
            with_types(stage, &format!("web: {QUIET}\nworker: /usr/bin/python3 worker.py\n"), &["web=1", "worker=1"]);
            stage.until("worker.1", &["crashed"]);
        })
        .needing(PYTHON),
        fault(kind, "two instances want the same port, and the first has it", &["in use", "taken", "port"], |stage| {
            let port = some_address().port();
            stage.file("app.py", &format!("import socket, time\nserver = socket.create_server(('127.0.0.1', {port}))\nprint('up', flush=True)\ntime.sleep(3600)\n"));
            with_types(stage, "web: /usr/bin/python3 app.py\n", &["web=1"]);
            eventually("the first one listens", || {
                std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
            });
            stage.tries("ps-scale", &["web=2"]);
            stage.until("web.2", &["crashed"]);
        })
        .needing(PYTHON),
        fault(kind, "its database is another type, which was stopped by hand", &["refuse", "unreachable"], |stage| {
            let port = some_address().port();
            stage.file("web.py", &format!("import pathlib, socket, time\nsocket.create_connection(('127.0.0.1', {port}))\ntime.sleep(3600)\n"));
            with_types(stage, &format!("web: /usr/bin/python3 web.py\ndb: faultapp --listen {port}\n"), &["db=1"]);
            eventually("the database listens", || home::get(port.into(), "/"));
            stage.does("ps-scale", &["web=1"]);
            stage.does("stop", &["db.1"]);
            stage.does("stop", &["web.1"]);
            stage.tries("start", &["web.1"]);
            stage.until("web.1", &["crashed"]);
            stage.about(&["web.1"]);
        })
        .needing(PYTHON),
        fault(kind, "a worker grows up to its limit", &["memory"], |stage| {
            stage.file("worker.py", "import time\nkept = []\nwhile True:\n    kept.append(bytearray(1 << 20))\n    print(f'{len(kept)} orders in memory', flush=True)\n    time.sleep(0.01)\n");
            stage.procfile(&format!("web: {QUIET}\nworker: /usr/bin/python3 worker.py\n"));
            stage.deploys(&["--scale", "web=1", "worker=0"]);
            stage.set("restart-policy", "on-failure:1");
            stage.set("worker.memory-max", "60m");
            stage.tries("ps-scale", &["worker=1"]);
            stage.until("worker.1", &["crashed"]);
        })
        .needing(&["cgroup", "/usr/bin/python3"]),
        fault(kind, "a janitor of the same app ends what is idle", &["outside", "signal", "somebody"], |stage| {
            stage.file("janitor.sh", "until test -e idle; do sleep 0.1; done\nkill -TERM $(cat web.pid)\nexec sleep 3600\n");
            stage.procfile("web: echo $$ >web.pid; exec sleep 3600\njanitor: sh janitor.sh\n");
            stage.deploys(&["--scale", "web=1", "janitor=1"]);
            stage.set("restart-policy", "no");
            stage.does("restart", &["web.1"]);
            stage.file("idle", "");
            stage.until("web.1", &["crashed", "stopped"]);
            stage.about(&["web.1"]);
        }),
        fault(kind, "web lacks a module, and no worker is wanted", MODULE, |stage| {
            stage.file("app.py", IMPORTS);
            with_types(stage, &format!("web: /usr/bin/python3 app.py\nworker: {QUIET}\n"), &["web=1"]);
            stage.until("web.1", &["crashed"]);
        })
        .needing(PYTHON),
    ]
}

fn before() -> Vec<Fault> {
    let kind = "ninth set: what was before";
    vec![
        fault(kind, "a module was missing, and nothing is now", MODULE, |stage| {
            stage.file("app.py", IMPORTS);
            stage.crashes("/usr/bin/python3 app.py", &[]);
            let then = a_moment();
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.about(&["--at", &then]);
        })
        .needing(PYTHON),
        fault(kind, "it was stopped by hand, and runs now", &["stopped", "by hand"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.does("stop", &[]);
            let then = a_moment();
            stage.does("start", &[]);
            stage.about(&["--at", &then]);
        }),
        fault(kind, "it was well, and is not now", WELL, |stage| {
            stage.procfile("web: until test -e end; do sleep 0.1; done; echo 'KeyError: 1' >&2; exit 1\n");
            stage.deploys(&[]);
            stage.set("restart-policy", "no");
            let then = a_moment();
            stage.file("end", "");
            stage.until("web.1", &["crashed", "stopped"]);
            stage.about(&["--at", &then]);
        }),
        fault(kind, "a file was missing, and is there now", WELL, |stage| {
            stage.file(
                "app.py",
                "import time\nprint(open('settings').read(), flush=True)\ntime.sleep(3600)\n",
            );
            stage.procfile("web: /usr/bin/python3 app.py\n");
            stage.deploys(&["--scale", "web=0"]);
            stage.set("restart-policy", "on-failure:10");
            stage.tries("ps-scale", &["web=1"]);
            stage.until_row("web.1", |row| row["restarts"].as_u64().is_some_and(|restarts| restarts > 0));
            stage.file("settings", "port 5000\n");
            stage.until("web.1", &["running"]);
        })
        .needing(PYTHON),
    ]
}

fn hidden() -> Vec<Fault> {
    let kind = "ninth set: hidden by a wrapper";
    vec![
        fault(kind, "a pipe into tee ends with success", MODULE, |stage| {
            stage.file("app.js", "console.log('boot');\nrequire('express-of-nobody');\n");
            stage.ends("node app.js 2>&1 | tee app.log", &[]);
            stage.until("web.1", &["stopped", "crashed"]);
        })
        .needing(NODE),
        crash(kind, "a script tries it three times", MODULE, "sh run.sh", &[
            ("app.py", IMPORTS),
            ("run.sh", "for n in 1 2 3; do\n  /usr/bin/python3 app.py && exit 0\n  echo \"start $n failed, waiting\" >&2\n  sleep 0.2\ndone\necho 'server failed 3 times, giving up' >&2\nexit 1\n"),
        ])
        .needing(PYTHON),
        crash(
            kind,
            "a flood of words, and then a key",
            &["variable", "key", "exception"],
            "/usr/bin/python3 app.py",
            &[("app.py", "import os\nfor n in range(50000):\n    print(f'{n} INFO cart {n} was written: 0 errors')\nprint(os.environ['SHOP_TAX_KEY'])\n")],
        )
        .needing(PYTHON),
    ]
}

fn deploys() -> Vec<Fault> {
    let kind = "ninth set: a new release";
    vec![
        fault(kind, "its migration takes longer than it may", &["listen", "time", "slow", "ready"], |stage| {
            let _listening = home::listening();
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.set("web.ready", "listening");
            stage.set("web.start-timeout-seconds", "2");
            stage.procfile("web: faultapp --say 'migrating 48000 rows' --listen --listen-after 60000\n");
            stage.fails_to_deploy(&[]);
        }),
        fault(kind, "its Procfile has an equals sign", &["procfile"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.procfile("web = gunicorn app:app\n");
            stage.fails_to_deploy(&[]);
        }),
        fault(kind, "its app.json has a word for a number", &["app.json"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.file("app.json", r#"{"healthchecks": {"web": [{"type": "startup", "path": "/up", "attempts": "three"}]}}"#);
            stage.fails_to_deploy(&[]);
        }),
        fault(kind, "its migration was made already", &["release"], |stage| {
            stage.file("migrate.py", "import sqlite3\nsqlite3.connect('shop.db').execute('create table orders (id integer)')\n");
            stage.procfile(&format!("release: /usr/bin/python3 migrate.py\nweb: {QUIET}\n"));
            stage.deploys(&[]);
            stage.procfile(&format!("release: /usr/bin/python3 migrate.py\nweb: {QUIET} --say 2\n"));
            stage.fails_to_deploy(&[]);
        })
        .needing(PYTHON),
        fault(kind, "a busy loop gives its check no answer", &["answer", "time"], |stage| {
            let _listening = home::listening();
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "attempts": 1, "wait": 1, "timeout": 1}"#));
            stage.file("app.js", "require('http').createServer((asked, answer) => { for (;;) Math.random(); }).listen(process.env.PORT, '127.0.0.1');\n");
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&["--scale", "web=0"]);
            stage.procfile("web: node app.js\n");
            stage.fails_to_deploy(&["--scale", "web=1"]);
        })
        .needing(NODE),
        fault(kind, "its files are root's alone", &["permission", "may not"], |stage| {
            stage.file("app.py", "import json\njson.load(open('secrets.json'))\n");
            stage.file("secrets.json", "{}\n");
            stage.runs("chmod", &["755", "..", "."]);
            stage.runs("chmod", &["600", "secrets.json"]);
            stage.crashes("/usr/bin/python3 app.py", &[("web.user", "nobody")]);
        })
        .needing(&["root", "/usr/bin/python3"]),
    ]
}

fn asked() -> Vec<Fault> {
    let kind = "ninth set: what is asked";
    vec![
        fault(
            kind,
            "an app that never was",
            &["no such app", "does not exist", "no app", "not exist"],
            |stage| {
                stage.procfile(&format!("web: {QUIET}\n"));
                stage.deploys(&[]);
                stage.of_app("shpo");
            },
        ),
        fault(kind, "a type with a slip", &["no such", "has no", "not have", "no instance"], |stage| {
            stage.procfile(&format!("web: {QUIET}\nworker: {QUIET}\n"));
            stage.deploys(&["--scale", "web=1", "worker=1"]);
            stage.about(&["workr.1"]);
        }),
        fault(kind, "while it does not end at a restart", &["restart", "term", "has not ended"], |stage| {
            stage.procfile(&format!("web: {QUIET} --ignore-term\n"));
            stage.deploys(&[]);
            let restart = stage.home.start(&["ps-lifecycle", "restart", "shop"]);
            stage.until_row("web.1", |row| row["state"] == "stopping");
            stage.keep(restart);
        }),
        fault(
            kind,
            "after an end that somebody asked for while it crashed",
            &["stopped", "by hand"],
            |stage| {
                stage.procfile("web: echo 'boom' >&2; sleep 0.1; exit 1\n");
                stage.deploys(&["--scale", "web=0"]);
                stage.set("restart-policy", "on-failure:50");
                stage.tries("ps-scale", &["web=1"]);
                stage.until_row("web.1", |row| row["restarts"].as_u64().is_some_and(|restarts| restarts > 0));
                stage.does("stop", &["web.1"]);
            },
        ),
        fault(kind, "a signal of a fault from outside, and it is back", &["sigsegv", "outside"], |stage| {
            stage.procfile("web: sleep 3600\n");
            stage.deploys(&[]);
            stage.signals("web.1", Signal::SEGV);
            stage.until_row("web.1", |row| row["state"] == "running" && row["restarts"] == 1);
        }),
    ]
}
