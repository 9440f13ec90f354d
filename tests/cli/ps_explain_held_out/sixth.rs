//! More faults of kinds that no earlier set has. They were written together with the fifth set, and not run before the rules had been
//! mended for that one.

use crate::checks;
use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::ends::GO;
use crate::fault::{Fault, fault};
use crate::fifth::{CC, GONE, NGINX, PERL, PHP, RUBY, SETTINGS, compiled, node, python};
use crate::home;
use crate::stage::QUIET;

pub(crate) fn faults() -> Vec<Fault> {
    [runtimes(), scripts(), servers(), circumstances()].into_iter().flatten().collect()
}

fn runtimes() -> Vec<Fault> {
    let kind = "sixth set: runtimes";
    vec![
        python(
            kind,
            "a module of its own hides one of Python's",
            &["attribute", "name-missing", "no such name", "hides"],
            &[("app.py", "import random\nprint(random.randint(1, 6))\n"), ("random.py", "seed = 4\n")],
        )
        .quoting(&["has no attribute 'randint'"]),
        python(
            kind,
            "a path of a socket that is too long",
            &["too long"],
            &[("app.py", "import socket\nsocket.socket(socket.AF_UNIX).bind('run/' + 'shop' * 40)\n")],
        )
        .quoting(&["path too long"]),
        python(
            kind,
            "a download that was cut off",
            &["truncated", "corrupt", "damaged", "incomplete"],
            &[("app.py", "import gzip\nopen('model.gz', 'wb').write(gzip.compress(bytes(range(256)) * 40)[:60])\ngzip.open('model.gz').read()\n")],
        )
        .quoting(&["compressed file ended"]),
        python(
            kind,
            "a server that hangs up",
            &["reset", "closed", "hung up", "connection"],
            &[("app.py", "import socket, struct, threading, time\nserver = socket.create_server(('127.0.0.1', 0))\ndef serve():\n    one, _ = server.accept()\n    one.recv(100)\n    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n    one.close()\nthreading.Thread(target=serve, daemon=True).start()\nclient = socket.create_connection(server.getsockname())\nclient.sendall(b'hello')\nclient.recv(100)\n")],
        )
        .quoting(&["connection reset by peer"]),
        node(
            kind,
            "a worker thread has no memory left",
            &["memory", "heap"],
            &[("app.js", "const { Worker } = require('worker_threads');\nnew Worker('const a = []; for (;;) a.push(new Array(10000).fill(1.5));', { eval: true, resourceLimits: { maxOldGenerationSizeMb: 16 } });\n")],
        ),
        fault(kind, "node, an addon for another version", &["addon", "module", "version"], |stage| {
            stage.file("addon.c", "int shop(void) { return 1; }\n");
            stage.runs("cc", &["-shared", "-fPIC", "-o", "addon.node", "addon.c"]);
            stage.file("app.js", "require('./addon.node');\n");
            stage.crashes("node app.js", &[]);
        })
        .needing(&["/usr/bin/cc", "/usr/bin/node"])
        .quoting(&["did not self-register"]),
        crash(kind, "node, less address space than it reserves", &["memory"], "ulimit -v 400000; exec node app.js", &[("app.js", "setInterval(() => {}, 1000);\n")])
            .needing(NODE),
        crash(kind, "java, more heap than any machine has", &["memory", "heap"], "java -Xms90000g -Xmx90000g -cp . Main", &[])
            .needing(JAVA)
            .quoting(&["could not reserve enough space"]),
        crash(kind, "php, a function of a newer version", &["exception", "does not handle", "function"], "php app.php", &[(
            "app.php",
            "<?php\nfunction start() {\n  return shop_connect('db');\n}\nstart();\n",
        )])
        .needing(PHP)
        .quoting(&["undefined function"]),
        crash(kind, "perl, a file of settings", &["missing", "no such file", "does not exist"], "perl app.pl", &[(
            "app.pl",
            "use strict;\nopen(my $in, '<', 'conf/shop.ini') or die \"cannot read conf/shop.ini: $!\";\nprint <$in>;\n",
        )])
        .needing(PERL),
        fault(kind, "go, an address without a port", &["address", "port", "value"], |stage| {
            stage.file("main.go", "package main\n\nimport (\n\t\"log\"\n\t\"net/http\"\n)\n\nfunc main() {\n\tlog.Fatal(http.ListenAndServe(\"5000\", nil))\n}\n");
            stage.runs("/usr/local/go/bin/go", &["build", "-o", "server", "main.go"]);
            stage.crashes("./server", &[]);
        })
        .needing(GO)
        .quoting(&["missing port in address"]),
    ]
}

fn scripts() -> Vec<Fault> {
    let kind = "sixth set: scripts and wrappers";
    vec![
        crash(kind, "sh, a test of bash", &["not found", "missing", "[["], "sh run.sh", &[(
            "run.sh",
            "set -e\nMODE=web\n[[ $MODE == web ]]\nexec sleep 3600\n",
        )]),
        crash(kind, "nice does not find the program", GONE, "nice -n 5 puma_of_nobody -p 5000", &[]),
        crash(kind, "a path with a blank", GONE, "/usr/bin/python3 my shop/app.py", &[("my shop/app.py", "print('up')\n")])
            .needing(PYTHON),
        crash(kind, "a user that does not exist", &["user"], "runuser -u shopkeeper_of_nobody -- sleep 3600", &[])
            .needing(&["root", "/usr/sbin/runuser"])
            .quoting(&["user shopkeeper_of_nobody does not exist"]),
        fault(kind, "a symbol of a newer library", &["symbol", "librar", "version"], |stage| {
            stage.file("shop.c", "int shop_open(void) { return 0; }\n");
            stage.runs("cc", &["-shared", "-fPIC", "-o", "libshop.so", "shop.c"]);
            compiled(stage, "int shop_open(void);\nint main(void) { return shop_open(); }\n", &["-L.", "-lshop", "-Wl,-rpath,$ORIGIN"]);
            stage.file("shop.c", "int shop_close(void) { return 0; }\n");
            stage.runs("cc", &["-shared", "-fPIC", "-o", "libshop.so", "shop.c"]);
            stage.crashes("./server", &[]);
        })
        .needing(CC),
        fault(
            kind,
            "it reads orders from stdin, and there are none",
            &["with success", "ends by itself", "stdin"],
            |stage| {
                stage.file(
                    "app.py",
                    "import sys\nprint('waiting for orders', flush=True)\nfor line in sys.stdin:\n    print(line)\n",
                );
                stage.ends("/usr/bin/python3 app.py", &[]);
                stage.until("web.1", &["stopped"]);
            },
        )
        .needing(PYTHON),
    ]
}

fn servers() -> Vec<Fault> {
    let kind = "sixth set: servers and tools";
    vec![
        fault(kind, "nginx, a name of an upstream", &["name", "host", "resol"], |stage| {
            stage.file("nginx.conf", "pid nginx.pid;\nevents {}\nhttp {\n  upstream api { server api.shop.invalid:80; }\n  server { listen 127.0.0.1:5998; location / { proxy_pass http://api; } }\n}\n");
            let command = format!("/usr/sbin/nginx -p {} -e stderr -c nginx.conf -g 'daemon off;'", crate::stage::as_text(&stage.path("")));
            stage.crashes(&command, &[]);
        })
        .needing(NGINX)
        .quoting(&["host not found in upstream"]),
        crash(kind, "redis, a directive", SETTINGS, "redis-server redis.conf", &[("redis.conf", "port 0\nmaxmemry 10mb\n")])
            .needing(&["/usr/bin/redis-server"])
            .quoting(&["bad directive"]),
        crash(kind, "psql, no server's socket", &["server", "socket", "does not answer", "reach"], "psql -h /nowhere/postgresql -c 'select 1'", &[])
            .needing(&["/usr/bin/psql"]),
        crash(kind, "ruby, a server that refuses", &["refuse", "does not answer", "unreachable"], "ruby app.rb", &[(
            "app.rb",
            "require 'socket'\nTCPSocket.new('127.0.0.1', 1).puts('hello')\n",
        )])
        .needing(RUBY),
    ]
}

fn circumstances() -> Vec<Fault> {
    let kind = "sixth set: circumstances";
    vec![
        fault(kind, "it listens by the other version of IP", &["listen", "address", "refused", "::1", "check"], |stage| {
            let _listening = home::listening();
            stage.file("app.json", &checks::checked(r#"{"type": "startup", "path": "/", "attempts": 1, "wait": 1, "timeout": 1}"#));
            stage.file("app.py", "import http.server, os, socket\nclass Six(http.server.HTTPServer):\n    address_family = socket.AF_INET6\nSix(('::1', int(os.environ['PORT'])), http.server.BaseHTTPRequestHandler).serve_forever()\n");
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(PYTHON),
        fault(kind, "a wrapper whose child died", &["listen", "port", "ready"], |stage| {
            let _listening = home::listening();
            stage.file("run.sh", "sh -c 'exit 3' &\nexec sleep 3600\n");
            stage.crashes("sh run.sh", &[("web.ready", "listening"), ("web.start-timeout-seconds", "2")]);
        }),
        fault(kind, "a check that asks a port of nobody", &["refused", "listen", "port", "check"], |stage| {
            let _listening = home::listening();
            stage.file("app.json", &checks::checked(r#"{"type": "startup", "path": "/", "port": 1, "attempts": 1, "wait": 1, "timeout": 1}"#));
            stage.crashes(QUIET, &[]);
        }),
    ]
}
