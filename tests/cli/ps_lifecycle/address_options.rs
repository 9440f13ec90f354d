//! How clients are taken in at an app's address: options of `deploy`, which are properties of the app.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::asking::{ask, found, some_address};
use crate::certificates::{Made, agreed_by};
use crate::home::{Home, eventually, listening};

const WEB: &str = "web: exec faultapp --listen\n";

/// The head of the answer to a request on this connection.
fn head(mut stream: impl Read + Write) -> String {
    stream.write_all(b"GET /pid HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    // One that ends TLS without saying so has said everything all the same.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).to_lowercase()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it is there");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    stream
}

/// An app that is reached here, with these further options.
fn reached(words: &[&str]) -> (Home, SocketAddr) {
    let (home, address) = (Home::as_installed(), some_address());
    let source = home.source("shop", WEB);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--listen"];
    home.does(&[&deploy[..], &[&address.to_string()], words].concat());
    (home, address)
}

#[test]
fn options_of_deploy_are_properties_that_a_restart_heeds_and_a_running_ps_balance_is_told() {
    let _listening = listening();
    let (home, address) = reached(&[]);
    assert!(!head(connect(address)).contains("set-cookie"));
    let balance = found(&home, "ps-balance ");
    let source = home.path("shop").display().to_string();
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "shop",
        "--dir",
        &source,
        "--http",
        "--sticky",
        "seen",
        "--hold",
        "5",
    ]);
    assert!(head(connect(address)).contains("set-cookie: seen=web.1@"));
    assert_eq!(found(&home, "ps-balance "), balance, "the same one has been told");
    let settings = home.does(&["ps-report", "shop", "--settings"]);
    for row in ["web.http: app true", "web.sticky: app seen", "web.hold: app 5"] {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(settings.lines().any(|line| words(line) == row), "{row} in {settings}");
    }
    home.does(&["ps-set", "shop", "http", "false"]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert!(!head(connect(address)).contains("set-cookie"));
}

#[test]
fn an_option_that_nobody_could_heed_is_refused_before_anything_is_touched() {
    let (home, listen) = (Home::as_installed(), some_address().to_string());
    let source = home.source("shop", WEB);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    let at = |words: &[&'static str]| [&deploy[..], &["--listen", &listen], words].concat();
    for (words, says) in [
        (at(&["--sticky", "a b"]), "no name of a cookie"),
        (at(&["--sticky", "seen"]), "--sticky works only with --http"),
        (at(&["--http", "--redirect-https"]), "shop has no address for TLS"),
        (at(&["--trust-proxy", "lan"]), "no network"),
        (at(&["--hold", "-1"]), "-1"),
        ([&deploy[..], &["--listen", "none", "--http"]].concat(), "shop has no address"),
        ([&deploy[..], &["--tls"]].concat(), "shop has no address"),
    ] {
        home.refuses(&words, 2, &[says]);
    }
    assert_eq!(home.run(&["ps-lifecycle", "status", "shop"]).status, Some(20), "it is no app");
}

#[test]
fn clients_speak_tls_by_the_certificate_of_the_app_and_one_that_is_broken_is_named() {
    let _listening = listening();
    let (home, address) = reached(&[]);
    let (source, secure) = (home.path("shop").display().to_string(), some_address());
    let with_tls = secure.to_string();
    let deploy = [
        "ps-lifecycle",
        "deploy",
        "shop",
        "--dir",
        &source,
        "--http",
        "--redirect-https",
        "--tls",
        &with_tls,
    ];
    home.refuses(&deploy, 1, &["clients of shop cannot speak TLS", "server.crt"]);
    let (made, directory) = (Made::of("shop.test"), home.path("home/shop/tls"));
    made.put(&directory);
    home.does(&deploy);
    let said = || head(agreed_by(connect(secure), &[&made], &[]).expect("both agree"));
    assert!(said().starts_with("http/1.1 200"), "{}", said());
    assert!(head(connect(address)).contains("location: https://shop.test"));
    let refused = ask(secure, "/pid").expect("it is told");
    assert!(refused.contains("ask by https://"), "whoever speaks no TLS there is not served: {refused}");

    std::fs::write(directory.join("server.crt"), "no certificate").expect("written");
    eventually("status says what is wrong with it", || {
        assert!(said().starts_with("http/1.1 200"), "the one of before is shown");
        let notes = home.does(&["ps-lifecycle", "status", "shop", "--json"]);
        if notes.contains("server.crt") { Ok(()) } else { Err(notes) }
    });
    eventually("the journal knows that it was taken, and that the next one was not", || {
        let journal = std::fs::read_to_string(home.path("lib/data/formation/shop/journal"));
        let journal = journal.expect("it has one");
        let is_of = |line: &&str| line.contains("\"origin\":\"certificate\"");
        let outcomes: Vec<bool> =
            journal.lines().filter(is_of).map(|line| line.contains("\"done\"")).collect();
        if outcomes == [true, false] { Ok(()) } else { Err(journal) }
    });
    let ran = home.run(&["ps-lifecycle", "deploy", "shop"]);
    assert!(
        ran.status == Some(0) && ran.stderr.contains("server.crt: there is no certificate in it"),
        "{ran:?}"
    );
    assert!(said().starts_with("http/1.1 200"), "the one of before is shown");
}

#[test]
fn a_note_about_a_bad_certificate_goes_when_a_good_one_is_there() {
    let _listening = listening();
    let (home, _) = reached(&[]);
    let (made, directory, secure) = (Made::of("shop.test"), home.path("home/shop/tls"), some_address());
    made.put(&directory);
    home.does(&["ps-lifecycle", "proxy", "shop", "--tls", &secure.to_string()]);
    let is_noted = |wanted: bool| {
        eventually("the note is as it should be", || {
            // The files are looked at when a client connects.
            drop(agreed_by(connect(secure), &[&made], &[]).expect("both agree"));
            let status = home.does(&["ps-lifecycle", "status", "shop", "--json"]);
            if status.contains("server.crt") == wanted { Ok(()) } else { Err(status) }
        });
    };
    is_noted(false);
    std::fs::write(directory.join("server.crt"), "no certificate").expect("written");
    is_noted(true);
    made.put(&directory);
    is_noted(false);
}

#[test]
fn that_a_certificate_ends_soon_is_said_by_status_and_doctor_and_once_by_the_journal() {
    let _listening = listening();
    let (home, _) = reached(&[]);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let soon = rcgen::date_time_ymd(1970, 1, 1) + since + Duration::from_secs(5 * 86_400);
    let made = Made::with("shop.test", |params| params.not_after = soon);
    let secure = some_address();
    made.put(&home.path("home/shop/tls"));
    let is_warned = || {
        let ran = home.run(&["ps-lifecycle", "status", "shop"]);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran.stderr.contains("server.crt: the certificate for shop.test expires on ")
    };
    assert!(!is_warned(), "nobody is shown it");
    home.does(&["ps-lifecycle", "proxy", "shop", "--tls", &secure.to_string()]);
    assert!(is_warned());
    let doctor = home.run(&["ps-lifecycle", "doctor", "--json"]);
    let row = doctor.rows().into_iter().find(|row| row["check"] == "certificates").expect("a row");
    assert!(
        row["verdict"] == "warn" && row["found"].as_str().is_some_and(|it| it.contains("expires on")),
        "{row}"
    );
    let told = || {
        let journal =
            std::fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("it has one");
        journal.lines().filter(|line| line.contains("expires on") && line.contains("\"failed\"")).count()
    };
    let taken = || {
        let journal =
            std::fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("it has one");
        journal.lines().filter(|line| line.contains(", valid until ")).count()
    };
    // Each ps-balance reads the certificate anew.
    for turn in 1..=3 {
        drop(agreed_by(connect(secure), &[&made], &[]).expect("both agree"));
        eventually("the journal knows that it was read", || {
            if taken() == turn { Ok(()) } else { Err(format!("{} of {turn}", taken())) }
        });
        crate::asking::kill(|| found(&home, "ps-balance "));
    }
    eventually("the journal knows that it ends", || if told() > 0 { Ok(()) } else { Err("no".to_owned()) });
    assert_eq!(told(), 1, "it is told once");
    let notes = home.status("shop");
    assert!(notes[0]["note"].as_str().is_some_and(|note| note.contains("expires on")), "{notes:?}");
}
