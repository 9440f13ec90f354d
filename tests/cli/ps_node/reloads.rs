//! SIGHUP under load: no client notices.

use rustix::process::Signal;

use crate::clients::{Load, get, gets};
use crate::world::{Node, SERVER, eventually, has_node, port};

#[test]
#[expect(clippy::print_stderr, reason = "the figures are worth a look")]
fn reloads_lose_no_request_of_new_and_of_kept_connections() {
    if !has_node() {
        return;
    }
    let port = port();
    let node = Node::serving(SERVER, &["-i", "4"], port);
    let load = Load::begin(port, true);
    let times = if std::env::var_os("FORMATION_TEST_LONG").is_some() { 200 } else { 3 };
    for _ in 0..times {
        node.signal(Signal::HUP);
        node.hears("all processes are new");
    }
    let seen = load.summary();
    let (processes, lost) = (seen.by_process.len(), seen.failed.len());
    eprintln!("{times} reloads: {} answered by {processes} processes, {lost} failed", seen.answered);
    assert_eq!(seen.failed, [""; 0]);
    assert!(processes > 2 * times, "only {processes} processes have answered");
    assert_eq!(gets(port, 40).into_values().collect::<Vec<_>>(), [10; 4]);
}

#[test]
fn a_reload_to_a_program_that_never_listens_leaves_the_old_processes_alone() {
    if !has_node() {
        return;
    }
    let port = port();
    let node = Node::serving(SERVER, &["-i", "2", "--listen-limit", "10"], port);
    let before: Vec<String> = gets(port, 10).into_keys().collect();
    let hopeless = ["process.exit(3)", "throw new Error('broken')", "setInterval(() => {}, 1000)"];
    for program in hopeless {
        std::fs::write(node.place("server.js"), program).expect("written");
        node.signal(Signal::HUP);
        node.hears("the reload is given up, the old processes go on");
        assert_eq!(gets(port, 10).into_keys().collect::<Vec<_>>(), before, "{program}");
    }
    std::fs::write(node.place("server.js"), SERVER).expect("written");
    node.signal(Signal::HUP);
    node.hears("all processes are new");
    assert!(gets(port, 10).keys().all(|pid| !before.contains(pid)));
}

#[test]
fn with_pm2s_words_a_process_is_in_when_it_says_so_and_is_told_before_it_leaves() {
    if !has_node() {
        return;
    }
    let program = "process.on('message', (message) => console.log(`told ${message}`));
        const look = setInterval(() => {
            if (!require('fs').existsSync('go')) return;
            process.send('ready', () => { said = true; });
            clearInterval(look);
        }, 10);";
    let server = SERVER.replace("pid $", "said ${said}, pid $");
    let program = format!("let said = false; const server = {server}\n{program}");
    let port = port();
    let words = ["-i", "1", "--wait-ready", "--shutdown-message"];
    let node = Node::start(&program, &words, &[("PORT", &port.to_string())]);
    let client = std::thread::spawn(move || eventually("it listens", || get(port)));
    eventually("it listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
    });
    std::fs::write(node.place("go"), "").expect("written");
    let first = client.join().expect("an answer");
    assert!(first.starts_with("said true, "), "{first}");
    node.hears("1 process listens on");

    std::fs::remove_file(node.place("go")).expect("it is there");
    node.signal(Signal::HUP);
    std::fs::write(node.place("go"), "").expect("written");
    node.hears("told shutdown");
    node.hears("all processes are new");
    assert_ne!(get(port).expect("an answer"), first);
}
