//! Processes that end: by themselves, by somebody's signal, or by nothing that anybody sees.

use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::fault::{Fault, fault};
use crate::stage::{QUIET, Stage};

const OUTSIDE: &[&str] = &["outside", "somebody", "foreign", "not sent by", "another"];
const OPERATOR: &[&str] = &["ps-lifecycle", "asked", "signal kill", "operator", "by hand", "root"];
const BACKGROUND: &[&str] = &["background", "daemon", "left others running"];

/// Ends at once at every signal, and says nothing.
const PLAIN: &str = "sleep 3600";
pub(crate) const GO: &[&str] = &["/usr/local/go/bin/go"];

pub(crate) fn faults() -> Vec<Fault> {
    [signals(), crashes(), codes(), zero()].into_iter().flatten().collect()
}

/// One that is well, is not to be started again, and gets a signal.
fn killed(name: &'static str, signal: Signal) -> Fault {
    fault("a signal from outside", name, OUTSIDE, move |stage| {
        alone(stage, PLAIN);
        stage.signals("web.1", signal);
        stage.until("web.1", &["crashed", "stopped"]);
    })
}

fn alone(stage: &Stage, command: &str) {
    stage.procfile(&format!("web: {command}\n"));
    stage.deploys(&[]);
    stage.set("restart-policy", "no");
    stage.does("restart", &[]);
}

fn signals() -> Vec<Fault> {
    let ours = |name: &'static str, command: &'static str, signal: &'static str| {
        fault("a signal that somebody sent with us", name, OPERATOR, move |stage| {
            alone(stage, command);
            let ran = stage.home.run(&["ps-lifecycle", "signal", signal, "shop", "web.1"]);
            assert_eq!(ran.status, Some(0), "{ran:?}");
            stage.until("web.1", &["crashed", "stopped"]);
        })
    };
    vec![
        killed("SIGKILL", Signal::KILL),
        killed("SIGTERM", Signal::TERM),
        killed("SIGHUP", Signal::HUP),
        killed("SIGINT", Signal::INT),
        ours("SIGKILL", PLAIN, "KILL"),
        ours("SIGTERM", PLAIN, "TERM"),
        ours("SIGTERM, and it ended in order", QUIET, "TERM"),
        fault(
            "it is stopped by a signal",
            "SIGSTOP from outside",
            &["stopped by a signal", "sigstop", "suspended", "frozen", "paused"],
            |stage| {
                alone(stage, PLAIN);
                stage.signals("web.1", Signal::STOP);
            },
        ),
        fault(
            "a signal from outside",
            "SIGKILL for a child, and its script ends with 137",
            &["outside", "killed", "137", "sigkill"],
            |stage| {
                stage.file(
                    "bin/start",
                    "#!/bin/sh\nsleep 3600 &\necho $! >pid.new\nmv pid.new pid\nwait $!\nexit $?\n",
                );
                stage.procfile("web: bin/start\n");
                stage.deploys(&[]);
                stage.set("restart-policy", "no");
                stage.does("restart", &[]);
                let child = std::fs::read_to_string(stage.path("pid")).expect("its pid");
                stage.runs("kill", &["-KILL", child.trim()]);
                stage.until("web.1", &["crashed", "stopped"]);
            },
        ),
    ]
}

fn crashes() -> Vec<Fault> {
    let memory: &[&str] = &["segmentation", "sigsegv", "memory fault", "crash"];
    let exception: &[&str] = &["exception", "error"];
    vec![
        crash("a fault of its own memory", "SIGSEGV", memory, "exec /usr/bin/python3 -c 'import ctypes; print(\"serving\", flush=True); ctypes.string_at(0)'", &[]).needing(PYTHON),
        crash("a fault of its own memory", "SIGBUS, a mapped file that was cut", &["bus", "mapped", "truncated", "crash"], "/usr/bin/python3 app.py", &[("app.py", "import mmap\nf = open('index', 'w+b')\nf.truncate(8192)\nm = mmap.mmap(f.fileno(), 8192)\nf.truncate(0)\nprint(m[5000])\n")]).needing(PYTHON),
        crash("it aborts", "SIGABRT", &["abort", "sigabrt"], "exec /usr/bin/python3 -c 'import os; os.abort()'", &[]).needing(PYTHON),
        fault("it aborts", "an assertion of C", &["abort", "sigabrt", "assert"], |stage| {
            stage.file("main.c", "#include <assert.h>\n#include <stdlib.h>\nint main(int count, char **words) { (void)words; assert(count == 42); return 0; }\n");
            stage.runs("cc", &["-o", "server", "main.c"]);
            stage.crashes("./server", &[]);
        })
        .needing(&["/usr/bin/cc"]),
        fault("it divides by zero", "SIGFPE", &["sigfpe", "arithmetic", "division", "divid", "floating"], |stage| {
            stage.file("main.c", "#include <stdlib.h>\nint main(int count, char **words) { return 7 / (count - 1 + atoi(\"0\")) + (words == 0); }\n");
            stage.runs("cc", &["-O0", "-o", "server", "main.c"]);
            stage.crashes("./server", &[]);
        })
        .needing(&["/usr/bin/cc"]),
        crash("an exception that nobody catches", "python", exception, "/usr/bin/python3 app.py", &[("app.py", "print('ready', flush=True)\nraise ValueError('price is negative')\n")]).needing(PYTHON),
        crash("an exception that nobody catches", "python, a type", exception, "/usr/bin/python3 app.py", &[("app.py", "user = None\nprint(user.name)\n")]).needing(PYTHON),
        crash("an exception that nobody catches", "node", exception, "node app.js", &[("app.js", "setTimeout(() => { let user; user.name; }, 10);\n")]).needing(NODE),
        crash("an exception that nobody catches", "node, a rejected promise", &["exception", "error", "reject"], "node app.js", &[("app.js", "Promise.reject(new Error('price is negative'));\n")]).needing(NODE),
        crash("an exception that nobody catches", "java", exception, "java Main.java", &[("Main.java", "class Main { public static void main(String[] a) { Object o = null; o.hashCode(); } }\n")]).needing(JAVA),
        crash("an exception that nobody catches", "perl", &["die", "exception", "error", "price is negative"], "perl app.pl", &[("app.pl", "die \"price is negative\";\n")]).needing(&["/usr/bin/perl"]),
        fault("an exception that nobody catches", "go panics", exception, |stage| {
            go(stage, "package main\nfunc main() { var prices map[string]int; prices[\"a\"] = 1 }\n");
        })
        .needing(GO),
        fault("all of its threads wait for each other", "go", &["deadlock", "asleep"], |stage| {
            go(stage, "package main\nfunc main() { c := make(chan int); <-c }\n");
        })
        .needing(GO),
    ]
}

pub(crate) fn go(stage: &Stage, text: &str) {
    stage.file("main.go", text);
    let mut build = Command::new("/usr/local/go/bin/go");
    build.args(["build", "-o", "server", "main.go"]).current_dir(stage.path("")).stdin(Stdio::null());
    build.env("GO111MODULE", "off");
    assert!(build.output().expect("go runs").status.success(), "it is built");
    stage.crashes("./server", &[]);
}

fn codes() -> Vec<Fault> {
    vec![
        // Nobody can know why. To say so, with the status, is all there is.
        crash("it ends with a status, without a word", "42", &["42", "unknown"], "exit 42", &[]),
        crash(
            "it ends with a status, without a word",
            "1, after a word that says nothing",
            &["status 1", "unknown"],
            "echo ready; exit 1",
            &[],
        ),
        crash("a time limit of its own", "timeout, 124", &["124", "time"], "timeout 1 sleep 3600", &[]),
        fault("the time of a run was up", "run-timeout", &["run-timeout", "too long", "time"], |stage| {
            stage.procfile(&format!("web: {QUIET}\n"));
            stage.deploys(&["--scale", "web=0"]);
            stage.set("restart-policy", "no");
            stage.set("web.run-timeout", "2s");
            stage.does("ps-scale", &["web=1"]);
            stage.until("web.1", &["crashed", "stopped"]);
        }),
        fault(
            "started again too often",
            "start-limit",
            &["start-limit", "too often", "limit", "status 3", "3"],
            |stage| {
                stage.procfile("web: exit 3\n");
                stage.deploys(&["--scale", "web=0"]);
                stage.set("restart-policy", "always");
                stage.set("web.start-limit", "3/1m");
                stage.tries("ps-scale", &["web=1"]);
                stage.until("web.1", &["crashed"]);
            },
        ),
    ]
}

fn zero() -> Vec<Fault> {
    vec![
        fault(
            "it has nothing to do",
            "it ends with 0 at once",
            &["status 0", "finished", "done", "ended by itself", "nothing"],
            |stage| {
                stage.ends("true", &[]);
                stage.until("web.1", &["stopped", "crashed"]);
            },
        ),
        fault("it has nothing to do", "a job that was done", &["finished"], |stage| {
            stage.procfile("job: sleep 1.2\n");
            stage.deploys(&["--scale", "job=0"]);
            stage.set("restart-policy", "no");
            stage.does("ps-scale", &["job=1"]);
            stage.until("job.1", &["stopped"]);
        }),
        fault("it has gone into the background", "at a start", BACKGROUND, |stage| {
            stage.file(
                "bin/serve",
                "#!/bin/sh\nsleep 3600 >/dev/null 2>&1 </dev/null &\necho started\nexit 0\n",
            );
            stage.ends("bin/serve", &[]);
            stage.until("web.1", &["stopped", "crashed"]);
        }),
        fault("it has gone into the background", "in a deploy", BACKGROUND, |stage| {
            stage.file("bin/serve", "#!/bin/sh\nsetsid sleep 3600 >/dev/null 2>&1 </dev/null &\nexit 0\n");
            stage.fails_when_deployed("bin/serve", &[]);
        }),
    ]
}
