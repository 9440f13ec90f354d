//! The words of a line as `sh` reads it, and the marks of variables in them; it shares no code with the import.

/// Begins and ends a variable in a word: `\u{1}X\u{2}`. Neither can stand in a Procfile's command.
const BEGIN: char = '\u{1}';
const END: char = '\u{2}';
/// Follows the beginning of a variable whose value may become several words.
const BARE: char = '*';

/// Words that no program is found by.
const RESERVED: [&str; 19] = [
    "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in",
    "select", "then", "time", "until", "while",
];

/// A variable as it stands in a word: `what` is what the shell has within `${}`.
pub fn variable(what: &str, quoted: bool) -> String {
    let bare = if quoted { String::new() } else { BARE.to_string() };
    format!("{BEGIN}{bare}{what}{END}")
}

/// Whether nothing in a text could be taken for the mark of a variable.
pub fn is_unmarked(text: &str) -> bool {
    !text.contains([BEGIN, END])
}

/// Whether a word has a variable in it.
pub fn has_variable(word: &str) -> bool {
    word.contains(BEGIN)
}

/// A word as a shell's text: each variable as `${X}`.
pub fn written(word: &str) -> String {
    word.replace("\u{1}*", "${").replace(BEGIN, "${").replace(END, "}")
}

/// The words of a line without anything but words, quotes and `${X}`; `None` if it has more, so that a shell would do
/// something else than run a program with these words.
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches([' ', '\t']);
    while !rest.is_empty() {
        let (word, end) = word(rest)?;
        let bare = &rest[..end];
        let assigns = bare.split_once('=').is_some_and(|(name, _)| is_name(name));
        if words.is_empty() && (RESERVED.contains(&bare) || assigns) {
            return None;
        }
        words.push(word);
        rest = rest[end..].trim_start_matches([' ', '\t']);
    }
    Some(words)
}

/// The first word and the length of what it was written as.
fn word(text: &str) -> Option<(String, usize)> {
    let (mut word, mut at) = (String::new(), 0);
    if text.starts_with(['#', '~']) {
        return None;
    }
    while let Some(c) = text[at..].chars().next() {
        at += c.len_utf8();
        match c {
            ' ' | '\t' => return Some((word, at - 1)),
            '\'' => {
                let end = text[at..].find('\'')?;
                word.push_str(&text[at..at + end]);
                at += end + 1;
            }
            '"' => at = double_quoted(text, at, &mut word)?,
            '\\' => {
                let next = text[at..].chars().next().filter(|next| *next != '\n')?;
                word.push(next);
                at += next.len_utf8();
            }
            '$' => at = reference(text, at, false, &mut word)?,
            '\n' | '\r' | ';' | '&' | '|' | '<' | '>' | '(' | ')' | '`' | '*' | '?' | '[' | '{' | '}' => {
                return None;
            }
            c => word.push(c),
        }
    }
    Some((word, at))
}

fn double_quoted(text: &str, mut at: usize, word: &mut String) -> Option<usize> {
    loop {
        let c = text[at..].chars().next()?;
        at += c.len_utf8();
        match c {
            '"' => return Some(at),
            '$' => at = reference(text, at, true, word)?,
            '`' => return None,
            '\\' => match text[at..].chars().next()? {
                next @ ('$' | '`' | '"' | '\\') => {
                    word.push(next);
                    at += 1;
                }
                _ => word.push('\\'),
            },
            c => word.push(c),
        }
    }
}

/// `${…}` behind its dollar sign.
fn reference(text: &str, at: usize, quoted: bool, word: &mut String) -> Option<usize> {
    let inside = text[at..].strip_prefix('{')?;
    let end = inside.find('}')?;
    let name = inside[..end].split([':', '-', '?', '+', '=']).next().unwrap_or_default();
    if !is_name(name) {
        return None;
    }
    word.push_str(&variable(&inside[..end], quoted));
    Some(at + 1 + end + 1)
}

/// Whether a text is the name of a variable.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
