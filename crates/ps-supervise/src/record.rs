//! What a supervisor sees happen is written into the journal of its app. Where its service directory lies says which app that is.

use std::path::Path;
use std::time::Duration;

use ps_apps::World;
use ps_cli::say;
use ps_journal::Journal;
use ps_supervisor::{Happening, Note};

/// How long another writer of the journal is waited for: processes wait for their supervisor meanwhile.
const PATIENCE: Duration = Duration::from_millis(250);

/// Writes all of it down. A service directory of no installation has no journal.
pub(crate) fn note(service: &Path, notes: Vec<Note>) {
    // data/scheduler-native/<app>, below the library of the installation.
    let (Some(app), Some(lib)) =
        (service.file_name().and_then(|name| name.to_str()), service.ancestors().nth(3))
    else {
        return;
    };
    let (Ok(app), Ok(world)) = (app.parse(), World::from_env()) else { return };
    if world.lib() != lib && world.lib().canonicalize().ok().as_deref() != Some(lib) {
        return;
    }
    let journal = Journal::of(&world, &app).waiting_at_most(PATIENCE);
    let mut lives = Vec::new();
    for note in notes {
        match note {
            Note::Life(life) => lives.push(life),
            Note::Happening(Happening { occasion, slots, run, what, is_failure }) => {
                journal.instances(std::mem::take(&mut lives), say::warning);
                journal.happened(occasion.as_str(), &slots, run, &what, is_failure, say::warning);
            }
        }
    }
    journal.instances(lives, say::warning);
}
