//! The sockets that it serves, and what it refuses to begin with.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use crate::home::{Home, eventually};
use crate::served::{Served, TOKEN};

#[test]
fn the_socket_is_its_owners_and_one_that_is_left_over_is_replaced() {
    let home = Home::new();
    let path = home.path("lib/data/formation-web/socket");
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    drop(UnixListener::bind(&path).expect("a socket that nobody serves"));
    let served = Served::socket(&home, &[]);
    let mode = fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let second = home.run(&["ps-web"]);
    assert!(second.status == Some(1) && second.stderr.contains("is served already"), "{second:?}");
    served.gets("/");
}

#[test]
fn it_serves_what_systemd_hands_over() {
    let home = Home::new();
    let path = home.path("handed.sock");
    let script = "import os, socket, sys\n\
        s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n\
        os.dup2(s.fileno(), 3); os.set_inheritable(3, True)\n\
        os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n\
        os.execvp('ps-web', ['ps-web'])\n";
    let program = home.write("hand-over.py", script);
    let mut command = home.command(&["ps-web"]);
    let mut handing = std::process::Command::new("python3");
    handing
        .arg(&program)
        .arg(&path)
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command = handing;
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let running = crate::program::Running::begin(command);
    let answer = eventually("it answers", || {
        use std::io::{Read, Write};
        let mut stream = std::os::unix::net::UnixStream::connect(&path).map_err(|error| error.to_string())?;
        let request = "GET /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
        if answer.is_empty() { Err("nothing".to_owned()) } else { Ok(answer) }
    });
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(running);
    fs::remove_dir_all(home.path("lib/data/formation-web")).expect("what it has kept");
}

#[test]
fn a_token_that_others_can_read_or_guess_is_refused() {
    let home = Home::new();
    for (text, mode, says) in [
        (TOKEN, 0o644, "chmod 600"),
        (TOKEN, 0o640, "chmod 600"),
        ("short", 0o600, "32 letters"),
        ("", 0o600, "32 letters"),
        ("two lines of a token that is long\nand another", 0o600, "32 letters"),
    ] {
        let path = home.write("token", text);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        let path = path.to_str().expect("text");
        let ran = home.run(&["ps-web", "--listen", "127.0.0.1:0", "--token-file", path]);
        assert!(ran.status == Some(1) && ran.stderr.contains(says), "{text} {mode:o}: {ran:?}");
    }
    for words in [
        &["ps-web", "--listen", "127.0.0.1:0"][..],
        &["ps-web", "--listen", "0.0.0.0:0", "--token-file", "token"],
    ] {
        assert_eq!(home.run(words).status, Some(2), "{words:?}");
    }
}

#[test]
fn beyond_this_machine_it_speaks_tls() {
    let home = Home::new();
    let made = rcgen::generate_simple_self_signed(vec!["web.example".to_owned()]).expect("a certificate");
    let certificate = home.write("web.crt", &made.cert.pem());
    let key = home.write("web.key", &made.signing_key.serialize_pem());
    let pair = format!("{},{}", certificate.display(), key.display());
    let served = Served::address(&home, &["--tls", &pair, "--host", "web.example"]);
    let port = served.port();
    let ask = |name: &str| {
        let ran = std::process::Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"])
            .arg(&certificate)
            .args([
                "--resolve",
                &format!("{name}:{port}:127.0.0.1"),
                "-H",
                &format!("Authorization: Bearer {TOKEN}"),
            ])
            .arg(format!("https://{name}:{port}/api/status"))
            .output()
            .expect("curl runs");
        String::from_utf8(ran.stdout).expect("text")
    };
    assert_eq!(ask("web.example"), "200");
    // No certificate for this name: curl refuses before it asks.
    assert_eq!(ask("other.example"), "000");
    assert!(served.sends(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").is_none(), "it answers without TLS");
}
