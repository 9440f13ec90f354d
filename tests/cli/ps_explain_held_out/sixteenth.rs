//! The sixteenth set, programs: what a night brings that no earlier set holds, such as a replica that was asked to write, a variable that is meant
//! for an interpreter, or a program that the kernel ends for a call. It was written by somebody who had not read the rules, before any
//! of it was run. The other half is in `sixteenth_machine.rs`.

use std::os::unix::net::UnixListener;

use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::containers::IMAGE;
use crate::eleventh::NOBODY_KNOWS;
use crate::ends::{GO, go};
use crate::fault::{Fault, fault};
use crate::fifteenth_machine::Held;
use crate::fifth::{CC, PERL, compiled, node, python};
use crate::home::eventually;
use crate::ninth_programs::{Postgres, asks_postgres};
use crate::thirteenth::{MODULE, WELL};

const POSTGRES: &[&str] = &["root", "/usr/lib/postgresql/15/bin/postgres"];
const TLS: &[&str] = &["tls", "ssl", "https"];

pub(crate) fn faults() -> Vec<Fault> {
    [databases(), node_and_python(), compiled_programs(), files(), talk(), nothing()]
        .into_iter()
        .flatten()
        .collect()
}

fn databases() -> Vec<Fault> {
    let kind = "sixteenth set: a database";
    vec![
        asks_postgres(kind, "a replica is asked to write", &["read-only", "read only", "readonly"], "postgresql://shop:right@127.0.0.1:PORT/postgres?options=-c%20default_transaction_read_only%3Don", "create table orders (n int);\n")
            .quoting(&["read-only transaction"]),
        asks_postgres(kind, "its server has no TLS", TLS, "postgresql://shop:right@127.0.0.1:PORT/postgres?sslmode=require", "select 1;\n")
            .quoting(&["ssl was required"]),
        asks_postgres(kind, "a statement takes too long", &["timeout", "timed out", "too long", "time limit"], "postgresql://shop:right@127.0.0.1:PORT/postgres", "set statement_timeout = '100ms';\nselect pg_sleep(30);\n")
            .quoting(&["statement timeout"]),
        fault(kind, "its server is ended while it waits for an answer", &["closed", "terminat", "lost", "broken off", "went away", "is gone"], |stage| {
            let server = Postgres::new();
            stage.file("run.sh", &format!("set -e\necho 'waiting for orders'\n: >asked\npsql -v ON_ERROR_STOP=1 -c 'select pg_sleep(3600)' 'postgresql://shop:right@127.0.0.1:{}/postgres'\n", server.port));
            let ran = stage.ends("sh run.sh", &[("restart-policy", "no")]);
            assert_eq!(ran.status, Some(0), "{ran:?}");
            stage.until_file("asked");
            eventually("psql has asked", || {
                let address = format!("postgresql://shop:right@127.0.0.1:{}/postgres", server.port);
                let asked = std::process::Command::new("psql").args(["-At", "-c", "select count(*) from pg_stat_activity where query like 'select pg_sleep%'", &address]).output().expect("psql runs");
                let count = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
                if count == "1" { Ok(()) } else { Err(count) }
            });
            drop(server);
            stage.until("web.1", &["crashed"]);
        })
        .needing(POSTGRES)
        .quoting(&["server closed the connection", "connection to server was lost", "terminating connection"]),
        fault(kind, "postgres, files of another version", &["version", "incompatible", "compatible"], |stage| {
            stage.runs("chmod", &["755", ".", ".."]);
            stage.runs("install", &["-d", "-o", "65534", "-m", "700", "data"]);
            stage.runs("setpriv", &["--reuid", "65534", "--clear-groups", "/usr/lib/postgresql/15/bin/initdb", "--no-sync", "-D", "data"]);
            stage.file("data/PG_VERSION", "13\n");
            stage.crashes("setpriv --reuid 65534 --clear-groups /usr/lib/postgresql/15/bin/postgres -D data", &[]);
        })
        .needing(POSTGRES)
        .quoting(&["incompatible with server", "not compatible"]),
    ]
}

fn node_and_python() -> Vec<Fault> {
    let kind = "sixteenth set: node and python";
    vec![
        node(kind, "node, a digest that this OpenSSL does not do any more", &["openssl", "digest", "algorithm", "crypt"], &[(
            "app.js",
            "const { createHash } = require('crypto');\nconsole.log('building the assets');\nconst name = (text) => createHash('md4').update(text).digest('hex');\nconsole.log(name('shop.css'));\n",
        )])
        .quoting(&["unsupported"]),
        fault(kind, "node, an option in .env with a slip", &["node_options", "option"], |stage| {
            stage.file(".env", "NODE_OPTIONS=--max-old-space-sise=512\n");
            stage.file("app.js", "setInterval(() => {}, 1000);\n");
            stage.crashes("node app.js", &[]);
        })
        .needing(NODE)
        .quoting(&["is not allowed in node_options"]),
        node(kind, "node, a program of the new kind of modules that is called one of the old", MODULE, &[
            ("app.js", "import { price } from './price.mjs';\nconsole.log(price(3));\n"),
            ("price.mjs", "export const price = (count) => count * 2;\n"),
            ("package.json", "{\"type\": \"commonjs\"}\n"),
        ]),
        crash(kind, "npm ci, no lock file", &["lock"], "npm ci && node app.js", &[(
            "package.json",
            "{\"name\": \"shop\", \"version\": \"1.0.0\", \"dependencies\": {}}\n",
        )])
        .needing(&["/usr/bin/npm"])
        .quoting(&["package-lock"]),
        python(kind, "python, its own file hides one of the language", MODULE, &[
            ("app.py", "import smtplib\nprint(smtplib.SMTP_PORT)\n"),
            ("email.py", "def send(to):\n    pass\n"),
        ])
        .quoting(&["is not a package"]),
        fault(kind, "python, PYTHONHOME of another machine in .env", &["module", "pythonhome", "import"], |stage| {
            stage.file(".env", "PYTHONHOME=/opt/python3.19\n");
            stage.file("app.py", "print('ready')\n");
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON)
        .quoting(&["no module named 'encodings'"]),
        python(kind, "python, settings that an editor of Windows has saved", &["syntax", "utf", "byte order", "bom", "json", "cannot be parsed"], &[
            ("app.py", "import json\nprint('reading settings')\nsettings = json.loads(open('settings.json', encoding='utf-8').read())\n"),
            ("settings.json", "\u{feff}{\"region\": \"eu\"}\n"),
        ])
        .quoting(&["utf-8 bom"]),
        python(kind, "python, a service that it asks has had enough", &["429", "too many requests", "rate limit", "4xx"], &[(
            "app.py",
            "import http.server, threading, urllib.request\nclass Busy(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_error(429)\n    def log_message(self, *words):\n        pass\nserver = http.server.HTTPServer(('127.0.0.1', 0), Busy)\nthreading.Thread(target=server.serve_forever, daemon=True).start()\nprint('asking for prices', flush=True)\nurllib.request.urlopen(f'http://127.0.0.1:{server.server_port}/prices')\n",
        )])
        .quoting(&["429"]),
    ]
}

/// A program that the kernel ends for a call that it may not make any more.
const FILTERED: &str = r#"#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {4, steps};
    puts("sandboxed");
    fflush(stdout);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
    syscall(__NR_getppid);
    sleep(3600);
    return 0;
}
"#;

fn compiled_programs() -> Vec<Fault> {
    let kind = "sixteenth set: compiled programs";
    vec![
        fault(kind, "c, a text that is longer than its place", &["memory", "abort", "sigabrt", "buffer"], |stage| {
            compiled(stage, "#include <stdio.h>\n#include <string.h>\nvoid greet(const char *name) { char text[8]; strcpy(text, name); puts(text); }\nint main(int count, char **words) { greet(words[count - 1]); return 0; }\n", &["-O0", "-fstack-protector-all"]);
            stage.crashes("./server a-customer-whose-name-is-long", &[]);
        })
        .needing(CC),
        fault(kind, "c, a call that its sandbox forbids", &["sigsys", "system call", "seccomp"], |stage| {
            compiled(stage, FILTERED, &[]);
            stage.crashes("./server", &[]);
        })
        .needing(CC),
        fault(kind, "rust, a recursion without an end", &["recursion", "stack", "sigabrt"], |stage| {
            stage.file("main.rs", "#[inline(never)]\nfn depth(category: u64) -> u64 { let kept = [category; 64]; std::hint::black_box(&kept); 1 + depth(std::hint::black_box(category ^ kept[3])) }\nfn main() { println!(\"{}\", depth(1)); }\n");
            stage.runs("rustc", &["-o", "server", "main.rs"]);
            stage.crashes("./server", &[]);
        })
        .needing(&["rustc"]),
        fault(kind, "go, two write the same map", &["concurrent", "at the same time", "race"], |stage| {
            go(stage, "package main\n\nfunc main() {\n\tcarts := map[int]int{}\n\tfor n := 0; n < 4; n++ {\n\t\tgo func() {\n\t\t\tfor i := 0; ; i++ {\n\t\t\t\tcarts[i%9] = i\n\t\t\t}\n\t\t}()\n\t}\n\tselect {}\n}\n");
        })
        .needing(GO)
        .quoting(&["concurrent map writes"]),
        fault(kind, "java, a library of another version", &["class", "librar", "version", "method"], |stage| {
            stage.file("Price.java", "class Price { static int of(int count) { return count; } }\n");
            stage.file("Main.java", "class Main { public static void main(String[] words) { System.out.println(\"opening\"); System.out.println(Price.of(3)); } }\n");
            stage.runs("javac", &["Main.java", "Price.java"]);
            stage.file("Price.java", "class Price { static long of(long count) { return count; } }\n");
            stage.runs("javac", &["Price.java"]);
            stage.crashes("java -cp . Main", &[]);
        })
        .needing(JAVA)
        .quoting(&["nosuchmethoderror"]),
    ]
}

fn files() -> Vec<Fault> {
    let kind = "sixteenth set: files";
    vec![
        fault(kind, "links that lead in a circle", &["symbolic link", "symlink", "circle", "loop"], |stage| {
            stage.runs("ln", &["-s", "current", "previous"]);
            stage.runs("ln", &["-s", "previous", "current"]);
            stage.file("run.sh", "set -e\necho 'reading settings'\ncat current/settings\nexec sleep 3600\n");
            stage.crashes("sh run.sh", &[]);
        })
        .quoting(&["too many levels"]),
        fault(kind, "python, a file that may not be changed by anybody", &["permission", "not permitted", "immutable"], |stage| {
            stage.file("orders.db", "1\n");
            stage.file("app.py", "print('opening orders')\nopen('orders.db', 'a').write('2\\n')\n");
            stage.runs("chattr", &["+i", "orders.db"]);
            let kept = stage.path("orders.db");
            stage.afterwards(move || {
                // Else nobody could remove the directory.
                let _ = std::process::Command::new("chattr").arg("-i").arg(kept).status();
            });
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(&["root", "/usr/bin/chattr", "/usr/bin/python3"])
        .quoting(&["not permitted"]),
        fault(kind, "another process still writes its program", &["busy", "being written", "open for writing"], |stage| {
            stage.runs("cp", &["/usr/bin/sleep", "server"]);
            stage.keep(Held::new(stage, &["/usr/bin/python3", "-c", "import time\nkept = open('server', 'r+b')\nopen('held', 'w').close()\ntime.sleep(3600)\n"]));
            stage.until_file("held");
            stage.crashes("./server 3600", &[]);
        })
        .needing(PYTHON)
        .quoting(&["text file busy"]),
        python(kind, "python, the name of a socket is too long", &["too long"], &[(
            "app.py",
            "import socket\nprint('opening the door')\nsocket.socket(socket.AF_UNIX).bind('/tmp/' + 'releases-of-the-shop/' * 9 + 'door')\n",
        )])
        .quoting(&["path too long"]),
        fault(kind, "go, the socket of its life before lies there", &["socket"], |stage| {
            drop(UnixListener::bind(stage.path("door")).expect("it is free"));
            go(stage, "package main\n\nimport (\n\t\"log\"\n\t\"net\"\n)\n\nfunc main() {\n\t_, err := net.Listen(\"unix\", \"door\")\n\tif err != nil {\n\t\tlog.Fatal(err)\n\t}\n\tselect {}\n}\n");
        })
        .needing(GO),
    ]
}

fn talk() -> Vec<Fault> {
    let kind = "sixteenth set: what it talks to";
    vec![
        fault(kind, "curl asks by https who speaks http", TLS, |stage| {
            stage.file("server.py", "import http.server\nserver = http.server.HTTPServer(('127.0.0.1', 0), http.server.BaseHTTPRequestHandler)\nopen('port', 'w').write(str(server.server_port))\nserver.serve_forever()\n");
            stage.keep(Held::new(stage, &["/usr/bin/python3", "server.py"]));
            stage.until_file("port");
            stage.file("run.sh", "set -e\necho 'asking for prices'\ncurl -sS --fail \"https://127.0.0.1:$(cat port)/prices\"\nexec sleep 3600\n");
            stage.crashes("sh run.sh", &[]);
        })
        .needing(&["/usr/bin/curl", "/usr/bin/python3"])
        .quoting(&["wrong version number"]),
        fault(kind, "curl, a proxy of .env that nobody runs", &["refuse", "nobody listens", "connect", "proxy"], |stage| {
            stage.file(".env", "http_proxy=http://127.0.0.1:9\n");
            stage.file("run.sh", "set -e\necho 'asking for prices'\ncurl -sS --fail http://prices.invalid/all\nexec sleep 3600\n");
            stage.crashes("sh run.sh", &[]);
        })
        .needing(&["/usr/bin/curl"])
        .quoting(&["failed to connect"]),
        fault(kind, "a container that wants a terminal", &["terminal", "tty"], |stage| {
            stage.crashes(&format!("docker run --rm -it {IMAGE} sleep 3600"), &[]);
        })
        .needing(&["engine"])
        .quoting(&["not a tty"]),
        // It reads what somebody types, and nobody does.
        fault(
            kind,
            "node without a program, which waits for words",
            &["ends by itself", "status 0", "success"],
            |stage| {
                stage.ends("node", &[]);
                stage.until("web.1", &["stopped", "crashed"]);
            },
        )
        .needing(NODE),
    ]
}

fn nothing() -> Vec<Fault> {
    let kind = "sixteenth set: nothing is wrong, or nobody can know";
    vec![
        fault(kind, "a library of .env is not there, which is ignored", NOBODY_KNOWS, |stage| {
            stage.file(".env", "LD_PRELOAD=/usr/local/lib/libjemalloc.so.2\n");
            stage.crashes("/usr/bin/python3 -c 'import time; print(\"ready\", flush=True); time.sleep(0.2); raise SystemExit(3)'", &[]);
        })
        .needing(PYTHON),
        fault(kind, "perl warns of a locale, and ends later", NOBODY_KNOWS, |stage| {
            stage.file(".env", "LC_ALL=de_DE.UTF-8@euro\n");
            stage.crashes("perl -e 'print \"ready\\n\"; sleep 1; exit 4'", &[]);
        })
        .needing(PERL),
        node(kind, "node warns of what is old, and ends later", NOBODY_KNOWS, &[(
            "app.js",
            "new Buffer(3);\nconsole.log('ready');\nsetTimeout(() => process.exit(6), 200);\n",
        )]),
        node(kind, "node, lines of JSON without an error", NOBODY_KNOWS, &[(
            "app.js",
            "for (const n of [1, 2, 3]) console.log(JSON.stringify({ level: 'info', run: n, errors: 0, error: null, msg: 'sync done, 0 failed, connection refused: 0' }));\nprocess.exitCode = 5;\n",
        )]),
        fault(kind, "a replica was asked to write, and it goes on", WELL, |stage| {
            stage.file("app.py", "import time\nprint('ERROR: cannot execute INSERT in a read-only transaction', flush=True)\nprint('asking the other server', flush=True)\nprint('written', flush=True)\nopen('said', 'w').close()\ntime.sleep(3600)\n");
            stage.procfile("web: /usr/bin/python3 app.py\n");
            stage.deploys(&[]);
            stage.until_file("said");
        })
        .needing(PYTHON),
    ]
}
