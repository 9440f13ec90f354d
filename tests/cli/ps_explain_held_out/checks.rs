//! Apps that run and are not ready, or are no longer well.

use rustix::process::Signal;

use crate::code::PYTHON;
use crate::fault::{Fault, fault};
use crate::home;
use crate::stage::{QUIET, Stage};

/// Answers with what stands in `mode`, or not at all.
pub(crate) const SERVER: &str = "import http.server, os, pathlib, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        mode = pathlib.Path('mode').read_text().strip()
        if mode == 'hang':
            time.sleep(3600)
        self.send_response(int(mode))
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";

pub(crate) fn faults() -> Vec<Fault> {
    [startup(), never_ready(), later()].into_iter().flatten().collect()
}

pub(crate) fn checked(check: &str) -> String {
    format!(
        "{{\"formation\": {{\"web\": {{\"ready\": \"alive\"}}}}, \"healthchecks\": {{\"web\": [{check}]}}}}"
    )
}

/// A deploy that fails, because this check of a command that listens does.
fn refused(
    kind: &'static str,
    name: &'static str,
    names: &'static [&'static str],
    command: &'static str,
    check: &'static str,
) -> Fault {
    fault(kind, name, names, move |stage| {
        let _listening = home::listening();
        stage.file("app.json", &checked(check));
        stage.fails_when_deployed(command, &[]);
    })
}

/// The same when an instance is started of what was deployed.
fn given_up(
    kind: &'static str,
    name: &'static str,
    names: &'static [&'static str],
    command: &'static str,
    check: &'static str,
) -> Fault {
    fault(kind, name, names, move |stage| {
        let _listening = home::listening();
        stage.file("app.json", &checked(check));
        stage.crashes(command, &[]);
    })
}

fn startup() -> Vec<Fault> {
    let fails = "a check fails";
    let silent = "a check is never answered";
    vec![
        refused(
            fails,
            "500, in a deploy",
            &["500"],
            "faultapp --listen --answer 500",
            r#"{"type": "startup", "path": "/up", "attempts": 1, "wait": 1}"#,
        ),
        given_up(
            fails,
            "503, at a start",
            &["503"],
            "faultapp --listen --answer 503",
            r#"{"type": "startup", "path": "/up", "attempts": 1, "wait": 1}"#,
        ),
        given_up(
            fails,
            "404, the path is another one",
            &["404"],
            "faultapp --listen --answer 404",
            r#"{"type": "startup", "path": "/healthz", "attempts": 1, "wait": 1}"#,
        ),
        given_up(
            fails,
            "302, to a login",
            &["302", "redirect"],
            "faultapp --listen --answer 302",
            r#"{"type": "startup", "path": "/", "attempts": 1, "wait": 1}"#,
        ),
        given_up(
            fails,
            "what is wanted does not stand there",
            &["content", "contain", "does not have", "welcome"],
            "faultapp --listen",
            r#"{"type": "startup", "path": "/", "content": "welcome", "attempts": 1, "wait": 1}"#,
        ),
        given_up(
            fails,
            "a command with its status",
            &["status 3", "check"],
            QUIET,
            r#"{"type": "startup", "command": ["sh", "-c", "exit 3"], "attempts": 1, "wait": 1}"#,
        ),
        given_up(
            fails,
            "a command that is not there",
            &["pg_isreadyy", "not found", "no such", "missing"],
            QUIET,
            r#"{"type": "startup", "command": ["pg_isreadyy"], "attempts": 1, "wait": 1}"#,
        ),
        given_up(
            fails,
            "https of a server that speaks http",
            &["tls", "https", "http"],
            "faultapp --listen",
            r#"{"type": "startup", "path": "/", "scheme": "https", "attempts": 1, "wait": 1}"#,
        ),
        given_up(
            fails,
            "connections are reset",
            &["reset", "answer", "check"],
            "faultapp --listen --reset",
            r#"{"type": "startup", "path": "/", "attempts": 1, "wait": 1, "timeout": 1}"#,
        ),
        refused(
            silent,
            "it accepts and hangs, in a deploy",
            &["answer", "time"],
            "faultapp --listen --accept-and-hang",
            r#"{"type": "startup", "path": "/", "attempts": 1, "wait": 1, "timeout": 1}"#,
        ),
        given_up(
            silent,
            "it is too slow",
            &["answer", "time", "slow"],
            "faultapp --listen --answer-after 4000",
            r#"{"type": "startup", "path": "/", "attempts": 1, "wait": 1, "timeout": 1}"#,
        ),
    ]
}

const NOT_READY: &[&str] = &["listen", "port", "ready"];

fn never_ready() -> Vec<Fault> {
    let kind = "it does not listen in time";
    let listens = |name: &'static str, names: &'static [&'static str], command: &'static str| {
        fault(kind, name, names, move |stage| {
            let _listening = home::listening();
            stage.crashes(command, &[("web.ready", "listening"), ("web.start-timeout-seconds", "2")]);
        })
    };
    vec![
        listens("it does not listen at all", NOT_READY, QUIET),
        listens("it hangs at its start", NOT_READY, "echo connecting to the database; sleep 3600"),
        listens("it listens only later", NOT_READY, "faultapp --listen --listen-after 3600000"),
        fault("it listens on another port", "one of its own choice", &["port"], |stage| {
            let _listening = home::listening();
            let port = crate::asking::some_address().port();
            let command = format!("faultapp --listen {port}");
            stage.crashes(&command, &[("web.ready", "listening"), ("web.start-timeout-seconds", "2")]);
        }),
        fault("it listens on another port", "in a deploy", &["port"], |stage| {
            let _listening = home::listening();
            let port = crate::asking::some_address().port();
            stage.exists();
            stage.set("web.ready", "listening");
            stage.set("web.start-timeout-seconds", "2");
            stage.procfile(&format!("web: faultapp --listen {port}\n"));
            stage.fails_to_deploy(&["--scale", "web=1"]);
        }),
        fault(
            "it listens on another address",
            "127.0.0.2, and the check asks 127.0.0.1",
            &["refused", "answer", "127.0.0", "address", "listen", "check"],
            |stage| {
                let _listening = home::listening();
                stage.file(
                    "app.json",
                    &checked(r#"{"type": "startup", "path": "/", "attempts": 1, "wait": 1, "timeout": 1}"#),
                );
                stage.crashes("faultapp --listen --bind 127.0.0.2", &[]);
            },
        ),
        fault("it never says that it is ready", "READY=1", &["ready=1", "notify", "ready"], |stage| {
            stage.crashes(QUIET, &[("web.ready", "notify"), ("web.start-timeout-seconds", "2")]);
        }),
        fault(
            "it is slow to come up",
            "its deadline is far away",
            &["starting", "listen", "ready", "port", "slow"],
            |stage| {
                let _listening = home::listening();
                stage.procfile(&format!("web: {QUIET}\n"));
                stage.deploys(&["--scale", "web=0"]);
                stage.set("web.ready", "listening");
                let start = stage.home.start(&["ps-scale", "shop", "web=1"]);
                stage.until("web.1", &["starting"]);
                stage.keep(start);
            },
        ),
    ]
}

/// A server that was well, and then answers like this.
fn turns(stage: &Stage, mode: &str, check: &str) {
    stage.file("server.py", SERVER);
    stage.file("mode", "200");
    stage.file("app.json", &checked(check));
    stage.procfile("web: /usr/bin/python3 server.py\n");
    stage.deploys(&[]);
    stage.set("restart-policy", "no");
    stage.does("restart", &[]);
    stage.file("mode", mode);
}

fn later() -> Vec<Fault> {
    let kind = "it was ready, and is not well any more";
    vec![
        fault(kind, "liveness, 500", &["500"], |stage| {
            let _listening = home::listening();
            turns(stage, "500", r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "liveness", "path": "/", "interval": 1, "threshold": 2, "timeout": 2}"#);
            stage.until("web.1", &["crashed", "stopped"]);
        })
        .needing(PYTHON),
        fault(kind, "liveness, it hangs", &["answer", "time", "hang"], |stage| {
            let _listening = home::listening();
            turns(stage, "hang", r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "liveness", "path": "/", "interval": 1, "threshold": 2, "timeout": 1}"#);
            stage.until("web.1", &["crashed", "stopped"]);
        })
        .needing(PYTHON),
        fault(kind, "readiness, 503", &["503"], |stage| {
            let _listening = home::listening();
            turns(stage, "503", r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "readiness", "path": "/", "interval": 1, "threshold": 1, "timeout": 2}"#);
            stage.until("web.1", &["unready"]);
        })
        .needing(PYTHON),
        fault("it is stopped by a signal", "and so it answers no check", &["stopped by a signal", "sigstop", "suspended", "answer", "time"], |stage| {
            let _listening = home::listening();
            turns(stage, "200", r#"{"type": "startup", "path": "/", "wait": 1}, {"type": "readiness", "path": "/", "interval": 1, "threshold": 1, "timeout": 1}"#);
            stage.signals("web.1", Signal::STOP);
            stage.until("web.1", &["unready"]);
        })
        .needing(PYTHON),
        fault("it does not feed its watchdog", "never", &["watchdog"], |stage| {
            stage.crashes(QUIET, &[("web.watchdog-seconds", "2")]);
        }),
    ]
}
