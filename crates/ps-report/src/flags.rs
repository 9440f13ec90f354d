//! The flags of a report and where their values come from (docs/programs/ps-report.md#values). Text, JSON and CSV are all sorted
//! by the flag's name.

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlagOrigin {
    /// Whether it was ever deployed.
    Deployed,
    /// How many instances there are.
    Processes,
    /// Whether they run.
    Running,
    /// Whether it is started after a reboot, as it is stored: anything but `false` is yes.
    Restore,
    /// Whether counts may be set by hand: nothing stored is yes.
    CanScale,
    /// The app's own property.
    Own(&'static str),
    /// The app's own, else the global one, else the default.
    Computed(&'static str),
    /// The global property.
    Global(&'static str),
}

/// Every flag of an app but `--status-…`, sorted.
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

/// The beginning of the flags that tell what one instance does.
pub(crate) const STATUS: &str = "--status-";

/// The flags that `--global` has, sorted.
pub(crate) fn of_global() -> impl Iterator<Item = (&'static str, FlagOrigin)> {
    OF_APPS
        .iter()
        .copied()
        .filter(|(_, origin)| matches!(origin, FlagOrigin::Computed(_) | FlagOrigin::Global(_)))
}

/// Whether an app's flag of this name needs the scheduler to be asked.
pub(crate) fn needs_status(flag: &str) -> bool {
    matches!(flag, "--processes" | "--running") || flag.starts_with(STATUS)
}

/// The keys under which JSON has a flag: without `--ps-`, and the older one with `ps-`.
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
