//! What `ps-balance` reports of certificates: it goes into the journal, and a refused one into the status of the instances.

use super::Supervisor;
use crate::address::Read;
use crate::diary::{Happening, Occasion};

impl Supervisor {
    /// A certificate was read, which is shown from now on, or is not.
    pub(super) fn note_certificate(&mut self, Read { is_taken, text }: Read) {
        let slots = self.seats.keys().filter(|slot| Self::has_address(slot)).cloned().collect();
        let (occasion, is_failure) = (Occasion::Certificate, !is_taken);
        let happening = Happening { occasion, slots, run: None, what: text, is_failure };
        if is_taken {
            self.forget_refused_certificate();
            self.means.diary.note(happening);
        } else {
            self.happened(happening);
        }
    }

    /// There is a good certificate again: what was noted of a bad one is no longer true. Such a note begins with the
    /// path of a file in the directory of the certificate.
    fn forget_refused_certificate(&mut self) {
        let directory = format!("{}/", self.means.spec.certificates.display());
        self.forget_notes(Self::has_address, |note| note.starts_with(&directory));
    }
}
