//! The table of settings, sorted by name. A new row needs a field in `TypeSettings` whose value is read from text and displays as
//! text; nothing else in this crate.

use timetable::Schedule;

use crate::settings::TypeSettings;
use crate::value::{Constraints, EngineOptions, ExtraHosts, Labels, Mounts, Networks, Spread, Ulimits};

/// The longest value, in bytes: a property is one line, which people and Dokku read.
pub const LONGEST_VALUE: usize = 32 * 1024;

/// The structure of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value.
    Word,
    /// Elements separated by commas; no element contains a comma. In app.json it may be an array.
    List,
    /// As `List`, but an element may contain commas, which are then written `\,`.
    Elements,
    /// As `Elements`, with elements `name=value`. In app.json it may be an object too.
    Pairs,
}

/// One thing that can be set for a process type.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the table")]
#[derive(Debug)]
pub struct Setting {
    /// Its name as a property: `ps-set shop web.stop-timeout-seconds 45`.
    pub name: &'static str,
    /// Its name in app.json, under `formation.<type>`: `stop_timeout_seconds`.
    pub key: &'static str,
    /// Which values it takes, as a noun that follows "use".
    pub rule: &'static str,
    /// The value if none is set, for people; `None`: it has no effect.
    pub default: Option<&'static str>,
    /// What it is, as a fragment for people.
    pub meaning: &'static str,
    /// The structure of its value.
    pub shape: Shape,
    /// Whether it is a setting of one type alone, and cannot be set for all apps.
    pub is_local: bool,
    /// Whether docker-local supports it.
    pub is_for_containers: bool,
    /// Whether a swarm supports it. A setting that a swarm does not support, and that must not be ignored silently, is
    /// refused there.
    pub is_for_swarm: bool,
    /// Whether only a container engine can do it. The native scheduler supports all others.
    pub is_only_for_containers: bool,
    /// Whether a native instance keeps the value that it was started with. Any other setting takes effect as soon as the
    /// supervisor reads it.
    pub holds_from_start: bool,
    take: fn(&mut TypeSettings, &str) -> bool,
    /// What is wrong with a value, if the rule alone would not say enough.
    explain: fn(&str) -> Option<String>,
    /// Combines a value with a more general one, element by element; `None` if the whole value replaces the other.
    lay: fn(&str, &str) -> Option<String>,
    show: fn(&TypeSettings) -> Option<String>,
}

/// A row without any optional field.
const PLAIN: Setting = Setting {
    name: "",
    key: "",
    rule: "",
    default: None,
    meaning: "",
    shape: Shape::Word,
    is_local: false,
    is_for_containers: false,
    is_for_swarm: false,
    is_only_for_containers: false,
    holds_from_start: false,
    take: |_, _| false,
    explain: |_| None,
    lay: |_, _| None,
    show: |_| None,
};

/// A row of the table. The field of `TypeSettings` is also the name in app.json.
macro_rules! row {
    ($name:literal, $field:ident, default: $default:expr, rule: $rule:literal, meaning: $meaning:literal $(, $flag:ident: $value:expr)*) => {
        Setting {
            name: $name,
            key: stringify!($field),
            rule: $rule,
            default: $default,
            meaning: $meaning,
            $($flag: $value,)*
            take: |settings, text| text.parse().map(|value| settings.$field = Some(value)).is_ok(),
            show: |settings| settings.$field.as_ref().map(ToString::to_string),
            ..PLAIN
        }
    };
}

/// A row whose value is a list of elements that only an engine can use.
macro_rules! elements {
    ($kind:ident, $($row:tt)*) => {
        Setting {
            explain: |text| text.parse::<$kind>().err(),
            is_for_containers: true,
            is_for_swarm: true,
            is_only_for_containers: true,
            ..row!($($row)*)
        }
    };
}

/// A row that only a swarm can use.
macro_rules! of_nodes {
    ($($row:tt)*) => {
        Setting { is_for_swarm: true, is_only_for_containers: true, ..row!($($row)*) }
    };
}

/// A row for a list of named elements. An element replaces one of the same name in a more general value.
macro_rules! named_elements {
    ($kind:ident, $($row:tt)*) => {
        Setting {
            lay: |over, under| Some(over.parse::<$kind>().ok()?.over(&under.parse().ok()?).to_string()),
            ..elements!($kind, $($row)*)
        }
    };
}

pub(crate) const TABLE: &[Setting] = &[
    row!("after", after, default: None,
        rule: "types with commas between them, each with :started, :ready or :done behind it if need be, such as db,migrate:done",
        meaning: "other types whose instances must have started, be ready or be done before one of this type starts; a type that is named alone must be ready, or done if its restart-policy is no",
        shape: Shape::List, is_local: true, is_for_containers: true),
    row!("checks", checks, default: Some("asked"),
        rule: "asked, skipped or disabled",
        meaning: "whether the type's checks are made: skipped leaves out its startup checks, disabled all of them, and an instance that is replaced ends before the new one starts",
        is_for_containers: true, is_for_swarm: true, holds_from_start: true),
    Setting {
        explain: |text| text.parse::<Constraints>().err(),
        ..of_nodes!("constraints", constraints, default: None,
            rule: "what nodes must be, with commas between, such as node.role==worker,node.labels.disk==ssd; != is must not be",
            meaning: "the nodes of a swarm on which instances may run",
            shape: Shape::Elements)
    },
    row!("cpu-max", cpu_max, default: None,
        rule: "a number of CPUs such as 0.5 or 2, 0.01 to 1024, or 50% of one",
        meaning: "how much of the CPUs all processes of an instance have together",
        is_for_containers: true, is_for_swarm: true, holds_from_start: true),
    elements!(EngineOptions, "engine-options", engine_options, default: None,
        rule: "options with commas between them, such as cap-add=NET_ADMIN,shm-size=64m",
        meaning: "further options of the engine for a container; not every option of the engine can be set",
        shape: Shape::Pairs),
    of_nodes!("env-as-secrets", env_as_secrets, default: Some("no"),
        rule: "yes or no",
        meaning: "whether the environment comes as a secret of the swarm, and not in the specification of a service, which whoever may use a manager can read"),
    named_elements!(ExtraHosts, "extra-hosts", extra_hosts, default: None,
        rule: "names with addresses and commas between them, such as db:10.0.0.7,host:host-gateway",
        meaning: "names of hosts that a container knows in addition to those that name servers know",
        shape: Shape::Pairs),
    row!("failure-exit-codes", failure_exit_codes, default: None,
        rule: "exit statuses and names of signals, such as 0,SIGTERM",
        meaning: "ends that are a failure even if they would count as success; with 0, on-failure starts an instance again that ended with exit status 0",
        shape: Shape::List),
    row!("group", group, default: None,
        rule: "the name or the number of a group",
        meaning: "the group that instances run as; if it is not set, the group of the setting user",
        holds_from_start: true),
    row!("init", init, default: None,
        rule: "yes or no",
        meaning: "whether the engine's init is the first process of a container, and reaps processes that end; if it is not set yes, for services of a Compose file no",
        is_for_containers: true, is_for_swarm: true, is_only_for_containers: true),
    row!("io-priority", io_priority, default: None,
        rule: "idle, best-effort:<0 to 7> or realtime:<0 to 7>",
        meaning: "how early reads and writes of instances are served, compared with those of others: 0 is the first in its class",
        holds_from_start: true),
    named_elements!(Labels, "labels", labels, default: None,
        rule: "labels with commas between them, such as team=shop,tier=front",
        meaning: "labels of a container, in addition to those that say which instance it is",
        shape: Shape::Pairs),
    row!("limit-core", limit_core, default: None,
        rule: "a whole number of bytes, or unlimited",
        meaning: "how large a core dump may become (soft and hard limit)",
        is_for_containers: true, is_for_swarm: true, holds_from_start: true),
    row!("limit-nofile", limit_nofile, default: None,
        rule: "a whole number, or unlimited",
        meaning: "how many files a process may have open (soft and hard limit)",
        is_for_containers: true, is_for_swarm: true, holds_from_start: true),
    row!("log-max-age", log_max_age, default: Some("90d"),
        rule: "a whole number with m, h or d for minutes, hours or days",
        meaning: "how old a piece of a log may become before it is removed; a piece is written to for a tenth of that"),
    row!("log-max-files", log_max_files, default: Some("10"),
        rule: "a whole number, 1 to 10000",
        meaning: "how many pieces the log of an instance's stdout has, and that of its stderr"),
    row!("log-max-size", log_max_size, default: Some("10m"),
        rule: "a size such as 64m, 64MiB or 1.5g",
        meaning: "how large a piece of a log may become before the next one is begun"),
    row!("log-when-full", log_when_full, default: Some("drop"),
        rule: "drop or block",
        meaning: "what happens to output while the disk is full: it is dropped and counted, or the process that writes it waits"),
    row!("memory-max", memory_max, default: None,
        rule: "a size such as 64m, 64MiB or 1.5g",
        meaning: "how much memory, swap included, all processes of an instance have together; beyond it the kernel kills",
        is_for_containers: true, is_for_swarm: true, holds_from_start: true),
    row!("memory-restart", memory_restart, default: None,
        rule: "a size such as 64m, 64MiB or 1.5g",
        meaning: "how much memory an instance may use before another one takes its place, as in a restart",
        holds_from_start: true),
    named_elements!(Mounts, "mounts", mounts, default: None,
        rule: "mounts with commas between them, such as /srv/files:/files:ro,cache:/cache",
        meaning: "paths of the host and volumes of the engine that a container has in its file system",
        shape: Shape::Elements),
    elements!(Networks, "networks", networks, default: None,
        rule: "networks of the engine with commas between them",
        meaning: "the networks that a container is in; the first one takes the place of the engine's default network, and clients find the instance there",
        shape: Shape::Elements),
    row!("nice", nice, default: None,
        rule: "a whole number, -20 to 19",
        meaning: "the share of the CPU that instances get: with 19 they get the least",
        holds_from_start: true),
    row!("no-new-privileges", no_new_privileges, default: Some("no"),
        rule: "yes or no",
        meaning: "whether programs that an instance runs are kept from getting rights that the instance does not have, such as by setuid",
        is_for_containers: true, holds_from_start: true),
    row!("oom-score-adj", oom_score_adj, default: None,
        rule: "a whole number, -1000 to 1000",
        meaning: "how early the kernel kills a process when memory runs out: 1000 first, -1000 never",
        is_for_containers: true, holds_from_start: true),
    row!("pids-max", pids_max, default: None,
        rule: "a whole number, 1 to 4194304",
        meaning: "how many processes and threads an instance may have at a time; beyond it no more can be started",
        is_for_containers: true, is_for_swarm: true, holds_from_start: true),
    row!("port", port, default: None,
        rule: "a whole number, 1 to 65535",
        meaning: "PORT of the type's first instance; the second one gets the next number. On a swarm with publish the port at which nodes are asked",
        is_local: true, is_for_swarm: true, holds_from_start: true),
    row!("private-tmp", private_tmp, default: Some("no"),
        rule: "yes or no",
        meaning: "whether an instance has an empty /tmp and /var/tmp of its own, in memory, gone when it ends",
        holds_from_start: true),
    of_nodes!("publish", publish, default: Some("none"),
        rule: "host, ingress or none",
        meaning: "where clients outside of a swarm reach instances: each at a port of its node, or all of them at one port of every node; the setting port says which one, else the swarm chooses it"),
    row!("ready", ready, default: None,
        rule: "listening, notify or alive",
        meaning: "what makes an instance ready beside its startup checks: that one of its processes listens on its port (web without startup checks, where nobody set it), that it says READY=1, or that it has lived for a second (any other type)",
        holds_from_start: true),
    row!("reload-signal", reload_signal, default: None,
        rule: "a signal: SIGHUP, HUP or 1",
        meaning: "the signal that has a main process read its configuration again; without one, reload restarts"),
    row!("require-limits", require_limits, default: Some("no"),
        rule: "yes or no",
        meaning: "whether a deploy is refused if memory-max, cpu-max or pids-max cannot be applied on this machine; with no, a message says so"),
    row!("restart-delay", restart_delay, default: Some("100ms"),
        rule: "a length of time such as 100ms, 5s or 1m",
        meaning: "the delay before an instance is started again that ended before the time of stable-after; doubled with each such end in a row"),
    row!("restart-delay-max", restart_delay_max, default: Some("1m"),
        rule: "a length of time such as 100ms, 5s or 1m",
        meaning: "the longest of these delays"),
    row!("restart-policy", restart_policy, default: Some("on-failure:10"),
        rule: "no, always, unless-stopped, on-failure or on-failure:<retries>",
        meaning: "whether an instance that ends by itself is started again",
        is_for_containers: true, is_for_swarm: true),
    row!("run-timeout", run_timeout, default: None,
        rule: "a length of time such as 100ms, 5s or 1m",
        meaning: "how long one run may take; then it is ended as in a stop, and has failed",
        holds_from_start: true),
    Setting {
        explain: |text| text.parse::<Schedule>().err().map(|error| error.to_string()),
        ..row!("schedule", schedule, default: None,
            rule: "five fields (minute, hour, day of the month, month, day of the week) or @hourly, @daily, @weekly, @monthly, @yearly",
            meaning: "when the type's instances run; without one they always do",
            is_local: true)
    },
    row!("schedule-missed", schedule_missed, default: Some("skip"),
        rule: "skip or run-once",
        meaning: "what happens to times of the schedule that came while the supervisor or the machine was down: nothing, or one run for all of them"),
    row!("schedule-overlap", schedule_overlap, default: Some("forbid"),
        rule: "forbid, allow or replace",
        meaning: "what happens to a run that is due while the one before it still runs: it is left out, runs beside it, or takes its place"),
    row!("schedule-zone", schedule_zone, default: None,
        rule: "the name of a time zone such as Europe/Berlin or UTC",
        meaning: "the time zone of the schedule; if it is not set, that of the machine"),
    Setting {
        explain: |text| text.parse::<Spread>().err(),
        ..of_nodes!("spread", spread, default: None,
            rule: "labels of nodes with commas between them, such as node.labels.zone",
            meaning: "instances are spread evenly over the values that nodes of a swarm have for the first label, then within each of them for the next one",
            shape: Shape::Elements)
    },
    row!("stable-after", stable_after, default: Some("10s"),
        rule: "a length of time such as 100ms, 5s or 1m",
        meaning: "how long an instance must live so that it is started again at once when it ends, and earlier ends are forgotten"),
    row!("start-limit", start_limit, default: None,
        rule: "1 to 50 starts and a length of time, such as 5/10m",
        meaning: "how many restarts are allowed within that time; an instance that would be restarted more often is given up"),
    row!("start-timeout-seconds", start_timeout_seconds, default: None,
        rule: "whole seconds, 1 to 86400",
        meaning: "how long an instance is given to become ready",
        holds_from_start: true),
    row!("stop-command", stop_command, default: None,
        rule: "a command line",
        meaning: "a command that is run when an instance is to end, for as long as the instance is given to end at most; the stop signal follows"),
    row!("stop-signal", stop_signal, default: Some("SIGTERM"),
        rule: "a signal: SIGQUIT, QUIT or 3",
        meaning: "the signal that asks an instance to end",
        is_for_containers: true, is_for_swarm: true),
    row!("stop-timeout-seconds", stop_timeout_seconds, default: Some("30"),
        rule: "whole seconds, 0 to 86400",
        meaning: "how long an instance is given to end before it is killed",
        is_for_containers: true, is_for_swarm: true),
    row!("stop-tree", stop_tree, default: Some("whole"),
        rule: "whole or main",
        meaning: "who gets the stop signal: every process of an instance, or its main process alone; processes that are left when the time is up are killed"),
    row!("success-exit-codes", success_exit_codes, default: Some("0"),
        rule: "exit statuses and names of signals, such as 3,SIGTERM",
        meaning: "ends that are no failure, besides exit status 0",
        shape: Shape::List),
    named_elements!(Ulimits, "ulimits", ulimits, default: None,
        rule: "limits with commas between them, soft and hard, such as nofile=1024:2048,core=0",
        meaning: "limits of each process of a container, by the engine's names for them; if limit-nofile or limit-core is set too, both must have the same value",
        shape: Shape::Pairs),
    row!("umask", umask, default: None,
        rule: "an octal number such as 022 or 0077",
        meaning: "which rights the files that a process creates do not get",
        holds_from_start: true),
    row!("user", user, default: None,
        rule: "the name or the number of a user",
        meaning: "the user that instances run as, with its groups; HOME, USER, LOGNAME and SHELL follow",
        holds_from_start: true),
    row!("watch-delay", watch_delay, default: Some("300ms"),
        rule: "a length of time such as 100ms, 5s or 1m",
        meaning: "how long none of the files of watch-paths must have changed before the restart; with more than 10s, the restart waits for at most that long"),
    row!("watch-ignore", watch_ignore, default: None,
        rule: "patterns of names, or of paths where a / stands in them, with commas between them",
        meaning: "what may change without a restart, in addition to logs, temporary files and the files of version control",
        shape: Shape::List),
    row!("watch-paths", watch_paths, default: None,
        rule: "paths below the app's directory, with commas between them",
        meaning: "files and directories whose change restarts the type's instances; . is the whole directory",
        shape: Shape::List),
    row!("watchdog-seconds", watchdog_seconds, default: None,
        rule: "whole seconds, 1 to 86400",
        meaning: "how often an instance has to say WATCHDOG=1; one that does not is started again",
        holds_from_start: true),
];

impl Setting {
    /// Every setting, sorted by name.
    pub fn all() -> &'static [Self] {
        TABLE
    }

    /// The setting of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|setting| setting.name == name)
    }

    /// The setting whose name is most similar to a word, regardless of `-` and `_`.
    pub fn nearest(word: &str) -> Option<&'static Self> {
        // A word of more than twice a name's length is not a misspelling of it.
        let word = letters(word.get(..word.len().min(40))?);
        let slips = |setting: &&Self| strsim::osa_distance(&letters(setting.name), &word);
        let near = TABLE
            .iter()
            .filter(|setting| slips(setting) <= (setting.name.len() / 3).min(2))
            .min_by_key(slips);
        // The first word alone, as Docker and Compose call it: memory, cpu, pids.
        let begins =
            |setting: &&Self| setting.name.split('-').next().is_some_and(|first| letters(first) == word);
        near.or_else(|| TABLE.iter().find(begins))
    }

    /// Reads a value into the settings of a type. False, with nothing changed, if it is not valid.
    #[must_use]
    pub fn take(&self, text: &str, settings: &mut TypeSettings) -> bool {
        let is_line = text.len() <= LONGEST_VALUE && !text.contains(['\n', '\0']);
        is_line && (self.take)(settings, text)
    }

    /// Why a text is not one of its values, as a fragment for people.
    pub fn fault(&self, text: &str) -> Option<String> {
        (!self.accepts(text)).then(|| self.explained(text).unwrap_or_else(|| format!("use {}", self.rule)))
    }

    /// What exactly is wrong with a text, if the rule alone would not say enough.
    pub fn explained(&self, text: &str) -> Option<String> {
        (self.explain)(text)
    }

    /// A value that overrides the value of another file, such as a Compose file. If its elements have names, elements of the
    /// other value with other names are kept. For any other setting, and for an invalid value, it is the whole value.
    pub fn laid_over(&self, over: &str, under: &str) -> String {
        (self.lay)(over, under).unwrap_or_else(|| over.to_owned())
    }

    /// Whether a text is one of its values.
    pub fn accepts(&self, text: &str) -> bool {
        self.take(text, &mut TypeSettings::default())
    }

    /// Its value in the settings of a type, if it was set.
    pub fn text(&self, settings: &TypeSettings) -> Option<String> {
        (self.show)(settings)
    }
}

/// A name without the characters that people put between its words.
fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests;
