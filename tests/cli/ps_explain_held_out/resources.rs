//! What there is no more of: disk, inodes, descriptors, processes, memory, time.

use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::fault::{Fault, fault};
use crate::stage::Stage;

const FULL: &[&str] = &["disk", "no space", "full", "enospc"];
const READ_ONLY: &[&str] = &["read-only", "read only", "erofs"];
const DENIED: &[&str] = &["permission", "denied", "eacces", "may not"];
const DESCRIPTORS: &[&str] = &["descriptor", "open files", "emfile", "nofile"];
const PROCESSES: &[&str] = &["process", "thread", "fork", "pids"];
const MEMORY: &[&str] = &["memory"];
const HEAP: &[&str] = &["heap", "memory"];
const STACK: &[&str] = &["recursion", "stack"];

const EATS: &str = "import time\nprint('loading the catalogue', flush=True)\nblock = [bytearray(8 << 20) for _ in range(64)]\ntime.sleep(3600)\n";
const ROOT_PYTHON: &[&str] = &["root", "/usr/bin/python3"];
const GROUP_PYTHON: &[&str] = &["cgroup", "/usr/bin/python3"];

pub(crate) fn faults() -> Vec<Fault> {
    [disks(), tables(), memory()].into_iter().flatten().collect()
}

fn disks() -> Vec<Fault> {
    vec![
        fault("a disk is full", "python", FULL, |stage| {
            stage.file("app.py", "open('data/cache', 'wb').write(b'x' * (1 << 20))\n");
            on_a_disk(stage, "size=64k", "/usr/bin/python3 app.py");
        })
        .needing(ROOT_PYTHON),
        fault("a disk is full", "node", FULL, |stage| {
            stage.file("app.js", "require('fs').writeFileSync('data/cache', Buffer.alloc(1 << 20));\n");
            on_a_disk(stage, "size=64k", "node app.js");
        })
        .needing(&["root", "/usr/bin/node"]),
        fault("a disk is full", "a script", FULL, |stage| {
            stage.file(
                "bin/start",
                "#!/bin/sh\nset -e\nhead -c 1000000 /dev/zero >data/cache\nexec sleep 3600\n",
            );
            on_a_disk(stage, "size=64k", "bin/start");
        })
        .needing(&["root"]),
        fault("a disk is full", "no inode is left", &["inode", "disk", "no space", "full"], |stage| {
            stage.file("app.py", "for n in range(100):\n    open(f'data/session-{n}', 'w').close()\n");
            on_a_disk(stage, "size=10m,nr_inodes=20", "/usr/bin/python3 app.py");
        })
        .needing(ROOT_PYTHON),
        fault("a file system is read-only", "python", READ_ONLY, |stage| {
            stage.file("app.py", "open('data/cache', 'w')\n");
            on_a_disk(stage, "ro", "/usr/bin/python3 app.py");
        })
        .needing(ROOT_PYTHON),
        fault("a file system is read-only", "a script", READ_ONLY, |stage| {
            stage.file("bin/start", "#!/bin/sh\nset -e\nmkdir data/tmp\nexec sleep 3600\n");
            on_a_disk(stage, "ro", "bin/start");
        })
        .needing(&["root"]),
        fault("may not write there", "python", DENIED, |stage| {
            stage.file("app.py", "open('log/app.log', 'a')\n");
            stage.file("log/app.log", "");
            stage.runs("chmod", &["755", "..", ".", "log"]);
            stage.crashes("/usr/bin/python3 app.py", &[("web.user", "nobody")]);
        })
        .needing(ROOT_PYTHON),
        fault("may not write there", "node", DENIED, |stage| {
            stage.file("app.js", "require('fs').mkdirSync('uploads');\n");
            stage.runs("chmod", &["755", "..", "."]);
            stage.crashes("node app.js", &[("web.user", "nobody")]);
        })
        .needing(&["root", "/usr/bin/node"]),
        crash(
            "a file grew beyond its limit",
            "it is killed",
            &["file"],
            "ulimit -f 1; exec head -c 1000000 /dev/zero >big",
            &[],
        ),
    ]
}

fn on_a_disk(stage: &Stage, options: &str, command: &str) {
    stage.mount("data", options);
    stage.crashes(command, &[]);
}

fn tables() -> Vec<Fault> {
    vec![
        fault("no descriptor is left", "python", DESCRIPTORS, |stage| {
            stage.file("app.py", "import socket\nall = [socket.socket() for _ in range(100)]\n");
            stage.crashes("/usr/bin/python3 app.py", &[("web.limit-nofile", "40")]);
        })
        .needing(PYTHON),
        fault("no descriptor is left", "node", DESCRIPTORS, |stage| {
            stage.file("app.js", "const fs = require('fs');\nfor (let n = 0; n < 200; n++) fs.openSync('app.js');\n");
            stage.crashes("node app.js", &[("web.limit-nofile", "60")]);
        })
        .needing(NODE),
        fault("no process can be started any more", "a limit of its group", PROCESSES, |stage| {
            stage.file("app.py", "import os, time\nprint('starting workers', flush=True)\nfor _ in range(50):\n    if os.fork() == 0:\n        time.sleep(3600)\n");
            stage.crashes("/usr/bin/python3 app.py", &[("web.pids-max", "10")]);
        })
        .needing(GROUP_PYTHON),
        fault("no process can be started any more", "threads", PROCESSES, |stage| {
            stage.file("app.py", "import threading, time\nfor _ in range(50):\n    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n");
            stage.crashes("/usr/bin/python3 app.py", &[("web.pids-max", "10")]);
        })
        .needing(GROUP_PYTHON),
        crash(
            "it has used up its CPU time",
            "it is killed",
            &["cpu time"],
            "ulimit -S -t 1; exec /usr/bin/python3 -c 'while True: pass'",
            &[],
        )
        .needing(PYTHON),
    ]
}

fn memory() -> Vec<Fault> {
    let group = "more memory than its limit";
    vec![
        fault(group, "its main process is killed", MEMORY, |stage| {
            stage.file("app.py", EATS);
            stage.crashes("/usr/bin/python3 app.py", &[("web.memory-max", "40m")]);
        })
        .needing(GROUP_PYTHON),
        fault(group, "a child is killed, and a script ends with 137", MEMORY, |stage| {
            stage.file("app.py", EATS);
            stage.file("bin/start", "#!/bin/sh\n/usr/bin/python3 app.py\nexit $?\n");
            stage.crashes("bin/start", &[("web.memory-max", "40m")]);
        })
        .needing(GROUP_PYTHON),
        crash("no memory of a language", "python, by a limit of the shell", MEMORY, "ulimit -v 200000; exec /usr/bin/python3 app.py", &[("app.py", EATS)]).needing(PYTHON),
        crash(
            "no memory of a language",
            "node's heap",
            HEAP,
            "node --max-old-space-size=16 app.js",
            &[("app.js", "const kept = [];\nfor (;;) kept.push(new Array(1000).fill({}).map(() => ({ a: Math.random() })));\n")],
        )
        .needing(NODE),
        crash(
            "no memory of a language",
            "java's heap",
            HEAP,
            "java -Xmx16m Main.java",
            &[("Main.java", "import java.util.*; class Main { public static void main(String[] a) { List<byte[]> kept = new ArrayList<>(); while (true) kept.add(new byte[1 << 20]); } }\n")],
        )
        .needing(JAVA),
        crash(
            "a recursion without an end",
            "python",
            STACK,
            "/usr/bin/python3 app.py",
            &[("app.py", "def price(n):\n    return price(n + 1)\nprice(0)\n")],
        )
        .needing(PYTHON),
        crash(
            "a recursion without an end",
            "node",
            STACK,
            "node app.js",
            &[("app.js", "function price(n) { return 1 + price(n + 1); }\nprice(0);\n")],
        )
        .needing(NODE),
        crash(
            "a recursion without an end",
            "java",
            STACK,
            "java Main.java",
            &[("Main.java", "class Main { static int price(int n) { return 1 + price(n + 1); } public static void main(String[] a) { price(0); } }\n")],
        )
        .needing(JAVA),
    ]
}
