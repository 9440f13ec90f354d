//! What the process wrote last that made a verb fail: a release task, or a container that is removed again. The journal does not have it,
//! because it may hold values of the environment; it lies beside the journal in a file of its own, which is as private as a log.

use durable::Directory;
use formation::{AppName, without_last_words};
use ps_apps::{Scope, World};
use serde::{Deserialize, Serialize};

const NAME: &str = "last-words.json";
/// Messages have the last ten lines of a process. What is longer than that is no such file of ours.
const MAX_BYTES: u64 = 1 << 18;

/// The last lines of the process that made a verb of an app fail, the last time that there were any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWords {
    /// The format of the file, 1.
    format: u32,
    /// The act of the verb, as the entries of the journal have it.
    pub act: String,
    /// The lines as they were written, the oldest first.
    pub lines: Vec<String>,
}

impl LastWords {
    /// Those in the message of a verb that failed; `None`: it has none.
    pub(crate) fn of_message(act: &str, message: &str) -> Option<Self> {
        let (_, lines) = without_last_words(message);
        let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
        (!lines.is_empty()).then(|| Self { format: 1, act: act.to_owned(), lines })
    }

    /// Keeps them in the place of earlier ones. If that fails, there is less to explain, and the verb has failed anyway.
    pub(crate) fn keep(&self, world: &World, app: &AppName) {
        let bytes = serde_json::to_vec(self).expect("these are plain data");
        if let Ok(directory) = Directory::open(world.lib(), &world.kept_dir(app)) {
            let _ = directory.write(NAME, &bytes, world.access(Scope::App(app)));
        }
    }

    /// Those that were kept of an app; `None`: none, or they cannot be read.
    pub fn kept(world: &World, app: &AppName) -> Option<Self> {
        let bytes = durable::state(&world.kept_dir(app).join(NAME), MAX_BYTES).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|words: &Self| words.format == 1)
    }
}
