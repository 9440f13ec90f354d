//! One pattern of `.dockerignore`. It is matched against a path part by part: `*` and `?` stand for characters within
//! one part, `[a-z]` for one character, `**` for any number of parts, also none, and a backslash removes the special
//! meaning of the next character.

/// A pattern without its redundant parts: slashes around it, `.` and `..`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<String>);

impl Pattern {
    /// Reads a pattern; `None` if nothing is left of it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts: Vec<String> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part.to_owned()),
            }
        }
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// Whether the pattern matches a path, or a directory above it.
    pub(crate) fn covers(&self, path: &[&str]) -> bool {
        (1..=path.len()).any(|length| matches(&self.0, &path[..length]))
    }

    /// Whether the pattern may match a path below this directory.
    pub(crate) fn reaches_below(&self, directory: &[&str]) -> bool {
        for (index, part) in directory.iter().enumerate() {
            match self.0.get(index).map(String::as_str) {
                None => return true,
                Some(pattern) if pattern.contains("**") => return true,
                Some(pattern) if is_part(&characters(pattern), &characters(part)) => {}
                Some(_) => return false,
            }
        }
        true
    }
}

fn matches(pattern: &[String], path: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return path.is_empty() };
    if first == "**" {
        // As the last part, `**` stands for at least one part.
        let least = usize::from(rest.is_empty());
        return (least..=path.len()).any(|skipped| matches(rest, &path[skipped..]));
    }
    match path.split_first() {
        Some((part, path)) if is_part(&characters(first), &characters(part)) => matches(rest, path),
        // `a**b` matches across slashes.
        Some(_) if first.contains("**") => (2..=path.len()).any(|length| {
            let joined = path[..length].join("/");
            is_part(&characters(first), &characters(&joined)) && matches(rest, &path[length..])
        }),
        _ => false,
    }
}

fn characters(text: &str) -> Vec<char> {
    text.chars().collect()
}

/// Whether the pattern matches the characters of one part.
fn is_part(pattern: &[char], text: &[char]) -> bool {
    // The position after the last star in the pattern, and how many characters that star has matched.
    let mut retry: Option<(usize, usize)> = None;
    let (mut at, mut read) = (0, 0);
    while read < text.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                at += 1;
                retry = Some((at, read));
                continue;
            }
            Some(_) => one(&pattern[at..], text[read]),
            None => None,
        };
        match (step, retry) {
            (Some(width), _) => {
                at += width;
                read += 1;
            }
            (None, Some((behind, taken))) => {
                retry = Some((behind, taken + 1));
                (at, read) = (behind, taken + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[at.min(pattern.len())..].iter().all(|character| *character == '*')
}

/// How many characters of the pattern match this one; `None` if they match another.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', literal, ..] => (*literal == character).then_some(2),
        ['[', class @ ..] => {
            let end = class.iter().skip(1).position(|end| *end == ']')? + 1;
            is_in(&class[..end], character).then_some(end + 2)
        }
        [literal, ..] => (*literal == character).then_some(1),
        [] => None,
    }
}

fn is_in(class: &[char], character: char) -> bool {
    let (is_negated, mut class) = match class {
        ['^' | '!', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut is_named = false;
    while let [first, ..] = class {
        class = match class {
            [low, '-', high, rest @ ..] => {
                is_named |= (*low..=*high).contains(&character);
                rest
            }
            [_, rest @ ..] => {
                is_named |= *first == character;
                rest
            }
            [] => break,
        };
    }
    is_named != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, path: &str) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        Pattern::parse(pattern).is_some_and(|pattern| pattern.covers(&path))
    }

    #[test]
    fn a_pattern_covers_a_path_and_all_below_it() {
        for (pattern, path) in [
            ("a", "a"),
            ("a", "a/b/c"),
            ("/a/", "a"),
            ("./a/../b", "b/c"),
            ("*", "a"),
            ("*/*.o", "a/b.o"),
            ("a/**", "a/b/c"),
            ("**/b", "b"),
            ("**/b", "x/y/b/z"),
            ("**/*.log", "x/a.log"),
            ("a/**/z", "a/z"),
            ("a/**/z", "a/b/c/z"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[^a]x", "bx"),
            ("*a*b", "xaab"),
            ("\\*", "*"),
            ("a b", "a b"),
            ("foo**bar", "foo/x/bar"),
            (".git", ".git/config"),
        ] {
            assert!(covers(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("a", "b/a"),
            ("*.o", "a/b.o"),
            ("a/**", "a"),
            ("a?c", "ac"),
            ("[a-c]x", "dx"),
            ("[^a]x", "ax"),
            ("\\*", "a"),
            ("[a", "a"),
            ("", "a"),
            ("/", "a"),
            ("..", "a"),
        ] {
            assert!(!covers(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn many_stars_take_no_long_time() {
        let pattern = "*a".repeat(40);
        assert!(!covers(&pattern, &"ab".repeat(75)));
    }

    #[test]
    fn a_pattern_reaches_below_the_directories_on_its_way() {
        let reaches = |pattern: &str, directory: &str| {
            let parts: Vec<&str> = directory.split('/').collect();
            Pattern::parse(pattern).expect("a pattern").reaches_below(&parts)
        };
        assert!(
            reaches("a/b/c", "a/b") && reaches("**/x", "a/b") && reaches("*/x", "a") && reaches("a", "a/b")
        );
        assert!(!reaches("a/b", "c") && !reaches("a/b/c", "a/x"));
    }
}
