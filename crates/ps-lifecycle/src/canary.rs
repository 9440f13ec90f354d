//! `deploy --canary`: checks its requirements before anything is done.

use anyhow::Result;
use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_cli::exit::Refusal;
use ps_release::address::Reached;
use ps_rollout::Canary;

use crate::args::CanaryArgs;

/// What a deploy is to do of it. `reached` is where the app is reached then.
///
/// # Errors
/// The app has nothing to compare, or nobody counts what its clients see.
pub(crate) fn wanted(
    world: &World,
    app: &AppName,
    args: CanaryArgs,
    (scheduler, reached): (&SchedulerName, &Reached),
) -> Result<Option<Canary>> {
    let Some(canary) = args.wanted() else { return Ok(None) };
    let reason = if *scheduler != SchedulerName::Native {
        format!("--canary is for apps that run natively, and {app} runs in {scheduler}")
    } else if reached.listen.is_empty() {
        format!(
            "{app} has no address, so nobody counts what its clients see: give it one with --listen, or leave --canary away"
        )
    } else if !ps_dokku::is_deployed(world, app)? {
        format!("{app} was not deployed yet, so there is nothing to compare with: leave --canary away")
    } else if args.max_error_delta.is_some() && !reached.frontend.options.http {
        format!(
            "the address of {app} hands on connections and knows no answers: leave --max-error-delta away, or say --http"
        )
    } else {
        return Ok(Some(canary));
    };
    Err(Refusal::usage(reason))
}
