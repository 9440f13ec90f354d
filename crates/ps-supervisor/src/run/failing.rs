//! What a run that lived may not have done.

/// What a run that lived did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    /// It did not become ready in time.
    NotReady,
    /// A liveness check failed.
    Unhealthy,
    /// It did not say that it lives.
    Watchdog,
}

impl Failing {
    /// The word in its reason.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "not ready",
            Self::Unhealthy => "unhealthy",
            Self::Watchdog => "watchdog",
        }
    }
}
