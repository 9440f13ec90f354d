//! When a certificate ends, for those who are to renew it in time.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::flaw::Flaw;
use crate::pair;

/// How long before its end a certificate is spoken of.
const EARLY: Duration = Duration::from_secs(14 * 24 * 3600);

/// The end of a certificate that ends soon, or has ended. Displays as one line for people; the line stays the same from day to day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Its file.
    pub certificate: PathBuf,
    /// The names that it is for, with commas between them.
    pub names: String,
    /// Until when it is valid.
    pub until: Timestamp,
    /// Whether it has ended.
    pub is_over: bool,
}

impl Expiry {
    /// That of a certificate file, if it ends within 14 days or has ended. `clock` is the time of day. `None` also if the file cannot be
    /// read, or is no certificate.
    pub fn of(certificate: &Path, clock: SystemTime) -> Option<Self> {
        let of = |names, until, is_over| Self { certificate: certificate.to_owned(), names, until, is_over };
        match pair::validity(certificate, clock) {
            Ok((names, until)) => is_soon(until, clock).then(|| of(names.shown(), until, false)),
            Err(Flaw::Expired { names, until, .. }) => Some(of(names, until, true)),
            Err(_) => None,
        }
    }
}

/// Whether a certificate that is valid until then ends within 14 days.
pub(crate) fn is_soon(until: Timestamp, clock: SystemTime) -> bool {
    SystemTime::from(until).duration_since(clock).map_or(true, |left| left <= EARLY)
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, names, until, is_over } = self;
        let certificate = certificate.display();
        if *is_over {
            write!(f, "{certificate}: the certificate for {names} has expired on {until}: replace it")
        } else {
            write!(f, "{certificate}: the certificate for {names} expires on {until}: renew it before")
        }
    }
}
