//! One pair of certificate files: what was read from them last, and whether they must be read again.

use std::time::SystemTime;

use rustls::crypto::CryptoProvider;

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
    /// Whether it was reported that the certificate has expired while it was shown.
    is_over: bool,
}

impl Entry {
    /// Nothing was read yet.
    pub(crate) fn new(source: Source) -> Self {
        Self { source, read: None, seen: None, pair: None, is_over: false }
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
        (self.pair, self.is_over) = (Some(pair), false);
        Ok(News::Taken { certificate: self.source.certificate.clone(), names, until })
    }

    /// Reads the files if they have changed. Two files cannot be replaced at once, so a change is left alone until it is a second old, or
    /// was there at the look before.
    pub(crate) fn look(&mut self, provider: &CryptoProvider, clock: SystemTime) -> Option<News> {
        let stamp = Stamp::of(&self.source);
        let was_there = self.seen.replace(stamp) == Some(stamp);
        if self.read == Some(stamp) || !(was_there || stamp.is_calm(clock)) {
            return self.over(clock);
        }
        let instead = self.pair.as_ref().map(|pair| pair.until);
        Some(self.read(provider, clock).unwrap_or_else(|flaw| News::Refused { flaw, instead }))
    }

    /// That the certificate has expired while it is shown, once.
    fn over(&mut self, clock: SystemTime) -> Option<News> {
        let pair = self.pair.as_ref().filter(|pair| !self.is_over && SystemTime::from(pair.until) < clock)?;
        let (names, until) = (pair.names.shown(), pair.until);
        self.is_over = true;
        Some(News::Over { certificate: self.source.certificate.clone(), names, until })
    }
}
