//! Writes the events of a verb into the journal of its app: the caller, the plan, the changes, the result. If the journal
//! cannot be written, the verb goes on.

use std::env;
use std::thread;

use anyhow::Result;
use balance::Receipt;
use formation::{AppName, Slot};
use ps_apps::World;
use ps_cli::say;
use ps_journal::{Journal, grouped};
use ps_rollout::{Fate, Finding};
use ps_scheduler::{DeployOutcome, Plan};

/// Runs a verb for an app, with an event at its beginning and its end.
pub(crate) fn of_verb<T>(
    world: &World,
    verb: &str,
    app: &AppName,
    deed: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let ended = Journal::of(world, app).tell(verb, &words(), say::warning, deed);
    if ps_alerts::is_told_of_verb(verb) {
        tell(world, app);
    }
    ended
}

/// Records an event of a slot that no request has caused; `origin` is one word for its cause.
pub(crate) fn happened(world: &World, app: &AppName, origin: &str, slot: &Slot, what: &str) {
    Journal::of(world, app).happened(origin, std::slice::from_ref(slot), None, what, true, say::warning);
    tell(world, app);
}

/// Starts the sending of alerts about new entries of the journal, and does not wait for it.
fn tell(world: &World, app: &AppName) {
    let told = ps_alerts::summons(world, app).map(|mut command| command.spawn());
    match told {
        // The thread reaps the program: in a verb that runs for long it would otherwise stay a zombie.
        Some(Ok(mut child)) => drop(thread::spawn(move || child.wait())),
        Some(Err(error)) => {
            say::warning(&format!("no alert is sent, because ps-notify cannot be run: {error}"));
        }
        None => (),
    }
}

/// Records the verb that has just created the app, which had no journal when the verb began.
pub(crate) fn of_new_app(world: &World, verb: &str, app: &AppName) {
    Journal::of(world, app).asked(verb, &words(), say::warning);
}

/// Copies the journal and the other files about the past when an app is renamed. If that fails, the app is renamed
/// nevertheless.
pub(crate) fn hand_on(world: &World, old: &AppName, new: &AppName) {
    if let Err(error) = Journal::of(world, old).hand_on(new) {
        say::warning(&format!("the journal of {old} could not be copied to {new}: {error}"));
    }
    if let Err(error) = world.hand_on_kept(old, new) {
        say::warning(&format!("the files about {old} could not be copied to {new}: {error}"));
    }
}

/// The planned change of each slot.
pub(crate) fn planned(world: &World, app: &AppName, plan: &Plan) {
    let changes = plan.steps.iter().map(|step| (&step.slot, step.change.as_str(), step.reason));
    Journal::of(world, app).planned(grouped(changes), say::warning);
}

/// The completed change of each slot.
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

/// Records what a rollout has meant for clients.
pub(crate) fn receipt(world: &World, app: &AppName, receipt: &Receipt) {
    Journal::of(world, app).receipt(receipt.clone(), say::warning);
}

/// Records the verdict of the comparison of a new release with the earlier one, once there is one.
pub(crate) fn canary(world: &World, app: &AppName, finding: &Finding) {
    if let Finding::Judged { verdict, canary, control, .. } = *finding {
        Journal::of(world, app).canary(verdict, (canary, control), say::warning);
    }
}

pub(crate) fn word(fate: &Fate) -> &'static str {
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
