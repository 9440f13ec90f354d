//! The tenth set. It was written together with the ninth, before its author had read a rule, and first run when the rules had been mended
//! for the ninth.

use rustix::process::Signal;

use crate::checks::{SERVER, checked};
use crate::code::{JAVA, PYTHON, crash};
use crate::containers::{contained, deploy, without_restart};
use crate::ends::{GO, go};
use crate::fault::{Fault, fault};
use crate::fifth::{GONE, PHP, RUBY, node, python};
use crate::home;
use crate::ninth::a_moment;
use crate::ninth_programs::asks_postgres;
use crate::stage::QUIET;

const MODULE: &[&str] = &["module", "import", "class"];
const REFUSED: &[&str] = &["refuse", "nobody listens", "unreachable"];

pub(crate) fn faults() -> Vec<Fault> {
    [circumstances(), scripting(), compiled(), tools(), containers()].into_iter().flatten().collect()
}

fn circumstances() -> Vec<Fault> {
    let kind = "tenth set: circumstances";
    vec![
        fault(kind, "web crashes, and a worker was stopped by hand", MODULE, |stage| {
            stage.file("app.py", "import payments_of_nobody\n");
            stage.procfile(&format!("web: /usr/bin/python3 app.py\nworker: {QUIET}\n"));
            stage.deploys(&["--scale", "web=0", "worker=1"]);
            stage.does("stop", &["worker.1"]);
            stage.set("restart-policy", "on-failure:1");
            stage.tries("ps-scale", &["web=1"]);
            stage.until("web.1", &["crashed"]);
        })
        .needing(PYTHON),
        fault(kind, "the second of two was killed, and the first is well", &["outside", "sigkill"], |stage| {
            stage.procfile("web: sleep 3600\n");
            stage.deploys(&["--scale", "web=2"]);
            stage.set("restart-policy", "no");
            stage.does("restart", &[]);
            stage.signals("web.2", Signal::KILL);
            stage.until("web.2", &["crashed", "stopped"]);
        }),
        fault(kind, "it crashed again and again, until somebody stopped it, and then is meant", &["status 7", "crash"], |stage| {
            stage.crashes("sleep 0.1; exit 7", &[]);
            let then = a_moment();
            stage.does("stop", &[]);
            stage.about(&["--at", &then]);
        }),
        fault(kind, "the app was destroyed", &["no such app", "does not exist", "no app", "destroy", "not exist"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&[]);
            stage.does("destroy", &[]);
        }),
        fault(kind, "a user of another machine", &["user"], |stage| {
            stage.crashes(QUIET, &[("web.user", "shopkeeper_of_nobody")]);
        })
        .needing(&["root"]),
        fault(kind, "a command of its liveness fails", &["check", "liveness"], |stage| {
            let _listening = home::listening();
            stage.file("server.py", SERVER);
            stage.file("mode", "200");
            stage.file("alive", "");
            stage.file("app.json", &checked(r#"{"type": "liveness", "command": ["test", "-e", "alive"], "interval": 1, "threshold": 2, "timeout": 2}"#));
            stage.procfile("web: /usr/bin/python3 server.py\n");
            stage.deploys(&[]);
            stage.set("restart-policy", "no");
            stage.does("restart", &[]);
            std::fs::remove_file(stage.path("alive")).expect("it was there");
            stage.until("web.1", &["crashed", "stopped"]);
        })
        .needing(PYTHON),
        fault(kind, "a disk that is full, under a database", &["space", "full", "disk"], |stage| {
            stage.file("app.py", "import sqlite3\ndb = sqlite3.connect('data/shop.db')\ndb.execute('create table if not exists orders (text)')\nwhile True:\n    db.execute('insert into orders values (?)', ('x' * 10000,))\n    db.commit()\n");
            stage.mount("data", "size=256k,mode=755");
            stage.crashes("/usr/bin/python3 app.py", &[]);
        })
        .needing(&["root", "/usr/bin/python3"]),
        fault(kind, "it is well, and its release met what it survived", &["well", "healthy", "running"], |stage| {
            stage.procfile(&format!("release: echo 'FATAL: connection refused (cache), going on' >&2\nweb: {QUIET}\n"));
            stage.deploys(&[]);
        }),
    ]
}

fn scripting() -> Vec<Fault> {
    let kind = "tenth set: scripting languages";
    vec![
        python(
            kind,
            "python, a tool that it starts",
            &["program", "missing", "not found", "no such"],
            &[("app.py", "import subprocess\nsubprocess.run(['ffmpeg-of-nobody', '-i', 'intro.mp4'])\n")],
        ),
        python(
            kind,
            "python, a child of it lacks a module",
            MODULE,
            &[(
                "app.py",
                "import multiprocessing, sys\ndef work():\n    import payments_of_nobody\nworker = multiprocessing.Process(target=work)\nworker.start()\nworker.join()\nif worker.exitcode:\n    print(f'worker ended with {worker.exitcode}, shutting down', file=sys.stderr)\n    sys.exit(1)\n",
            )],
        ),
        python(
            kind,
            "python, a group of errors",
            REFUSED,
            &[(
                "app.py",
                "import asyncio\nasync def load():\n    await asyncio.open_connection('127.0.0.1', 1)\nasync def main():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(load())\nasyncio.run(main())\n",
            )],
        ),
        python(
            kind,
            "python, words for the one who starts it",
            &["value", "setting", "config", "variable"],
            &[(
                "app.py",
                "import sys\nsys.exit('settings: SHOP_REGION must be one of eu, us, not \"mars\"')\n",
            )],
        )
        .quoting(&["must be one of"]),
        node(
            kind,
            "node, both addresses of localhost",
            REFUSED,
            &[("app.js", "require('net').connect(1, 'localhost');\n")],
        ),
        node(
            kind,
            "node, the cause of an error",
            GONE,
            &[(
                "app.js",
                "const fs = require('fs');\ntry {\n  fs.readFileSync('config/shop.json');\n} catch (error) {\n  throw new Error('the shop cannot start', { cause: error });\n}\n",
            )],
        ),
        crash(
            kind,
            "ruby, a variable",
            &["variable"],
            "ruby app.rb",
            &[("app.rb", "puts ENV.fetch('SHOP_TOKEN')\n")],
        )
        .needing(RUBY),
        crash(
            kind,
            "php, a driver",
            &["driver", "module", "extension"],
            "php app.php",
            &[("app.php", "<?php\n$db = new PDO('pgsql:host=127.0.0.1;dbname=shop', 'shop', 'secret');\n")],
        )
        .needing(PHP)
        .quoting(&["could not find driver"]),
    ]
}

fn compiled() -> Vec<Fault> {
    let kind = "tenth set: compiled programs";
    vec![
        fault(kind, "go, an error in an error", REFUSED, |stage| {
            go(stage, "package main\n\nimport (\n\t\"fmt\"\n\t\"net\"\n\t\"os\"\n)\n\nfunc main() {\n\tif _, err := net.Dial(\"tcp\", \"127.0.0.1:1\"); err != nil {\n\t\tfmt.Fprintln(os.Stderr, fmt.Errorf(\"open store: %w\", err))\n\t\tos.Exit(1)\n\t}\n}\n");
        })
        .needing(GO),
        fault(kind, "go, a name", &["name", "dns", "resol", "host"], |stage| {
            go(stage, "package main\n\nimport (\n\t\"log\"\n\t\"net/http\"\n)\n\nfunc main() {\n\tif _, err := http.Get(\"http://prices.shop.invalid/\"); err != nil {\n\t\tlog.Fatal(err)\n\t}\n}\n");
        })
        .needing(GO),
        fault(kind, "go, its own panic behind others' goroutines", &["panic", "does not handle", "exception"], |stage| {
            go(stage, "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tdone := make(chan bool)\n\tgo func() { panic(fmt.Sprintf(\"unknown mode %q\", \"turbo\")) }()\n\t<-done\n}\n");
        })
        .needing(GO)
        .quoting(&["unknown mode"]),
        crash(kind, "java, a driver of its database", &["driver", "class", "module"], "java Main.java", &[(
            "Main.java",
            "class Main {\n  public static void main(String[] words) {\n    try {\n      java.sql.DriverManager.getConnection(\"jdbc:postgresql://127.0.0.1/shop\");\n    } catch (java.sql.SQLException error) {\n      throw new IllegalStateException(\"the store cannot be opened\", error);\n    }\n  }\n}\n",
        )])
        .needing(JAVA)
        .quoting(&["no suitable driver"]),
        crash(kind, "java, a class that is loaded by its name", MODULE, "java Main.java", &[(
            "Main.java",
            "class Main {\n  public static void main(String[] words) throws Exception {\n    Class.forName(\"com.shop.Payments\");\n  }\n}\n",
        )])
        .needing(JAVA),
    ]
}

fn tools() -> Vec<Fault> {
    let kind = "tenth set: tools and servers";
    vec![
        asks_postgres(kind, "postgres, another database", &["database"], "postgresql://shop:right@127.0.0.1:PORT/shop_of_nobody", "select 1;\n"),
        crash(kind, "sqlite3, a column that a migration adds", &["column", "schema", "migrat"], "sh run.sh", &[(
            "run.sh",
            "set -e\nrm -f shop.db\nsqlite3 shop.db 'create table orders (id integer)'\nsqlite3 shop.db 'select discount from orders'\nexec sleep 3600\n",
        )])
        .needing(&["/usr/bin/sqlite3"])
        .quoting(&["no such column"]),
        crash(kind, "su, an account without a shell", &["account", "user"], "su nobody -c 'exec sleep 3600'", &[])
            .needing(&["root", "/usr/bin/su"])
            .quoting(&["account is currently not available"]),
        crash(kind, "flock, a lock that its own child holds", &["lock"], "sh run.sh", &[(
            "run.sh",
            "exec 9>run.lock\nflock 9\nflock --verbose --nonblock run.lock sleep 3600 9>&-\n",
        )])
        .needing(&["/usr/bin/flock"])
        .quoting(&["failed to get lock"]),
        crash(kind, "a script under set -e, and no word", &["status 1"], "sh run.sh", &[
            ("run.sh", "set -e\necho 'reading settings'\ngrep -q '^port' settings\nexec sleep 3600\n"),
            ("settings", "host shop\n"),
        ]),
    ]
}

fn containers() -> Vec<Fault> {
    let kind = "tenth set: containers";
    [
        fault(kind, "its port is in use by itself", &["in use", "taken", "port"], |stage| {
            without_restart(stage, "sh -c 'sleep 2; httpd -p 8080; exec httpd -f -p 8080'");
            stage.until_row("web.1", |row| row["state"] != "running");
        }),
        fault(
            kind,
            "a directory that no volume brings",
            &["directory", "missing", "no such", "not there"],
            |stage| {
                contained(stage, "sleep 3600", &["--scale", "web=0"]);
                stage.procfile("web: sh -c 'cd /data/uploads && exec sleep 3600'\n");
                let ran = deploy(stage, &["--scale", "web=1"]);
                assert!(ran.status != Some(0), "{ran:?}");
            },
        ),
    ]
    .into_iter()
    .map(|fault| fault.needing(&["engine"]))
    .collect()
}
