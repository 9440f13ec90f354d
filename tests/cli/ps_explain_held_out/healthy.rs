//! Apps that are well, and write what would be the cause if they were not. Whoever names one is wrong.

use rustix::process::Signal;

use crate::checks::SERVER;
use crate::code::{NODE, PYTHON};
use crate::fault::{Fault, fault};
use crate::home;
use crate::stage::{Files, QUIET};

const WELL: &[&str] = &["well", "healthy", "running", "nothing is wrong"];

/// A command that goes on for ever, once it has written `said`.
fn writes(name: &'static str, command: &'static str, files: Files) -> Fault {
    fault("it is well, whatever it writes", name, WELL, move |stage| {
        stage.files(files);
        stage.procfile(&format!("web: {command}\n"));
        stage.deploys(&[]);
        stage.until_file("said");
    })
}

pub(crate) fn faults() -> Vec<Fault> {
    [noisy(), quiet()].into_iter().flatten().collect()
}

fn noisy() -> Vec<Fault> {
    vec![
        writes(
            "a connection was refused, and tried again",
            "/usr/bin/python3 app.py",
            &[("app.py", "import pathlib, socket, time\nfor _ in range(3):\n    try:\n        socket.create_connection(('127.0.0.1', 1))\n    except OSError as error:\n        print(f'ERROR database: {error}, trying again', flush=True)\nprint('using the replica', flush=True)\npathlib.Path('said').touch()\ntime.sleep(3600)\n")],
        )
        .needing(PYTHON),
        writes(
            "a connection is refused until now",
            "/usr/bin/python3 app.py",
            &[("app.py", "import pathlib, socket, sys, time\nwhile True:\n    try:\n        socket.create_connection(('127.0.0.1', 1))\n    except OSError as error:\n        print(f'metrics: {error}', file=sys.stderr, flush=True)\n    pathlib.Path('said').touch()\n    time.sleep(0.2)\n")],
        )
        .needing(PYTHON),
        writes(
            "a deprecation",
            "node app.js",
            &[("app.js", "new Buffer(1);\nsetTimeout(() => require('fs').writeFileSync('said', ''), 50);\nsetInterval(() => {}, 1000);\n")],
        )
        .needing(NODE),
        writes(
            "the word error",
            "sh run.sh",
            &[("run.sh", "echo '0 errors, 0 failures'\necho 'registered the error handler'\necho 'fatal: none' >&2\n: >said\nexec sleep 3600\n")],
        ),
        writes(
            "an exception that was caught",
            "/usr/bin/python3 app.py",
            &[("app.py", "import logging, pathlib, time\ntry:\n    {}['cart']\nexcept KeyError:\n    logging.exception('cart 4711')\npathlib.Path('said').touch()\ntime.sleep(3600)\n")],
        )
        .needing(PYTHON),
        writes(
            "a port was in use, and it took another one",
            "/usr/bin/python3 app.py",
            &[("app.py", "import pathlib, socket, time\na = socket.create_server(('127.0.0.1', 0))\ntry:\n    socket.create_server(a.getsockname())\nexcept OSError as error:\n    print(error, flush=True)\nb = socket.create_server(('127.0.0.1', 0))\npathlib.Path('said').touch()\ntime.sleep(3600)\n")],
        )
        .needing(PYTHON),
        writes(
            "what happened to others",
            "sh run.sh",
            &[("run.sh", "echo 'backup of host-7: No space left on device'\necho 'host-8: Out of memory: Killed process 4711 (ruby)'\necho 'ticket 12: \"Segmentation fault (core dumped)\" on my laptop'\n: >said\nexec sleep 3600\n")],
        ),
        writes(
            "an optional module is missing",
            "/usr/bin/python3 app.py",
            &[("app.py", "import pathlib, time, traceback\ntry:\n    import speedups_of_nobody\nexcept ImportError:\n    traceback.print_exc()\n    print('going on without speedups', flush=True)\npathlib.Path('said').touch()\ntime.sleep(3600)\n")],
        )
        .needing(PYTHON),
        writes(
            "a child of it was killed, and it made another one",
            "/usr/bin/python3 app.py",
            &[("app.py", "import os, pathlib, signal, subprocess, time\nworker = subprocess.Popen(['sleep', '3600'])\nworker.kill()\nprint(f'worker {worker.pid} was sent signal {-worker.wait()}, perhaps out of memory', flush=True)\nworker = subprocess.Popen(['sleep', '3600'])\npathlib.Path('said').touch()\ntime.sleep(3600)\n")],
        )
        .needing(PYTHON),
    ]
}

fn quiet() -> Vec<Fault> {
    let kind = "it is well";
    vec![
        fault(kind, "a web that answers 200, and 404 to some", WELL, |stage| {
            let _listening = home::listening();
            stage.file("server.py", SERVER);
            stage.file("mode", "200");
            stage.file(
                "app.json",
                r#"{"healthchecks": {"web": [{"type": "startup", "path": "/", "wait": 1}]}}"#,
            );
            stage.procfile("web: /usr/bin/python3 server.py\n");
            stage.deploys(&[]);
            stage.file("mode", "404");
            let row = stage.until_row("web.1", |row| row["state"] == "running");
            home::get(row["port"].as_u64().expect("a port"), "/favicon.ico").expect("it answers");
        })
        .needing(PYTHON),
        fault(kind, "a worker that says nothing", WELL, |stage| {
            stage.procfile(&format!("worker: {QUIET}\n"));
            stage.deploys(&["--scale", "worker=2"]);
        }),
        fault(
            kind,
            "it was killed, and is back",
            &["well", "healthy", "running", "restart", "started again", "outside"],
            |stage| {
                stage.procfile(&format!("web: {QUIET}\n"));
                stage.deploys(&[]);
                stage.signals("web.1", Signal::KILL);
                stage.until_row("web.1", |row| row["state"] == "running" && row["restarts"] == 1);
            },
        ),
        fault(kind, "it was restarted by hand", WELL, |stage| {
            stage.procfile(&format!("web: echo 'shutting down: error 15' ; exec {QUIET}\n"));
            stage.deploys(&[]);
            stage.does("restart", &[]);
        }),
        fault(kind, "an earlier release crashed, and was mended", WELL, |stage| {
            stage.crashes("echo 'OSError: [Errno 28] No space left on device' >&2; exit 1", &[]);
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
        }),
        fault(kind, "it was stopped, and started again", WELL, |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.does("stop", &[]);
            stage.does("start", &[]);
        }),
        fault(kind, "its supervisor was killed, and is back", WELL, |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            let supervisors = stage.home.supervisors();
            for pid in &supervisors {
                rustix::process::kill_process(*pid, Signal::KILL).expect("it lives");
            }
            home::eventually("another one is there", || {
                let now = stage.home.supervisors();
                let is_another = !now.is_empty() && now.iter().all(|pid| !supervisors.contains(pid));
                if is_another { Ok(()) } else { Err(format!("{now:?}")) }
            });
            stage.until("web.1", &["running"]);
        }),
    ]
}
