//! What to do about a problem: what was expected, and how the line might have been meant. A guess is offered only
//! where the line would be legal with it.

use crate::grammar;
use crate::options::ParseOptions;
use crate::problem::{Problem, ProblemKind};

/// Help with a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What was expected at the place of the problem.
    pub expected: String,
    /// What the line may have been meant to be.
    pub replacement: Option<String>,
}

impl Problem {
    /// What to do about it. The options are those the file was read with.
    pub fn advice(&self, options: &ParseOptions) -> Advice {
        let delimiter = String::from_utf8_lossy(options.delimiter.as_bytes());
        let expected = match self.kind {
            ProblemKind::InvalidLine => return self.advice_on_line(options),
            ProblemKind::InvalidName => {
                "a DNS label: lower-case letters, digits, and - inside the name only".to_owned()
            }
            ProblemKind::NameTooLong => "a name of 63 characters at most".to_owned(),
            ProblemKind::Duplicate { first_line } => {
                format!("a name of its own: line {first_line} defines this one first")
            }
            ProblemKind::CommentAsCommand => {
                "a command: # and // at its start begin a comment, also within quotes".to_owned()
            }
            ProblemKind::NoCommand => "a command before the comment".to_owned(),
            ProblemKind::InvalidCharacter => {
                "text without NUL bytes: a file that was saved as UTF-16 has one beside each letter, save it as UTF-8"
                    .to_owned()
            }
            ProblemKind::LineTooLong => "a line of 1 MiB at most".to_owned(),
            ProblemKind::FileTooLarge => "a file of 16 MiB at most".to_owned(),
            ProblemKind::TooManyTypes => "1,000,000 process types at most".to_owned(),
            ProblemKind::NoEntries => {
                format!("at least one line like `web{delimiter} command`")
            }
        };
        Advice { expected, replacement: self.replacement(options) }
    }

    /// The line, changed as little as makes it legal.
    fn replacement(&self, options: &ParseOptions) -> Option<String> {
        let text = self.text.trim();
        let meant = match self.kind {
            ProblemKind::InvalidName => {
                let (name, rest) = text.split_at(name_len(text));
                format!("{}{rest}", name.to_ascii_lowercase().replace('_', "-").trim_matches('-'))
            }
            _ => return None,
        };
        self.legal(meant, options)
    }

    fn advice_on_line(&self, options: &ParseOptions) -> Advice {
        let delimiter = String::from_utf8_lossy(options.delimiter.as_bytes());
        let text = self.text.trim();
        if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|mark| text.starts_with(mark)) {
            let expected = "no merge-conflict marker: keep one side and remove it".to_owned();
            return Advice { expected, replacement: None };
        }
        if let Some(comment) = foreign_comment(text) {
            let expected = "a comment beginning with # or //".to_owned();
            return Advice { expected, replacement: Some(format!("# {comment}").trim_end().to_owned()) };
        }
        if text == "---" || text.starts_with(['{', '}', '[', ']']) {
            let expected =
                format!("a line like `web{delimiter} command`: a Procfile is neither JSON nor YAML");
            return Advice { expected, replacement: None };
        }
        if text.starts_with(['-', '*', '"', '\'']) && text.contains(delimiter.as_ref()) {
            let meant = text.trim_start_matches(['-', '*', '"', '\'', ' ']).replacen("\":", ":", 1);
            let expected = "a name of letters, digits, - and _ at the start of the line".to_owned();
            return Advice { expected, replacement: self.legal(meant, options) };
        }
        let Some((name, meant)) = odd_name(text, &delimiter) else {
            return self.advice_on_name(text, &delimiter, options);
        };
        let expected = format!("a name of ASCII letters, digits, - and _: `{name}` is none");
        Advice { expected, replacement: meant.and_then(|meant| self.legal(meant, options)) }
    }

    fn advice_on_name(&self, text: &str, delimiter: &str, options: &ParseOptions) -> Advice {
        let (name, rest) = text.split_at(name_len(text));
        let behind = rest.trim_start();
        if name.is_empty() {
            let expected =
                "a name of letters, digits, - and _, or a comment beginning with # or //".to_owned();
            return Advice { expected, replacement: None };
        }
        if behind.strip_prefix(delimiter).is_some_and(|command| command.trim().is_empty()) {
            let expected = format!("a command behind `{name}{delimiter}` on the same line");
            return Advice { expected, replacement: None };
        }
        if behind.starts_with('=') && name == name.to_ascii_uppercase() {
            let expected = format!("`{delimiter}` behind the name: variables belong into an env file");
            return Advice { expected, replacement: None };
        }
        if behind.starts_with(LIKE_A_COLON) {
            let command = behind.trim_start_matches(LIKE_A_COLON).trim_start();
            let expected =
                format!("`{delimiter}` behind the name: this is another character that looks like it");
            return Advice {
                expected,
                replacement: self.legal(format!("{name}{delimiter} {command}"), options),
            };
        }
        let command = behind.trim_start_matches([':', ';', '=', '|', '>', '.', ',', '-']).trim_start();
        let stray = behind.len() > command.len();
        let meant = if stray || rest.len() > behind.len() {
            self.legal(format!("{name}{delimiter} {command}"), options)
        } else {
            None
        };
        // A line that begins like a command more likely goes on from the line above.
        let continues = !stray && looks_like_a_continuation(name, rest, &self.text);
        if continues {
            let expected = format!(
                "`name{delimiter} command`: a command cannot go on over several lines, join it with the line above"
            );
            return Advice { expected, replacement: None };
        }
        Advice { expected: format!("`{delimiter}` behind the name"), replacement: meant }
    }

    fn legal(&self, line: String, options: &ParseOptions) -> Option<String> {
        let legal = matches!(grammar::read(line.as_bytes(), options), grammar::Line::Entry { .. });
        (legal && line != self.text).then_some(line)
    }
}

/// Characters of other scripts that are taken for a colon.
const LIKE_A_COLON: [char; 5] = ['\u{ff1a}', '\u{fe55}', '\u{2236}', '\u{2d0}', '\u{a789}'];

/// What a comment of another language says.
fn foreign_comment(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("/*").map(|rest| rest.strip_suffix("*/").unwrap_or(rest));
    let other = [";", "-- ", "%", "<!--"].iter().find_map(|mark| text.strip_prefix(mark));
    inside.or(other).map(str::trim)
}

/// What stands before the delimiter where it was meant to be a name, and the line with a legal one.
fn odd_name<'a>(text: &'a str, delimiter: &str) -> Option<(&'a str, Option<String>)> {
    let (name, command) = text.split_once(delimiter)?;
    let name = name.trim_end();
    let like_a_name = |c: char| c.is_alphanumeric() || " ._-@+".contains(c);
    let is_short = name.chars().count() <= 30 && name.split_whitespace().count() <= 3;
    let is_one = is_short && name.starts_with(char::is_alphanumeric) && name.chars().all(like_a_name);
    if !is_one || !command.starts_with(char::is_whitespace) || name_len(name) == name.len() {
        return None;
    }
    let legal: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let meant = format!("{}{delimiter} {}", legal.trim_matches('-'), command.trim());
    Some((name, name.is_ascii().then_some(meant)))
}

/// An indented line, or one that begins with an option, goes on from the line above.
fn looks_like_a_continuation(name: &str, rest: &str, line: &str) -> bool {
    line.starts_with([' ', '\t']) || name.starts_with('-') || rest.ends_with('\\')
}

fn name_len(text: &str) -> usize {
    text.bytes().position(|byte| !grammar::is_name_byte(byte)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use crate::{ParseOptions, Procfile};

    fn advice(text: &str, strict: bool) -> (String, Option<String>) {
        let options = ParseOptions { strict, ..ParseOptions::default() };
        let error = Procfile::parse_with(text.into(), &options).expect_err("broken on purpose");
        let advice = error.problems()[0].advice(&options);
        (advice.expected, advice.replacement)
    }

    #[test]
    fn a_slip_is_corrected() {
        for (line, meant) in [
            ("web; rails s\n", Some("web: rails s")),
            ("web = rails s\n", Some("web: rails s")),
            ("web rails s\n", Some("web: rails s")),
            ("- web: rails s\n", Some("web: rails s")),
            ("\"web\": rails s\n", Some("web: rails s")),
            ("web:\n", None),
            ("wéb: x\n", None),
            ("<<<<<<< HEAD\n", None),
            ("    --port 80\n", None),
            ("; the web\n", Some("# the web")),
            ("/* a: b */\n", Some("# a: b")),
            ("my web: x\n", Some("my-web: x")),
            ("web.1 : x\n", Some("web-1: x")),
            ("web\u{ff1a} x\n", Some("web: x")),
            ("RAILS_ENV=production\n", None),
            ("web rails s http://x\n", Some("web: rails s http://x")),
            ("---\n", None),
        ] {
            assert_eq!(advice(line, false).1.as_deref(), meant, "{line:?}");
        }
        assert_eq!(advice("My_Web: x\n", true).1.as_deref(), Some("my-web: x"));
    }

    #[test]
    fn what_was_expected_is_said() {
        for (line, expected) in [
            ("<<<<<<< HEAD\n", "merge-conflict"),
            ("web: a\nweb: b\n", "line 1 defines"),
            ("    --port 80\n", "over several lines"),
            ("web:\n", "a command behind `web:`"),
            ("wéb: x\n", "`wéb` is none"),
            ("RAILS_ENV=production\n", "env file"),
            ("{\"web\": \"x\"}\n", "neither JSON nor YAML"),
            ("w\0e\0b\0\n", "UTF-16"),
            ("web: # x\n", "begin a comment"),
            ("# nothing\n", "at least one line like `web: command`"),
        ] {
            assert!(advice(line, false).0.contains(expected), "{line:?}: {}", advice(line, false).0);
        }
    }
}
