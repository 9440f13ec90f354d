//! Advice about a problem: what was expected at its place, and the corrected line, if that is certain.

use crate::options::ParseOptions;
use crate::problem::Problem;
use crate::problem_kind::ProblemKind;
use crate::proposal;

/// Help with a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What was expected at the place of the problem.
    pub expected: String,
    /// The line as it was meant, if that is certain: the whole line, without white space around it.
    pub replacement: Option<String>,
}

impl Problem {
    /// What to do about the problem. The options must be those with which the file was read.
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
            ProblemKind::InvalidCharacter => "text without NUL bytes".to_owned(),
            ProblemKind::Utf16 => "text in UTF-8, not in UTF-16".to_owned(),
            ProblemKind::LineTooLong => "a line of 1 MiB at most".to_owned(),
            ProblemKind::FileTooLarge => "a file of 16 MiB at most".to_owned(),
            ProblemKind::TooManyTypes => "1,000,000 process types at most".to_owned(),
            ProblemKind::NoEntries => {
                format!("at least one line like `web{delimiter} command`")
            }
        };
        Advice { expected, replacement: self.proposal(options) }
    }

    fn advice_on_line(&self, options: &ParseOptions) -> Advice {
        Advice { expected: self.expected_on_line(options), replacement: self.proposal(options) }
    }

    fn expected_on_line(&self, options: &ParseOptions) -> String {
        let delimiter = String::from_utf8_lossy(options.delimiter.as_bytes());
        let text = self.text.trim();
        if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|mark| text.starts_with(mark)) {
            return "no merge-conflict marker: keep one side and remove it".to_owned();
        }
        if text == "---" || text.starts_with(['{', '}', '[', ']']) {
            return format!("a line like `web{delimiter} command`: a Procfile is neither JSON nor YAML");
        }
        let name_len = proposal::name_len(text);
        // A line that is indented, or that begins with an option, continues a command, wherever that command begins.
        let is_open = self.text.starts_with([' ', '\t']) || text.starts_with('-') && name_len > 1;
        if self.circumstances.continues || is_open && self.proposal(options).is_none() {
            return format!(
                "`name{delimiter} command`: a command cannot go on over several lines, join it with the line above"
            );
        }
        if proposal::foreign_comment(text).is_some() {
            return "a comment beginning with # or //".to_owned();
        }
        if text.starts_with(['-', '*', '"', '\'']) && text.contains(delimiter.as_ref()) {
            return "a name of letters, digits, - and _ at the start of the line".to_owned();
        }
        match proposal::odd_name(text, &delimiter) {
            Some((name, _)) => format!("a name of ASCII letters, digits, - and _: `{name}` is none"),
            None => self.expected_behind(text, name_len, &delimiter, options),
        }
    }

    fn expected_behind(
        &self,
        text: &str,
        name_len: usize,
        delimiter: &str,
        options: &ParseOptions,
    ) -> String {
        let (name, rest) = text.split_at(name_len);
        let behind = rest.trim_start();
        if name.is_empty() {
            return "a name of letters, digits, - and _, or a comment beginning with # or //".to_owned();
        }
        if behind.strip_prefix(delimiter).is_some_and(|command| command.trim().is_empty()) {
            return format!("a command behind `{name}{delimiter}` on the same line");
        }
        if behind.starts_with('=') && name == name.to_ascii_uppercase() {
            return format!("`{delimiter}` behind the name: variables belong in an env file");
        }
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if behind.strip_prefix('=').is_some_and(|count| digits(count.trim())) {
            return format!(
                "`{delimiter}` and a command behind the name: a Procfile does not say how many are wanted"
            );
        }
        if proposal::has_another_colon(behind) {
            return format!("`{delimiter}` behind the name: this is another character that looks like it");
        }
        if self.proposal(options).is_some() {
            return format!("`{delimiter}` behind the name");
        }
        format!("a line like `web{delimiter} command`: a process type, `{delimiter}` and what it runs")
    }
}

#[cfg(test)]
mod tests {
    use crate::{ParseOptions, Procfile};

    fn expected(text: &str) -> String {
        let error = Procfile::parse(text.as_bytes()).expect_err("broken on purpose");
        error.problems()[0].advice(&ParseOptions::default()).expected
    }

    #[test]
    fn what_was_expected_is_said() {
        for (line, words) in [
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
            ("web rails s\n", "`:` behind the name"),
            ("heroku ps:scale web=1\n", "a line like `web: command`"),
            ("python manage.py migrate\n", "a line like `web: command`"),
            ("web=2\n", "how many are wanted"),
            ("web: a \\\nworker b\n", "over several lines"),
            ("web\u{ff1a} x\n", "looks like it"),
        ] {
            assert!(expected(line).contains(words), "{line:?}: {}", expected(line));
        }
    }
}
