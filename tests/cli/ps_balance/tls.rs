//! TLS is ended before the backends: real clients, certificates that change, and certificates that are no good.

use std::fs;
use std::io::{BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::certificates::{Made, agreed_by};
use crate::http::{Client, http, named, requests};
use crate::secure::{Asker, Secure, agreed, stream};
use crate::world::{Balance, DEADLINE, Server, backend, connect, eventually};

/// Runs curl against `shop.test`. None: it is not installed.
fn curl(secure: &Secure, words: &[&str]) -> Option<Output> {
    let address = secure.balance.tls_address();
    let at = format!("shop.test:{}:127.0.0.1", address.port());
    let url = format!("https://shop.test:{}/", address.port());
    let certificate = secure.directory.join("server.crt");
    let run = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "20", "--resolve", &at, "--cacert"])
        .arg(certificate)
        .args(words)
        .arg(&url)
        .output();
    match run {
        Ok(output) => Some(output),
        Err(error) => {
            skipped::skip(format_args!("curl: {error}"));
            None
        }
    }
}

#[test]
fn curl_is_answered_by_https_in_either_version_and_backends_are_told() {
    let server = http(|asked| asked.head.clone());
    let secure = Secure::before(&[&server], &["--http"]);
    for (version, told) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let words =
            [version, "--write-out", "\nversion=%{http_version}", "--cookie", "a=1", "--cookie", "b=2"];
        let Some(output) = curl(&secure, &words) else { return };
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert!(text.ends_with(&format!("version={told}")), "{text}");
        assert!(text.starts_with("GET / HTTP/1.1\r\n"), "{text}");
        let port = secure.balance.tls_address().port();
        for field in [
            "x-forwarded-proto: https\r\n".to_owned(),
            "x-forwarded-for: 127.0.0.1\r\n".to_owned(),
            format!("x-forwarded-port: {port}\r\n"),
            format!("forwarded: for=127.0.0.1;host=\"shop.test:{port}\";proto=https\r\n"),
            format!("host: shop.test:{port}\r\n"),
        ] {
            assert!(text.to_lowercase().contains(&field), "{field}: {text}");
        }
    }
    let (_, plain) = Client::of(&secure.balance).get("");
    assert!(plain.contains("x-forwarded-proto: http\r\n"), "{plain}");
}

#[test]
fn a_body_of_any_size_goes_both_ways_by_http2() {
    let server = Server::new(|mut stream| {
        let mut reader = std::io::BufReader::new(stream.try_clone().expect("a second handle"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).is_ok_and(|read| read == 0) {
                return;
            }
        }
        let length =
            head.to_lowercase().lines().find_map(|it| it.strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.expect("curl says how long it is");
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
        let _ = std::io::copy(&mut reader.take(length as u64), &mut stream);
    });
    let secure = Secure::before(&[&server], &["--http"]);
    let sent = secure.balance.directory().join("sent");
    for count in [1, 65_536, 5_000_000_usize] {
        let bytes: Vec<u8> = (0..count).map(|at| at.wrapping_mul(31).to_le_bytes()[at % 3]).collect();
        fs::write(&sent, &bytes).expect("written");
        let data = format!("@{}", sent.display());
        let Some(output) = curl(&secure, &["--http2", "--data-binary", &data]) else { return };
        assert!(output.status.success() && output.stdout == bytes, "{count}: {}", output.stdout.len());
    }
}

#[test]
fn openssl_is_shown_the_certificate_and_its_bytes_go_both_ways() {
    let server = Server::named("there");
    let secure = Secure::before(&[&server], &[]);
    let child = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-servername", "shop.test", "-verify_hostname"])
        .args(["shop.test", "-connect", &secure.balance.tls_address().to_string(), "-CAfile"])
        .arg(secure.directory.join("server.crt"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return skipped::skip(format_args!("openssl: {error}")),
    };
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"?\n").expect("sent");
    let mut said = [0; 6];
    child.stdout.take().expect("a pipe").read_exact(&mut said).expect("an answer");
    assert_eq!(&said, b"there\n");
    drop(stdin);
    child.kill().expect("it lives");
    child.wait().expect("it ends");
}

#[test]
fn without_http_bytes_go_both_ways_and_each_side_may_end_first() {
    let server = Server::echo_at_the_end();
    let secure = Secure::before(&[&server], &[]);
    for count in [0, 1, 16 * 1024, 16 * 1024 + 1, 3_000_000_usize] {
        let sent: Vec<u8> = (0..count).map(|at| (at / 7).to_le_bytes()[0]).collect();
        let mut client = secure.connect(&[]);
        client.write_all(&sent).expect("sent");
        client.conn.send_close_notify();
        client.flush().expect("sent");
        let mut received = Vec::new();
        client.read_to_end(&mut received).expect("an end, not a break");
        assert!(received == sent, "{count} bytes: {} arrived", received.len());
    }
}

#[test]
fn who_breaks_off_without_an_end_is_seen_as_broken() {
    let (tell, told) = mpsc::channel();
    let server = Server::new(move |mut stream| {
        let mut all = Vec::new();
        let ended = stream.read_to_end(&mut all).map_err(|error| error.kind());
        let _ = tell.send((all, ended));
    });
    let secure = Secure::before(&[&server], &[]);
    let mut client = secure.connect(&[]);
    client.write_all(b"half of").expect("sent");
    // The end of TLS is not sent.
    client.sock.shutdown(Shutdown::Both).expect("ended");
    let (all, ended) = told.recv_timeout(DEADLINE).expect("it is told");
    assert_eq!(ended, Err(ErrorKind::ConnectionReset), "{all:?}");

    let server = Server::new(|mut stream| {
        let _ = stream.write_all(b"half of\n");
        // Unread bytes make the kernel reset the connection.
        let _ = stream.read(&mut [0]);
    });
    let secure = Secure::before(&[&server], &[]);
    let mut client = secure.connect(&[]);
    client.write_all(b"more than is read").expect("sent");
    client.read_to_end(&mut Vec::new()).expect_err("a break, not an end");
}

#[test]
fn a_certificate_is_chosen_by_the_name_that_is_asked_for() {
    let server = Server::named("there");
    let place = tempfile::tempdir().expect("a directory");
    let [first, second] = ["shop.test", "pay.test"].map(|name| {
        let made = Made::of(name);
        made.put(&place.path().join(name));
        made
    });
    let at = |name: &str| place.path().join(name).to_str().expect("text").to_owned();
    let words = ["--tls-listen", "0", "--tls-dir", &at("pay.test")];
    let pair = ["--tls-cert", &at("shop.test/server.crt"), "--tls-key", &at("shop.test/server.key")];
    let balance = Balance::before(&[&server], &[words, pair].concat());
    stream(&balance, &[&first], &[]);
    // The client asks for shop.test, and is not shown the other one.
    assert!(agreed(&balance, &[&second], &[]).is_err(), "nobody vouches for it");
}

#[test]
fn clients_that_do_not_speak_tls_are_sent_to_where_it_is_spoken() {
    let server = named("there");
    let secure = Secure::before(&[&server], &["--http", "--redirect-https=8443"]);
    let mut client = Client::of(&secure.balance);
    let (head, _) = client.ask("GET /a?b=c HTTP/1.1\r\nHost: shop.test:80\r\n\r\n");
    assert!(
        head.starts_with("HTTP/1.1 308") && head.contains("location: https://shop.test:8443/a?b=c\r\n"),
        "{head}"
    );
    let challenge = "GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: shop.test\r\n\r\n";
    assert_eq!(client.ask(challenge).1, "there");
    assert_eq!(Asker::of(secure.connect(&[])).get("").expect("an answer").1, "there");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_websocket_goes_through_tls() {
    let server = Server::new(|mut stream| {
        let _ = requests(&stream).next();
        let _ = stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        let mut echo = stream.try_clone().expect("a second handle");
        let _ = std::io::copy(&mut stream, &mut echo);
    });
    let secure = Secure::before(&[&server], &["--http"]);
    let mut client = Asker::of(secure.connect(&["http/1.1"]));
    let (head, _) = client.get("Connection: Upgrade\r\nUpgrade: websocket\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    client.0.get_mut().write_all(b"a frame\n").expect("sent");
    let mut frame = String::new();
    client.0.read_line(&mut frame).expect("a frame");
    assert_eq!(frame, "a frame\n");
}

#[test]
fn clients_that_say_nothing_or_no_tls_cost_nobody_else_and_no_backend_hears_of_them() {
    let server = named("there");
    let secure = Secure::before(&[&server], &["--http"]);
    let mut supervisor = secure.balance.supervisor();
    secure.connect(&[]);
    let before = secure.balance.descriptors();
    let began = Instant::now();
    let silent: Vec<TcpStream> = (0..200).map(|_| connect(secure.balance.tls_address())).collect();
    for garbage in
        [b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n".as_slice(), &[0; 5_000], &[0x16, 3, 1, 0x40, 0]]
    {
        let mut client = connect(secure.balance.tls_address());
        // It may be refused before all of it is sent.
        let _ = client.write_all(garbage);
        let _ = client.shutdown(Shutdown::Write);
        let mut said = Vec::new();
        let _ = client.read_to_end(&mut said);
        if garbage.starts_with(b"GET ") {
            let said = String::from_utf8_lossy(&said);
            assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("ask by https://"), "{said}");
        } else {
            assert!(said.is_empty() || said[0] == 0x15, "an alert or nothing: {said:?}");
        }
    }
    assert_eq!(Asker::of(secure.connect(&[])).get("").expect("an answer").1, "there");
    eventually("those that say nothing are ended", || {
        let numbers = supervisor.numbers();
        if numbers["open"] == 0 && numbers["unsecured"] == 203 { Ok(()) } else { Err(numbers.to_string()) }
    });
    assert!(began.elapsed() >= Duration::from_secs(9), "they had time");
    drop(silent);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    assert_eq!(supervisor.numbers()["refused"], 0);
    eventually("nothing is left behind", || {
        let now = secure.balance.descriptors();
        if now <= before + 1 { Ok(()) } else { Err(format!("{now} descriptors, {before} before")) }
    });
}

/// Asks again and again, half of the time through a new connection, until it is told to stop: how often, and what failed.
fn load(
    secure: &Arc<Secure>,
    other: &Arc<Made>,
    stop: &Arc<AtomicBool>,
) -> thread::JoinHandle<(u64, Vec<String>)> {
    let (secure, other, stop) = (Arc::clone(secure), Arc::clone(other), Arc::clone(stop));
    thread::spawn(move || {
        let (mut asked, mut failed) = (0, Vec::new());
        while !stop.load(Ordering::SeqCst) {
            let mut tried = || {
                let stream = agreed(&secure.balance, &[&secure.made, &other], &[])?;
                let mut asker = Asker::of(stream);
                for _ in 0..5 {
                    asked += 1;
                    let (head, text) = asker.get("")?;
                    if !head.starts_with("HTTP/1.1 200") || text != "there" {
                        return Err(std::io::Error::other(head));
                    }
                }
                Ok(())
            };
            failed.extend(tried().err().map(|error| error.to_string()));
        }
        (asked, failed)
    })
}

#[test]
fn a_certificate_is_exchanged_under_load_and_no_request_fails() {
    let server = named("there");
    let secure = Arc::new(Secure::before(&[&server], &["--http"]));
    let next = Arc::new(Made::of("shop.test"));
    let stop = Arc::new(AtomicBool::new(false));
    let loads: Vec<_> = (0..4).map(|_| load(&secure, &next, &stop)).collect();
    let mut supervisor = secure.balance.supervisor();
    let rounds = if std::env::var_os("FORMATION_TEST_LONG").is_some() { 50 } else { 3 };
    for _ in 0..rounds {
        for made in [&next, &secure.made] {
            // Of what was told before nothing is of interest: the next exchange is waited for.
            made.put(&secure.directory);
            let told = supervisor.hear_of("certificate");
            assert_eq!(told["taken"], true, "{told}");
        }
    }
    next.put(&secure.directory);
    assert_eq!(supervisor.hear_of("certificate")["taken"], true);
    stop.store(true, Ordering::SeqCst);
    let (mut asked, mut failed) = (0, Vec::new());
    for load in loads {
        let (count, errors) = load.join().expect("no panic");
        asked += count;
        failed.extend(errors);
    }
    assert!(failed.is_empty() && asked > 100, "of {asked}: {failed:?}");
    stream(&secure.balance, &[&next], &[]);
    assert!(agreed(&secure.balance, &[&secure.made], &[]).is_err(), "the old one is not shown any more");
}

/// Has it look at the files until it tells of one.
fn told(secure: &Secure, supervisor: &mut crate::world::Supervisor) -> serde_json::Value {
    let stop = Arc::new(AtomicBool::new(false));
    let (over, address) = (Arc::clone(&stop), secure.balance.tls_address());
    // Files are looked at while clients come, whatever these say.
    let coming = thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            drop(TcpStream::connect(address));
            thread::sleep(Duration::from_millis(50));
        }
    });
    let told = supervisor.hear_of("certificate");
    stop.store(true, Ordering::SeqCst);
    coming.join().expect("no panic");
    told
}

#[test]
fn a_certificate_that_is_no_good_is_refused_by_name_and_the_one_of_before_stays() {
    let server = Server::named("there");
    let secure = Secure::before(&[&server], &[]);
    let mut supervisor = secure.balance.supervisor();
    assert_eq!(supervisor.hear_of("certificate")["taken"], true);
    let expired = Made::with("shop.test", |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let mismatched = Made { key: Made::of("shop.test").key, ..Made::of("shop.test") };
    let broken =
        Made { certificate: secure.made.certificate.replacen("\nM", "\nN", 1), ..Made::of("shop.test") };
    for (made, said) in [
        (expired, "server.crt: the certificate for shop.test has expired on 2002-01-01T00:00:00Z"),
        (mismatched, "server.key: it is not the key of the first certificate in "),
        (broken, "server.crt: it is damaged: "),
    ] {
        made.put(&secure.directory);
        let told = told(&secure, &mut supervisor);
        let text = told["text"].as_str().expect("text");
        assert!(
            told["taken"] == false && text.contains(said) && text.contains("the one of before stays"),
            "{told}"
        );
        assert_eq!(secure.balance.hear(said).1, 1, "it is said once");
        secure.connect(&[]);
    }
    let next = Made::of("shop.test");
    next.put(&secure.directory);
    assert_eq!(told(&secure, &mut supervisor)["taken"], true);
    stream(&secure.balance, &[&next], &[]);
}

#[test]
fn what_tls_needs_is_asked_for_and_a_certificate_that_is_no_good_is_named() {
    let run = |words: &[&str]| {
        let ended = Command::new(env!("CARGO_BIN_EXE_ps-balance"))
            .args(["--backend", "3001"])
            .args(words)
            .output()
            .expect("it starts");
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    for (words, said) in [
        (&["--tls-listen", "0"][..], "no certificate for TLS: give --tls-cert"),
        (&["--listen", "0", "--tls-dir", "/tmp"], "nobody is shown the certificate: give --tls-listen"),
        (
            &["--tls-listen", "0", "--tls-cert", "a", "--tls-cert", "b", "--tls-key", "c"],
            "2 certificates and 1 keys",
        ),
        (&["--listen", "0", "--http", "--redirect-https"], "nobody speaks TLS here"),
        (&["--tls-listen", "0", "--tls-dir", "a", "--redirect-https"], "--http"),
    ] {
        let (status, text) = run(words);
        assert!(status == Some(2) && text.contains(said), "{words:?}: {status:?} {text}");
    }
    let (status, text) = run(&["--tls-listen", "0", "--tls-dir", "/nowhere"]);
    assert!(status == Some(1) && text.contains("/nowhere/server.crt: no such file"), "{text}");
}

#[test]
fn with_a_supervisor_it_begins_without_a_certificate_and_serves_those_who_do_not_speak_tls() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("tls");
    let server = Server::named("there");
    let expired = Made::with("shop.test", |params| params.not_after = rcgen::date_time_ymd(2002, 1, 1));
    expired.put(&directory);
    let mut handed =
        crate::starts::Handed::start(&["listen", "tls"], &["--tls-dir", directory.to_str().expect("text")]);
    let mut supervisor = handed.supervisor();
    supervisor.set(1, &[backend("web.1", &server, "ready")]);
    assert_eq!(handed.ask(0), "there");
    assert_eq!(handed.ask(0), "there");
    let Err(refused) = agreed_by(handed.connect(1), &[&expired], &[]) else {
        panic!("there is no certificate")
    };
    assert!(refused.to_string().contains("alert"), "{refused}");
    let next = Made::of("shop.test");
    next.put(&directory);
    eventually("the next certificate is shown", || {
        agreed_by(handed.connect(1), &[&next], &[]).map(drop).map_err(|error| error.to_string())
    });
}

#[test]
fn at_the_end_requests_in_tls_are_finished_and_an_upgrade_is_refused() {
    let (go, may_go) = mpsc::channel();
    let may_go = std::sync::Mutex::new(may_go);
    let server = http(move |_| {
        let _ = may_go.lock().expect("no panic").recv_timeout(DEADLINE);
        "there".to_owned()
    });
    let mut secure = Secure::before(&[&server], &["--http"]);
    let mut client = Asker::of(secure.connect(&[]));
    let asking = thread::spawn(move || client.get(""));
    let mut supervisor = secure.balance.supervisor();
    eventually("the request is on its way", || {
        let open = supervisor.numbers()["backends"][0]["open"].clone();
        if open == 1 { Ok(()) } else { Err(open.to_string()) }
    });
    supervisor.say(&json!({"upgrade": {}}));
    let refused = supervisor.hear_of("refused");
    assert!(refused["reason"].as_str().is_some_and(|it| it.contains("TLS")), "{refused}");
    secure.balance.signal(Signal::TERM);
    go.send(()).expect("it waits");
    assert_eq!(asking.join().expect("no panic").expect("an answer").1, "there");
    assert_eq!(secure.balance.ended(), Some(0));
}

#[test]
fn that_a_certificate_ends_within_14_days_is_reported_as_soon_as_it_is_read() {
    let server = Server::named("there");
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let soon = rcgen::date_time_ymd(1970, 1, 1) + since + Duration::from_secs(5 * 86_400);
    let made = Made::with("shop.test", |params| params.not_after = soon);
    let secure = Secure::with(made, &[&server], &[]);
    let mut supervisor = secure.balance.supervisor();
    let read = supervisor.hear_of("certificate");
    assert!(read["taken"] == true && read["ends_soon"].is_null(), "{read}");
    let ends = supervisor.hear_of("certificate");
    let text = ends["text"].as_str().expect("text");
    assert!(ends["taken"] == true && ends["ends_soon"] == true, "{ends}");
    assert!(text.contains("server.crt: the certificate for shop.test expires on "), "{ends}");
}
