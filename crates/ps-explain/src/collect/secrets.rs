//! Removes what must not be shown: the values of the app's variables, and text that looks like a credential.

use env_files::Environment;
use formation::{AppName, Slot};
use procfile::Grammar;
use ps_apps::World;
use ps_supervisor::Spec;

/// How many characters of a text are shown.
const SHOWN: usize = 300;
/// How many of them are of its end: where errors are told one in another, the cause stands last.
const OF_END: usize = 120;

/// The values of an app's variables.
pub(super) struct Secrets(Environment);

impl Secrets {
    /// Those of a native app's spec and files, or those that are stored for the app. What cannot be read has no values.
    pub(super) fn of(world: &World, app: &AppName, spec: Option<&Spec>) -> Self {
        let slot: Slot = "web.1".parse().expect("web.1 is a slot");
        let known = spec.and_then(|spec| ps_supervisor::environment(spec, &slot, None).ok());
        Self(known.unwrap_or_else(|| {
            let grammar = if world.inside_dokku() { Grammar::Dokku } else { Grammar::Own };
            let mut stored = Environment::new([]);
            for path in [world.global_env_path(), world.env_path(app)] {
                // What cannot be read cannot be given to an instance either.
                let _ = stored.read_file(&path, grammar);
            }
            stored
        }))
    }

    /// The text without them, on one line, and not longer than people read.
    pub(super) fn hide(&self, text: &str) -> String {
        let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let hidden = self.0.hide(&visible);
        let hidden = redact::line(&hidden);
        ps_journal::abridged(&hidden, SHOWN - OF_END, OF_END)
    }
}
