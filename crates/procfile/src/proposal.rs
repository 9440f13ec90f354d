//! Guesses what an illegal line was meant to be, but only where the guess is safe: a well-known process type whose
//! colon is missing or mistyped (`web rails s`), a character that only looks like a colon, or a name that needs other
//! characters (`web.1: x`). Any other line may as well be a command, prose, or the rest of the line above (`heroku
//! ps:scale web=1`, `python manage.py migrate`, `--port 80`). A colon behind its first word would be wrong there, so
//! nothing is proposed.

use std::ops::Range;

use crate::circumstances::Circumstances;
use crate::grammar;
use crate::options::ParseOptions;
use crate::problem::Problem;
use crate::problem_kind::ProblemKind;

/// Well-known process types. None of them is also the name of a command, so a line that begins with one is no
/// command.
const WELL_KNOWN: &[&str] = &[
    "api",
    "backend",
    "clock",
    "consumer",
    "frontend",
    "mailer",
    "postdeploy",
    "predeploy",
    "producer",
    "release",
    "scheduler",
    "web",
    "worker",
    "workers",
];

/// Characters of other scripts that look like a colon.
const LIKE_A_COLON: [char; 6] = ['\u{ff1a}', '\u{fe55}', '\u{2236}', '\u{2d0}', '\u{a789}', '\u{fe13}'];
/// Characters that people write by mistake instead of a colon.
const MISTYPED: [&str; 9] = ["=>", "->", ":=", "=", ";", ":", ". ", ", ", "- "];

impl Problem {
    /// The legal line that was meant, as a whole; `None` if the meaning is not certain.
    pub(crate) fn proposal(&self, options: &ParseOptions) -> Option<String> {
        let Circumstances { line, continues, name_is_taken } = &self.circumstances;
        let line = line.as_deref().filter(|_| !continues && !name_is_taken)?;
        match self.kind {
            ProblemKind::InvalidName => relabelled(line),
            ProblemKind::InvalidLine if foreign_comment(line).is_some() => {
                return foreign_comment(line).map(|comment| format!("# {comment}").trim_end().to_owned());
            }
            ProblemKind::InvalidLine => meant(line, options),
            _ => None,
        }
        .filter(|proposal| proposal != line && entry(proposal, options).is_some())
    }

    /// The name of the entry that is proposed.
    pub(crate) fn proposed_name(&self, options: &ParseOptions) -> Option<String> {
        let proposal = self.proposal(options)?;
        entry(&proposal, options).map(|(name, _)| proposal[name].to_owned())
    }
}

fn meant(line: &str, options: &ParseOptions) -> Option<String> {
    let delimiter = String::from_utf8_lossy(options.delimiter.as_bytes());
    without_list_mark(line, options)
        .or_else(|| with_colon(line, &delimiter))
        .or_else(|| with_legal_name(line, &delimiter))
}

/// Turns an entry written in YAML or JSON style (`- web: x`, `"web": x`) into one without the list mark or the
/// quotes.
fn without_list_mark(line: &str, options: &ParseOptions) -> Option<String> {
    if let Some(item) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        let item = item.trim_start();
        return entry(item, options)
            .filter(|(name, _)| is_well_known(&item[name.clone()]))
            .map(|_| item.to_owned());
    }
    let quote = line.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (name, rest) = line[1..].split_once(quote)?;
    let unquoted = format!("{name}{rest}");
    let (read, command) = entry(&unquoted, options)?;
    // In a JSON object the value is quoted as well, and a comma follows it.
    let is_json = unquoted.ends_with(',') || unquoted[command].starts_with(quote);
    (&unquoted[read] == name && !is_json).then_some(unquoted)
}

/// Adds the colon to a line that has none, or puts it in the place of what was typed instead.
fn with_colon(line: &str, delimiter: &str) -> Option<String> {
    let (name, rest) = line.split_at(name_len(line));
    let behind = rest.trim_start();
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let command = if behind.starts_with(LIKE_A_COLON) && starts_well {
        behind.trim_start_matches(LIKE_A_COLON).trim_start()
    } else if is_well_known(name) {
        let mistyped = MISTYPED.iter().find_map(|mark| behind.strip_prefix(mark));
        let missing = Some(behind).filter(|_| behind.len() < rest.len() && begins_a_command(behind));
        mistyped.map(str::trim_start).or(missing)?
    } else if name.starts_with(|c: char| c.is_ascii_lowercase()) && rest.starts_with(' ') {
        behind.strip_prefix("= ")?.trim_start()
    } else {
        return None;
    };
    is_more_than_a_value(command).then(|| format!("{name}{delimiter} {command}"))
}

/// Replaces a name that has illegal characters, such as `web.1` in `web.1: x`.
fn with_legal_name(line: &str, delimiter: &str) -> Option<String> {
    let (name, command) = odd_name(line, delimiter)?;
    let legal: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let is_one_word = name.is_ascii() && !name.contains(' ');
    is_one_word.then(|| format!("{}{delimiter} {}", legal.trim_matches('-'), command.trim()))
}

/// Replaces a name that strict reading refuses, such as `Web_1`, by a legal one.
fn relabelled(line: &str) -> Option<String> {
    let (name, rest) = line.split_at(name_len(line));
    let label = name.to_ascii_lowercase().replace('_', "-");
    (!name.starts_with('-')).then(|| format!("{}{rest}", label.trim_matches('-')))
}

/// The text of a comment written as in another language, such as `; text` or `<!-- text`.
pub(crate) fn foreign_comment(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("/*").map(|rest| rest.strip_suffix("*/").unwrap_or(rest));
    let other = [";", "-- ", "%", "<!--"].iter().find_map(|mark| text.strip_prefix(mark));
    inside.or(other).map(str::trim)
}

/// The illegal name before the delimiter, and the command behind it.
pub(crate) fn odd_name<'a>(text: &'a str, delimiter: &str) -> Option<(&'a str, &'a str)> {
    let (name, command) = text.split_once(delimiter)?;
    let name = name.trim_end();
    let like_a_name = |c: char| c.is_alphanumeric() || " ._-@+".contains(c);
    let is_short = name.chars().count() <= 30 && name.split_whitespace().count() <= 3;
    let is_one = is_short && name.starts_with(char::is_alphanumeric) && name.chars().all(like_a_name);
    (is_one && command.starts_with(char::is_whitespace) && name_len(name) < name.len())
        .then_some((name, command))
}

/// Whether the name is followed by a character that only looks like a colon.
pub(crate) fn has_another_colon(behind: &str) -> bool {
    behind.starts_with(LIKE_A_COLON)
}

pub(crate) fn name_len(text: &str) -> usize {
    text.bytes().position(|byte| !grammar::is_name_byte(byte)).unwrap_or(text.len())
}

/// Whether a name is well known, with or without a number: `web`, `web2`, `worker-2`, `worker_10`.
fn is_well_known(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let stem = if stem.len() < name.len() { stem.strip_suffix(['-', '_']).unwrap_or(stem) } else { name };
    WELL_KNOWN.contains(&stem)
}

/// Whether the text behind a name and a blank begins a command. An option or an operator does not: it belongs to a
/// command whose name is what we took for a process type.
fn begins_a_command(text: &str) -> bool {
    let is_begin = |c: char| c.is_alphanumeric() || "/.\"'$~_".contains(c);
    text.starts_with(is_begin)
}

/// Whether the text is more than a plain value. `web=1` and `web 2` are counts and `web = true` is a switch, so `1`,
/// `2` and `true` are no commands.
fn is_more_than_a_value(command: &str) -> bool {
    let is_number = command.bytes().all(|byte| byte.is_ascii_digit());
    !is_number && !["true", "false", "yes", "no", "on", "off"].contains(&command)
}

/// Where the name and the command lie in a line, if the line is an entry.
fn entry(line: &str, options: &ParseOptions) -> Option<(Range<usize>, Range<usize>)> {
    match grammar::read(line.as_bytes(), options) {
        grammar::Line::Entry { name, command } => Some((name, command)),
        grammar::Line::Nothing | grammar::Line::Unusable { .. } | grammar::Line::Broken { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{ParseOptions, Procfile};

    /// The proposal for each problem of a text.
    fn proposals(text: &str, strict: bool) -> Vec<Option<String>> {
        let options = ParseOptions { strict, ..ParseOptions::default() };
        let error = Procfile::parse_with(text.into(), &options).expect_err("broken on purpose");
        error.problems().iter().map(|problem| problem.advice(&options).replacement).collect()
    }

    #[test]
    fn a_slip_is_corrected() {
        for (line, meant) in [
            ("web; rails s", "web: rails s"),
            ("web = rails s", "web: rails s"),
            ("web=gunicorn app", "web: gunicorn app"),
            ("web => rails s", "web: rails s"),
            ("web - rails s", "web: rails s"),
            ("web rails s", "web: rails s"),
            ("web\tgunicorn app", "web: gunicorn app"),
            ("worker_2 bin/work", "worker_2: bin/work"),
            ("release FOO=1 bin/migrate", "release: FOO=1 bin/migrate"),
            ("web rails s http://x", "web: rails s http://x"),
            ("mail = bin/mail", "mail: bin/mail"),
            ("- web: rails s", "web: rails s"),
            ("\"web\": rails s", "web: rails s"),
            ("'mail': bin/mail", "mail: bin/mail"),
            ("; the web", "# the web"),
            ("/* a: b */", "# a: b"),
            ("web.1 : x", "web-1: x"),
            ("web\u{ff1a} x", "web: x"),
            ("celery \u{2236}x y", "celery: x y"),
        ] {
            assert_eq!(proposals(line, false), [Some(meant.to_owned())], "{line:?}");
            let among_others = format!("a: b\r\n\r\n{line}\r\nc: d\r\n");
            assert_eq!(proposals(&among_others, false), [Some(meant.to_owned())], "{line:?}");
        }
        assert_eq!(proposals("My_Web: x", true), [Some("my-web: x".to_owned())]);
    }

    #[test]
    fn what_may_be_something_else_is_not_turned_into_an_entry() {
        for line in [
            "heroku ps:scale web=1",
            "python manage.py migrate",
            "bundle exec puma -C config/puma.rb",
            "npm start",
            "cd app; bin/serve",
            "rake db:migrate db:seed",
            "docker run -p 80:80 x",
            "export FOO=bar",
            "sidekiq -C config.yml",
            "env=production bin/run",
            "RAILS_ENV=production",
            "web=2",
            "web 1",
            "web = 3",
            "numprocs = 2",
            "autostart = true",
            "web --port 80",
            "web | tee log",
            "web && worker",
            "web/start.sh",
            "web.rb x",
            "web:",
            "- name: web",
            "- uses: actions/checkout@v4",
            "--bind 0.0.0.0:80",
            "--flag",
            "-c x",
            "\"web\": \"rails s\",",
            "\"web\": \"rails s\"",
            "echo done: ok",
            "my web: x",
            "wéb: x",
            "<<<<<<< HEAD",
            "---",
            "{\"web\": \"x\"}",
            "web rails \u{1b}[31m s",
            "web rails \u{202e} s",
            "|| exit 1",
            "\\",
        ] {
            assert_eq!(proposals(line, false), [None], "{line:?}");
        }
        let long = format!("web rails {}", "s".repeat(crate::circumstances::MAX_LINE));
        assert_eq!(proposals(&long, false), [None]);
        for name in ["--flag: x", "-web: x", "__: x"] {
            assert_eq!(proposals(name, true), [None], "{name:?}");
        }
    }

    #[test]
    fn a_line_that_goes_on_from_the_one_above_is_none_of_its_own() {
        for text in [
            "web: gunicorn app \\\n  --port $PORT\n",
            "web: gunicorn app \\\nworker bin/work\n",
            "web: gunicorn app \\\r\nworker; bin/work\r\n",
            "web: gunicorn \\  \n web app\n",
            "web: a\n  worker bin/work\n",
            "web: a\n\tweb.1: x\n",
            "web: sh -c \\\n; done\n",
        ] {
            assert_eq!(proposals(text, false), [None], "{text:?}");
        }
        assert_eq!(proposals("web:\n  worker b\n  worker c\n", false), [None, None, None]);
        assert_eq!(proposals("# c \\\nworker b\n", false), [Some("worker: b".to_owned())]);
        assert_eq!(proposals("  web: a\n  worker b\n", false), [Some("worker: b".to_owned())]);
        assert_eq!(proposals("Web: a \\\nX_Y: b\n", true), [Some("web: a \\".to_owned()), None]);
    }

    #[test]
    fn a_name_is_proposed_once_and_never_one_that_is_there() {
        assert_eq!(proposals("web: a\nweb; b\n", false), [None]);
        assert_eq!(proposals("web; a\nweb = b\n", false), [Some("web: a".to_owned()), None]);
        assert_eq!(proposals("web: # x\nweb; b\n", false), [None, None]);
        assert_eq!(proposals("my-web: a\nmy_web: b\n", true), [None]);
    }
}
