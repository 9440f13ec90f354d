//! The flags of a report, and the sources of their values (docs/programs/ps-report.md#values). Text, JSON and CSV are
//! all sorted by the name of the flag.

/// The source of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlagOrigin {
    /// Whether the app was ever deployed.
    Deployed,
    /// The number of instances.
    Processes,
    /// Whether the instances run.
    Running,
    /// Whether the app is started after a reboot, from the stored property: every value except `false` means yes.
    Restore,
    /// Whether counts may be set by hand. If nothing is stored, they may.
    CanScale,
    /// The property of the app itself.
    Own(&'static str),
    /// The property of the app, or else the global one, or else the default.
    Computed(&'static str),
    /// The global property.
    Global(&'static str),
}

/// Every flag of an app except `--status-…`, sorted.
pub(crate) const OF_APPS: &[(&str, FlagOrigin)] = &[
    ("--deployed", FlagOrigin::Deployed),
    ("--processes", FlagOrigin::Processes),
    ("--ps-can-scale", FlagOrigin::CanScale),
    ("--ps-computed-dockerfile-start-cmd", FlagOrigin::Own("dockerfile-start-cmd")),
    ("--ps-computed-procfile-path", FlagOrigin::Computed("procfile-path")),
    ("--ps-computed-restart-policy", FlagOrigin::Computed("restart-policy")),
    ("--ps-computed-skip-deploy", FlagOrigin::Computed("skip-deploy")),
    ("--ps-computed-start-cmd", FlagOrigin::Own("start-cmd")),
    ("--ps-computed-stop-timeout-seconds", FlagOrigin::Computed("stop-timeout-seconds")),
    ("--ps-dockerfile-start-cmd", FlagOrigin::Own("dockerfile-start-cmd")),
    ("--ps-global-procfile-path", FlagOrigin::Global("procfile-path")),
    ("--ps-global-restart-policy", FlagOrigin::Global("restart-policy")),
    ("--ps-global-skip-deploy", FlagOrigin::Global("skip-deploy")),
    ("--ps-global-stop-timeout-seconds", FlagOrigin::Global("stop-timeout-seconds")),
    ("--ps-procfile-path", FlagOrigin::Own("procfile-path")),
    ("--ps-restart-policy", FlagOrigin::Own("restart-policy")),
    ("--ps-skip-deploy", FlagOrigin::Own("skip-deploy")),
    ("--ps-start-cmd", FlagOrigin::Own("start-cmd")),
    ("--ps-stop-timeout-seconds", FlagOrigin::Own("stop-timeout-seconds")),
    ("--restore", FlagOrigin::Restore),
    ("--running", FlagOrigin::Running),
];

/// Where the app is reached, if it has an address: a row that Dokku does not have, so not inside Dokku.
pub(crate) const LISTEN: &str = "--listen";

/// The beginning of the flags that show the state of one instance.
pub(crate) const STATUS: &str = "--status-";

/// The flags of `--global`, sorted.
pub(crate) fn of_global() -> impl Iterator<Item = (&'static str, FlagOrigin)> {
    OF_APPS
        .iter()
        .copied()
        .filter(|(_, origin)| matches!(origin, FlagOrigin::Computed(_) | FlagOrigin::Global(_)))
}

/// Whether the scheduler must be asked for the value of this flag.
pub(crate) fn needs_status(flag: &str) -> bool {
    matches!(flag, "--processes" | "--running") || flag.starts_with(STATUS)
}

/// The keys of a flag in JSON: without `--ps-`, and the older one that begins with `ps-`.
pub(crate) fn keys(flag: &str) -> (&str, Option<&str>) {
    let plain = flag.strip_prefix("--").unwrap_or(flag);
    match plain.strip_prefix("ps-") {
        Some(key) => (key, Some(plain)),
        None => (plain, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_sorted_and_unique() {
        assert!(OF_APPS.is_sorted_by(|one, next| one.0 < next.0));
    }
}
