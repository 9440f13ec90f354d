//! For the root, which keeps the supervisors of all apps alive: whether an app whose supervisor died needs another one,
//! and which main processes that supervisor left. The root sees how these processes end and records it for the next
//! supervisor.

use std::path::{Path, PathBuf};

use formation::{Exit, State};
use os_process::{ProcessId, boot_id};

use crate::address::has_led;
use crate::spec::Spec;
use crate::status::{self, Status};
use crate::{begun, copied, layout};

/// The main process of a run whose supervisor has died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bereft {
    /// The process.
    pub process: ProcessId,
    run: PathBuf,
}

impl Bereft {
    /// Writes down how the process ended, in the file that the next supervisor reads.
    pub fn ended(&self, exit: Exit) {
        status::write_exit(&self.run, exit);
    }
}

/// The main processes that the statuses of a service directory name, whether they still live or not.
pub fn bereft(service: &Path) -> Vec<Bereft> {
    let mut found = Vec::new();
    if copied::original(service).is_some() {
        return found;
    }
    for slot in layout::slots(service) {
        let slot = service.join(slot.to_string());
        for run in runs(&slot) {
            let directory = layout::run_directory(&slot, run.run);
            found.extend(run.process.map(|process| Bereft { process, run: directory }));
        }
    }
    found
}

/// Whether a supervisor died in this boot and must be started again: according to the last status, something of the app ran or waited
/// to be started again, or clients of its address were sent to instances elsewhere. Apps that ran before a reboot are not counted,
/// because `restore` brings those back; neither are those of which the directory is a copy.
pub fn misses_supervisor(service: &Path) -> bool {
    let has_kept =
        || layout::slots(service).any(|slot| runs(&service.join(slot.to_string())).iter().any(is_kept));
    Spec::is_in(service) && copied::original(service).is_none() && (has_kept() || has_led(service))
}

fn is_kept(run: &Status) -> bool {
    match (&run.process, run.state) {
        (Some(process), _) => process.boot_id == boot_id(),
        (None, state) => {
            matches!(state, State::Starting | State::Waiting | State::Backoff | State::Scheduled)
        }
    }
}

/// The statuses of the run that fills a slot and of those beside it.
fn runs(slot: &Path) -> Vec<Status> {
    let current = Status::read(slot).ok().flatten();
    let filling = current.as_ref().map(|status| status.run);
    let others = layout::numbers(slot).into_iter().filter(|number| Some(*number) != filling);
    current.into_iter().chain(others.filter_map(|number| begun::status_of(slot, number))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::status::read_exit;

    fn service(state: &str, process: Option<&ProcessId>) -> tempfile::TempDir {
        let service = tempfile::tempdir().expect("a directory");
        let slot = service.path().join("web.1");
        fs::create_dir_all(slot.join("runs/7")).expect("made");
        let process = serde_json::to_string(&process).expect("plain data");
        let status = format!(
            r#"{{"format":2,"slot":"web.1","run":7,"state":"{state}","process":{process},"port":null,
                "since":"2026-01-01T00:00:00Z","restarts":0,"last_exit":null,"revision":1,"reason":null}}"#
        );
        fs::write(slot.join("status.json"), status).expect("written");
        fs::write(service.path().join("spec2.json"), "{}").expect("written");
        service
    }

    #[test]
    fn a_supervisor_is_missed_where_something_ran_in_this_boot_or_waits() {
        let ours = ProcessId::of(std::process::id()).expect("we live");
        let earlier = ProcessId { boot_id: "another".to_owned(), ..ours.clone() };
        for (state, process, is_missed) in [
            ("running", Some(&ours), true),
            ("running", Some(&earlier), false),
            ("backoff", None, true),
            ("scheduled", None, true),
            ("waiting", None, true),
            ("stopped", None, false),
            ("crashed", None, false),
        ] {
            let service = service(state, process);
            assert_eq!(misses_supervisor(service.path()), is_missed, "{state}, {process:?}");
            fs::remove_file(service.path().join("spec2.json")).expect("it was there");
            assert!(!misses_supervisor(service.path()), "nothing says what it would keep");
        }
    }

    #[test]
    fn a_supervisor_is_missed_that_led_clients_to_instances_elsewhere() {
        let service = tempfile::tempdir().expect("a directory");
        let led = format!(r#"{{"format":1,"boot":"{}","backends":[],"leaving":[]}}"#, boot_id());
        fs::write(service.path().join("led.json"), led).expect("written");
        assert!(!misses_supervisor(service.path()), "nothing says where the app is reached");
        fs::write(service.path().join("spec2.json"), "{}").expect("written");
        assert!(misses_supervisor(service.path()));
    }

    #[test]
    fn how_a_process_ended_is_written_into_the_directory_of_its_run() {
        let ours = ProcessId::of(std::process::id()).expect("we live");
        let service = service("running", Some(&ours));
        let found = bereft(service.path());
        assert_eq!(found.iter().map(|bereft| &bereft.process).collect::<Vec<_>>(), [&ours]);
        found[0].ended(Exit::Code(7));
        assert_eq!(read_exit(&service.path().join("web.1/runs/7")), Some(Exit::Code(7)));
    }
}
