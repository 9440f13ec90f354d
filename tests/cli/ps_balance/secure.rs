//! Certificates in files, and a client that speaks TLS and believes them.

use std::fs;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::http::answer;
use crate::world::{Balance, Server, connect};

/// A certificate and its key.
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
}

impl Made {
    pub(crate) fn of(name: &str) -> Self {
        Self::with(name, |_| ())
    }

    pub(crate) fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }

    /// Writes it as Dokku has it. Each file is replaced as a whole.
    pub(crate) fn put(&self, directory: &Path) {
        fs::create_dir_all(directory).expect("made");
        for (name, text) in [("server.key", &self.key), ("server.crt", &self.certificate)] {
            let staged = directory.join(format!("{name}.next"));
            fs::write(&staged, text).expect("written");
            fs::rename(&staged, directory.join(name)).expect("renamed");
        }
    }
}

/// The program with TLS before these servers, and the certificate that it shows, for `shop.test`.
pub(crate) struct Secure {
    pub(crate) balance: Balance,
    pub(crate) made: Made,
    pub(crate) directory: PathBuf,
    _place: tempfile::TempDir,
}

impl Secure {
    pub(crate) fn before(servers: &[&Server], words: &[&str]) -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_ps-balance")), servers, words)
    }

    /// The same, from a copy of the program.
    pub(crate) fn start_program(program: &Path, servers: &[&Server], words: &[&str]) -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        let (made, directory) = (Made::of("shop.test"), place.path().join("tls"));
        made.put(&directory);
        let mut all = vec!["--tls-listen", "0", "--tls-dir", directory.to_str().expect("text")];
        all.extend(words);
        let balance = Balance::program_before(program, servers, &all);
        Self { balance, made, directory, _place: place }
    }

    /// A client that believes this certificate alone.
    pub(crate) fn connect(&self, protocols: &[&str]) -> Stream {
        stream(&self.balance, &[&self.made], protocols)
    }
}

/// A connection that speaks TLS.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client that believes these certificates. The handshake has been made.
pub(crate) fn stream(balance: &Balance, believed: &[&Made], protocols: &[&str]) -> Stream {
    agreed(balance, believed, protocols).expect("both agree")
}

/// The same, or what was wrong.
pub(crate) fn agreed(balance: &Balance, believed: &[&Made], protocols: &[&str]) -> std::io::Result<Stream> {
    agreed_by(connect(balance.tls_address()), believed, protocols)
}

/// The same, through this socket.
pub(crate) fn agreed_by(
    mut socket: TcpStream,
    believed: &[&Made],
    protocols: &[&str],
) -> std::io::Result<Stream> {
    let mut roots = RootCertStore::empty();
    for made in believed {
        roots.add(made.der.clone()).expect("a certificate");
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("shop.test").expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    while client.is_handshaking() {
        client.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(client, socket))
}

/// Asks by HTTP/1.1 on a connection that is kept.
pub(crate) struct Asker(pub(crate) BufReader<Stream>);

impl Asker {
    pub(crate) fn of(stream: Stream) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) fn get(&mut self, fields: &str) -> std::io::Result<(String, String)> {
        let request = format!("GET / HTTP/1.1\r\nHost: shop.test\r\n{fields}\r\n");
        self.0.get_mut().write_all(request.as_bytes())?;
        answer(&mut self.0)
    }
}
