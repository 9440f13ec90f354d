//! Translates restart policies and times between the types of this project and the engine's.

use std::time::Duration;

use bollard::models::{RestartPolicy as EnginePolicy, RestartPolicyNameEnum};
use formation::RestartPolicy;
use serde_json::Value;

/// A restart policy in the engine's type.
pub fn restart_policy(policy: RestartPolicy) -> EnginePolicy {
    let (name, retries) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::Always => (RestartPolicyNameEnum::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        RestartPolicy::OnFailure(retries) => (RestartPolicyNameEnum::ON_FAILURE, retries.map(i64::from)),
    };
    EnginePolicy { name: Some(name), maximum_retry_count: retries }
}

/// A restart policy from the engine's description; `None` if it is unknown.
pub fn policy_of(inspected: &Value) -> Option<RestartPolicy> {
    match inspected["Name"].as_str()? {
        "" | "no" => Some(RestartPolicy::No),
        "always" => Some(RestartPolicy::Always),
        "unless-stopped" => Some(RestartPolicy::UnlessStopped),
        "on-failure" => {
            let retries = inspected["MaximumRetryCount"].as_u64().filter(|retries| *retries > 0);
            Some(RestartPolicy::OnFailure(retries.and_then(|retries| retries.try_into().ok())))
        }
        _ => None,
    }
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
    fn a_policy_that_the_engine_was_given_reads_back() {
        for word in ["no", "always", "unless-stopped", "on-failure", "on-failure:7"] {
            let policy = word.parse().expect("a policy");
            let given = serde_json::to_value(restart_policy(policy)).expect("JSON");
            assert_eq!(policy_of(&given), Some(policy), "{word}: {given}");
        }
    }

    #[test]
    fn a_grace_period_is_never_cut_short() {
        assert_eq!(seconds(Duration::from_millis(1500)), 2);
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }
}
