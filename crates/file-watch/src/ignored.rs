//! Files whose changes are ignored: logs, the files of version control and of tools, and those that the user names. A
//! pattern is read much as in a `.gitignore`.

use std::path::Path;

use glob::{MatchOptions, Pattern};

/// Files that never matter to a running program. The last ones are temporary files of editors.
const ALWAYS: [&str; 20] = [
    ".git",
    ".hg",
    ".svn",
    ".bzr",
    ".jj",
    "CVS",
    "node_modules",
    "__pycache__",
    ".venv",
    ".cache",
    "log",
    "logs",
    "tmp",
    "*.log",
    "*.pid",
    "*.swp",
    "*.swx",
    "*~",
    ".#*",
    "4913",
];
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// Patterns of files that do not matter.
#[derive(Clone, Debug)]
pub struct Ignored {
    names: Vec<Pattern>,
    paths: Vec<Pattern>,
}

impl Ignored {
    /// The files that are always ignored, and these patterns. A pattern without a slash is the name of a file or directory
    /// anywhere; one with a slash is a path from the top. Everything below an ignored directory is ignored too. An invalid
    /// pattern matches nothing.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut names, mut paths) = (Vec::new(), Vec::new());
        for pattern in ALWAYS.into_iter().chain(patterns) {
            let pattern = pattern.trim().trim_end_matches('/');
            let of_path = pattern.contains('/');
            let Ok(pattern) = Pattern::new(pattern.trim_start_matches("./").trim_start_matches('/')) else {
                continue;
            };
            if of_path { paths.push(pattern) } else { names.push(pattern) }
        }
        Self { names, paths }
    }

    /// Whether a text can be used as a pattern.
    pub fn is_pattern(text: &str) -> bool {
        !text.trim().is_empty() && Pattern::new(text.trim()).is_ok()
    }

    /// Whether a path, relative to the top, is ignored.
    pub fn has(&self, path: &Path) -> bool {
        let by_name = |name: &std::ffi::OsStr| {
            let name = name.to_string_lossy();
            self.names.iter().any(|pattern| pattern.matches_with(&name, OPTIONS))
        };
        path.iter().any(by_name) || path.ancestors().any(|part| self.is_named(part))
    }

    fn is_named(&self, path: &Path) -> bool {
        self.paths.iter().any(|pattern| pattern.matches_path_with(path, OPTIONS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_anywhere_paths_from_the_top_and_all_below_a_directory_goes_with_it() {
        let ignored = Ignored::new(["*.tmp", "build/", "/assets/*.map", "a/b", "[", ""]);
        for path in [
            "x.tmp",
            "deep/er/x.tmp",
            "build",
            "src/build/x",
            "assets/x.map",
            "a/b",
            "a/b/c/d",
            ".git/HEAD",
            "web.log",
            "x/node_modules/y/z.js",
            "log/a",
            ".#app.js",
            "app.js~",
        ] {
            assert!(ignored.has(Path::new(path)), "{path}");
        }
        for path in ["app.js", "builder/x", "assets/deep/x.map", "b", "c/a/b", "catalog", "logging/x", "."] {
            assert!(!ignored.has(Path::new(path)), "{path}");
        }
    }
}
