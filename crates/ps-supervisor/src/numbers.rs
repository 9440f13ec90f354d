//! Hands out the numbers of an app's runs. No number is used twice, not even by the successor of a supervisor that was
//! killed: numbers are written to disk before they are used. That is done 64 at a time, so that 300 runs that start
//! together cost a few writes; numbers that were written and not used are skipped by the next supervisor.
//!
//! A full disk prevents no start. Numbers are then handed out unwritten, and the next supervisor learns them from the names
//! of the runs' directories.

use std::path::PathBuf;

use ps_rollout::HIGHEST_NUMBER;
use serde::{Deserialize, Serialize};

use crate::layout::MAX_FILE_BYTES;

const FILE: &str = "runs.json";
const FORMAT: u32 = 1;
/// How many numbers are written down at a time.
const AT_A_TIME: u64 = 64;

/// The numbers of the runs in one service directory.
#[derive(Debug)]
pub(crate) struct Numbers {
    service: PathBuf,
    next: u64,
    /// The lowest number that is not covered by the file.
    unwritten: u64,
}

#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    /// The file's content: the lowest number that no run may have had.
    next: u64,
}

impl Numbers {
    /// The numbers of a service directory.
    pub(crate) fn of(service: PathBuf) -> Self {
        let written = durable::state(&service.join(FILE), MAX_FILE_BYTES).ok();
        // A file of a later format is not understood. The directories of the runs give a lower bound.
        let written = written
            .and_then(|bytes| serde_json::from_slice::<Written>(&bytes).ok())
            .filter(|written| written.format <= FORMAT);
        let next = written.map_or(1, |written| written.next);
        // A larger value would overflow: every number of a run can be incremented.
        let next = if next > HIGHEST_NUMBER { 1 } else { next.max(1) };
        Self { service, next, unwritten: next }
    }

    /// A number that no run has had.
    pub(crate) fn take(&mut self) -> u64 {
        let number = self.next;
        self.pass(number);
        number
    }

    /// The number that [`Numbers::take`] will return next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// A run with that number exists: neither it nor a lower one is handed out any more.
    pub(crate) fn pass(&mut self, number: u64) {
        self.next = self.next.max(number.saturating_add(1));
        if self.next > self.unwritten {
            let next = self.next.saturating_add(AT_A_TIME - 1);
            let written = Written { format: FORMAT, next };
            let json = serde_json::to_vec(&written).expect("two numbers are plain data");
            if durable::replace(&self.service, FILE, &json).is_ok() {
                self.unwritten = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_used_twice_whenever_a_supervisor_dies() {
        let service = tempfile::tempdir().expect("a directory");
        let numbers = || Numbers::of(service.path().to_owned());
        let mut used = Vec::new();
        for lives in [1, 5, 64, 65, 200] {
            let mut numbers = numbers();
            used.extend((0..lives).map(|_| numbers.take()));
        }
        assert!(used.windows(2).all(|pair| pair[0] < pair[1]), "{used:?}");
        assert_eq!(used[0], 1);
        numbers().pass(5000);
        assert!(numbers().take() > 5000);
    }

    #[test]
    fn without_a_place_to_write_numbers_go_on_and_what_makes_no_sense_is_passed_over() {
        let service = tempfile::tempdir().expect("a directory");
        let mut nowhere = Numbers::of(service.path().join("none"));
        assert_eq!([nowhere.take(), nowhere.take()], [1, 2]);
        nowhere.pass(16);
        assert_eq!(nowhere.take(), 17);
        for (format, next) in [(1, 40), (2, 1)] {
            let text = format!("{{\"format\":{format},\"next\":40,\"more\":[]}}");
            std::fs::write(service.path().join(FILE), text).expect("written");
            assert_eq!(Numbers::of(service.path().to_owned()).next(), next, "format {format}");
        }
        let beyond = format!("{{\"format\":1,\"next\":{}}}", u64::MAX);
        std::fs::write(service.path().join(FILE), beyond).expect("written");
        assert_eq!(Numbers::of(service.path().to_owned()).next(), 1);
        std::fs::write(service.path().join(FILE), "{\"format\":1,\"next\":").expect("written");
        assert_eq!(Numbers::of(service.path().to_owned()).next(), 1);
    }
}
