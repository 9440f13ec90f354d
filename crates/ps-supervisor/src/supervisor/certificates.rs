//! What `ps-balance` reports of certificates: it goes into the journal, and a refused one, or one that ends soon, into the status of the
//! instances.
//!
//! Each `ps-balance` reads the certificates anew when it is started, which happens each time that a client comes after a minute without
//! one. So what is wrong with a certificate would be told again and again; `certificate.json` holds what was told.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Supervisor;
use crate::address::Read;
use crate::diary::{Happening, Occasion};
use crate::layout::MAX_FILE_BYTES;

const FILE: &str = "certificate.json";

/// What the journal was told of the app's certificates.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Told {
    /// That one ends soon.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_soon: Option<String>,
    /// Why one is not shown, or that it has expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl Supervisor {
    /// A certificate was read, which is shown from now on, or is not.
    pub(super) fn note_certificate(&mut self, read: Read) {
        let is_news = is_news(&self.service, &read);
        let Read { is_taken, ends_soon, text } = read;
        let slots = self.seats.keys().filter(|slot| Self::has_address(slot)).cloned().collect();
        let (occasion, is_failure) = (Occasion::Certificate, !is_taken || ends_soon);
        let happening = Happening { occasion, slots, run: None, what: text, is_failure };
        if !is_failure {
            self.forget_refused_certificate();
            self.means.diary.note(happening);
        } else if is_news {
            self.happened(happening);
        } else {
            self.remark(Self::has_address, &happening.what);
        }
    }

    /// There is a good certificate again: what was noted of a bad one is no longer true. Such a note begins with the
    /// path of a file in the directory of the certificate.
    fn forget_refused_certificate(&mut self) {
        let directory = format!("{}/", self.means.spec.certificates.display());
        self.forget_notes(Self::has_address, |note| note.starts_with(&directory));
    }
}

/// Whether that was not told before. It has been written down when this returns; if it cannot be, it is told again next time.
fn is_news(service: &Path, read: &Read) -> bool {
    let before: Told = durable::state(&service.join(FILE), MAX_FILE_BYTES)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let text = Some(read.text.clone());
    let now = match (read.is_taken, read.ends_soon) {
        (_, true) => Told { ends_soon: text, refused: before.refused.clone() },
        (true, false) => Told { ends_soon: before.ends_soon.clone(), refused: None },
        (false, false) => Told { ends_soon: before.ends_soon.clone(), refused: text },
    };
    let is_news = now != before;
    if is_news {
        let json = serde_json::to_vec(&now).expect("what was told is plain data");
        let _ = durable::refresh(service, FILE, &json);
    }
    is_news
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_news_once_and_again_after_it_was_good() {
        let service = tempfile::tempdir().expect("a directory");
        let read = |is_taken, ends_soon, text: &str| {
            is_news(service.path(), &Read { is_taken, ends_soon, text: text.to_owned() })
        };
        for expected in [true, false] {
            read(true, false, "valid until Sunday");
            assert_eq!(read(true, true, "expires on Sunday"), expected);
        }
        for _ in 0..2 {
            assert!(read(false, false, "damaged"));
            assert!(!read(false, false, "damaged"), "the next ps-balance says it too");
            read(true, false, "valid until Sunday");
        }
        assert!(!read(true, true, "expires on Sunday"));
        assert!(read(true, true, "expires on Monday"));
    }
}
