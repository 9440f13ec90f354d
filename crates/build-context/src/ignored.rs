//! The rules of `.dockerignore`.

use crate::pattern::Pattern;

/// The rules that decide which paths are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignored(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    /// Whether matching paths are included again.
    is_exception: bool,
}

impl Ignored {
    /// Parses the rules, one a line. A line that begins with `#` is a comment, blanks around a line are ignored, and `!` makes a
    /// rule an exception.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let rule = |line: &str| {
            if line.starts_with('#') {
                return None;
            }
            let line = line.trim();
            let exception = line.strip_prefix('!').map(str::trim);
            let pattern = Pattern::parse(exception.unwrap_or(line))?;
            Some(Rule { pattern, is_exception: exception.is_some() })
        };
        Self(text.lines().filter_map(rule).collect())
    }

    /// Whether a path, given by its parts, is left out. Of all rules that match the path or a directory above it, the last one
    /// decides.
    pub(crate) fn leaves_out(&self, path: &[&str]) -> bool {
        let last = self.0.iter().rev().find(|rule| rule.pattern.covers(path));
        last.is_some_and(|rule| !rule.is_exception)
    }

    /// Whether a path below a directory that is left out may be included again.
    pub(crate) fn may_take_in_below(&self, directory: &[&str]) -> bool {
        self.0.iter().any(|rule| rule.is_exception && rule.pattern.reaches_below(directory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_rules_the_last_that_matches_counts() {
        let ignored = Ignored::parse("# a comment\n\n*\n!src\nsrc/*.o\n ! src/keep.o \n!/docs/\r\n");
        let out = |path: &str| ignored.leaves_out(&path.split('/').collect::<Vec<_>>());
        assert!(out("README") && out("src/a.o") && out("# a comment"));
        assert!(!out("src") && !out("src/a.c") && !out("src/keep.o") && !out("docs/x/y"));
        assert!(Ignored::parse("a\n!a/b/c").may_take_in_below(&["a", "b"]));
        assert!(!Ignored::parse("a\n!b").may_take_in_below(&["a"]));
        assert!(!Ignored::parse("\u{feff}").leaves_out(&["a"]));
    }
}
