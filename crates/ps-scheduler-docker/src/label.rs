//! Names and labels of containers: those of Dokku, and those of this project. The latter say which `DOKKU_ROOT` a container belongs to,
//! since two worlds on one engine may have apps of the same name, and which run it is.
//!
//! A container from a time when runs had no numbers counts as run 0. A value that cannot be read, for example of a later version, is
//! ignored.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::Duration;

use formation::{AppName, ProcessType, Slot};
use ps_engine::Container;
use ps_rollout::{HIGHEST_NUMBER, Lane, Run};
use serde_json::Value;

/// The root directory of the world that made the container.
pub(crate) const ROOT: &str = "com.formation.root";
/// The app.
pub(crate) const APP: &str = "com.dokku.app-name";
const PROCESS_TYPE: &str = "com.dokku.process-type";
pub(crate) const DYNO: &str = "com.dokku.dyno";
/// The task of a deploy that a container runs, by Dokku's name: `predeploy`.
pub(crate) const TASK: &str = "dokku_phase_script";
/// The kind of a container: `deploy` for an instance, `run` for a one-off, `cron` for a task.
pub(crate) const CONTAINER_TYPE: &str = "com.dokku.container-type";
/// The kind of a scheduled run.
pub(crate) const CRON: &str = "cron";
/// The kinds that are no instances and have a deadline: one-offs and tasks.
const ONE_OFFS: [&str; 2] = ["run", CRON];
/// For a scheduled run: the time that was due, in seconds since 1970.
pub(crate) const DUE: &str = "com.formation.due";
/// A filter for the engine's list: the label that every instance of an app has, and no other container.
pub(crate) const DEPLOYED: &str = "com.dokku.container-type=deploy";
/// The number of the run, `17`.
pub(crate) const RUN: &str = "com.formation.run";
/// The number of the release that the run was started from.
pub(crate) const RELEASE: &str = "com.formation.release";
/// `own` or `second`.
pub(crate) const LANE: &str = "com.formation.lane";

/// The time from the stop signal to SIGKILL, in seconds, if it was set for the type. Without the label it is the present one of the
/// app.
pub(crate) const GRACE: &str = "com.formation.stop-timeout-seconds";

/// How many seconds after its creation a one-off must be removed.
pub(crate) const DEADLINE: &str = "com.dokku.active-deadline-seconds";
/// The program that waits for a one-off: its pid namespace, a blank, and its identity as JSON.
pub(crate) const WAITS: &str = "com.formation.waits";
/// The port that an instance listens on, if it is not the usual one of its type.
pub(crate) const PORT: &str = "com.formation.port";
/// The names of the settings that were set for the type at creation, separated by blanks.
pub(crate) const SET: &str = "com.formation.set";
/// The prefix of the name of a label in [`SET`]. Names of engine options have a prefix, too.
pub(crate) const LABEL_SET: &str = "label:";
pub(crate) const OPTION_SET: &str = "option:";
/// For images and networks that were made for an app.
const BUILT: &str = "com.formation.built";

const UPCOMING: &str = ".upcoming-";

/// The values of this project's labels.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) run: Run,
    pub(crate) release: u64,
    pub(crate) lane: Lane,
}

impl Identity {
    /// The labels with these values.
    pub(crate) fn labels(&self) -> [(&'static str, String); 3] {
        [
            (RUN, self.run.number.to_string()),
            (RELEASE, self.release.to_string()),
            (LANE, word(self.lane).to_owned()),
        ]
    }
}

fn word(lane: Lane) -> &'static str {
    match lane {
        Lane::Own => "own",
        Lane::Second => "second",
    }
}

/// The number of a container's run: 0 if it has no label, `None` if the label cannot be read.
pub(crate) fn run_number(container: &Container) -> Option<u64> {
    let Some(number) = container.label(RUN) else { return Some(0) };
    number.parse().ok().filter(|number| *number <= HIGHEST_NUMBER)
}

/// The number of a container's release, if it has one.
pub(crate) fn release(container: &Container) -> Option<u64> {
    container.label(RELEASE)?.parse().ok().filter(|number| *number <= HIGHEST_NUMBER)
}

/// The lane of a container; without a label, the slot's own.
pub(crate) fn lane(container: &Container) -> Lane {
    let is_second = container.label(LANE) == Some(word(Lane::Second));
    if is_second { Lane::Second } else { Lane::Own }
}

/// For an inspected container, the time from the stop signal to SIGKILL: that of its label, or else the present one of the app.
pub(crate) fn grace(of_app: Duration) -> impl FnOnce(&Value) -> Duration {
    move |inspected| {
        let own = inspected["Config"]["Labels"][GRACE].as_str().and_then(|seconds| seconds.parse().ok());
        own.map_or(of_app, Duration::from_secs)
    }
}

/// The slot that a container was made for.
pub(crate) fn slot(container: &Container) -> Option<Slot> {
    container.label(DYNO)?.parse().ok()
}

/// The labels of an instance.
pub(crate) fn labels(root: &Path, app: &AppName, identity: &Identity) -> HashMap<String, String> {
    let slot = &identity.run.slot;
    let labels = [
        (ROOT, root.display().to_string()),
        (APP, app.to_string()),
        (PROCESS_TYPE, slot.process_type.to_string()),
        (DYNO, slot.to_string()),
        (CONTAINER_TYPE, "deploy".to_owned()),
        ("org.label-schema.schema-version", "1.0".to_owned()),
        ("org.label-schema.vendor", "dokku".to_owned()),
        ("dokku", String::new()),
    ];
    let all = labels.into_iter().chain(identity.labels());
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Whether a container is an instance.
pub(crate) fn is_instance(container: &Container) -> bool {
    container.label(CONTAINER_TYPE) == Some("deploy")
}

/// Whether a container is a one-off or a task, and no instance.
pub(crate) fn is_one_off(container: &Container) -> bool {
    container.label(CONTAINER_TYPE).is_some_and(|kind| ONE_OFFS.contains(&kind))
}

/// Whether a container is a scheduled run.
pub(crate) fn is_cron(container: &Container) -> bool {
    container.label(CONTAINER_TYPE) == Some(CRON)
}

/// Whether a container runs the command of a type without being one of its instances.
pub(crate) fn is_run_of(container: &Container, process_type: &ProcessType) -> bool {
    is_one_off(container)
        && task(container).is_none()
        && container.label(PROCESS_TYPE) == Some(process_type.as_str())
}

/// The task of a deploy that a container runs, if it runs one. A container of an image that was made from a task's
/// container has the label with an empty value, which does not count.
pub(crate) fn task(container: &Container) -> Option<&str> {
    container.label(TASK).filter(|task| !task.is_empty())
}

/// The due time of a scheduled run.
pub(crate) fn due(container: &Container) -> Option<i64> {
    container.label(DUE)?.parse().ok()
}

/// The label of images and networks that are made for an app. Containers inherit it from their image.
pub(crate) fn of_app(root: &Path, app: &AppName) -> (String, String) {
    (BUILT.to_owned(), format!("{app} of {}", root.display()))
}

/// The name and the tag of an image of an app. Equal ids have equal names, so that two worlds on one engine do
/// not take a name from each other.
pub(crate) fn image_name(app: &AppName, id: &str) -> (String, String) {
    let hex = id.rsplit(':').next().unwrap_or(id);
    (image_repository(app), hex.get(..12).unwrap_or(hex).to_owned())
}

/// The beginning of the names of all images of an app. If the engine does not accept the name of the app there, a number replaces it.
pub(crate) fn image_repository(app: &AppName) -> String {
    let is_plain = |part: &str| !part.is_empty();
    let is_legal = app.as_str().split(['.', '-']).all(is_plain) && !app.as_str().contains('_');
    if is_legal { format!("formation/{app}") } else { format!("formation/app/x{:x}", fold(app.as_str())) }
}

/// A number that is computed from a name.
pub(crate) fn fold(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// `<app>.<type>.<n>`.
pub(crate) fn name(app: &AppName, slot: &Slot) -> String {
    format!("{app}.{slot}")
}

/// The name of a new run's container before the commit, `<app>.<type>.<n>.upcoming-<run>-<random>`. The random part
/// distinguishes it from the containers of other worlds on the same engine.
pub(crate) fn upcoming_name(app: &AppName, run: &Run) -> String {
    let random = RandomState::new().hash_one(run) % 1_000_000_000;
    format!("{app}.{}{UPCOMING}{}-{random}", run.slot, run.number)
}

/// Whether a name is one of [`upcoming_name`].
pub(crate) fn is_upcoming(name: &str) -> bool {
    name.contains(UPCOMING)
}
