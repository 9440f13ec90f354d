//! The program with TLS, and clients that speak it.

use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use crate::certificates::{Made, Stream, agreed_by};
use crate::http::answer;
use crate::world::{Balance, Server, connect};

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
        Self::start_with(Made::of("shop.test"), program, servers, words)
    }

    /// Shows this certificate.
    pub(crate) fn with(made: Made, servers: &[&Server], words: &[&str]) -> Self {
        Self::start_with(made, Path::new(env!("CARGO_BIN_EXE_ps-balance")), servers, words)
    }

    fn start_with(made: Made, program: &Path, servers: &[&Server], words: &[&str]) -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        let directory = place.path().join("tls");
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

/// A client that believes these certificates. The handshake has been made.
pub(crate) fn stream(balance: &Balance, believed: &[&Made], protocols: &[&str]) -> Stream {
    agreed(balance, believed, protocols).expect("both agree")
}

/// The same, or what was wrong.
pub(crate) fn agreed(balance: &Balance, believed: &[&Made], protocols: &[&str]) -> std::io::Result<Stream> {
    agreed_by(connect(balance.tls_address()), believed, protocols)
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
