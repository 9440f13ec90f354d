//! One pair of certificate files: what was read from them last, and whether they must be read again.

use std::time::SystemTime;

use rustls::crypto::CryptoProvider;

use crate::expiry::{self, Expiry};
use crate::flaw::Flaw;
use crate::news::News;
use crate::pair::Pair;
use crate::source::Source;
use crate::stamp::Stamp;

/// A source and what is known of it.
#[derive(Debug)]
pub(crate) struct Entry {
    source: Source,
    /// The files as they were when they were read last.
    read: Option<Stamp>,
    /// The files as they were at the last look.
    seen: Option<Stamp>,
    pair: Option<Pair>,
    /// What was reported of the end of the certificate.
    end: End,
}

/// What was reported of the end of a certificate that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Nothing,
    /// That it is near.
    Soon,
    /// That it has expired.
    Over,
}

impl Entry {
    /// Nothing was read yet.
    pub(crate) fn new(source: Source) -> Self {
        Self { source, read: None, seen: None, pair: None, end: End::Nothing }
    }

    /// The certificate that is shown.
    pub(crate) fn pair(&self) -> Option<&Pair> {
        self.pair.as_ref()
    }

    /// Reads the files. What was good before is kept if they are not.
    pub(crate) fn read(&mut self, provider: &CryptoProvider, clock: SystemTime) -> Result<News, Flaw> {
        // Taken before they are read: a change in between is seen at the next look.
        let stamp = Stamp::of(&self.source);
        (self.read, self.seen) = (Some(stamp), Some(stamp));
        let pair = Pair::read(&self.source, provider, clock)?;
        let (names, until) = (pair.names.shown(), pair.until);
        (self.pair, self.end) = (Some(pair), End::Nothing);
        Ok(News::Taken { certificate: self.source.certificate.clone(), names, until })
    }

    /// Reads the files if they have changed. Two files cannot be replaced at once, so a change is left alone until it is a second old, or
    /// was there at the look before.
    pub(crate) fn look(&mut self, provider: &CryptoProvider, clock: SystemTime) -> Option<News> {
        let stamp = Stamp::of(&self.source);
        let was_there = self.seen.replace(stamp) == Some(stamp);
        if self.read == Some(stamp) || !(was_there || stamp.is_calm(clock)) {
            return self.ends(clock);
        }
        let instead = self.pair.as_ref().map(|pair| pair.until);
        Some(self.read(provider, clock).unwrap_or_else(|flaw| News::Refused { flaw, instead }))
    }

    /// That the certificate ends soon, or has expired while it is shown: each once.
    fn ends(&mut self, clock: SystemTime) -> Option<News> {
        let pair = self.pair.as_ref()?;
        let is_over = SystemTime::from(pair.until) < clock;
        let end = match self.end {
            End::Nothing | End::Soon if is_over => End::Over,
            End::Nothing if expiry::is_soon(pair.until, clock) => End::Soon,
            End::Nothing | End::Soon | End::Over => return None,
        };
        self.end = end;
        let (names, until) = (pair.names.shown(), pair.until);
        let certificate = self.source.certificate.clone();
        Some(match end {
            End::Over => News::Over { certificate, names, until },
            End::Nothing | End::Soon => News::Soon(Expiry { certificate, names, until, is_over }),
        })
    }
}
