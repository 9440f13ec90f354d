//! Ends one container. Its restart policy is set to `no`; it gets SIGTERM, then its grace period, then SIGKILL.
//! Afterwards the engine is asked whether the container has really ended, because the answer to the stop does not say
//! so.

use std::time::{Duration, Instant};

use formation::{Exit, RestartPolicy};
use serde_json::Value;

use crate::{Engine, Fault, condition};

/// If the engine fails sooner than this, the call is repeated once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The pause before the call is repeated.
const AGAIN: Duration = Duration::from_millis(100);

/// The result for a container that was to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It ran, and ended in this way.
    Ended(Option<Exit>),
    /// It was not running.
    WasOver,
    /// There was no such container.
    WasGone,
    /// It still runs; the text is the reason.
    Remains(String),
    /// The engine gave no usable answer, so it is not known whether the container runs.
    Unknown(Fault),
}

impl End {
    /// Why the container may still be running; `None` if it is not.
    pub fn unfinished(&self) -> Option<String> {
        match self {
            Self::Ended(_) | Self::WasOver | Self::WasGone => None,
            Self::Remains(reason) => Some(reason.clone()),
            Self::Unknown(fault) => Some(fault.to_string()),
        }
    }
}

impl Engine {
    /// Ends a container, and prevents the engine from starting it again.
    pub async fn end(&self, id: &str, grace: impl FnOnce(&Value) -> Duration) -> End {
        match attempt(self, id, grace).await {
            Ok(end) => end,
            Err(fault) if fault.is_gone() => End::WasGone,
            Err(fault @ Fault::Refused { .. }) => {
                End::Remains(format!("end container {}: {fault}", id.get(..12).unwrap_or(id)))
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
        // A paused container cannot react to SIGTERM. If this call fails, the stop that follows fails too and says
        // why.
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
        let reason = fault.map_or("it still runs after SIGKILL".to_owned(), |fault| fault.to_string());
        return Ok(End::Remains(reason));
    }
    Ok(End::Ended(after["State"]["ExitCode"].as_i64().and_then(condition::exit_of)))
}

/// The engine's description of a container. If the call fails at once, it is made again, because much depends on the
/// answer: a container that has ended but counts as running would not be replaced.
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

/// If the call fails before the grace period is over, it is made again, because the next step is SIGKILL.
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
