//! What a verb does is told to the journal of its app: who asked, what is planned, what was done, how it ended. A journal that
//! cannot be written is no reason not to do it.

use std::env;

use anyhow::Result;
use formation::{AppName, Slot};
use ps_apps::World;
use ps_cli::say;
use ps_journal::{Journal, grouped};
use ps_rollout::Fate;
use ps_scheduler::{DeployOutcome, Plan};

/// Does a verb to an app, and tells of it.
pub(crate) fn of_verb<T>(
    world: &World,
    verb: &str,
    app: &AppName,
    deed: impl FnOnce() -> Result<T>,
) -> Result<T> {
    Journal::of(world, app).tell(verb, &words(), say::warning, deed)
}

/// Somebody asked for an app that has just been made: it had no journal when the verb began.
pub(crate) fn of_new_app(world: &World, verb: &str, app: &AppName) {
    Journal::of(world, app).asked(verb, &words(), say::warning);
}

/// An app was renamed: what happened to it is in the journal of its new name. That it could not be copied keeps nobody from
/// the new name.
pub(crate) fn hand_on(world: &World, old: &AppName, new: &AppName) {
    if let Err(error) = Journal::of(world, old).hand_on(new) {
        say::warning(&format!("the journal of {new} lacks what happened to {old}: {error}"));
    }
}

/// What will be done to each slot.
pub(crate) fn planned(world: &World, app: &AppName, plan: &Plan) {
    let changes = plan.steps.iter().map(|step| (&step.slot, step.change.as_str(), step.reason));
    Journal::of(world, app).planned(grouped(changes), say::warning);
}

/// What was done to each slot.
pub(crate) fn done(world: &World, app: &AppName, outcome: &DeployOutcome) {
    let fates: Vec<(&Slot, &str)> = if outcome.fates.is_empty() {
        let lists = [(&outcome.started, "started"), (&outcome.stopped, "ended"), (&outcome.kept, "kept")];
        lists.into_iter().flat_map(|(slots, word)| slots.iter().map(move |slot| (slot, word))).collect()
    } else {
        outcome.fates.iter().map(|(slot, fate)| (slot, word(fate))).collect()
    };
    let changes = grouped(fates.into_iter().map(|(slot, word)| (slot, word, "")));
    Journal::of(world, app).done(changes, say::warning);
}

fn word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Kept(_) => "kept",
        Fate::Started(_) => "started",
        Fate::Replaced { .. } => "replaced",
        Fate::Ended(_) => "ended",
        Fate::Empty => "empty",
        Fate::Restarted { .. } => "restarted",
        Fate::Lost => "lost",
        Fate::Stopped => "stopped",
    }
}

fn words() -> Vec<String> {
    env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}
