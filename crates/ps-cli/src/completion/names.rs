//! The names of what exists, read from files alone. Files that cannot be read yield no names.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use clap_complete::engine::CompletionCandidate;
use ps_apps::World;

use super::Line;

/// The most instances of a type that are offered.
const MAX_INSTANCES: u16 = 64;

/// A word that may stand at the cursor, with its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    word: String,
    help: Option<String>,
}

impl Name {
    /// A word.
    pub fn new(word: impl Into<String>) -> Self {
        Self { word: word.into(), help: None }
    }

    /// A word with its description; shells that show descriptions show the first line.
    pub fn with_help(word: impl Into<String>, help: impl Into<String>) -> Self {
        Self { word: word.into(), help: Some(help.into()) }
    }

    /// The word.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// Whether a shell takes the word literally. bash puts it into the line without quotes, so a name such as `$(reboot)` must not be
    /// offered.
    fn is_plain(&self) -> bool {
        let is_plain = |c: char| c.is_alphanumeric() || "._-+,:=@%/".contains(c);
        !self.word.is_empty() && self.word.chars().all(is_plain)
    }
}

/// The names that begin with the word at the cursor, each once.
pub(super) fn matching(names: Vec<Name>, current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let fitting = names.into_iter().filter(|name| name.word.starts_with(current) && name.is_plain());
    let harmless = |help: String| help.replace(char::is_control, "\u{fffd}").into();
    fitting
        .filter(|name| seen.insert(name.word.clone()))
        .map(|name| CompletionCandidate::new(name.word).help(name.help.map(harmless)))
        .collect()
}

/// The apps of the world.
pub fn apps(line: &Line) -> Vec<Name> {
    let apps = line.world().and_then(|world| world.apps().ok()).unwrap_or_default();
    apps.into_iter().map(|app| Name::new(app.name.to_string())).collect()
}

/// The apps that were not named yet; after an app also its types and instances.
pub(super) fn apps_then_instances(line: &Line) -> Vec<Name> {
    let (mut names, given) = (apps(line), line.given("words"));
    names.retain(|name| !given.contains(&name.word));
    names.extend(types_and_instances(line));
    names
}

/// The types of the app.
pub(super) fn types(line: &Line) -> Vec<Name> {
    formation(line).into_iter().map(|(name, _)| Name::new(name)).collect()
}

/// The types of the app, and the instances of each.
pub(super) fn types_and_instances(line: &Line) -> Vec<Name> {
    let mut names = types(line);
    names.extend(instances(line));
    names
}

/// The instances of the app.
pub(super) fn instances(line: &Line) -> Vec<Name> {
    let of_type =
        |(name, count): (String, u16)| (1..=count.min(MAX_INSTANCES)).map(move |n| format!("{name}.{n}"));
    formation(line).into_iter().flat_map(of_type).map(Name::new).collect()
}

/// The types of the app, each as `<type>=`, to be followed by a count.
pub(super) fn counts(line: &Line) -> Vec<Name> {
    let shown = |(name, count)| Name::with_help(format!("{name}="), format!("now {count}"));
    formation(line).into_iter().map(shown).collect()
}

/// The worlds of this user. The usual one is offered even if nothing is in it yet.
pub(super) fn worlds(_: &Line) -> Vec<Name> {
    let usual = World::usual().ok();
    let others = usual.as_ref().map(World::others).unwrap_or_default();
    usual.iter().chain(&others).map(|world| Name::new(world.name())).collect()
}

/// The types of the app that was named before the cursor, with their counts: those that have one, and those of its Procfile.
fn formation(line: &Line) -> Vec<(String, u16)> {
    let (Some(world), Some(app)) = (line.world(), line.app()) else { return Vec::new() };
    let stored = world.formation(&app).unwrap_or_default();
    let mut counts: Vec<(String, u16)> = stored
        .effective()
        .into_iter()
        .map(|(name, count)| (name.to_owned(), u16::try_from(count).unwrap_or(0)))
        .collect();
    for known in world.known_types(&app).ok().flatten().unwrap_or_default() {
        if !counts.iter().any(|(name, _)| *name == *known.as_str()) {
            counts.push((known.to_string(), 0));
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_need_no_quotes_are_offered_and_help_has_no_control_characters() {
        let words = ["api", "a b", "a$(reboot)", "a;b", "a*", "a\u{1b}[2J", "a`b`", "", "äpi", "a:b", "api"];
        let names = words.iter().map(|word| Name::with_help(*word, "one\u{1b}[2J\ntwo")).collect();
        let found = matching(names, OsStr::new(""));
        let shown: Vec<String> =
            found.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect();
        assert_eq!(shown, ["api", "äpi", "a:b"]);
        let help = found[0].get_help().expect("it has one").to_string();
        assert!(!help.contains(char::is_control), "{help:?}");
    }
}
