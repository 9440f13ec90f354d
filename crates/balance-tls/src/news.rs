//! The results of looking at the certificate files: a certificate was read, or refused.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::expiry::Expiry;
use crate::flaw::Flaw;

/// The result of checking the files of one certificate. Displays as one line for people, without its source error.
#[derive(Debug)]
pub enum News {
    /// It is shown from now on.
    Taken {
        /// Its file.
        certificate: PathBuf,
        /// The names that it is for, with commas between them.
        names: String,
        /// Until when it is valid.
        until: Timestamp,
    },
    /// It is shown, and ends within 14 days.
    Soon(Expiry),
    /// It has expired and is still shown, because there is no later one.
    Over {
        /// Its file.
        certificate: PathBuf,
        /// The names that it is for, with commas between them.
        names: String,
        /// When it expired.
        until: Timestamp,
    },
    /// It is not shown.
    Refused {
        /// Why.
        flaw: Flaw,
        /// The end of validity of the earlier certificate, which is used instead; `None` if there was none.
        instead: Option<Timestamp>,
    },
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { certificate, names, until } => {
                write!(f, "{}: the certificate for {names}, valid until {until}", certificate.display())
            }
            Self::Soon(expiry) => expiry.fmt(f),
            Self::Over { certificate, names, until } => write!(
                f,
                "{}: the certificate for {names} has expired on {until}, and clients are still shown it: replace it",
                certificate.display()
            ),
            Self::Refused { flaw, instead } => {
                f.write_str(&flaw.in_full())?;
                match instead {
                    Some(until) => write!(f, "; the one of before stays, valid until {until}"),
                    None => f.write_str("; it is not used"),
                }
            }
        }
    }
}
