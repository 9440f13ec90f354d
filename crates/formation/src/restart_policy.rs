//! What happens to an instance that ends by itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:<n>`, as in Dokku.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// It stays down.
    No,
    /// It is started again, whatever its exit status.
    Always,
    /// As `always`; after a stop by hand the instance also stays stopped after a reboot.
    UnlessStopped,
    /// It is started again after a failure, at most that many times in a row (`None`: for ever).
    OnFailure(Option<u32>),
}

/// Text that is not a restart policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no restart policy: use no, always, unless-stopped, on-failure or on-failure:<retries>")]
pub struct InvalidRestartPolicy(pub String);

impl Default for RestartPolicy {
    /// Dokku's default, `on-failure:10`.
    fn default() -> Self {
        Self::OnFailure(Some(10))
    }
}

impl FromStr for RestartPolicy {
    type Err = InvalidRestartPolicy;

    fn from_str(word: &str) -> Result<Self, InvalidRestartPolicy> {
        match word {
            "no" => Ok(Self::No),
            "always" => Ok(Self::Always),
            "unless-stopped" => Ok(Self::UnlessStopped),
            "on-failure" => Ok(Self::OnFailure(None)),
            _ => word
                .strip_prefix("on-failure:")
                .filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|n| n.parse().ok())
                .map(|n| Self::OnFailure(Some(n)))
                .ok_or_else(|| InvalidRestartPolicy(word.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
            Self::OnFailure(None) => f.write_str("on-failure"),
            Self::OnFailure(Some(retries)) => write!(f, "on-failure:{retries}"),
        }
    }
}

impl Serialize for RestartPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RestartPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_reads_back_as_written_and_garbage_is_refused() {
        for word in ["no", "always", "unless-stopped", "on-failure", "on-failure:10"] {
            assert_eq!(word.parse::<RestartPolicy>().map(|p| p.to_string()), Ok(word.to_owned()));
        }
        for word in ["", "sometimes", "on-failure:", "on-failure:abc", "on-failure:-1", "on-failure:+1"] {
            assert!(word.parse::<RestartPolicy>().is_err(), "{word}");
        }
    }
}
