//! The command line up to the cursor.

use std::ffi::OsString;
use std::path::Path;

use clap::{ArgMatches, Command};
use formation::AppName;
use ps_apps::World;

/// The command line up to the cursor.
#[derive(Debug)]
pub struct Line {
    command: fn() -> Command,
    /// The words before that at the cursor; the program's name first.
    before: Vec<OsString>,
    /// The word at the cursor, up to the cursor.
    current: String,
    /// The beginning of `current` that the shell treats as a word of its own and does not replace.
    kept: String,
}

impl Line {
    /// The line made of these words, of which the last one ends at the cursor. bash splits words at `=` and `:`
    /// (`--world=pm2` becomes `--world`, `=`, `pm2`); they are joined again. `None`: there is no word, or the word at the
    /// cursor is not UTF-8.
    pub(super) fn of(command: fn() -> Command, words: Vec<OsString>) -> Option<Self> {
        let mut before: Vec<OsString> = Vec::new();
        let (mut kept, mut is_joined) = (OsString::new(), false);
        for word in words {
            let is_break = word == "=" || word == ":";
            kept = match before.last_mut() {
                Some(last) if is_break || is_joined => {
                    let start = if is_break { OsString::new() } else { last.clone() };
                    last.push(&word);
                    if is_break { last.clone() } else { start }
                }
                _ => {
                    before.push(word);
                    OsString::new()
                }
            };
            is_joined = is_break;
        }
        let current = before.pop()?.into_string().ok()?;
        Some(Self { command, before, current, kept: kept.into_string().ok()? })
    }

    /// The words that an argument was given before the cursor, by the identifier of its field.
    pub fn given(&self, argument: &str) -> Vec<String> {
        let parsed = (self.command)().ignore_errors(true).try_get_matches_from(&self.before);
        let mut matches: Option<&ArgMatches> = parsed.as_ref().ok();
        while let Some((_, below)) = matches.and_then(ArgMatches::subcommand) {
            matches = Some(below);
        }
        let values = matches.and_then(|matches| matches.try_get_raw(argument).ok().flatten());
        values.into_iter().flatten().map(|value| value.to_string_lossy().into_owned()).collect()
    }

    /// Whether a flag was set before the cursor.
    pub fn is_set(&self, flag: &str) -> bool {
        self.given(flag).iter().any(|value| value == "true")
    }

    /// The world in which the program would work; `None` if there is no such world.
    pub fn world(&self) -> Option<World> {
        let mut words = self.before.iter().filter_map(|word| word.to_str());
        while let Some(word) = words.next() {
            let world = if word == "--world" { words.next() } else { word.strip_prefix("--world=") };
            if let Some(world) = world {
                return World::named(Path::new(world)).ok();
            }
        }
        World::from_env().ok()
    }

    /// The app that was named before the cursor.
    pub fn app(&self) -> Option<AppName> {
        let word = ["app", "apps", "words"].iter().find_map(|id| self.given(id).into_iter().next());
        word?.parse().ok()
    }

    pub(super) fn words(&self) -> Vec<OsString> {
        self.before.iter().cloned().chain([OsString::from(&self.current)]).collect()
    }

    pub(super) fn index(&self) -> usize {
        self.before.len()
    }

    /// The word at the cursor, up to the cursor.
    pub fn current(&self) -> &str {
        &self.current
    }

    pub(super) fn kept(&self) -> &str {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Line {
        Line::of(|| Command::new("x"), words.iter().map(OsString::from).collect()).expect("a line")
    }

    #[test]
    fn what_bash_splits_is_put_together_and_what_it_keeps_is_known() {
        let rows: [(&[&str], usize, &str, &str); 7] = [
            (&["x", ""], 1, "", ""),
            (&["x", "api", "we"], 2, "we", ""),
            (&["x", "--world", "=", "p"], 1, "--world=p", "--world="),
            (&["x", "--world", "="], 1, "--world=", "--world="),
            (&["x", "--world", "=", "pm2", ""], 2, "", ""),
            (&["x", "a", ":", "b", "=", "c"], 1, "a:b=c", "a:b="),
            (&["x", "web", "=", "2", "wor"], 2, "wor", ""),
        ];
        for (words, index, current, kept) in rows {
            let line = line(words);
            assert_eq!((line.index(), line.current(), line.kept()), (index, current, kept), "{words:?}");
        }
    }
}
