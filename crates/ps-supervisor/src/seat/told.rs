//! The events that a rollout gets about the end of a run.

use std::time::Duration;

use formation::Slot;
use ps_rollout::Role;

use crate::means::Means;
use crate::news::News;
use crate::run::{Cause, LEAST_LIFE, Run};
use crate::seat_table::AfterDeath;

/// A death that the restart policy treats as a failure is reported at once, any other end when all processes of the run
/// have ended. If a rollout's new run ends right away, it has failed, whatever its exit status, unless other types wait
/// for it to be done, or it is a job that has left nothing in the background.
pub(super) fn death(slot: &Slot, run: &Run, lifetime: Duration, means: &mut Means) {
    let are_to_end = run.terms.as_ref().is_some_and(|terms| terms.are_to_end);
    let may_end = are_to_end || (run.status.job && !run.is_in_the_background());
    let is_new = run.status.role == Some(Role::Incoming) && lifetime < LEAST_LIFE && !may_end;
    if run.cause.is_some_and(Cause::is_failure)
        || (is_new && run.cause == Some(Cause::ByItself(AfterDeath::Rest)))
    {
        means.news.tell(News::Died(how(run, lifetime)), slot, run.number());
    }
}

/// The tree of a run is empty. A run that died and is restarted or given up was told of before.
pub(super) fn end(slot: &Slot, run: &Run, means: &mut Means) {
    if !run.cause.is_some_and(Cause::is_failure) {
        means.news.tell(News::Ended, slot, run.number());
    }
}

/// How a run ended, as a phrase that follows the name of its slot.
fn how(run: &Run, lifetime: Duration) -> String {
    let when = match lifetime.as_secs() {
        0 => "ended within its first second".to_owned(),
        seconds => format!("ended after {seconds} s"),
    };
    let exit = run.status.how_it_ended().map(|exit| format!(" ({exit})")).unwrap_or_default();
    let hint = run.status.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    when + &exit + &hint
}
