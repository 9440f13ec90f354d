//! A certificate with its key, as the two files have them now. If they cannot be shown to clients, the error says why
//! and names the file.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_cert::der::Decode;
use x509_cert::{Certificate, Version};

use crate::flaw::Flaw;
use crate::names::Names;
use crate::source::Source;

/// The most bytes of a file. A chain has a few certificates of 2 KiB.
const LARGEST: u64 = 1 << 20;
/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// What a key begins with that only its password opens.
const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];

/// A certificate that may be shown.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) names: Names,
    pub(crate) until: Timestamp,
    pub(crate) key: Arc<CertifiedKey>,
}

impl Pair {
    /// Reads and judges both files. `clock` is the time of day.
    pub(crate) fn read(source: &Source, provider: &CryptoProvider, clock: SystemTime) -> Result<Self, Flaw> {
        let path = &source.certificate;
        let chain = chain(path)?;
        let (names, until) = judge(path, &chain, clock)?;
        let key = private_key(&source.key)?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                Flaw::Mismatch { certificate: path.clone(), key: source.key.clone() }
            }
            // That is about the certificate. All else was found out when the key was read.
            error @ Error::InvalidCertificate(_) => damaged(path, error),
            _ => Flaw::Kind { path: source.key.clone() },
        })?;
        Ok(Self { names, until, key: Arc::new(key) })
    }
}

/// The names that the certificate of a file is for, and until when it is valid, if it is now. Its key is not looked at.
pub(crate) fn validity(path: &Path, clock: SystemTime) -> Result<(Names, Timestamp), Flaw> {
    judge(path, &chain(path)?, clock)
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let text = read(path)?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| unread(path, error))?;
    if chain.is_empty() { Err(Flaw::NoCertificate { path: path.to_owned() }) } else { Ok(chain) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Flaw> {
    let text = read(path)?;
    let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    if ENCRYPTED.into_iter().any(has) {
        return Err(Flaw::Encrypted { path: path.to_owned() });
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => Flaw::NoKey { path: path.to_owned() },
        error => unread(path, error),
    })
}

/// The names of the first certificate, and until when it is valid, if it is now.
fn judge(path: &Path, chain: &[CertificateDer<'_>], clock: SystemTime) -> Result<(Names, Timestamp), Flaw> {
    let read: Result<Vec<Certificate>, _> = chain.iter().map(|der| Certificate::from_der(der)).collect();
    let read = read.map_err(|error| damaged(path, error))?;
    let first = read.first().ok_or_else(|| Flaw::NoCertificate { path: path.to_owned() })?;
    let version = first.tbs_certificate().version();
    if version != Version::V3 {
        return Err(Flaw::Version { path: path.to_owned(), version: version as u8 + 1 });
    }
    let names = Names::of(first);
    let validity = first.tbs_certificate().validity();
    let [from, until] = [validity.not_before, validity.not_after].map(|time| time.to_system_time());
    let told = |time: SystemTime| Timestamp::try_from(time).unwrap_or(Timestamp::MAX);
    let path = path.to_owned();
    if until < clock {
        return Err(Flaw::Expired { path, names: names.shown(), until: told(until) });
    }
    if from > clock {
        return Err(Flaw::TooEarly { path, names: names.shown(), from: told(from) });
    }
    Ok((names, told(until)))
}

/// The text of a file, without the mark with which some editors begin UTF-8: a block has to begin with its line.
fn read(path: &Path) -> Result<Vec<u8>, Flaw> {
    let text = durable::input(path, LARGEST);
    let text = text.map_err(|source| Flaw::File { path: path.to_owned(), source })?;
    Ok(text.strip_prefix(MARK).map(<[u8]>::to_vec).unwrap_or(text))
}

/// Why the blocks of a file cannot be read.
fn unread(path: &Path, error: pem::Error) -> Flaw {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            let label = String::from_utf8_lossy(&end_marker).into_owned();
            Flaw::CutOff { path: path.to_owned(), end: format!("-----END {label}-----") }
        }
        error => damaged(path, error),
    }
}

fn damaged(path: &Path, reason: impl std::fmt::Display) -> Flaw {
    Flaw::Damaged { path: path.to_owned(), reason: reason.to_string() }
}
