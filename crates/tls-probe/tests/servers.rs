//! Probes of real servers: with TLS, with an incompatible TLS, and without. The results do not depend on the speed of the machine: a
//! slow server is waited for, and one that is never ready gets a short deadline.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ps_probe::{Get, Scheme};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A deadline for events that do come.
const PATIENT: Duration = Duration::from_secs(30);
/// A deadline for events that never come.
const SHORT: Duration = Duration::from_millis(300);

type Conversation = StreamOwned<ServerConnection, TcpStream>;

fn up(content: &str) -> Get {
    Get { scheme: Scheme::Https, path: "/up".to_owned(), content: content.to_owned(), ..Get::default() }
}

fn ask(get: &Get, address: SocketAddr, timeout: Duration) -> Result<(), String> {
    tls_probe::begin(get, address, timeout, Instant::now()).finish()
}

/// Why the check does not hold, with `ADDRESS` in the place of the address.
fn reason(get: &Get, address: SocketAddr, timeout: Duration) -> String {
    let reason = ask(get, address, timeout).expect_err("the check does not hold");
    reason.replace(&address.to_string(), "ADDRESS")
}

/// A listener that treats its first connection like this, and is closed afterwards.
fn listener(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("somebody connects");
        serve(stream);
    });
    address
}

/// A listener with TLS.
fn secure(config: ServerConfig, serve: impl FnOnce(Conversation) + Send + 'static) -> SocketAddr {
    listener(move |stream| {
        let session = ServerConnection::new(Arc::new(config)).expect("a configuration that works");
        serve(StreamOwned::new(session, stream));
    })
}

/// A self-signed certificate that expired long ago, for another name than any check uses.
fn expired() -> CertifiedKey {
    let mut params = CertificateParams::new(vec!["elsewhere.test".to_owned()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    CertifiedKey::from_der(vec![certificate.der().clone()], key, &ring::default_provider()).expect("they fit")
}

/// Offers its one certificate, and reports the name that the client sent.
#[derive(Debug)]
struct Told(Arc<CertifiedKey>, mpsc::Sender<Option<String>>);

impl ResolvesServerCert for Told {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let _ = self.1.send(hello.server_name().map(str::to_owned));
        Some(self.0.clone())
    }
}

fn config() -> (ServerConfig, mpsc::Receiver<Option<String>>) {
    of_versions(rustls::DEFAULT_VERSIONS)
}

fn of_versions(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> (ServerConfig, mpsc::Receiver<Option<String>>) {
    let (tell, told) = mpsc::channel();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Told(Arc::new(expired()), tell)));
    (config, told)
}

/// Reads a request to its end, and returns it.
fn request(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("a request is text")
}

/// Answers the request with this and ends the session.
fn answering(answer: &'static str) -> impl FnOnce(Conversation) + Send + 'static {
    move |mut stream| {
        request(&mut stream);
        stream.write_all(answer.as_bytes()).expect("the answer is taken");
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

#[test]
fn an_answer_is_judged_as_without_tls_whatever_the_certificate_is() {
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let asked = |get: &Get, answer| ask(get, secure(of_versions(versions).0, answering(answer)), PATIENT);
        let well = "HTTP/1.0 200 OK\r\n\r\nall is well";
        assert_eq!(asked(&up(""), well), Ok(()));
        assert_eq!(asked(&up("is well"), well), Ok(()));
        assert_eq!(asked(&up("is bad"), well), Err("\"is bad\" is not in its answer".to_owned()));
        for (answer, told) in [
            ("HTTP/1.1 503 Busy\r\n\r\n", "it answered \"HTTP/1.1 503 Busy\""),
            ("HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", "it answered \"HTTP/1.1 301 Moved\""),
            ("", "it closed the connection without an answer"),
        ] {
            assert_eq!(asked(&up(""), answer), Err(told.to_owned()));
        }
    }
}

#[test]
fn the_request_is_that_of_http_and_the_name_of_its_host_is_told_in_the_handshake() {
    for (host, name) in [
        (None, None),
        (Some("shop.test"), Some("shop.test")),
        (Some("shop.test:8443"), Some("shop.test")),
        (Some("10.0.0.7"), None),
        (Some("[::1]:8443"), None),
        (Some("no name"), None),
    ] {
        let (tell, told) = mpsc::channel();
        let (config, names) = config();
        let address = secure(config, move |mut stream| {
            tell.send(request(&mut stream)).expect("the test waits for it");
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("the answer is taken");
        });
        let headers = host.map(|host| ("host".to_owned(), host.to_owned())).into_iter().collect();
        assert_eq!(ask(&Get { headers, ..up("") }, address, PATIENT), Ok(()));
        assert_eq!(names.recv().expect("a handshake was begun").as_deref(), name, "{host:?}");
        let request = told.recv().expect("a request came");
        assert!(request.starts_with("GET /up HTTP/1.1\r\n"), "{request}");
        assert!(host.is_none_or(|host| request.contains(&format!("\r\nhost: {host}\r\n"))), "{request}");
    }
}

#[test]
fn a_large_answer_that_ends_without_ending_the_session_is_read_to_its_end() {
    let address = secure(config().0, |mut stream| {
        request(&mut stream);
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").expect("the head is taken");
        stream.write_all(&vec![b'x'; 500_000]).expect("the body is taken");
        stream.write_all(b"the end").expect("the end is taken");
        // The socket is closed without a TLS alert.
    });
    assert_eq!(ask(&up("the end"), address, PATIENT), Ok(()));
    let address = secure(config().0, |mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let said = reason(&up("ok"), address, PATIENT);
    assert_eq!(said, "\"ok\" is not in the first MiB of its answer");
}

#[test]
fn who_has_no_tls_is_told_from_who_has_another_one() {
    let plain = |answer: &'static [u8]| {
        listener(move |mut stream| {
            let _ = stream.read(&mut [0; 16]);
            stream.write_all(answer).expect("the answer is taken");
            // Unread bytes would reset the connection before the answer is read.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            while stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {}
        })
    };
    for (answer, told) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "ADDRESS speaks plain http and not TLS: leave out the scheme of the check",
        ),
        (
            b"<!DOCTYPE HTML>\n<html>",
            "ADDRESS does not speak TLS, it answered \"<!DOCTYPE HTML>\\n<html>\"; if it speaks plain http, leave out the scheme of the check",
        ),
        (
            b"SSH-2.0-x\r\n",
            "ADDRESS does not speak TLS, it answered \"SSH-2.0-x\\r\\n\"; if it speaks plain http, leave out the scheme of the check",
        ),
        (
            b"",
            "ADDRESS closed the connection in the TLS handshake; if it does not speak TLS, leave out the scheme of the check",
        ),
        (
            // The alert handshake_failure.
            b"\x15\x03\x03\x00\x02\x02\x28",
            "ADDRESS refused the TLS handshake (HandshakeFailure): if it wants to know for which name it is asked, set the header Host of the check; if it wants a certificate of its client, or an old cipher, a `command` may ask",
        ),
        (
            // The alert unrecognized_name.
            b"\x15\x03\x03\x00\x02\x02\x70",
            "ADDRESS refused the TLS handshake (UnrecognisedName): if it wants to know for which name it is asked, set the header Host of the check",
        ),
        (
            b"\x15\x03\x03\x00\x02\x02\x46",
            "ADDRESS refused the TLS handshake (ProtocolVersion): it needs TLS 1.2 or 1.3",
        ),
    ] {
        assert_eq!(reason(&up(""), plain(answer), PATIENT), told);
    }
}

#[test]
fn a_server_that_wants_the_certificate_of_its_client_is_told_as_that() {
    let key = expired();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(key.cert[0].clone()).expect("a certificate");
    let provider = Arc::new(ring::default_provider());
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_cert_resolver(Arc::new(Told(Arc::new(key), mpsc::channel().0)));
    let address = secure(config, |mut stream| {
        request(&mut stream);
        // The alert has been sent before the request arrives.
        while stream.sock.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {}
    });
    let said = reason(&up(""), address, PATIENT);
    assert!(
        said.starts_with("ADDRESS refused the TLS handshake (CertificateRequired): it wants a certificate"),
        "{said}"
    );
}

#[test]
fn whoever_does_not_go_on_is_given_up_at_the_deadline_with_the_step_that_was_not_done() {
    let (hold, held) = mpsc::channel::<()>();
    let silent = listener(move |stream| {
        let _ = held.recv();
        drop(stream);
    });
    let said = reason(&up(""), silent, SHORT);
    let told = "ADDRESS did not answer the TLS handshake within 0.3 s; if it does not speak TLS, leave out the scheme of the check";
    assert_eq!(said, told);
    drop(hold);

    let (hold, held) = mpsc::channel::<()>();
    let halting = listener(move |mut stream| {
        // An incomplete record.
        stream.write_all(b"\x16\x03\x03\x20\x00\x02").expect("the bytes are taken");
        let _ = held.recv();
    });
    assert_eq!(
        reason(&up(""), halting, Duration::from_secs(2)),
        "ADDRESS did not finish the TLS handshake within 2 s"
    );
    drop(hold);

    let (hold, held) = mpsc::channel::<()>();
    let hanging = secure(config().0, move |mut stream| {
        request(&mut stream);
        let _ = held.recv();
    });
    assert_eq!(reason(&up(""), hanging, Duration::from_secs(2)), "no answer within 2 s");
    drop(hold);
}

#[test]
fn a_session_whose_records_come_byte_by_byte_is_waited_for() {
    /// Sends each byte on its own.
    struct Slow(TcpStream);
    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(&mut buffer[..1])
        }
    }
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let first = bytes.first().ok_or(ErrorKind::WriteZero)?;
            thread::sleep(Duration::from_micros(200));
            self.0.write(&[*first])
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let address = listener(|stream| {
        stream.set_nodelay(true).expect("a socket");
        let session = ServerConnection::new(Arc::new(config().0)).expect("a configuration");
        let mut stream = StreamOwned::new(session, Slow(stream));
        request(&mut stream);
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nslowly").expect("the answer is taken");
    });
    assert_eq!(ask(&up("slowly"), address, PATIENT), Ok(()));
}

#[test]
fn a_port_that_nobody_has_is_told_with_the_systems_word() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let reason = reason(&up(""), address, PATIENT);
    assert!(reason.starts_with("Connection refused"), "{reason}");
}
