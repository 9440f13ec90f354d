//! Faults of kinds that no earlier set has, made by real programs. They were written by somebody who knew how the rules work, after these
//! had been mended for the sixth set, and run once before anything was mended for them.

use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::ends::GO;
use crate::fault::{Fault, fault};
use crate::fifth::{CC, NGINX, PERL, PHP, RUBY, node, python};
use crate::network::taken;
use crate::stage::as_text;

pub(crate) fn faults() -> Vec<Fault> {
    [scripting(), compiled(), shells(), tools()].into_iter().flatten().collect()
}

fn scripting() -> Vec<Fault> {
    let kind = "seventh set: scripting languages";
    vec![
        python(
            kind,
            "python, a command of it fails",
            &["command", "program that it"],
            &[("app.py", "import subprocess\nsubprocess.run(['false'], check=True)\n")],
        )
        .quoting(&["returned non-zero exit status 1"]),
        crash(
            kind,
            "python, an option with a slip",
            &["option", "argument"],
            "/usr/bin/python3 app.py --wrokers 4",
            &[("app.py", "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--workers', type=int)\nparser.parse_args()\n")],
        )
        .needing(PYTHON)
        .quoting(&["unrecognized arguments"]),
        python(
            kind,
            "python, a user of another machine",
            &["user"],
            &[("app.py", "import os, pwd\nos.setuid(pwd.getpwnam('shopkeeper_of_nobody').pw_uid)\n")],
        )
        .quoting(&["getpwnam(): name not found"]),
        node(
            kind,
            "node, no function",
            &["not a function", "does not handle"],
            &[("app.js", "const app = { routes: [] };\napp.listen(5000);\n")],
        )
        .quoting(&["app.listen is not a function"]),
        node(
            kind,
            "node, a path that is undefined",
            &["argument", "undefined", "value"],
            &[("app.js", "const fs = require('fs');\nfs.readFileSync(process.env.shop_config_of_nobody);\n")],
        )
        .quoting(&["err_invalid_arg_type"]),
        node(
            kind,
            "node, text that is no JSON",
            &["json", "config", "parsed"],
            &[("app.js", "console.log(JSON.parse(String(process.env.shop_config_of_nobody)).port);\n")],
        ),
        crash(
            kind,
            "npm ci, and no lock file",
            &["lock", "package-lock"],
            "npm ci",
            &[("package.json", "{\"name\": \"shop\", \"version\": \"1.0.0\"}\n")],
        )
        .needing(NODE)
        .quoting(&["package-lock.json"]),
        crash(kind, "perl, a newer version", &["version"], "perl app.pl", &[("app.pl", "use 5.98.0;\nprint \"up\\n\";\n")])
            .needing(PERL)
            .quoting(&["required--this is only"]),
        crash(
            kind,
            "ruby, something frozen",
            &["exception", "does not handle"],
            "ruby app.rb",
            &[("app.rb", "NAME = 'shop'.freeze\nNAME << ' (staging)'\n")],
        )
        .needing(RUBY)
        .quoting(&["frozenerror"]),
        crash(kind, "php, a brace too few", &["syntax", "parse"], "php app.php", &[("app.php", "<?php\nfunction start() {\n  echo 'up';\n")])
            .needing(PHP),
        crash(
            kind,
            "php, its limit of memory",
            &["memory"],
            "php -d memory_limit=4M app.php",
            &[("app.php", "<?php\n$all = [];\nwhile (true) { $all[] = str_repeat('x', 1000); }\n")],
        )
        .needing(PHP)
        .quoting(&["allowed memory size"]),
    ]
}

fn compiled() -> Vec<Fault> {
    let kind = "seventh set: compiled programs";
    vec![
        crash(kind, "java, a size that is none", &["heap", "option", "value"], "java -Xmx12Q -cp . Main", &[])
            .needing(JAVA)
            .quoting(&["invalid maximum heap size"]),
        fault(kind, "go, a flag with a slip", &["flag", "option"], |stage| {
            stage.file("main.go", "package main\n\nimport \"flag\"\n\nfunc main() {\n\tflag.Int(\"port\", 5000, \"where to listen\")\n\tflag.Parse()\n\tselect {}\n}\n");
            stage.runs("/usr/local/go/bin/go", &["build", "-o", "server", "main.go"]);
            stage.crashes("./server -prot 5000", &[]);
        })
        .needing(GO)
        .quoting(&["flag provided but not defined"]),
        fault(kind, "c++, an exception", &["sigabrt", "abort", "exception"], |stage| {
            stage.file("main.cc", "#include <stdexcept>\nint main() { throw std::runtime_error(\"no route for /checkout\"); }\n");
            stage.runs("c++", &["-o", "server", "main.cc"]);
            stage.crashes("./server", &[]);
        })
        .needing(&["/usr/bin/c++"])
        .quoting(&["no route for /checkout"]),
        fault(kind, "a stack that is full", &["sigsegv", "stack"], |stage| {
            stage.file("main.c", "int deep(volatile int n) { volatile char room[4096]; room[0] = (char)n; return n ? deep(n + 1) + room[0] : 0; }\nint main(void) { return deep(1); }\n");
            stage.runs("cc", &["-O0", "-w", "-o", "server", "main.c"]);
            stage.crashes("./server", &[]);
        })
        .needing(CC),
    ]
}

fn shells() -> Vec<Fault> {
    let kind = "seventh set: shells";
    vec![
        crash(
            kind,
            "a number that is none",
            &["number", "value"],
            "sh run.sh",
            &[("run.sh", "WORKERS=auto\nset -e\n[ \"$WORKERS\" -gt 1 ]\nexec sleep 3600\n")],
        )
        .quoting(&["illegal number"]),
        crash(
            kind,
            "an if without its end",
            &["syntax"],
            "sh run.sh",
            &[("run.sh", "if true; then\n  exec sleep 3600\n")],
        ),
    ]
}

fn tools() -> Vec<Fault> {
    let kind = "seventh set: tools and servers";
    vec![
        fault(kind, "redis, a port in use", &["in use", "taken", "port"], |stage| {
            let (listener, port) = taken();
            stage.keep(listener);
            stage.crashes(&format!("redis-server --port {port} --bind 127.0.0.1 --save ''"), &[]);
        })
        .needing(&["/usr/bin/redis-server"]),
        fault(kind, "nginx, a certificate's file", &["file", "certificate"], |stage| {
            stage.file("nginx.conf", "pid nginx.pid;\nevents {}\nhttp {\n  server { listen 127.0.0.1:5997 ssl; ssl_certificate shop.crt; ssl_certificate_key shop.key; }\n}\n");
            let command = format!("/usr/sbin/nginx -p {} -e stderr -c nginx.conf -g 'daemon off;'", as_text(&stage.path("")));
            stage.crashes(&command, &[]);
        })
        .needing(NGINX).quoting(&["cannot load certificate"]),
        crash(kind, "sqlite3, a directory that is not there", &["database", "directory", "file"], "sqlite3 -batch data/shop.db .tables", &[])
            .needing(&["/usr/bin/sqlite3"])
            .quoting(&["unable to open database"]),
        crash(kind, "curl, a scheme with a slip", &["protocol", "scheme", "url", "value"], "curl -sS htp://127.0.0.1/warm-up", &[])
            .needing(&["/usr/bin/curl"])
            .quoting(&["protocol"]),
        crash(kind, "ssh, a port of nobody", &["refuse", "does not answer", "unreachable"], "ssh -N -p 1 root@127.0.0.1", &[])
            .needing(&["/usr/bin/ssh"]),
        crash(
            kind,
            "tar, an archive that is none",
            &["archive", "gzip", "corrupt"],
            "sh run.sh",
            &[("run.sh", "set -e\ntar -xzf release.tar.gz\nexec ./server\n"), ("release.tar.gz", "<html>404 Not Found</html>\n")],
        )
        .quoting(&["not in gzip format"]),
        fault(kind, "git, a repository of somebody else", &["owner", "permission"], |stage| {
            stage.runs("git", &["init", "-q", "."]);
            stage.runs("chown", &["-R", "nobody", "."]);
            stage.file("run.sh", "set -e\nrevision=$(git status --short)\nexec sleep 3600\n");
            stage.crashes("sh run.sh", &[]);
        })
        .needing(&["root", "/usr/bin/git"])
        .quoting(&["dubious ownership"]),
        crash(kind, "make, blanks in the place of a tab", &["syntax", "separator"], "make serve", &[("Makefile", "serve:\n    sleep 3600\n")])
            .needing(&["/usr/bin/make"])
            .quoting(&["missing separator"]),
        crash(kind, "tcl, a variable", &["variable"], "tclsh app.tcl", &[("app.tcl", "puts \"listening on $env(SHOP_LISTEN)\"\n")])
            .needing(&["/usr/bin/tclsh"])
            .quoting(&["no such variable"]),
    ]
}
