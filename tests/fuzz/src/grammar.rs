//! The grammar of a Procfile once more, as slowly as its regular expressions are written: each way to match is tried in
//! their order. It shares no code with the parser, which is made for speed.

/// White space between a name, a delimiter and a command.
const BLANKS: [char; 5] = ['\t', '\n', '\u{c}', '\r', ' '];

/// Names and commands in the order of the file; or the first line that is wrong, if it is one.
pub fn read(text: &str, delimiter: &str, strict: bool) -> Result<Vec<(String, String)>, Option<usize>> {
    let mut entries: Vec<(String, String)> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.trim();
        if line.is_empty() || is_comment(line) {
            continue;
        }
        let entry =
            entry(line, delimiter, strict).filter(|(name, _)| entries.iter().all(|(other, _)| other != name));
        entries.push(entry.ok_or(Some(number))?);
    }
    if entries.is_empty() { Err(None) } else { Ok(entries) }
}

fn is_comment(text: &str) -> bool {
    text.starts_with('#') || text.starts_with("//")
}

fn entry(line: &str, delimiter: &str, strict: bool) -> Option<(String, String)> {
    let of_lax = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let (mut name, mut rest) = matched(line, delimiter, of_lax, |_| true)?;
    if strict {
        let of_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_label = |name: &str| !name.starts_with('-') && !name.ends_with('-');
        (name, rest) = matched(line, delimiter, of_label, is_label)?;
    }
    let command = uncommented(rest.trim_start_matches(BLANKS)).trim();
    let legal = name.len() <= 63 && !command.is_empty() && !is_comment(command);
    legal.then(|| (name.to_owned(), command.to_owned()))
}

/// The longest name that a delimiter stands behind, with the most blanks between them, and something behind that.
fn matched<'a>(
    line: &'a str,
    delimiter: &str,
    belongs: impl Fn(char) -> bool,
    is_name: impl Fn(&str) -> bool,
) -> Option<(&'a str, &'a str)> {
    let longest = line.find(|c| !belongs(c)).unwrap_or(line.len());
    let ends = (1..=longest).rev().filter(|end| is_name(&line[..*end]));
    for end in ends {
        let behind = &line[end..];
        let blanks = behind.len() - behind.trim_start_matches(BLANKS).len();
        let rests = (0..=blanks).rev().filter_map(|blanks| behind[blanks..].strip_prefix(delimiter));
        if let Some(rest) = rests.into_iter().find(|rest| !rest.is_empty()) {
            return Some((&line[..end], rest));
        }
    }
    None
}

/// The command before the last ` #` that something follows, else before the last such ` //`.
fn uncommented(command: &str) -> &str {
    let cut = |mark: &str| {
        let marks = command.char_indices().rev().map(|(at, _)| at);
        let begins = |at: &usize| {
            command[..*at].ends_with(BLANKS)
                && command[*at..].strip_prefix(mark).is_some_and(|rest| !rest.is_empty())
        };
        marks.into_iter().find(begins).map(|at| &command[..at - 1])
    };
    cut("#").or_else(|| cut("//")).unwrap_or(command)
}
