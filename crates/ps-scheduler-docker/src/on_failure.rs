//! The command of `onFailure`. It runs on this machine and not in a container. Since the author of the app writes
//! app.json, it is run only if the operator allows it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use formation::Slot;
use ps_apps::{HOST_COMMANDS, World};
use ps_release::Check;

use crate::app::App;

/// How long the command may take.
const LIMIT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Runs the command of a failed check to its end. Returns a sentence for people if the command was not run, or
/// failed.
pub(crate) async fn run(app: &App<'_>, slot: &Slot, id: &str, check: &Check) -> Option<String> {
    let (program, arguments) = check.on_failure.split_first()?;
    let words = check.on_failure.join(" ");
    if !is_allowed(app.world, app) {
        return Some(format!(
            "the command `{words}` of onFailure was not run: it would run on this machine, which ps-set {} {HOST_COMMANDS} true allows",
            app.name
        ));
    }
    // Variables of the app are left out: one such as PATH or LD_PRELOAD would decide which program runs on this
    // machine.
    let kept =
        ["PATH", "HOME", "LANG", "TZ"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(kept);
    command.env("APP", app.name.as_str()).env("DYNO", slot.to_string()).env("CONTAINER_ID", id);
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let failed = |reason: String| Some(format!("the command `{words}` of onFailure {reason}"));
    match started {
        Ok(child) => ended(child).await.and_then(failed),
        Err(error) => failed(format!("could not be started: {error}")),
    }
}

fn is_allowed(world: &World, app: &App<'_>) -> bool {
    world.ps_property(app.name, HOST_COMMANDS).is_ok_and(|value| value.as_deref() == Some("true"))
}

/// Waits for the end. Returns how the command failed, if it did.
async fn ended(mut child: Child) -> Option<String> {
    let begin = Instant::now();
    while begin.elapsed() < LIMIT {
        match child.try_wait() {
            Ok(None) => tokio::time::sleep(LOOK_AGAIN).await,
            Ok(Some(status)) if status.success() => return None,
            Ok(Some(status)) => return Some(format!("failed ({status})")),
            Err(error) => return Some(format!("could not be waited for: {error}")),
        }
    }
    // A process that cannot be killed ends by itself.
    let _ = child.kill();
    let _ = child.wait();
    Some(format!("took longer than {} s and was killed", LIMIT.as_secs()))
}
