//! What the process wrote last that made a verb fail: a release task, or a container that is removed again. The journal does not have it,
//! because it may hold values of the environment; it lies beside the journal in a file of its own, which is as private as a log.

use durable::Directory;
use formation::AppName;
use ps_apps::{Scope, World};
use serde::{Deserialize, Serialize};

const NAME: &str = "last-words.json";
/// Messages have the last ten lines of a process. What is longer than that is no such file of ours.
const MAX_BYTES: u64 = 1 << 18;
/// How the first line of a message ends, if the lines behind it are those of a process.
const LEAD: &str = "; the last it wrote:";
/// How far these are indented.
const INDENT: &str = "    ";

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
        let (_, lines) = message.split_once(LEAD)?;
        let plain = |line: &str| line.strip_prefix(INDENT).unwrap_or(line).to_owned();
        let lines: Vec<String> = lines.lines().skip(1).map(plain).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_behind_the_first_one_are_a_processs_only_if_the_message_says_so() {
        let of = |message| LastWords::of_message("7-1", message).map(|words| words.lines);
        let told = "release.1 of shop failed (exit status: 1): it ran `x`; nothing was changed; the last it wrote:\n    one\n      two";
        assert_eq!(of(told), Some(vec!["one".to_owned(), "  two".to_owned()]));
        assert_eq!(of("web.1 of shop is held\n    by somebody"), None);
        assert_eq!(of("it failed; the last it wrote:"), None);
    }
}
