//! Ending one container: its restart policy is set to `no`, it gets SIGTERM and its grace period, then SIGKILL. Afterwards the
//! engine is asked whether the container really ended, because its answer to the stop does not say that.

use std::time::{Duration, Instant};

use formation::{Exit, RestartPolicy};
use serde_json::Value;

use crate::{Engine, Fault, condition};

/// An engine that fails sooner than this is asked once more.
const AT_ONCE: Duration = Duration::from_secs(1);
/// After this long.
const AGAIN: Duration = Duration::from_millis(100);

/// What became of a container that was to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It ran, and ended like this.
    Ended(Option<Exit>),
    /// It did not run.
    WasOver,
    /// There was no such container.
    WasGone,
    /// It still runs, for this reason.
    Remains(String),
    /// The engine did not answer, or not so that anybody understood: nobody knows whether it runs.
    Unknown(Fault),
}

impl End {
    /// Why the container may still run; `None` if it does not.
    pub fn unfinished(&self) -> Option<String> {
        match self {
            Self::Ended(_) | Self::WasOver | Self::WasGone => None,
            Self::Remains(reason) => Some(reason.clone()),
            Self::Unknown(fault) => Some(fault.to_string()),
        }
    }
}

impl Engine {
    /// Ends a container and sees to it that the engine does not start it again.
    pub async fn end(&self, id: &str, grace: impl FnOnce(&Value) -> Duration) -> End {
        match attempt(self, id, grace).await {
            Ok(end) => end,
            Err(fault) if fault.is_gone() => End::WasGone,
            Err(Fault::Refused { message, .. }) => {
                End::Remains(format!("end container {}: {message}", id.get(..12).unwrap_or(id)))
            }
            Err(fault) => End::Unknown(fault),
        }
    }
}

async fn attempt(engine: &Engine, id: &str, grace: impl FnOnce(&Value) -> Duration) -> Result<End, Fault> {
    let before = describe(engine, id).await?;
    let disarmed = engine.set_policy(id, RestartPolicy::No).await;
    if !is_up(&before) {
        return Ok(End::WasOver);
    }
    if before["State"]["Paused"] == true {
        // A container that is paused cannot react to SIGTERM. If this fails, the stop that follows fails too and says why.
        let _ = engine.unpause(id).await;
    }
    let stopped = stop(engine, id, grace(&before)).await;
    let mut after = describe(engine, id).await?;
    if is_up(&after) {
        let _ = engine.kill(id).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        after = describe(engine, id).await?;
    }
    if is_up(&after) {
        let fault = stopped.err().or(disarmed.err());
        let reason = fault.map_or("it runs on after SIGKILL".to_owned(), |fault| fault.reason().to_owned());
        return Ok(End::Remains(reason));
    }
    Ok(End::Ended(after["State"]["ExitCode"].as_i64().and_then(condition::exit_of)))
}

/// What the engine says of a container. One that fails at once is asked again, because much follows from the answer: a container that
/// has ended and counts as one that runs is not replaced.
async fn describe(engine: &Engine, id: &str) -> Result<Value, Fault> {
    let began = Instant::now();
    match engine.inspect(id).await {
        Err(fault) if !fault.is_gone() && began.elapsed() < AT_ONCE => {
            tokio::time::sleep(AGAIN).await;
            engine.inspect(id).await
        }
        answer => answer,
    }
}

/// An engine that fails before the grace period is over is asked again: what follows is SIGKILL.
async fn stop(engine: &Engine, id: &str, grace: Duration) -> Result<(), Fault> {
    let began = Instant::now();
    let stopped = engine.stop(id, grace).await;
    match grace.checked_sub(began.elapsed()) {
        Some(left) if stopped.is_err() => engine.stop(id, left).await,
        Some(_) | None => stopped,
    }
}

fn is_up(inspected: &Value) -> bool {
    let state = &inspected["State"];
    state["Running"] == true || state["Restarting"] == true
}
