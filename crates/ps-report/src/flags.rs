//! The flags of a report and where their values come from (docs/programs/ps-report.md#values). Text, JSON and CSV are all sorted
//! by the flag's name.

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
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
pub(crate) const OF_APPS: &[(&str, Source)] = &[
    ("--deployed", Source::Deployed),
    ("--processes", Source::Processes),
    ("--ps-can-scale", Source::CanScale),
    ("--ps-computed-dockerfile-start-cmd", Source::Own("dockerfile-start-cmd")),
    ("--ps-computed-procfile-path", Source::Computed("procfile-path")),
    ("--ps-computed-restart-policy", Source::Computed("restart-policy")),
    ("--ps-computed-skip-deploy", Source::Computed("skip-deploy")),
    ("--ps-computed-start-cmd", Source::Own("start-cmd")),
    ("--ps-computed-stop-timeout-seconds", Source::Computed("stop-timeout-seconds")),
    ("--ps-dockerfile-start-cmd", Source::Own("dockerfile-start-cmd")),
    ("--ps-global-procfile-path", Source::Global("procfile-path")),
    ("--ps-global-restart-policy", Source::Global("restart-policy")),
    ("--ps-global-skip-deploy", Source::Global("skip-deploy")),
    ("--ps-global-stop-timeout-seconds", Source::Global("stop-timeout-seconds")),
    ("--ps-procfile-path", Source::Own("procfile-path")),
    ("--ps-restart-policy", Source::Own("restart-policy")),
    ("--ps-skip-deploy", Source::Own("skip-deploy")),
    ("--ps-start-cmd", Source::Own("start-cmd")),
    ("--ps-stop-timeout-seconds", Source::Own("stop-timeout-seconds")),
    ("--restore", Source::Restore),
    ("--running", Source::Running),
];

/// The beginning of the flags that tell what one instance does.
pub(crate) const STATUS: &str = "--status-";

/// The flags that `--global` has, sorted.
pub(crate) fn of_global() -> impl Iterator<Item = (&'static str, Source)> {
    OF_APPS.iter().copied().filter(|(_, source)| matches!(source, Source::Computed(_) | Source::Global(_)))
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
