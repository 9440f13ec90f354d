//! `deploy --canary`: checks its requirements before anything is done.

use anyhow::Result;
use balance::PASS_SOCKET;
use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_cli::exit::Refusal;
use ps_release::address::Reached;
use ps_rollout::Canary;

use crate::args::CanaryArgs;

/// The comparison that a deploy makes. `reached` has the app's address after the deploy.
///
/// # Errors
/// There is no earlier release to compare with, or the app has no address at which failures are counted.
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
            "{app} has no address, so failed connections cannot be counted: give it one with --listen, or leave --canary out"
        )
    } else if reached.passes_socket() || Reached::of(world, app)?.passes_socket() {
        format!(
            "the instances of {app} accept clients themselves ({PASS_SOCKET}), so nobody gives a canary its share or counts what fails: leave \
             --canary out, or add --{PASS_SOCKET}=false"
        )
    } else if !ps_dokku::is_deployed(world, app)? {
        format!("{app} was not deployed yet, so there is nothing to compare with: leave --canary out")
    } else if args.max_error_delta.is_some() && !reached.frontend.options.http {
        format!(
            "the address of {app} passes on bytes and does not see answers: leave --max-error-delta out, or add --http"
        )
    } else {
        return Ok(Some(canary));
    };
    Err(Refusal::usage(reason))
}
