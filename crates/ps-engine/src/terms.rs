//! The words of a formation in those of the engine.

use std::time::Duration;

use bollard::models::{RestartPolicy as EnginePolicy, RestartPolicyNameEnum};
use formation::RestartPolicy;

/// A policy in the engine's words.
pub fn restart_policy(policy: RestartPolicy) -> EnginePolicy {
    let (name, retries) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::Always => (RestartPolicyNameEnum::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        RestartPolicy::OnFailure(retries) => (RestartPolicyNameEnum::ON_FAILURE, retries.map(i64::from)),
    };
    EnginePolicy { name: Some(name), maximum_retry_count: retries }
}

/// A grace period in the engine's whole seconds, rounded up.
pub fn seconds(grace: Duration) -> i32 {
    let seconds = grace.as_secs().saturating_add(u64::from(grace.subsec_nanos() > 0));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_period_is_never_cut_short() {
        assert_eq!(seconds(Duration::from_millis(1500)), 2);
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }
}
