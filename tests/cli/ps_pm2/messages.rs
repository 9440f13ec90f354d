//! Messages between `ps-pm2` and a Node program: `ready`, and `shutdown`.

use std::fs;
use std::net::TcpListener;

use crate::clients::get;
use crate::home::{Home, eventually};

/// Declares a program that listens on a free port, which answers with its pid, and starts it. It says that it is ready unless the file `mute`
/// is there, and notes the messages that it gets.
fn start(home: &Home, keys: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = listener.expect("a port").port();
    let program = format!(
        "const server = require('http').createServer((q, r) => r.end(String(process.pid)));
        server.listen({port}, () => {{ if (!require('fs').existsSync('mute')) process.send('ready'); }});
        process.on('message', (message) => {{ console.log('told ' + message); server.close(() => process.exit(0)); }});"
    );
    fs::write(home.app("srv.js"), program).expect("a script");
    let declaration = format!(r#"{{"name": "srv", "script": "srv.js", "wait_ready": true, {keys}}}"#);
    fs::write(home.app("one.json"), declaration).expect("a file");
    let ran = home.say(&["start", "one.json"]);
    assert_eq!((ran.status, &*ran.stderr), (0, ""));
    port
}

fn answers(home: &Home, port: u16) -> u64 {
    eventually(|| {
        let (seen, listed) = (get(port)?, home.pid(0));
        if seen == listed.to_string() {
            Ok(listed)
        } else {
            Err(format!("{seen} answers, {listed} is listed"))
        }
    })
}

#[test]
fn a_program_in_fork_mode_says_that_it_is_ready_and_is_told_to_end() {
    let home = Home::new();
    let port = start(&home, r#""exec_mode": "fork", "shutdown_with_message": true"#);
    let pid = answers(&home, port);
    for file in ["srv.pid", "srv.pid0.pid"] {
        let path = home.pm2("pids").join(file);
        eventually(|| match fs::read_to_string(&path) {
            Ok(text) if text == pid.to_string() => Ok(()),
            other => Err(format!("{file}: {other:?}, and not {pid}")),
        });
    }
    // It has its port for itself, so the old process ends before the new one listens.
    let ran = home.say(&["reload", "srv"]);
    assert!(ran.status == 0 && ran.stderr.contains("listens on port"), "{ran:?}");
    assert_ne!(answers(&home, port), pid);
    home.done(&["stop", "srv"]);
    home.log("srv-out-0.log", |text| text == "told shutdown\ntold shutdown\n");
}

#[test]
fn a_program_that_never_says_that_it_is_ready_counts_as_ready_in_the_end_but_not_in_a_reload() {
    let home = Home::new();
    fs::write(home.app("mute"), "").expect("a file");
    let port = start(&home, r#""exec_mode": "cluster", "listen_timeout": 1000"#);
    let pid = answers(&home, port);
    let ran = home.say(&["reload", "srv"]);
    assert!(ran.status == 1 && ran.stderr.contains("srv is not reloaded, and runs on as it was"), "{ran:?}");
    assert!(ran.stderr.contains("of srv did not call process.send('ready') within "), "{ran:?}");
    assert_eq!(answers(&home, port), pid);
    // The demand of the reload has ended with it.
    home.done(&["restart", "srv"]);
    assert_ne!(answers(&home, port), pid);
    fs::remove_file(home.app("mute")).expect("it is there");
    home.done(&["reload", "srv"]);
    answers(&home, port);
}
