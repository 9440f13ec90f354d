//! The last output of a process that made a verb fail: a release task, or a container that is removed again. The journal does not contain
//! this output, because it may contain values of the environment. It is stored beside the journal in a file of its own, which is as
//! private as a log.

use durable::Directory;
use formation::{AppName, without_last_words};
use ps_apps::{Scope, World};
use serde::{Deserialize, Serialize};

const NAME: &str = "last-words.json";
/// The largest size of the file, in bytes. Messages contain the last ten lines of a process; a larger file was not written by this
/// project.
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
    /// The lines in the message of a verb that failed; `None` if it has none.
    pub(crate) fn of_message(act: &str, message: &str) -> Option<Self> {
        let (_, lines) = without_last_words(message);
        let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
        (!lines.is_empty()).then(|| Self { format: 1, act: act.to_owned(), lines })
    }

    /// Stores the lines in the place of earlier ones. An error is ignored: the verb has failed anyway, and there is only less to explain.
    pub(crate) fn keep(&self, world: &World, app: &AppName) {
        let bytes = serde_json::to_vec(self).expect("these are plain data");
        if let Ok(directory) = Directory::open(world.lib(), &world.kept_dir(app)) {
            let _ = directory.write(NAME, &bytes, world.access(Scope::App(app)));
        }
    }

    /// The lines that are stored for an app; `None` if there are none, or they cannot be read.
    pub fn kept(world: &World, app: &AppName) -> Option<Self> {
        let bytes = durable::state(&world.kept_dir(app).join(NAME), MAX_BYTES).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|words: &Self| words.format == 1)
    }
}
