//! What the program and its clients see.

use std::io::Read;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use rustix::process::Signal;

use crate::clients::{get, gets};
use crate::world::{Node, SERVER, command, eventually, has_node, pid_in, port};

#[test]
fn each_process_answers_its_part_of_the_connections() {
    if !has_node() {
        return;
    }
    let port = port();
    let _node = Node::serving(SERVER, &["-i", "4"], port);
    assert_eq!(gets(port, 40).into_values().collect::<Vec<_>>(), [10; 4]);
}

#[test]
fn a_process_that_dies_is_started_again_and_clients_wait_meanwhile() {
    if !has_node() {
        return;
    }
    let port = port();
    let node = Node::serving(SERVER, &["-i", "1"], port);
    let first = get(port).expect("an answer");
    rustix::process::kill_process(pid_in(&first), Signal::KILL).expect("killed");
    node.hears("process 0 has ended with status 137");
    assert_ne!(get(port).expect("an answer"), first);
}

#[test]
fn a_port_is_bound_elsewhere_and_the_program_believes_that_it_has_its_own() {
    if !has_node() {
        return;
    }
    let (asked, bound) = (port(), port());
    let program = SERVER.replace(
        "response.end(`pid ${process.pid}`)",
        "response.end(`${request.socket.localPort} ${server.address().port}`)",
    );
    let program = format!("const server = {program}");
    let words = format!("{asked}=127.0.0.1:{bound}");
    let _node = Node::serving(&program, &["-i", "2", "--bind", &words], asked);
    assert_eq!(get(bound), Ok(format!("{bound} {asked}")));
    assert!(get(asked).is_err(), "nobody listens there");
}

#[test]
fn each_process_has_a_number_and_the_processes_that_it_starts_do_not_know_of_the_channel() {
    if !has_node() {
        return;
    }
    let program = "const child = require('child_process').execFileSync('sh', ['-c', 'echo \"[$NODE_OPTIONS$NODE_CHANNEL_FD$NODE_UNIQUE_ID]\"']);
        console.log(`number ${process.env.NODE_APP_INSTANCE} ${String(child).trim()}`);"
        .to_owned()
        + SERVER;
    let port = port().to_string();
    for (options, shown) in [(None, ""), (Some("--no-warnings"), "--no-warnings")] {
        let mut variables = vec![("PORT", port.as_str())];
        variables.extend(options.map(|options| ("NODE_OPTIONS", options)));
        let node = Node::start(&program, &["-i", "2"], &variables);
        let mut lines = [node.hears("number "), node.hears("number ")];
        lines.sort();
        assert_eq!(lines, [format!("number 0 [{shown}]"), format!("number 1 [{shown}]")]);
        node.hears("2 processes listen on");
    }
}

#[test]
fn connections_for_which_a_process_has_no_descriptor_left_are_closed_and_later_ones_are_served() {
    if !has_node() {
        return;
    }
    let (port, directory) = (port(), tempfile::tempdir().expect("a directory"));
    let program =
        "require('net').createServer((socket) => { socket.on('error', () => {}); socket.write('x'); })
        .listen(+process.env.PORT, '127.0.0.1');";
    let inner = command(&directory, program, &["-i", "1"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""]).arg(inner.get_program()).args(inner.get_args());
    limited.current_dir(directory.path());
    let _node = Node::of(limited, directory, &[("PORT", &port.to_string())]);
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        let served = (&stream).read(&mut [0; 1])?;
        Ok::<_, std::io::Error>((stream, served > 0))
    };
    eventually("it serves", || connect().map_err(|error| error.to_string()));
    let many: Vec<_> = (0..60).map(|_| connect()).collect();
    let served = many.iter().filter(|one| one.as_ref().is_ok_and(|(_, is_served)| *is_served)).count();
    assert!(served > 0 && served < 60, "{served}");
    drop(many);
    eventually("it serves again", || match connect() {
        Ok((_, true)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn whoever_has_started_it_is_told_when_all_listen() {
    if !has_node() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("a limit");
    let heard = || {
        let mut said = [0; 200];
        let size = socket.recv(&mut said).expect("a word");
        String::from_utf8_lossy(&said[..size]).into_owned()
    };
    let port = port().to_string();
    let variables = [("PORT", port.as_str()), ("NOTIFY_SOCKET", path.to_str().expect("plain"))];
    let mut node = Node::start(SERVER, &["-i", "2"], &variables);
    assert_eq!(heard(), "READY=1");
    node.signal(Signal::HUP);
    assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(heard(), "READY=1");
    node.signal(Signal::TERM);
    assert_eq!(heard(), "STOPPING=1");
    assert!(node.end().success());
}
