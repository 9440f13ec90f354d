//! Removes secrets from the words of a command line. Values of the environment are removed. A word is judged by its own form, not only by the
//! flag before it, because `DATABASE_URL=…` may be a part of a command as well as the value of a flag.

/// Stands for a removed part.
const HIDDEN: &str = "[redacted]";
/// Flags whose value is a secret, or contains one.
const SECRET_FLAGS: &[&str] = &["-e", "--env", "--build-arg", "--password", "--secret", "--token", "--key"];
/// How many characters of a word, and how many words, are kept.
const LONGEST_WORD: usize = 200;
const MOST_WORDS: usize = 100;

/// The words without secrets. `web=2` stays, because it is a count. Of any other word with a `=` only the part before it
/// stays, and of a word after a flag such as `--env` at most the name of a variable. Of an address, `user:password@` is
/// removed, and of a whole command line (`--command 'run --token abc'`) the program stays: `run [redacted]`.
pub fn redacted(words: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let mut is_secret = false;
    let mut shown = Vec::new();
    for word in words {
        let word = word.as_ref();
        if shown.len() == MOST_WORDS {
            shown.push("…".to_owned());
            break;
        }
        shown.push(shortened(&if is_secret { without_value(word) } else { plain(word) }));
        is_secret = SECRET_FLAGS.contains(&word);
    }
    shown
}

/// A word that follows a flag whose value is secret: at most the name of a variable stays.
fn without_value(word: &str) -> String {
    word.split_once('=').map_or_else(|| HIDDEN.to_owned(), |(name, _)| format!("{name}={HIDDEN}"))
}

/// A word with a blank in it is a command line of the app. Any of its words may be secret, so only the program's name
/// stays.
fn plain(word: &str) -> String {
    let trimmed = word.trim_start();
    let first = trimmed.split(char::is_whitespace).next().unwrap_or_default();
    match first.split_once('=') {
        Some((name, count)) if is_count(name, count) && first == trimmed => word.to_owned(),
        Some((name, _)) => format!("{}={HIDDEN}", without_credentials(name)),
        None if first == trimmed => without_credentials(word),
        None => format!("{} {HIDDEN}", without_credentials(first)),
    }
}

/// `web=2` and `web=+1` are counts, `--scale=web` is not. Names of variables are in capitals; process types hardly ever
/// are.
fn is_count(name: &str, count: &str) -> bool {
    let is_type = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '+');
    let digits = count.trim_start_matches(['+', '-']);
    !name.starts_with('-')
        && name.chars().all(is_type)
        && (1..=5).contains(&digits.len())
        && digits.chars().all(|c| c.is_ascii_digit())
}

/// `https://user:password@host` without the part before the `@`; a digest (`@sha256:…`) stays unchanged.
fn without_credentials(word: &str) -> String {
    match word.rsplit_once('@') {
        Some((before, host)) if !host.starts_with("sha256:") && before.contains(':') => {
            let scheme = before.find("://").map_or("", |end| &before[..end + 3]);
            format!("{scheme}{HIDDEN}@{host}")
        }
        _ => word.to_owned(),
    }
}

/// A word of at most [`LONGEST_WORD`] characters, without control characters.
pub(crate) fn shortened(word: &str) -> String {
    let mut characters = word.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = characters.by_ref().take(LONGEST_WORD).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// The first line of a message, without control characters and with at most several hundred characters. The beginning and the end are kept: in
/// a chain of errors, such as an engine reports, the cause comes last.
pub(crate) fn first_line(message: &str) -> Option<String> {
    let line: String =
        message.lines().next()?.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(abridged(&line, LONGEST_WORD, LONGEST_WORD))
}

/// The first `begin` and the last `end` characters of a text, with ` … ` between them; a text that is not longer stays as it is.
pub fn abridged(text: &str, begin: usize, end: usize) -> String {
    let count = text.chars().count();
    if count <= begin + end {
        return text.to_owned();
    }
    text.chars().take(begin).chain(" … ".chars()).chain(text.chars().skip(count - end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &str) -> String {
        redacted(words.split(' ')).join(" ")
    }

    #[test]
    fn of_a_long_message_the_begin_and_the_end_of_its_first_line_are_kept() {
        let chain = format!(
            "the engine refused: {}: port is already allocated\noutput of the app",
            "failed: ".repeat(60)
        );
        let kept = first_line(&chain).expect("a line");
        assert!(
            kept.starts_with("the engine refused: failed") && kept.ends_with(": port is already allocated"),
            "{kept}"
        );
        assert_eq!(kept.chars().count(), 2 * LONGEST_WORD + 3);
        assert_eq!(first_line("short\tly\nmore").as_deref(), Some("short ly"));
        assert_eq!(first_line(""), None);
    }

    #[test]
    fn counts_and_paths_stay_and_values_go() {
        for same in [
            "deploy shop --dir src --scale web=2 --wait 5",
            "stop shop web.1",
            "shop web=+1 worker=0",
            "deploy shop --image registry.example/shop@sha256:abc --scheduler docker-local",
        ] {
            assert_eq!(shown(same), same);
        }
        for (words, expected) in [
            ("--env PIN=1234", "--env PIN=[redacted]"),
            ("-e TOKEN shop", "-e [redacted] shop"),
            ("--env=KEY=abc", "--env=[redacted]"),
            ("PIN=1234 shop", "PIN=[redacted] shop"),
            ("--env-file secrets.env", "--env-file secrets.env"),
            ("--image https://me:secret@host/shop", "--image https://[redacted]@host/shop"),
            ("--image me:secret@host/shop", "--image [redacted]@host/shop"),
            ("me@example.org", "me@example.org"),
            ("web=123456", "web=[redacted]"),
        ] {
            assert_eq!(shown(words), expected);
        }
    }

    #[test]
    fn of_a_command_only_the_name_of_the_program_stays() {
        let words = ["--command", "A=\"secret part two\" run it", "--command", "run --token abc"];
        assert_eq!(redacted(words), ["--command", "A=[redacted]", "--command", "run [redacted]"]);
    }

    #[test]
    fn many_and_long_words_are_cut_and_control_characters_go() {
        let long = "x".repeat(1000);
        let shown = redacted(std::iter::repeat_n(long.as_str(), 1000));
        assert_eq!(shown.len(), MOST_WORDS + 1);
        assert!(shown.iter().all(|word| word.chars().count() <= LONGEST_WORD + 1));
        assert_eq!(redacted(["a\x1b[2Jb"]), ["a [2Jb"]);
    }
}
