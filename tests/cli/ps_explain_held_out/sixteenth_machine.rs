//! The sixteenth set, the machine and what was asked of Formation: limits, settings, schedules, an order, an address, a reboot, containers.
//! It was written with the other half.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use crate::asking::some_address;
use crate::checks::{SERVER, checked};
use crate::code::PYTHON;
use crate::containers::{contained, container, docker, until, without_restart};
use crate::fault::{Fault, fault};
use crate::home::{self, eventually};
use crate::stage::{QUIET, as_text};
use crate::thirteenth::{GROUP, TAKEN, WELL};

const ENGINE: &[&str] = &["engine"];

pub(crate) fn faults() -> Vec<Fault> {
    [limits(), settings(), orders(), schedules(), containers()].into_iter().flatten().collect()
}

fn limits() -> Vec<Fault> {
    let kind = "sixteenth set: limits";
    vec![
        fault(kind, "too little of a CPU to come up in time", &["check", "listen", "not ready", "cpu"], |stage| {
            let _listening = home::listening();
            stage.file("server.py", &format!("import json, email, asyncio, unittest, decimal, ssl\nfor n in range(2000000): pass\n{SERVER}"));
            stage.file("mode", "200");
            stage.file("app.json", &checked(r#"{"type": "startup", "path": "/", "attempts": 100, "wait": 1}"#));
            stage.crashes("/usr/bin/python3 server.py", &[("web.cpu-max", "0.01"), ("web.start-timeout-seconds", "5")]);
        })
        .needing(GROUP)
        .telling(&["cpu"]),
        fault(kind, "it outgrows memory-restart again and again", &["memory"], |stage| {
            stage.file("app.py", "import time\nprint('filling the cache', flush=True)\nkept = bytearray(80 << 20)\nfor n in range(0, len(kept), 4096): kept[n] = 1\nopen('said', 'w').close()\ntime.sleep(3600)\n");
            stage.procfile("web: /usr/bin/python3 app.py\n");
            stage.deploys(&["--scale", "web=0"]);
            stage.set("web.memory-restart", "40m");
            stage.does("ps-scale", &["web=1"]);
            let before = stage.pid("web.1");
            stage.until_row("web.1", |row| row["pid"].as_u64().is_some_and(|pid| i64::try_from(pid) != Ok(i64::from(before.as_raw_nonzero().get()))));
        })
        .needing(PYTHON),
        fault(kind, "somebody lowered its descriptors while it ran", &["open files", "descriptor"], |stage| {
            stage.file("app.py", "import os, time\nprint('serving', flush=True)\nwhile not os.path.exists('lowered'): time.sleep(0.05)\nkept = [open('app.py') for n in range(40)]\n");
            stage.procfile("web: exec /usr/bin/python3 app.py\n");
            stage.deploys(&["--scale", "web=0"]);
            stage.set("restart-policy", "no");
            stage.does("ps-scale", &["web=1"]);
            let pid = stage.pid("web.1").as_raw_nonzero().to_string();
            stage.runs("prlimit", &["--pid", &pid, "--nofile=20:20"]);
            stage.file("lowered", "");
            stage.until("web.1", &["crashed"]);
        })
        .needing(&["root", "/usr/bin/prlimit", "/usr/bin/python3"])
        .quoting(&["too many open files"]),
        fault(kind, "python never waits for its children", &["process"], |stage| {
            stage.file("app.py", "import os, time\nprint('sending mails', flush=True)\nwhile True:\n    if os.fork() == 0:\n        os._exit(0)\n");
            stage.crashes("/usr/bin/python3 app.py", &[("web.pids-max", "16")]);
        })
        .needing(GROUP),
        fault(kind, "somebody froze its processes", &["frozen", "freez", "froze"], |stage| {
            let _listening = home::listening();
            stage.procfile(&format!("web: exec {QUIET} --listen\n"));
            stage.deploys(&[]);
            let group = PathBuf::from(format!("/sys/fs/cgroup/freezer/held-out-{}", stage.pid("web.1").as_raw_nonzero()));
            fs::create_dir(&group).expect("a group");
            fs::write(group.join("cgroup.procs"), stage.pid("web.1").as_raw_nonzero().to_string()).expect("it moves");
            fs::write(group.join("freezer.state"), "FROZEN").expect("it freezes");
            stage.afterwards(move || {
                let _ = fs::write(group.join("freezer.state"), "THAWED");
                let all = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
                for pid in all.lines() {
                    let _ = fs::write("/sys/fs/cgroup/freezer/cgroup.procs", pid);
                }
                let _ = fs::remove_dir(&group);
            });
        })
        .needing(&["root", "/sys/fs/cgroup/freezer/cgroup.procs"]),
        fault(kind, "a variable that is larger than a program may be given", &["too long", "too large", "128 kib"], |stage| {
            stage.file(".env", &format!("SHOP_CERTIFICATES={}\n", "MIIB".repeat(50_000)));
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.exists();
            let ran = stage.tries("deploy", &["--dir", &as_text(&stage.path("")), "--scale", "web=1"]);
            assert!(ran.status != Some(0), "{ran:?}");
        }),
    ]
}

fn settings() -> Vec<Fault> {
    let kind = "sixteenth set: settings";
    vec![
        fault(kind, "a PATH in .env without the usual places", &["path", "not found", "no program", "program missing", "not there"], |stage| {
            stage.file(".env", "PATH=/opt/shop/bin\n");
            stage.file("app.js", "setInterval(() => {}, 1000);\n");
            stage.crashes("node app.js", &[]);
        })
        .needing(&["/usr/bin/node"]),
        fault(kind, "a file of /tmp, and a /tmp of its own", &["private-tmp", "no such file", "missing", "not there", "does not exist"], |stage| {
            let shared = PathBuf::from(format!("/tmp/held-out-prices-{}", stage.home.path("").display().to_string().replace('/', "-")));
            fs::write(&shared, "3\n").expect("a file");
            stage.file("app.py", &format!("print('reading prices', flush=True)\nprint(open({:?}).read())\nimport time\ntime.sleep(3600)\n", as_text(&shared)));
            stage.afterwards(move || {
                let _ = fs::remove_file(shared);
            });
            stage.crashes("/usr/bin/python3 app.py", &[("web.private-tmp", "yes")]);
        })
        .needing(&["root", "/usr/bin/python3"])
        .telling(&["private-tmp", "of its own"]),
        fault(kind, "a service that ends with success, which is a failure", &["failure", "status 0", "ends by itself", "success"], |stage| {
            stage.crashes("echo 'no orders left'; sleep 0.3", &[("web.failure-exit-codes", "0")]);
        }),
        fault(kind, "its stop-command takes its time", &["stopped by hand", "stopping"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.set("web.stop-command", "touch draining; sleep 3600");
            stage.does("converge", &[]);
            let stop = stage.home.start(&["ps-lifecycle", "stop", "shop"]);
            stage.until_file("draining");
            stage.keep(stop);
        })
        .telling(&["stop-command"]),
        fault(kind, "it is not to come back after a reboot", &["restore", "reboot", "boot", "supervisor"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.set("restore", "false");
            stage.home.power_cut();
            stage.home.run(&["ps-lifecycle", "restore"]);
        })
        .telling(&["restore"]),
    ]
}

fn orders() -> Vec<Fault> {
    let kind = "sixteenth set: order and address";
    vec![
        fault(kind, "web waits for a migration, which fails", &["migrate"], |stage| {
            stage.file("app.json", r#"{"formation": {"web": {"quantity": 1, "after": ["migrate:done"]}, "migrate": {"quantity": 1, "restart_policy": "no"}}}"#);
            stage.exists();
            stage.procfile(&format!("web: {QUIET}\nmigrate: test -f yes || {{ echo 'ERROR: column paid exists already' >&2; exit 3; }}\n"));
            stage.file("yes", "");
            stage.deploys(&["--scale", "web=1", "migrate=1"]);
            stage.does("stop", &[]);
            stage.runs("rm", &["yes"]);
            stage.tries("start", &[]);
            stage.about(&["web"]);
        })
        .telling(&["column paid", "status 3"]),
        fault(kind, "a type that the Procfile has no longer", &["has no worker"], |stage| {
            stage.procfile(&format!("web: {QUIET}\nworker: {QUIET}\n"));
            stage.deploys(&["--scale", "worker=1"]);
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.about(&["worker"]);
        }),
        fault(kind, "somebody has taken its address while it was stopped", TAKEN, |stage| {
            let address = some_address();
            let _listening = home::listening();
            stage.file("server.py", SERVER);
            stage.file("mode", "200");
            stage.procfile("web: /usr/bin/python3 server.py\n");
            stage.deploys(&["--listen", &address.to_string()]);
            stage.does("stop", &[]);
            let taken = eventually("the address is free", || TcpListener::bind(address).map_err(|error| error.to_string()));
            stage.keep(taken);
            stage.tries("start", &[]);
        })
        .needing(PYTHON)
        .telling(&["127.0.0.1:"]),
    ]
}

fn schedules() -> Vec<Fault> {
    let kind = "sixteenth set: a schedule";
    vec![
        fault(kind, "the last run met nobody", &["refuse", "nobody listens", "unreachable"], |stage| {
            stage.file("app.json", r#"{"formation": {"backup": {"quantity": 1, "schedule": "0 3 29 2 *"}}}"#);
            stage.file("app.py", "import socket\nprint('asking the database')\nsocket.create_connection(('127.0.0.1', 1))\n");
            stage.procfile("backup: /usr/bin/python3 app.py\n");
            stage.deploys(&["--scale", "backup=1"]);
            stage.tries("start", &["backup"]);
            stage.until_row("backup.1", |row| row["state"] == "scheduled" && !row["last_exit"].is_null());
            stage.about(&["backup"]);
        })
        .needing(PYTHON)
        .quoting(&["connection refused"]),
        fault(kind, "the last run was killed for its memory", &["memory"], |stage| {
            stage.file("app.json", r#"{"formation": {"report": {"quantity": 1, "schedule": "0 3 29 2 *", "memory_max": "40m"}}}"#);
            stage.file("app.py", crate::eleventh::EATS);
            stage.procfile("report: exec /usr/bin/python3 app.py\n");
            stage.deploys(&["--scale", "report=1"]);
            stage.tries("start", &["report"]);
            stage.until_row("report.1", |row| row["state"] == "scheduled" && !row["last_exit"].is_null());
            stage.about(&["report"]);
        })
        .needing(GROUP),
    ]
}

/// A network of the engine's that is removed when all is said.
struct Network(String);

impl Drop for Network {
    fn drop(&mut self) {
        // It may be gone.
        let _ = Command::new("docker").args(["network", "rm", &self.0]).output();
    }
}

fn containers() -> Vec<Fault> {
    let kind = "sixteenth set: containers";
    vec![
        fault(kind, "its file system may only be read", &["read-only", "read only"], |stage| {
            contained(
                stage,
                "sh -c 'sleep 2; echo 3 >/app/cache || exit 1; exec sleep 3600'",
                &["--scale", "web=0"],
            );
            stage.set("restart-policy", "no");
            stage.set("web.engine-options", "read-only=true");
            stage.tries("ps-scale", &["web=1"]);
            until(&container(stage), ".State.Status", "exited");
        })
        .needing(ENGINE),
        fault(kind, "its network was removed while it was stopped", &["network"], |stage| {
            let network = format!("held-out-{}", std::process::id());
            docker(&["network", "create", &network]);
            stage.keep(Network(network.clone()));
            contained(stage, "exec sleep 3600", &["--scale", "web=0"]);
            stage.set("web.networks", &network);
            stage.does("ps-scale", &["web=1"]);
            stage.does("stop", &[]);
            docker(&["network", "rm", &network]);
            stage.fails("start", &[]);
        })
        .needing(ENGINE),
        fault(kind, "it may have no more processes", &["process", "fork"], |stage| {
            contained(
                stage,
                "sh -c 'sleep 2; for n in 1 2 3 4 5 6 7 8; do sleep 3600 & done; wait'",
                &["--scale", "web=0"],
            );
            stage.set("restart-policy", "no");
            stage.set("web.pids-max", "4");
            stage.tries("ps-scale", &["web=1"]);
            until(&container(stage), ".State.Status", "exited");
        })
        .needing(ENGINE)
        .quoting(&["can't fork"]),
        fault(kind, "somebody gave it another name with the engine's own client", WELL, |stage| {
            let id = without_restart(stage, "exec sleep 3600");
            docker(&["rename", &id, &format!("held-renamed-{}", std::process::id())]);
        })
        .needing(ENGINE),
        fault(
            kind,
            "its directory of the host was moved away while it was stopped",
            &["mount", "no such file", "missing", "not there", "does not exist"],
            |stage| {
                stage.runs("mkdir", &["prices"]);
                stage.file("prices/today", "3\n");
                contained(
                    stage,
                    "sh -c 'sleep 2; cat /prices/today || exit 1; exec sleep 3600'",
                    &["--scale", "web=0"],
                );
                stage.set("restart-policy", "no");
                stage.set("web.mounts", &format!("{}:/prices:ro", stage.path("prices").display()));
                stage.does("ps-scale", &["web=1"]);
                stage.does("stop", &[]);
                stage.runs("mv", &["prices", "prices.old"]);
                stage.tries("start", &[]);
                let id = container(stage);
                eventually("it has ended, or was never begun", || {
                    let words = ["inspect", "--format", "{{.State.Status}}", &id];
                    let seen = Command::new("docker").args(words).output().expect("docker runs").stdout;
                    let seen = String::from_utf8_lossy(&seen).trim().to_owned();
                    if seen == "running" { Err(seen) } else { Ok(()) }
                });
            },
        )
        .needing(ENGINE),
    ]
}
