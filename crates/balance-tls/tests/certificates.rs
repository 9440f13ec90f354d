//! Certificates in real files, shown in real handshakes over a pipe in memory.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use balance_tls::{Certificates, Expiry, Flaw, News, Protocols, Source};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme,
};
use tempfile::TempDir;

/// A certificate and its key, in PEM, and what is shown of it.
struct Made {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn made(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Made {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    Made { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
}

fn of(name: &str) -> Made {
    made(&[name], |_| ())
}

fn source(directory: &Path, name: &str) -> Source {
    let directory = directory.join(name);
    fs::create_dir_all(&directory).expect("made");
    Source::of_directory(&directory)
}

fn put(source: &Source, made: &Made) {
    fs::write(&source.certificate, &made.certificate).expect("written");
    fs::write(&source.key, &made.key).expect("written");
}

fn place() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn now() -> SystemTime {
    SystemTime::now()
}

/// Looks until there is something to say: a change is left alone at first.
fn look(certificates: &mut Certificates) -> String {
    let first = certificates.look(now());
    let news = if first.is_empty() { certificates.look(now()) } else { first };
    assert_eq!(news.len(), 1, "{news:?}");
    news[0].to_string()
}

/// Takes every certificate.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// What a client that asks for `name` is shown, and which protocol both settle on.
fn shown(
    config: &Arc<ServerConfig>,
    name: &str,
    protocols: &[&str],
) -> (CertificateDer<'static>, Option<String>) {
    let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    client.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(config.clone()).expect("a server");
    while client.is_handshaking() || server.is_handshaking() {
        let mut sent = Vec::new();
        client.write_tls(&mut sent).expect("written");
        server.read_tls(&mut Cursor::new(&sent)).expect("read");
        server.process_new_packets().expect("the server goes on");
        let mut sent = Vec::new();
        server.write_tls(&mut sent).expect("written");
        client.read_tls(&mut Cursor::new(&sent)).expect("read");
        client.process_new_packets().expect("the client goes on");
    }
    let certificate = client.peer_certificates().expect("it was shown one")[0].clone().into_owned();
    let protocol = client.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    (certificate, protocol)
}

fn is_shown(config: &Arc<ServerConfig>, name: &str, made: &Made) -> bool {
    shown(config, name, &[]).0 == made.der
}

#[test]
fn a_client_is_shown_the_certificate_for_the_name_that_it_asks_for_else_the_first() {
    let place = place();
    let common = made(&[], |params| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "old.test");
    });
    let pairs = [
        ("a", of("shop.test")),
        ("b", of("*.shop.test")),
        ("c", made(&["pay.shop.test", "Pay.Test"], |_| ())),
        ("d", common),
    ];
    let sources: Vec<Source> = pairs.iter().map(|(name, _)| source(place.path(), name)).collect();
    for (source, (_, made)) in sources.iter().zip(&pairs) {
        put(source, made);
    }
    let (certificates, news) = Certificates::read(sources, now()).expect("they are good");
    assert!(news.iter().all(|news| matches!(news, News::Taken { .. })), "{news:?}");
    let config = certificates.config(Protocols::Bytes).expect("a configuration");
    for (name, nth) in [
        ("shop.test", 0),
        ("SHOP.test", 0),
        ("www.shop.test", 1),
        ("pay.shop.test", 2),
        ("pay.test", 2),
        ("old.test", 3),
        ("a.b.shop.test", 0),
        ("elsewhere.test", 0),
        ("127.0.0.1", 0),
    ] {
        assert!(is_shown(&config, name, &pairs[nth].1), "{name} is not shown {nth}");
    }
}

#[test]
fn client_and_server_settle_on_a_protocol_where_http_is_spoken() {
    let place = place();
    let source = source(place.path(), "tls");
    put(&source, &of("shop.test"));
    let (certificates, _) = Certificates::read([source], now()).expect("it is good");
    for (protocols, asked, settled) in [
        (Protocols::Http2, &["h2", "http/1.1"][..], Some("h2")),
        (Protocols::Http2, &["http/1.1"], Some("http/1.1")),
        (Protocols::Http2, &[], None),
        (Protocols::Http1, &["h2", "http/1.1"], Some("http/1.1")),
        (Protocols::Bytes, &["h2", "http/1.1"], None),
    ] {
        let config = certificates.config(protocols).expect("a configuration");
        assert_eq!(shown(&config, "shop.test", asked).1.as_deref(), settled, "{protocols:?} {asked:?}");
    }
}

/// A certificate that says that it is of version 2: of the bytes `03 02 01 02 02`, which are its version and the begin of its serial
/// number, the fourth is one less.
fn of_version_2(made: &Made) -> String {
    let text = made.certificate.replacen("AwIBAgI", "AwIBAQI", 1);
    assert_ne!(text, made.certificate);
    text
}

#[test]
fn a_certificate_that_changes_is_shown_from_then_on_and_one_that_is_no_good_is_refused_by_name() {
    let place = place();
    let source = source(place.path(), "tls");
    let first = of("shop.test");
    put(&source, &first);
    let (mut certificates, _) = Certificates::read([source.clone()], now()).expect("it is good");
    let config = certificates.config(Protocols::Bytes).expect("a configuration");
    assert!(certificates.look(now()).is_empty(), "nothing has changed");

    let second = of("shop.test");
    put(&source, &second);
    assert!(is_shown(&config, "shop.test", &first), "nobody has looked");
    let said = look(&mut certificates);
    assert!(said.contains("server.crt: the certificate for shop.test, valid until "), "{said}");
    assert!(is_shown(&config, "shop.test", &second));
    assert!(certificates.look(now()).is_empty(), "it is told once");

    let long_ago = made(&["shop.test"], |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let far_away = made(&["shop.test"], |params| params.not_before = rcgen::date_time_ymd(3001, 1, 1));
    let spoilt = |text: &str| text.replacen("\nM", "\nN", 1);
    let whole = || (second.certificate.clone(), second.key.clone());
    for ((certificate, key), told) in [
        (
            (of("shop.test").certificate, second.key.clone()),
            "server.key: it is not the key of the first certificate in ",
        ),
        (
            (long_ago.certificate, long_ago.key),
            "server.crt: the certificate for shop.test has expired on 2002-01-01T00:00:00Z",
        ),
        (
            (far_away.certificate, far_away.key),
            "server.crt: the certificate for shop.test is not valid before 3001-01-01",
        ),
        ((String::new(), whole().1), "server.crt: there is no certificate in it"),
        ((whole().1, whole().1), "server.crt: there is no certificate in it"),
        ((whole().0, whole().0), "server.key: there is no private key in it"),
        ((spoilt(&whole().0), whole().1), "server.crt: it is damaged: "),
        (
            (whole().0, spoilt(&whole().1)),
            "server.key: the key is damaged, or of a kind that cannot be used: ",
        ),
        (
            (whole().0.replace("-----END", "----END"), whole().1),
            "server.crt: it is cut off: the line -----END CERTIFICATE----- is missing",
        ),
        (
            (of_version_2(&second), whole().1),
            "server.crt: the certificate is of X.509 version 2, and has to be of version 3",
        ),
        (
            (
                whole().0,
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"
                    .to_owned(),
            ),
            "server.key: the key is encrypted: store it without a password",
        ),
        ((whole().0, "x".repeat(2 << 20)), "server.key: is larger than"),
    ] {
        fs::write(&source.certificate, certificate).expect("written");
        fs::write(&source.key, key).expect("written");
        let said = look(&mut certificates);
        assert!(
            said.contains(told) && said.contains("; the one of before stays, valid until "),
            "{told}: {said}"
        );
        assert!(is_shown(&config, "shop.test", &second), "{told}");
        assert!(certificates.look(now()).is_empty(), "it is told once: {told}");
    }
    fs::remove_file(&source.key).expect("it was there");
    let said = look(&mut certificates);
    assert!(said.contains("server.key: no such file; the one of before stays"), "{said}");
    fs::create_dir(&source.key).expect("made");
    let said = look(&mut certificates);
    assert!(said.contains("server.key: is not a file but a directory"), "{said}");
    fs::remove_dir(&source.key).expect("removed");
    // Some editors begin a file with a mark.
    let marked = |text: &str| format!("\u{feff}{text}");
    let first = Made { certificate: marked(&first.certificate), key: marked(&first.key), ..first };
    put(&source, &first);
    look(&mut certificates);
    assert!(is_shown(&config, "shop.test", &first), "it is good again");
}

#[test]
fn of_two_files_that_are_replaced_one_after_the_other_no_half_is_told_of() {
    let place = place();
    let source = source(place.path(), "tls");
    put(&source, &of("shop.test"));
    let (mut certificates, _) = Certificates::read([source.clone()], now()).expect("it is good");
    let config = certificates.config(Protocols::Bytes).expect("a configuration");
    let next = of("shop.test");
    fs::write(&source.certificate, &next.certificate).expect("written");
    assert!(certificates.look(now()).is_empty(), "the key may follow");
    // As a program does it that writes a file whole: the one that is renamed may be old.
    let staged = place.path().join("staged");
    fs::write(&staged, &next.key).expect("written");
    fs::File::open(&staged).and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH)).expect("set");
    fs::rename(&staged, &source.key).expect("renamed");
    let news = certificates.look(now());
    assert!(!news.iter().any(|news| matches!(news, News::Refused { .. })), "{news:?}");
    // A second later it is taken at the first look.
    let (other, mut certificates) = (next, certificates);
    certificates.look(now() + Duration::from_secs(2));
    assert!(is_shown(&config, "shop.test", &other));
}

#[test]
fn one_of_several_that_is_no_good_hinders_no_other_and_none_at_all_is_refused() {
    let place = place();
    let [good, bad] = ["good", "bad"].map(|name| source(place.path(), name));
    let shop = of("shop.test");
    put(&good, &shop);
    let (mut certificates, news) = Certificates::read([bad.clone(), good], now()).expect("one is good");
    let said: Vec<String> = news.iter().map(ToString::to_string).collect();
    assert!(said[0].contains("the certificate for shop.test"), "{said:?}");
    assert!(said[1].ends_with("bad/server.crt: no such file; it is not used"), "{said:?}");
    let config = certificates.config(Protocols::Bytes).expect("a configuration");
    assert!(is_shown(&config, "pay.test", &shop));
    let pay = of("pay.test");
    put(&bad, &pay);
    look(&mut certificates);
    assert!(is_shown(&config, "pay.test", &pay) && is_shown(&config, "shop.test", &shop));

    let nothing = source(place.path(), "nothing");
    let refused = Certificates::read([nothing], now()).expect_err("there is none");
    assert!(matches!(refused, Flaw::File { .. }), "{refused:?}");
    assert!(matches!(Certificates::read([], now()), Err(Flaw::Nothing)));
}

#[test]
fn a_certificate_whose_time_ends_while_it_is_shown_goes_on_to_be_shown() {
    let place = place();
    let source = source(place.path(), "tls");
    let shop = of("shop.test");
    put(&source, &shop);
    let (mut certificates, _) = Certificates::read([source], now()).expect("it is good");
    let config = certificates.config(Protocols::Bytes).expect("a configuration");
    let in_many_years = now() + Duration::from_secs(5000 * 365 * 86_400);
    let told = certificates.look(in_many_years);
    assert!(matches!(told[..], [News::Over { .. }]), "{told:?}");
    assert!(
        told[0].to_string().contains("server.crt: the certificate for shop.test has expired on "),
        "{told:?}"
    );
    assert!(certificates.look(in_many_years).is_empty(), "it is told once");
    assert!(is_shown(&config, "shop.test", &shop));
}

#[test]
fn that_a_certificate_ends_within_14_days_is_told_once_and_then_that_it_has_ended() {
    let place = place();
    let source = source(place.path(), "tls");
    let shop = made(&["shop.test"], |params| params.not_after = rcgen::date_time_ymd(2901, 1, 20));
    put(&source, &shop);
    let day = |day: u64| {
        SystemTime::from(rcgen::date_time_ymd(2901, 1, 1)) + Duration::from_secs((day - 1) * 86_400)
    };
    let (mut certificates, _) = Certificates::read([source.clone()], now()).expect("it is good");
    let mut told =
        |clock| certificates.look(clock).iter().map(News::to_string).collect::<Vec<_>>().join("; ");
    assert_eq!(told(day(5)), "", "15 days are left");
    assert_eq!(Expiry::of(&source.certificate, day(5)), None);
    let soon = told(day(7));
    assert!(
        soon.ends_with(
            "server.crt: the certificate for shop.test expires on 2901-01-20T00:00:00Z: renew it before"
        ),
        "{soon}"
    );
    assert_eq!(told(day(8)), "", "it is told once");
    let expiry = Expiry::of(&source.certificate, day(8)).expect("it ends soon");
    assert_eq!(expiry.to_string(), soon, "the same line every day");
    let over = told(day(21));
    assert!(over.contains("has expired on 2901-01-20T00:00:00Z"), "{over}");
    assert_eq!(told(day(22)), "");
    let expiry = Expiry::of(&source.certificate, day(21)).expect("it is over");
    assert!(expiry.is_over && expiry.to_string().contains("has expired on 2901-01-20"), "{expiry}");
    std::fs::write(&source.certificate, "nonsense").expect("written");
    assert_eq!(Expiry::of(&source.certificate, day(21)), None, "nothing is known of it");
}
