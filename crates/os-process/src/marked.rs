//! Finds out once which service directories have running processes. This serves a caller that starts many supervisors
//! together, each of which would otherwise read all of /proc for the same answer.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use crate::mark::{Reader, service_of_tag, tag_of_service};
use crate::stat::pids;

/// The service directories that the marks of processes named at one moment.
#[derive(Debug, Default)]
pub struct Marked {
    services: BTreeSet<PathBuf>,
    /// For each service directory the part of its tags that it alone determines.
    tags: BTreeSet<u64>,
}

impl Marked {
    /// Reads the marks of all processes. `variable` is the environment variable that marks them. The caller waits for the result and uses no CPU
    /// meanwhile, so two threads read.
    pub fn read(variable: &'static str) -> Self {
        let pids: Vec<u32> = pids().collect();
        let (first, second) = pids.split_at(pids.len() / 2);
        let (mut found, rest) = thread::scope(|scope| {
            let rest = scope.spawn(|| Self::of(variable, second));
            (Self::of(variable, first), rest.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        found.services.extend(rest.services);
        found.tags.extend(rest.tags);
        found
    }

    fn of(variable: &'static str, pids: &[u32]) -> Self {
        let (mut found, mut reader) = (Self::default(), Reader::new(variable, None));
        for marks in pids.iter().map(|pid| reader.marks(*pid)) {
            let marker = marks.marker.as_deref().map(Path::new);
            found.services.extend(marker.and_then(Path::parent).map(Path::to_owned));
            found.tags.extend(marks.tag.map(service_of_tag));
        }
        found
    }

    /// Whether a process of this service directory was alive at that moment, or had ended and was not reaped. As with every reader of marks, a
    /// process that has got rid of both marks is not found.
    pub fn has(&self, service: &Path) -> bool {
        self.services.contains(service) || self.tags.contains(&tag_of_service(&service.to_string_lossy()))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::mark::{tag, tagged};

    const VARIABLE: &str = "OS_PROCESS_TEST_SERVICE";

    #[test]
    fn a_service_directory_is_marked_by_a_variable_or_by_a_tag() {
        let mut marked = Command::new("sleep");
        marked.arg("600").env(VARIABLE, "/srv/one/web.1@7");
        let mut tagless = marked.spawn().expect("sleep is there");
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut nameless = tagged(tag("/srv/two/web.1@7"), || command.spawn()).expect("sleep is there");
        let found = Marked::read(VARIABLE);
        for child in [&mut tagless, &mut nameless] {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
        assert_eq!(
            ["/srv/one", "/srv/two", "/srv/three", "/srv"].map(|service| found.has(Path::new(service))),
            [true, true, false, false]
        );
    }
}
