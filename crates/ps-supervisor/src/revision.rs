//! `next.json`: a new revision of an app. A program writes this file and then sends [`crate::Request::Roll`]. The file is a
//! spec with one more field, how each type is rolled out; so committing it is one rename over the spec, which cannot happen
//! by halves. If the program dies between writing the file and sending the request, nothing has changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::num::NonZeroU16;
use std::path::Path;
use std::time::Duration;

use ps_rollout::{Canary, Rules, Strategy};
use serde::{Deserialize, Serialize};

use crate::spec::{SPEC_FILE, Spec, document, read_document, read_documents};
use crate::{Error, stopped};

/// The file's name in a service directory.
pub const NEXT_FILE: &str = "next.json";

/// A new revision of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// The spec of the new revision.
    #[serde(flatten)]
    pub spec: Spec,
    /// How each type is rolled out; a type that is not named here gets no new runs.
    pub rolling: BTreeMap<String, Manner>,
    /// Whether, and how, the instances at the app's address are compared with the earlier revision before the rollout goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
}

/// What stands in the file beside the spec.
#[derive(Deserialize)]
struct Rolling {
    #[serde(default)]
    rolling: BTreeMap<String, Manner>,
    #[serde(default)]
    canary: Option<Canary>,
}

/// The rollout rules of a type whose own are not known any more.
pub(crate) const USUAL: Rules = Rules {
    strategy: Strategy::OneByOne,
    max_parallel: NonZeroU16::MIN,
    max_trials: None,
    is_checked: false,
    may_end: false,
    minimum_life: Duration::from_secs(1),
    deadline: Duration::from_secs(30),
};

/// How a type is rolled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// The order, the number at a time, and what a run has to pass.
    pub rules: Rules,
}

impl Next {
    /// The content of the file.
    pub fn to_json(&self) -> Vec<u8> {
        document(self)
    }

    /// Reads the new revision from a service directory.
    ///
    /// # Errors
    /// [`Error::NoSpec`] if there is none.
    pub fn read(service: &Path) -> Result<Self, Error> {
        Self::read_from(&service.join(NEXT_FILE))
    }

    fn read_from(path: &Path) -> Result<Self, Error> {
        let (spec, Rolling { rolling, canary }) = read_documents(path)?;
        Ok(Self { spec, rolling, canary })
    }

    /// Writes the changed revision again, unless it has been committed already.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_again(&self, service: &Path) -> Result<(), Error> {
        let path = service.join(NEXT_FILE);
        if !path.exists() {
            return Ok(());
        }
        durable::replace_durably(service, NEXT_FILE, &self.to_json())
            .map_err(|error| Error::io("write", &path, error))
    }
}

/// How the types of the current revision were rolled out, as far as its file says.
pub(crate) fn manners(service: &Path) -> BTreeMap<String, Manner> {
    Next::read_from(&service.join(SPEC_FILE)).map(|next| next.rolling).unwrap_or_default()
}

/// Commits the new revision durably: it becomes the app's spec. Committing it a second time changes nothing.
///
/// # Errors
/// It could not be written. The spec is `old` then, as before.
pub(crate) fn commit(service: &Path, old: Option<&Spec>) -> Result<(), Error> {
    let (next, spec) = (service.join(NEXT_FILE), service.join(SPEC_FILE));
    if spec.is_dir() {
        // Somebody made a directory in the spec's place. A rename could not replace it, and the app could never be deployed
        // again.
        fs::remove_dir_all(&spec).map_err(|error| Error::io("remove", &spec, error))?;
    }
    if let Some(again) = read_document(&next).ok().filter(|next| is_revision_of(old, next)) {
        // The list of stopped slots may bear the number of this revision already, although it was written before the
        // rename. So it is written again, for the new spec.
        let listed = stopped::write(service, again.revision, &again.stopped);
        listed.unwrap_or_else(|_| stopped::forget(service));
    }
    Spec::set_first_format_aside(service);
    match fs::rename(&next, &spec) {
        Ok(()) => (),
        Err(error) if error.kind() == io::ErrorKind::NotFound && spec.is_file() => return Ok(()),
        Err(error) => return Err(Error::io("rename", &next, error)),
    }
    if let Err(error) = File::open(service).and_then(|directory| directory.sync_all()) {
        // The rename could not be synced and may be lost, so it is undone rather than reported as done.
        let undone = old.map_or_else(
            || fs::remove_file(&spec).map_err(|error| Error::io("remove", &spec, error)),
            |old| old.write(service),
        );
        return undone.and(Err(Error::io("sync", service, error)));
    }
    Spec::has_replaced_another(service);
    Ok(())
}

fn is_revision_of(old: Option<&Spec>, next: &Spec) -> bool {
    old.is_some_and(|old| old.revision == next.revision)
}

/// Removes the new revision: the app keeps its spec.
pub(crate) fn withdraw(service: &Path) -> Result<(), Error> {
    let next = service.join(NEXT_FILE);
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &next, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(revision: u64) -> Spec {
        let json = serde_json::json!({
            "app": "shop", "revision": revision, "directory": "/", "env": {"A": "1"}, "env_files": [],
            "base_port": 0, "places": {}, "restart_policy": "no", "stop_timeout_seconds": 1,
            "processes": [{"process_type": "web", "command": "true", "quantity": 2}],
        });
        serde_json::from_value(json).expect("a spec")
    }

    fn next(revision: u64) -> Next {
        let rules = Rules { deadline: Duration::from_secs(60), ..USUAL };
        let rolling = [("web".to_owned(), Manner { rules })].into();
        Next { spec: spec(revision), rolling, canary: None }
    }

    fn submitted(service: &Path, revision: u64) {
        fs::write(service.join(NEXT_FILE), next(revision).to_json()).expect("written");
    }

    #[test]
    fn what_is_submitted_becomes_the_spec_whole_and_a_second_commit_changes_nothing() {
        let service = tempfile::tempdir().expect("a directory");
        let service = service.path();
        fs::write(service.join("spec.json"), serde_json::to_vec(&spec(1)).expect("json")).expect("written");
        assert_eq!(Spec::read(service).expect("format 1"), spec(1));
        submitted(service, 2);
        assert_eq!(Next::read(service).expect("submitted"), next(2));
        commit(service, Some(&spec(1))).expect("committed");
        commit(service, Some(&spec(1))).expect("committed already");
        assert_eq!(Spec::read(service).expect("committed"), spec(2));
        assert!(!service.join("spec.json").exists() && !service.join(NEXT_FILE).exists());
    }

    #[test]
    fn what_was_stopped_by_hand_is_what_the_committed_spec_says_also_in_the_same_revision() {
        let service = tempfile::tempdir().expect("a directory");
        let service = service.path();
        let by_hand = |spec: &Spec| Spec { stopped: vec!["web.2".parse().expect("a slot")], ..spec.clone() };
        for revision in [1, 2] {
            spec(1).write(service).expect("written");
            by_hand(&spec(1)).note_stopped(service).expect("noted");
            let old = Spec::read(service).expect("written");
            assert_eq!(old, by_hand(&spec(1)));
            submitted(service, revision);
            commit(service, Some(&old)).expect("committed");
            assert_eq!(Spec::read(service).expect("committed"), spec(revision));
        }
    }

    #[test]
    fn what_is_withdrawn_leaves_the_spec_of_before() {
        let service = tempfile::tempdir().expect("a directory");
        let service = service.path();
        spec(1).write(service).expect("written");
        submitted(service, 2);
        withdraw(service).expect("withdrawn");
        withdraw(service).expect("withdrawn already");
        assert_eq!(Spec::read(service).expect("as before"), spec(1));
        assert!(matches!(Next::read(service), Err(Error::NoSpec { .. })));
    }

    #[test]
    fn what_a_later_version_wrote_is_refused_by_its_number_whatever_it_looks_like() {
        let service = tempfile::tempdir().expect("a directory");
        let service = service.path();
        for (name, text) in
            [(SPEC_FILE, r#"{"format": 3, "processes": "another"}"#), (NEXT_FILE, r#"{"format": 9}"#)]
        {
            fs::write(service.join(name), text).expect("written");
        }
        let errors = [Spec::read(service).expect_err("later"), Next::read(service).expect_err("later")];
        for error in errors {
            assert!(matches!(error, Error::LaterFormat { .. }), "{error}");
            assert!(error.to_string().ends_with("deploy the app first"), "{error}");
        }
    }
}
