//! Faults that were thought of after the rules had been mended for the others: whether the rules hold beyond what they were mended for.

use std::fs;

use rustix::process::Signal;

use crate::asking::some_address;
use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::ends::{GO, go};
use crate::fault::{Fault, fault};
use crate::stage::Files;

const EXCEPTION: &[&str] = &["exception", "error"];
const VARIABLE: &[&str] = &["variable", "not set"];
const UNREACHABLE: &[&str] = &["does not answer", "refused"];
const FILE: &[&str] = &["file"];
const WELL: &[&str] = &["well", "healthy"];

pub(crate) fn faults() -> Vec<Fault> {
    [scripts(), compiled(), noise()].into_iter().flatten().collect()
}

fn python(name: &'static str, names: &'static [&'static str], files: Files) -> Fault {
    crash("second set: python", name, names, "/usr/bin/python3 app.py", files).needing(PYTHON)
}

fn node(name: &'static str, names: &'static [&'static str], files: Files) -> Fault {
    crash("second set: node", name, names, "node app.js", files).needing(NODE)
}

fn scripts() -> Vec<Fault> {
    let kind = "second set: scripts";
    vec![
        python(
            "it ends with a sentence about a variable",
            VARIABLE,
            &[("app.py", "import sys\nsys.exit('DATABASE_URL missing')\n")],
        ),
        python(
            "no such table",
            &["exception", "error", "table"],
            &[("app.py", "import sqlite3\nsqlite3.connect(':memory:').execute('select * from users')\n")],
        ),
        python(
            "a database that cannot be opened",
            &["exception", "error", "file", "database"],
            &[("app.py", "import sqlite3\nsqlite3.connect('data/none/shop.db')\n")],
        ),
        python("text that is none", EXCEPTION, &[("app.py", "b'\\xff'.decode()\n")]),
        python(
            "an unknown option",
            &["option", "argument", "status 2"],
            &[("app.py", "import argparse\nargparse.ArgumentParser().parse_args(['--prot', '80'])\n")],
        ),
        node(
            "it says which variable is missing",
            VARIABLE,
            &[("app.js", "console.error('Missing required env var: STRIPE_KEY'); process.exit(1);\n")],
        ),
        node("an assertion", EXCEPTION, &[("app.js", "require('assert').strictEqual(1, 2);\n")]),
        node(
            "a rejection without an error",
            &["exception", "error", "reject"],
            &[("app.js", "Promise.reject('quota');\n")],
        ),
        node(
            "a module beside it, which is not there",
            &["module"],
            &[("app.js", "import x from './x.js';\nconst y = require('y');\n")],
        ),
        crash(
            kind,
            "bash, a variable",
            VARIABLE,
            "bash run.sh",
            &[("run.sh", "set -eu\necho \"$SHOP_REGION\"\n")],
        ),
        crash(
            kind,
            "bash, a command",
            &["program", "not there", "not found"],
            "bash run.sh",
            &[("run.sh", "set -e\nsidekiqq --concurrency 5\n")],
        ),
        crash(
            kind,
            "curl, a name",
            &["name"],
            "bash run.sh",
            &[("run.sh", "set -e\ncurl -sS http://cache.shop.invalid/\n")],
        )
        .needing(&["/usr/bin/curl"]),
        crash(
            kind,
            "perl, a port that is closed",
            UNREACHABLE,
            "perl app.pl",
            &[(
                "app.pl",
                "use IO::Socket::INET;\nIO::Socket::INET->new('127.0.0.1:1') or die \"connect: $!\";\n",
            )],
        )
        .needing(&["/usr/bin/perl"]),
        crash(kind, "a bad option of node", &["option", "status 9"], "node --no-such-option app.js", &[])
            .needing(NODE),
    ]
}

fn compiled() -> Vec<Fault> {
    let kind = "second set: compiled";
    let go_program = |name: &'static str, names: &'static [&'static str], text: &'static str| {
        fault("second set: compiled", name, names, move |stage| go(stage, text)).needing(GO)
    };
    vec![
        go_program("go, a port that is closed", UNREACHABLE, "package main\nimport (\"log\"; \"net\")\nfunc main() { _, err := net.Dial(\"tcp\", \"127.0.0.1:1\"); log.Fatal(err) }\n"),
        go_program("go, a file that is missing", FILE, "package main\nimport (\"log\"; \"os\")\nfunc main() { _, err := os.Open(\"config.yml\"); log.Fatal(err) }\n"),
        go_program("go, an index", EXCEPTION, "package main\nimport \"os\"\nfunc main() { a := os.Args; println(a[len(a)+5]) }\n"),
        fault(kind, "go, a port that is taken", &["port", "taken"], |stage| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("bound");
            stage.keep(listener);
            go(stage, &format!("package main\nimport (\"log\"; \"net\")\nfunc main() {{ _, err := net.Listen(\"tcp\", \"{port}\"); log.Fatal(err) }}\n"));
        })
        .needing(GO),
        crash(kind, "java, a file that is missing", FILE, "java Main.java", &[("Main.java", "class Main { public static void main(String[] a) throws Exception { new java.io.FileReader(\"shop.properties\"); } }\n")]).needing(JAVA),
        crash(kind, "java, a division", EXCEPTION, "java Main.java", &[("Main.java", "class Main { public static void main(String[] a) { System.out.println(1 / a.length); } }\n")]).needing(JAVA),
        crash(kind, "java, more heap than there can be", &["memory", "status 1"], "java -Xms900g -Xmx900g -XX:+AlwaysPreTouch Main.java", &[("Main.java", "class Main { public static void main(String[] a) { } }\n")]).needing(JAVA),
        fault(kind, "a jar that is none", &["jar", "file", "status 1"], |stage| {
            fs::write(stage.path("shop.jar"), "not a jar").expect("written");
            stage.crashes("java -jar shop.jar", &[]);
        })
        .needing(JAVA),
    ]
}

fn noise() -> Vec<Fault> {
    let kind = "second set: noise";
    let well = |name: &'static str, text: &'static str| {
        fault("second set: noise", name, WELL, move |stage| {
            stage.file("app.py", text);
            stage.procfile("web: /usr/bin/python3 app.py\n");
            stage.deploys(&[]);
            stage.until_file("said");
        })
        .needing(PYTHON)
    };
    vec![
        node("it reconnects, and then meets an error of its own", EXCEPTION, &[("app.js", "require('net').connect(1, '127.0.0.1').on('error', error => { console.error(String(error), 'reconnecting'); null.price; });\n")]),
        python("a caught error of memory, and then a silent end", &["status 5", "unknown"], &[("app.py", "import sys\nprint('job 3 failed with MemoryError, job 4 is ignored by the scheduler', file=sys.stderr)\nfor n in range(9): print('job', n, 'queued')\nsys.exit(5)\n")]),
        well("a panic of a handler, which recovered", "import pathlib, time\nprint('panic: runtime error, recovered in handler /cart', flush=True)\npathlib.Path('said').touch()\ntime.sleep(3600)\n"),
        well("a traceback every now and then", "import pathlib, time, traceback\nwhile True:\n    try:\n        open('/nonexistent')\n    except OSError:\n        traceback.print_exc()\n    pathlib.Path('said').touch()\n    time.sleep(0.1)\n"),
        fault(kind, "a script that hides the status of its program", &["module", "import"], |stage| {
            stage.file("app.py", "import stripe_of_nobody\n");
            stage.crashes("/usr/bin/python3 app.py || exit 7", &[]);
        })
        .needing(PYTHON),
        fault(kind, "tracebacks, and then SIGTERM from outside", &["outside"], |stage| {
            stage.file("app.py", "import time, traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()\nopen('said', 'w').close()\ntime.sleep(3600)\n");
            stage.procfile("web: /usr/bin/python3 app.py\n");
            stage.deploys(&["--scale", "web=0"]);
            stage.set("restart-policy", "no");
            stage.does("ps-scale", &["web=1"]);
            stage.until_file("said");
            stage.signals("web.1", Signal::TERM);
            stage.until("web.1", &["crashed", "stopped"]);
        })
        .needing(PYTHON),
        fault(kind, "two servers, the first is replaced by a copy", UNREACHABLE, |stage| {
            let (first, second) = (some_address().port(), some_address().port());
            stage.file("app.py", &format!("import socket\ntry:\n    socket.create_connection(('127.0.0.1', {first}))\nexcept OSError as error:\n    print('primary:', error, 'falling back to the replica', flush=True)\nsocket.create_connection(('127.0.0.1', {second}))\n"));
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON),
    ]
}
