//! The shells: the form in which each of them gets candidates, and the script by which it asks for them.

use clap_complete::engine::CompletionCandidate;

use super::Line;

/// The variable that names the shell that asks.
pub(super) const VARIABLE: &str = "FORMATION_COMPLETE";

const BASH: &str = include_str!("ask.bash");
const ZSH: &str = include_str!("ask.zsh");
const FISH: &str = include_str!("ask.fish");

/// A shell that asks what may stand at the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash, 4 or later.
    Bash,
    /// The Z shell.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    /// The shell of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            _ => None,
        }
    }

    /// The script by which the shell asks a program for candidates. It belongs into the file in which the shell looks
    /// for the program's completion.
    pub fn script(self, program: &str) -> String {
        let script = match self {
            Self::Bash => BASH,
            Self::Zsh => ZSH,
            Self::Fish => FISH,
        };
        script
            .replace("PROGRAM", program)
            .replace("FUNCTION", &format!("_formation_{}", program.replace('-', "_")))
    }

    /// The candidates in the form that the shell reads, one a line.
    pub(super) fn lines(self, line: &Line, found: impl Iterator<Item = CompletionCandidate>) -> String {
        found.map(|candidate| self.line(line, &candidate) + "\n").collect()
    }

    fn line(self, line: &Line, candidate: &CompletionCandidate) -> String {
        let value = candidate.get_value().to_string_lossy();
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().unwrap_or_default();
        // zsh would print its separator even without a description.
        let described = |value: &str, separator: char| {
            if help.is_empty() { value.to_owned() } else { format!("{value}{separator}{help}") }
        };
        match self {
            Self::Bash => value.strip_prefix(line.kept()).unwrap_or(&value).to_owned(),
            Self::Zsh => described(&value.replace('\\', "\\\\").replace(':', "\\:"), ':'),
            Self::Fish => described(&value, '\t'),
        }
    }
}
