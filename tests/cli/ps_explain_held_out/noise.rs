//! Processes that write what is not their cause: before it, behind it, or of another run. Whoever takes it for the cause is wrong.

use rustix::process::Signal;

use crate::checks::SERVER;
use crate::code::{JAVA, PYTHON, crash};
use crate::fault::{Fault, fault};
use crate::home;
use crate::stage::{QUIET, Stage};

/// Tries a server that is not there, goes on without it, and then does this.
const RETRIES: &str = "import os, socket, sys, time
for _ in range(4):
    try:
        socket.create_connection(('127.0.0.1', 1))
    except OSError as error:
        print(f'cache: {error}, going on without it', flush=True)
";

fn after_retries(
    kind: &'static str,
    name: &'static str,
    names: &'static [&'static str],
    then: &'static str,
) -> Fault {
    fault(kind, name, names, move |stage| {
        stage.file("app.py", &format!("{RETRIES}{then}"));
        stage.crashes("/usr/bin/python3 app.py", &[]);
    })
    .needing(PYTHON)
}

pub(crate) fn faults() -> Vec<Fault> {
    [refused_connections(), others()].into_iter().flatten().collect()
}

fn refused_connections() -> Vec<Fault> {
    let kind = "noise of refused connections before";
    vec![
        after_retries(
            kind,
            "a variable that is not set",
            &["variable", "environment", "not set", "secret"],
            "os.environ['SHOP_SECRET']\n",
        ),
        after_retries(kind, "a module that is missing", &["module", "import"], "import stripe_of_nobody\n"),
        after_retries(kind, "an exception", &["exception", "error", "typeerror"], "None + 1\n"),
        after_retries(
            kind,
            "a fault of its own memory",
            &["segmentation", "sigsegv", "memory fault", "crash"],
            "import ctypes\nctypes.string_at(0)\n",
        ),
        after_retries(kind, "a status, without a word", &["unknown", "status 3"], "sys.exit(3)\n"),
        fault(kind, "a signal from outside", &["outside", "somebody", "foreign", "another"], |stage| {
            noisy(stage);
            stage.signals("web.1", Signal::KILL);
            stage.until("web.1", &["crashed", "stopped"]);
        })
        .needing(PYTHON),
        fault(kind, "a stop by hand", &["stopped", "ps-lifecycle stop", "by hand"], |stage| {
            noisy(stage);
            stage.does("stop", &[]);
        })
        .needing(PYTHON),
        fault(kind, "more memory than its limit", &["memory"], |stage| {
            stage.file("app.py", &format!("{RETRIES}kept = [bytearray(8 << 20) for _ in range(64)]\n"));
            stage.crashes("/usr/bin/python3 app.py", &[("web.memory-max", "40m")]);
        })
        .needing(&["cgroup", "/usr/bin/python3"]),
        fault(kind, "a check that fails", &["500"], |stage| {
            let _listening = home::listening();
            stage.file("server.py", &format!("{RETRIES}{SERVER}"));
            stage.file("mode", "500");
            stage.file(
                "app.json",
                r#"{"healthchecks": {"web": [{"type": "startup", "path": "/", "attempts": 1, "wait": 1}]}}"#,
            );
            stage.crashes("/usr/bin/python3 server.py", &[]);
        })
        .needing(PYTHON),
    ]
}

/// One that is well, behind such noise, and that is not to be started again.
fn noisy(stage: &Stage) {
    stage.file("app.py", &format!("{RETRIES}open('said', 'w').close()\ntime.sleep(3600)\n"));
    stage.procfile("web: /usr/bin/python3 app.py\n");
    stage.deploys(&["--scale", "web=0"]);
    stage.set("restart-policy", "no");
    stage.does("ps-scale", &["web=1"]);
    stage.until_file("said");
}

fn others() -> Vec<Fault> {
    let kind = "noise of another kind before";
    let behind = "noise behind the cause";
    vec![
        crash(
            kind,
            "a port that was in use, then a syntax error in settings",
            &["json", "config", "syntax", "parse", "settings"],
            "/usr/bin/python3 app.py",
            &[("app.py", "import json\nprint('OSError: [Errno 98] Address already in use, taking 8081', flush=True)\njson.loads('{\"port\": }')\n")],
        )
        .needing(PYTHON),
        crash(
            kind,
            "a full disk that was cleaned up, then an exception",
            &["exception", "error", "valueerror", "status 1"],
            "/usr/bin/python3 app.py",
            &[("app.py", "print('No space left on device: removed 300 old files', flush=True)\nraise ValueError('price is negative')\n")],
        )
        .needing(PYTHON),
        crash(
            kind,
            "an optional module, then an abort",
            &["abort", "sigabrt"],
            "/usr/bin/python3 app.py",
            &[("app.py", "import os, traceback\ntry:\n    import speedups_of_nobody\nexcept ImportError:\n    traceback.print_exc()\nos.abort()\n")],
        )
        .needing(PYTHON),
        fault(kind, "of the run before, which another command had", &["unknown", "status 3"], |stage| {
            stage.procfile("web: sh run.sh\n");
            stage.file("run.sh", "echo 'connect: Connection refused' >&2\n: >said\nexec sleep 3600\n");
            stage.deploys(&["--scale", "web=0"]);
            stage.set("restart-policy", "on-failure:1");
            stage.does("ps-scale", &["web=1"]);
            stage.until_file("said");
            stage.file("run.sh", "exit 3\n");
            stage.signals("web.1", Signal::KILL);
            stage.until("web.1", &["crashed"]);
        }),
        fault(kind, "of another type, which is well", &["unknown", "status 3"], |stage| {
            stage.procfile("web: exit 3\nworker: echo 'MemoryError' >&2; exec sleep 3600\n");
            stage.deploys(&["--scale", "web=0", "worker=1"]);
            stage.set("restart-policy", "on-failure:1");
            stage.tries("ps-scale", &["web=1"]);
            stage.until("web.1", &["crashed"]);
        }),
        fault(kind, "words about signals, and it ends with a status", &["unknown", "status 4"], |stage| {
            stage.crashes("echo 'will restart on SIGSEGV or when killed'; exit 4", &[]);
        }),
        fault(kind, "a check of others is told, and nobody runs it any more", &["stopped", "by hand"], |stage| {
            stage.procfile(&format!("web: echo 'GET /up 500 Internal Server Error'; exec {QUIET}\n"));
            stage.deploys(&[]);
            stage.does("stop", &[]);
        }),
        crash(
            behind,
            "it shuts down in many words",
            &["module", "import"],
            "/usr/bin/python3 app.py",
            &[("app.py", "import sys, traceback\ntry:\n    import stripe_of_nobody\nexcept ImportError:\n    traceback.print_exc()\n    for n in range(40):\n        print(f'stopping worker {n}: done', flush=True)\n    sys.exit(1)\n")],
        )
        .needing(PYTHON),
        crash(
            behind,
            "npm's own words",
            &["variable", "environment", "not set", "secret"],
            "npm start",
            &[
                ("package.json", "{\"name\": \"shop\", \"version\": \"1.0.0\", \"scripts\": {\"start\": \"node app.js\"}}\n"),
                ("app.js", "if (!process.env.SHOP_TOKEN) throw new Error('SHOP_TOKEN is not set');\n"),
            ],
        )
        .needing(&["/usr/bin/npm", "/usr/bin/node"]),
        crash(
            behind,
            "an exception while another one was handled",
            &["refused", "nobody listens", "does not answer"],
            "/usr/bin/python3 app.py",
            &[("app.py", "import socket\ntry:\n    {}['cached']\nexcept KeyError:\n    socket.create_connection(('127.0.0.1', 1))\n")],
        )
        .needing(PYTHON),
        crash(
            behind,
            "java tells where, for many lines",
            &["memory"],
            "java -Xmx16m Main.java",
            &[("Main.java", "class Main { static void a(int n) { if (n > 0) a(n - 1); else { byte[][] kept = new byte[64][]; for (int i = 0; i < 64; i++) kept[i] = new byte[1 << 20]; } } public static void main(String[] x) { a(40); } }\n")],
        )
        .needing(JAVA),
    ]
}
