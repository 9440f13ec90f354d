//! Writes the events of a supervisor into the journal of its app. The path of the service directory says which app that
//! is.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ps_apps::World;
use ps_cli::say;
use ps_journal::Journal;
use ps_supervisor::{Happening, Note};

/// How long to wait for another writer of the journal: the supervisor handles no other event meanwhile.
const PATIENCE: Duration = Duration::from_millis(250);

/// Writes these notes into the journal. A service directory that belongs to no world has no journal. Returns the command
/// that sends alerts, if any of the notes is one that alerts are sent about.
pub(crate) fn note(service: &Path, notes: Vec<Note>) -> Option<Command> {
    // data/scheduler-native/<app>, below the library of the world.
    let (app, lib) = (service.file_name()?.to_str()?.parse().ok()?, service.ancestors().nth(3)?);
    let world = World::from_env().ok()?;
    if world.lib() != lib && world.lib().canonicalize().ok().as_deref() != Some(lib) {
        return None;
    }
    let journal = Journal::of(&world, &app).waiting_at_most(PATIENCE);
    let is_told = notes.iter().any(|note| match note {
        Note::Life((_, life)) => ps_alerts::is_told_of_life(life),
        Note::Happening(happening) => happening.is_failure,
    });
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
    is_told.then(|| ps_alerts::summons(&world, &app))?
}
