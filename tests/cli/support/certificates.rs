//! Certificates in files, and clients that speak TLS and believe them.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

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

/// A connection that speaks TLS.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A client through this socket that believes these certificates, or what was wrong. The handshake has been made.
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
