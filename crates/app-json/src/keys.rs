//! Every key that app.json may have, of Dokku and of Heroku, and whether Formation reads it. A key that is in none of
//! these tables may be a typing error.

use type_settings::Setting;

/// The keys of one object of the file.
pub(crate) type Keys<'a> = &'a [(&'static str, Use)];

/// What happens to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It is read.
    Read,
    /// It describes the app to people and asks for nothing, so it is skipped without a remark.
    Silent,
    /// It asks for something that is not done. The text says what to do instead.
    Unread(&'static str),
}

use Use::{Read, Silent, Unread};

const HEROKUS: Use = Unread("it is Heroku's");

/// The keys of the whole file.
pub(crate) const TOP: Keys<'_> = &[
    ("$schema", Silent),
    ("addons", HEROKUS),
    ("buildpacks", HEROKUS),
    ("cron", Read),
    ("description", Silent),
    ("env", Unread("variables come from .env beside the Procfile, or from --env-file")),
    ("environments", HEROKUS),
    ("formation", Read),
    ("healthchecks", Read),
    ("image", HEROKUS),
    ("keywords", Silent),
    ("logo", Silent),
    ("name", Silent),
    ("repository", Silent),
    ("scripts", Read),
    ("stack", HEROKUS),
    ("success_url", Silent),
    ("version", Silent),
    ("website", Silent),
];

/// The keys of `formation.<type>`: Dokku's own, and the settings of a process type.
pub(crate) fn formation() -> Vec<(&'static str, Use)> {
    FORMATION.iter().copied().chain(Setting::all().iter().map(|setting| (setting.key, Read))).collect()
}

const FORMATION: Keys<'_> = &[
    ("autoscaling", Unread("the count is the one that quantity, or ps-scale, says")),
    ("max_parallel", Read),
    ("quantity", Read),
    ("resource", Unread("memory_max, cpu_max and pids_max set limits")),
    ("service", Unread("it is for Kubernetes")),
    ("size", HEROKUS),
    ("strategy", Read),
];

/// `scripts`.
pub(crate) const SCRIPTS: Keys<'_> = &[
    ("dokku", Read),
    ("postdeploy", Read),
    ("predeploy", Unread("Dokku looks for it in scripts.dokku")),
    ("test", HEROKUS),
    ("test-setup", HEROKUS),
];

/// `scripts.dokku`.
pub(crate) const DOKKU: Keys<'_> = &[("postdeploy", Read), ("predeploy", Read)];

/// `cron[n]`.
pub(crate) const CRON: Keys<'_> = &[
    ("command", Read),
    ("concurrency_policy", Read),
    ("maintenance", Read),
    ("schedule", Read),
    ("task_name", Silent),
];

/// `healthchecks.<type>[n]`.
pub(crate) const HEALTHCHECK: Keys<'_> = &[
    ("attempts", Read),
    ("command", Read),
    ("content", Read),
    ("description", Silent),
    ("httpHeaders", Read),
    ("initialDelay", Read),
    ("interval", Read),
    ("listening", Read),
    ("name", Read),
    ("onFailure", Read),
    ("path", Read),
    ("port", Read),
    ("scheme", Read),
    ("threshold", Read),
    ("timeout", Read),
    ("type", Read),
    ("uptime", Read),
    ("wait", Read),
    ("warn", Read),
];

/// `healthchecks.<type>[n].httpHeaders[n]`.
pub(crate) const HEADER: Keys<'_> = &[("name", Read), ("value", Read)];

/// `healthchecks.<type>[n].onFailure`.
pub(crate) const ON_FAILURE: Keys<'_> = &[("command", Read), ("url", Read)];

/// The key with this name, in any case.
pub(crate) fn find(keys: Keys<'_>, name: &str) -> Option<(&'static str, Use)> {
    keys.iter().copied().find(|(key, _)| key.eq_ignore_ascii_case(name))
}

/// Whether a key is used as a comment, because JSON has none: `"//": "text"`.
pub(crate) fn is_comment(name: &str) -> bool {
    name.starts_with(['_', '#']) || name.starts_with("//") || name.eq_ignore_ascii_case("comment")
}

/// The key that was probably meant by a name that is not known.
pub(crate) fn nearest(keys: Keys<'_>, name: &str) -> Option<&'static str> {
    // Only the beginning of a long name is compared. A typing error does not double the length of a name.
    let name = name.get(..name.len().min(40)).map(letters)?;
    let slips = |key: &str| strsim::osa_distance(&letters(key), &name);
    let read = keys.iter().filter(|(_, meaning)| *meaning != Silent).map(|(key, _)| *key);
    let near = read.filter(|key| slips(key) <= (key.len() / 3).min(2));
    near.min_by_key(|key| slips(key))
}

/// A name without the characters that people put between its words: `health_checks` and `health-checks` are one name.
fn letters(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).map(|c| c.to_ascii_lowercase()).collect()
}
