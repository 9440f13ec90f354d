//! Faults of kinds that the other sets do not have, and programs that talk of troubles which are not theirs, or which they survive.

use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::fault::{Fault, fault};
use crate::stage::Files;

/// The cause is none that claims more, whose sentence may quote an exception.
const EXCEPTION: &[&str] = &["does not handle"];
const FILE: &[&str] = &["file", "does not exist"];
const ROOM: &[&str] = &["no room"];
const STATUS: &[&str] = &["status"];
const PERL: &[&str] = &["/usr/bin/perl"];

pub(crate) fn faults() -> Vec<Fault> {
    [systems(), languages(), hearsay(), survived()].into_iter().flatten().collect()
}

fn sh(kind: &'static str, name: &'static str, names: &'static [&'static str], files: Files) -> Fault {
    crash(kind, name, names, "sh run.sh", files)
}

/// Errors of the system, as several programs tell them.
fn systems() -> Vec<Fault> {
    let kind = "third set: the system";
    vec![
        sh(kind, "a full device, sh", ROOM, &[("run.sh", "echo x >/dev/full || exit 1\n")]),
        crash(
            kind,
            "a full device, python",
            ROOM,
            "/usr/bin/python3 app.py",
            &[("app.py", "with open('/dev/full', 'w') as out:\n    out.write('x')\n")],
        )
        .needing(PYTHON),
        crash(
            kind,
            "too many files, perl",
            &["open as it may", "too many"],
            "ulimit -n 20; exec perl app.pl",
            &[(
                "app.pl",
                "for (1..99) { open(my $f, '<', '/etc/hostname') or die \"open: $!\"; push @f, $f }\n",
            )],
        )
        .needing(PERL),
        crash(
            kind,
            "a fifo that nobody reads",
            &["exception", "fifo", "no such device"],
            "/usr/bin/python3 app.py",
            &[("app.py", "import os\nos.path.exists('pipe') or os.mkfifo('pipe')\nos.open('pipe', os.O_WRONLY | os.O_NONBLOCK)\n")],
        )
        .needing(PYTHON),
        sh(kind, "cat, a file", FILE, &[("run.sh", "set -e\ncat missing.conf\n")]),
        crash(
            kind,
            "bash, a directory",
            FILE,
            "bash run.sh",
            &[("run.sh", "set -e\ncd data/none\nexec sleep 600\n")],
        ),
        sh(kind, "mkdir in a place that takes none", FILE, &[("run.sh", "mkdir /proc/shop || exit 1\n")]),
        sh(
            kind,
            "a key file that everybody may read",
            &["permission", "status 255", "key"],
            &[(
                "run.sh",
                "ssh-keygen -q -t ed25519 -N '' -f key; chmod 644 key; exec ssh-keygen -y -f key\n",
            )],
        )
        .needing(&["/usr/bin/ssh-keygen"]),
        crash(
            kind,
            "a library that is none",
            &["library", "exception"],
            "/usr/bin/python3 app.py",
            &[("app.py", "import ctypes\nctypes.CDLL('./lib.so')\n"), ("lib.so", "nothing of the kind\n")],
        )
        .needing(PYTHON),
    ]
}

fn languages() -> Vec<Fault> {
    let kind = "third set: languages";
    vec![
        crash(
            kind,
            "java, a file",
            FILE,
            "java Main.java",
            &[(
                "Main.java",
                "class Main { public static void main(String[] a) throws Exception { new java.io.FileReader(\"shop.properties\"); } }\n",
            )],
        )
        .needing(JAVA),
        crash(
            kind,
            "java, its own message about a disk",
            EXCEPTION,
            "java Main.java",
            &[(
                "Main.java",
                "class Main { public static void main(String[] a) { throw new RuntimeException(\"No space left on device\"); } }\n",
            )],
        )
        .needing(JAVA),
        crash(
            kind,
            "perl, the name of a database",
            &["name", "exception"],
            "perl app.pl",
            &[(
                "app.pl",
                "use IO::Socket::INET;\nIO::Socket::INET->new('db.shop.invalid:5432') or die \"connect: $@\";\n",
            )],
        )
        .needing(PERL),
        crash(
            kind,
            "python, a table that is there already",
            EXCEPTION,
            "/usr/bin/python3 app.py",
            &[(
                "app.py",
                "import sqlite3\ndb = sqlite3.connect(':memory:')\nfor _ in range(2):\n    db.execute('create table a (b)')\n",
            )],
        )
        .needing(PYTHON),
    ]
}

/// What somebody else has, or only its own words say.
fn hearsay() -> Vec<Fault> {
    let kind = "third set: hearsay";
    vec![
        sh(
            kind,
            "upstream has no right",
            STATUS,
            &[("run.sh", "echo 'upstream says: permission denied' >&2\nexit 3\n")],
        ),
        sh(
            kind,
            "a mirror has no right, with the path",
            STATUS,
            &[("run.sh", "echo 'the mirror reported: open /srv/x: permission denied' >&2\nexit 4\n")],
        ),
        sh(
            kind,
            "a backup of others found no room",
            STATUS,
            &[("run.sh", "echo 'backup of db2: job 17 failed: no space left on device'\nexit 5\n")],
        ),
        sh(
            kind,
            "a port of others",
            STATUS,
            &[("run.sh", "echo 'the probe of web7 told us: address already in use' >&2\nexit 6\n")],
        ),
        crash(
            kind,
            "an error object of its own about a disk",
            EXCEPTION,
            "node app.js",
            &[("app.js", "throw new Error('No space left on device');\n")],
        )
        .needing(NODE),
        crash(
            kind,
            "an error of its own about files",
            EXCEPTION,
            "/usr/bin/python3 app.py",
            &[("app.py", "raise RuntimeError('too many open files')\n")],
        )
        .needing(PYTHON),
    ]
}

/// Troubles that it tells on stderr, before it works on for seconds and ends for no reason that it tells.
fn survived() -> Vec<Fault> {
    let kind = "third set: survived";
    let living_on = |name, names, trouble: &'static str| {
        fault(kind, name, names, move |stage| {
            stage.file(
                "app.py",
                &format!(
                    "import sys, time\n{trouble}\nsys.stderr.flush()\nfor n in range(10):\n    time.sleep(0.5)\n    print('order', n, 'done', flush=True)\nsys.exit(7)\n"
                ),
            );
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON)
    };
    vec![
        living_on(
            "a cache that it may not write",
            &["status 7"],
            "print('open /data/cache: Permission denied', file=sys.stderr)",
        ),
        living_on(
            "an error in a thread",
            &["status 7"],
            "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()",
        ),
        living_on(
            "a server that is away",
            &["status 7"],
            "print('metrics: Connection refused', file=sys.stderr)",
        ),
    ]
}
