//! Calls to the engine that may take minutes, and end when the verb is cancelled.

use std::time::Duration;

use ps_scheduler::{Cancel, Error};

/// The pause between two looks whether the verb was cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// Waits for a call. If the verb is cancelled, the connection is closed, which ends the call in the engine too.
pub(crate) async fn unless_cancelled<T>(cancel: &Cancel, call: impl Future<Output = T>) -> Result<T, Error> {
    let mut call = std::pin::pin!(call);
    loop {
        if let Ok(done) = tokio::time::timeout(LOOK, call.as_mut()).await {
            return Ok(done);
        }
        cancel.check()?;
    }
}
