//! What does not even begin: programs, interpreters, libraries and files that are missing or are not what they should be.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::fault::{Fault, fault};
use crate::stage::{Files, QUIET};

pub(crate) const PYTHON: &[&str] = &["/usr/bin/python3"];
pub(crate) const NODE: &[&str] = &["/usr/bin/node"];
pub(crate) const JAVA: &[&str] = &["/usr/bin/java"];
const PERL: &[&str] = &["/usr/bin/perl"];

/// A process that ends with an error each time that it is started.
pub(crate) fn crash(
    kind: &'static str,
    name: &'static str,
    names: &'static [&'static str],
    command: &'static str,
    files: Files,
) -> Fault {
    fault(kind, name, names, move |stage| {
        stage.files(files);
        stage.crashes(command, &[]);
    })
}

const MODULE: &[&str] = &["module", "import", "package", "dependenc", "class", "librar"];
const SCRIPT_GONE: &[&str] =
    &["no such file", "missing", "not there", "is gone", "does not exist", "not found"];
const ENDS_OF_LINES: &[&str] = &["crlf", "carriage", "line ending", "\\r", "windows", "dos"];
const INTERPRETER: &[&str] = &["interpreter", "shebang", "#!", "pyhton3", "/opt/ruby"];
const NOT_EXECUTABLE: &[&str] = &["executable", "permission", "chmod", "may not be executed"];
const NO_PROGRAM: &[&str] = &["not found", "missing", "no such program", "gunicornn", "no program"];
const FORMAT: &[&str] = &["exec format", "architecture", "not a program", "machine", "format"];
const SYNTAX: &[&str] = &["syntax", "indentation", "parse"];

pub(crate) fn faults() -> Vec<Fault> {
    [modules(), libraries(), interpreters(), files(), languages()].into_iter().flatten().collect()
}

fn modules() -> Vec<Fault> {
    const IMPORTS: &str =
        "import os, sys\nprint('starting up', flush=True)\nimport flask_that_nobody_installed\n";
    const REQUIRES: &str = "console.log('boot');\nconst web = require('express-that-nobody-installed');\n";
    const MODULE_OF_NODE: &str = "import { connect } from './lib/database.mjs';\nconnect();\n";
    const USES: &str = "use strict;\nuse Web::Frame::Nobody::Installed;\nprint 1;\n";
    let kind = "a module is missing";
    vec![
        crash(kind, "python", MODULE, "/usr/bin/python3 app.py", &[("app.py", IMPORTS)]).needing(PYTHON),
        crash(kind, "python -m", MODULE, "/usr/bin/python3 -m gunicorn_of_nobody app:app", &[]).needing(PYTHON),
        crash(kind, "node require", MODULE, "node app.js", &[("app.js", REQUIRES)]).needing(NODE),
        crash(kind, "node import", MODULE, "node app.mjs", &[("app.mjs", MODULE_OF_NODE)]).needing(NODE),
        crash(kind, "perl", MODULE, "perl app.pl", &[("app.pl", USES)]).needing(PERL),
        crash(kind, "java class", MODULE, "java -cp . com.shop.Main", &[]).needing(JAVA),
        fault(kind, "python, behind a shell that logs", MODULE, |stage| {
            stage.file("app.py", IMPORTS);
            stage.file("bin/start", "#!/bin/sh\necho preparing\n/usr/bin/python3 app.py\ncode=$?\necho \"app ended with $code, cleaning up\"\nexit $code\n");
            stage.crashes("bin/start", &[]);
        })
        .needing(PYTHON),
    ]
}

fn libraries() -> Vec<Fault> {
    const LOADS: &str = "import ctypes\nctypes.CDLL('libvips_of_nobody.so.42')\n";
    let kind = "a shared library is missing";
    let names: &[&str] = &["librar", ".so", "shared object"];
    vec![
        fault(kind, "a program that is linked with it", names, |stage| {
            stage.file("lib.c", "int price(void) { return 7; }\n");
            stage.file("main.c", "int price(void); int main(void) { return price(); }\n");
            stage.runs("cc", &["-shared", "-fPIC", "-o", "libprice.so", "lib.c"]);
            stage.runs("cc", &["-o", "server", "main.c", "-L.", "-lprice"]);
            fs::remove_file(stage.path("libprice.so")).expect("it was there");
            stage.crashes("./server", &[]);
        })
        .needing(&["/usr/bin/cc"]),
        crash(kind, "python loads it", names, "/usr/bin/python3 app.py", &[("app.py", LOADS)])
            .needing(PYTHON),
    ]
}

fn interpreters() -> Vec<Fault> {
    vec![
        crash(
            "a script's interpreter is missing",
            "by env",
            INTERPRETER,
            "bin/serve",
            &[("bin/serve", "#!/usr/bin/env pyhton3\nprint(1)\n")],
        ),
        crash(
            "a script's interpreter is missing",
            "by path",
            INTERPRETER,
            "bin/serve",
            &[("bin/serve", "#!/opt/ruby/3.2/bin/ruby\nputs 1\n")],
        ),
        crash(
            "line endings of Windows",
            "in #!",
            ENDS_OF_LINES,
            "bin/serve",
            &[("bin/serve", "#!/bin/sh\r\nexec sleep 3600\r\n")],
        ),
        crash(
            "line endings of Windows",
            "behind env",
            ENDS_OF_LINES,
            "bin/serve",
            &[("bin/serve", "#!/usr/bin/env sh\r\nexec sleep 3600\r\n")],
        ),
        crash(
            "line endings of Windows",
            "in the script that sh is given",
            ENDS_OF_LINES,
            "sh run.sh",
            &[("run.sh", "set -e\r\ncd /tmp\r\nexec sleep 3600\r\n")],
        ),
        fault("not executable", "what the Procfile names", NOT_EXECUTABLE, |stage| {
            stage.file("serve", "#!/bin/sh\nexec sleep 3600\n");
            stage.crashes("./serve", &[]);
        }),
        fault("not executable", "since it was deployed", NOT_EXECUTABLE, |stage| {
            stage.file("bin/serve", "#!/bin/sh\nexec sleep 3600\n");
            stage.procfile("web: bin/serve\n");
            stage.deploys(&[]);
            stage.does("stop", &[]);
            fs::set_permissions(stage.path("bin/serve"), fs::Permissions::from_mode(0o644)).expect("ours");
            stage.fails("start", &[]);
        }),
        crash(
            "not executable",
            "behind a shell",
            NOT_EXECUTABLE,
            "cd . && ./serve",
            &[("serve", "#!/bin/sh\nexec sleep 3600\n")],
        ),
        fault("a program of another machine", "by itself", FORMAT, |stage| {
            foreign_program(stage);
            stage.crashes("bin/server", &[]);
        }),
        fault("a program of another machine", "behind a shell script", FORMAT, |stage| {
            foreign_program(stage);
            stage.file("bin/start", "#!/bin/bash\n./bin/server --port $PORT\n");
            stage.crashes("bin/start", &[]);
        }),
    ]
}

/// An ELF file for a machine that this one is not: s390.
fn foreign_program(stage: &crate::stage::Stage) {
    let text = std::fs::read("/bin/true").expect("a program");
    let mut bytes = text;
    bytes[18] = 22;
    fs::create_dir_all(stage.path("bin")).expect("a directory");
    fs::write(stage.path("server"), bytes).expect("written");
    stage.runs("install", &["-D", "-m", "755", "server", "bin/server"]);
}

fn files() -> Vec<Fault> {
    let kind = "a program is missing";
    let gone = "the script that is named is gone";
    vec![
        fault(kind, "what the Procfile names", NO_PROGRAM, |stage| {
            stage.fails_when_deployed("gunicornn app:app", &[]);
        }),
        crash(
            kind,
            "the last of a shell's commands",
            NO_PROGRAM,
            "export WEB=1; echo begin; gunicornn app:app",
            &[],
        ),
        crash(
            kind,
            "in a script that goes on",
            NO_PROGRAM,
            "bin/start",
            &[("bin/start", "#!/bin/sh\nset -e\necho migrate\nbundlee exec rake\necho serve\n")],
        ),
        fault(kind, "it was removed since", NO_PROGRAM, |stage| {
            stage.file("bin/serve", "#!/bin/sh\nexec sleep 3600\n");
            stage.procfile("web: bin/serve\n");
            stage.deploys(&[]);
            stage.does("stop", &[]);
            fs::remove_file(stage.path("bin/serve")).expect("it was there");
            stage.fails("start", &[]);
        }),
        crash(gone, "python", SCRIPT_GONE, "/usr/bin/python3 server.py", &[]).needing(PYTHON),
        crash(gone, "node", SCRIPT_GONE, "node dist/server.js", &[]).needing(NODE),
        crash(gone, "sh", SCRIPT_GONE, "sh scripts/run.sh", &[]),
        crash(gone, "java", &["jar", "missing", "not there", "no such"], "java -jar target/shop.jar", &[])
            .needing(JAVA),
        fault(gone, "removed while it ran", SCRIPT_GONE, |stage| {
            stage.file("app.py", "import time\ntime.sleep(3600)\n");
            stage.procfile("web: /usr/bin/python3 app.py\n");
            stage.deploys(&[]);
            stage.set("restart-policy", "on-failure:1");
            stage.does("stop", &[]);
            fs::remove_file(stage.path("app.py")).expect("it was there");
            stage.fails("start", &[]);
            stage.until("web.1", &["crashed"]);
        })
        .needing(PYTHON),
        crash(
            "npm has no such script",
            "start",
            &["script"],
            "npm run serve",
            &[(
                "package.json",
                "{\"name\": \"shop\", \"version\": \"1.0.0\", \"scripts\": {\"start\": \"node app.js\"}}\n",
            )],
        )
        .needing(&["/usr/bin/npm"]),
        crash("npm has no such script", "no package.json", &["package.json", "file"], "npm start", &[])
            .needing(&["/usr/bin/npm"]),
        fault("the directory is gone", "before a start", &["directory"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.does("stop", &[]);
            fs::rename(stage.path(""), stage.home.path("elsewhere")).expect("renamed");
            stage.fails("start", &[]);
        }),
        fault("the directory is gone", "while it ran, and then it crashed", &["directory"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            fs::remove_dir_all(stage.path("")).expect("removed");
            stage.signals("web.1", rustix::process::Signal::ABORT);
            stage.until_row("web.1", |row| row["state"] != "running" && row["state"] != "starting");
        }),
        fault("the directory is gone", "a file is in its place", &["directory"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.does("stop", &[]);
            fs::remove_dir_all(stage.path("")).expect("removed");
            fs::write(stage.home.path("shop"), "not a directory").expect("written");
            stage.fails("start", &[]);
        }),
    ]
}

fn languages() -> Vec<Fault> {
    let kind = "a syntax error in the code";
    let newer: &[&str] = &["version"];
    vec![
        crash(kind, "python", SYNTAX, "/usr/bin/python3 app.py", &[("app.py", "import os\ndef main(:\n    pass\n")]).needing(PYTHON),
        crash(kind, "python, of version 2", SYNTAX, "/usr/bin/python3 app.py", &[("app.py", "print 'ready'\n")]).needing(PYTHON),
        crash(kind, "python, indentation", SYNTAX, "/usr/bin/python3 app.py", &[("app.py", "def main():\nreturn 1\n")]).needing(PYTHON),
        crash(kind, "node", SYNTAX, "node app.js", &[("app.js", "const a = {;\n")]).needing(NODE),
        crash(kind, "sh", SYNTAX, "sh run.sh", &[("run.sh", "if true; then\necho \"never closed\n")]),
        fault(kind, "in the Procfile's command", &["syntax", "quot", "shell"], |stage| {
            stage.fails_when_deployed("echo \"never closed && exec sleep 1", &[]);
        }),
        fault("made for a newer version", "a class of java", newer, |stage| {
            let class = [0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 0xFF, 0, 1, 0, 0, 0, 0, 0, 0];
            fs::write(stage.path("Main.class"), class).expect("written");
            stage.crashes("java -cp . Main", &[]);
        })
        .needing(JAVA),
        crash(
            "made for a newer version",
            "python that says so",
            newer,
            "/usr/bin/python3 app.py",
            &[("app.py", "import sys\nif sys.version_info < (4, 2):\n    sys.exit('shop requires Python 4.2 or later, this is version ' + sys.version.split()[0])\n")],
        )
        .needing(PYTHON),
        fault("made for a newer version", "of the C library", &["glibc", "version", "librar"], |stage| {
            stage.file("lib.c", "int price(void) { return 7; }\n");
            stage.file("old.map", "PRICE_1.0 { global: *; };\n");
            stage.file("new.map", "PRICE_2.0 { global: *; };\n");
            stage.file("main.c", "int price(void); int main(void) { return price(); }\n");
            stage.runs("cc", &["-shared", "-fPIC", "-Wl,--version-script=new.map", "-o", "libprice.so", "lib.c"]);
            stage.runs("cc", &["-o", "server", "main.c", "-L.", "-lprice", "-Wl,-rpath,."]);
            stage.runs("cc", &["-shared", "-fPIC", "-Wl,--version-script=old.map", "-o", "libprice.so", "lib.c"]);
            stage.crashes("./server", &[]);
        })
        .needing(&["/usr/bin/cc"]),
    ]
}
