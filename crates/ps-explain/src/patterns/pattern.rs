//! A row of the table of signs: words, what they mean, and what to do.

/// A sign.
pub(crate) struct Pattern {
    /// The cause that it is a sign of.
    pub(crate) cause: &'static str,
    /// Any of these words, in lower case.
    pub(super) words: &'static [&'static str],
    /// What it means, as a sentence without a full stop.
    pub(crate) says: &'static str,
    /// What to do.
    pub(crate) cure: &'static str,
}

impl Pattern {
    /// Whether it says no more than that there was an error.
    pub(crate) fn is_wide(&self) -> bool {
        self.cause == EXCEPTION
    }
}

/// The cause of the row of an error of which nothing narrower is known.
pub(super) const EXCEPTION: &str = "exception";

/// Whether a word stands in a text, and none that only ends like it. Of `relation "…does not exist` both parts must, one behind the other.
pub(super) fn stands_in(text: &str, word: &str) -> bool {
    places(text, word).next().is_some()
}

/// Words of a program that only guesses what comes next.
const GUESSES: [&str; 4] = ["perhaps", "maybe", "possibly", "probably"];

/// Where it stands there: its first byte, and the one behind its last.
pub(super) fn places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    let (begin, end) = word.split_once('…').unwrap_or((word, ""));
    let begins_plain = !begin.starts_with(|c: char| c.is_alphanumeric());
    text.match_indices(begin).filter_map(move |(at, _)| {
        let before = &text[..at];
        let is_begin = begins_plain || !before.ends_with(|c: char| c.is_alphanumeric());
        // `was sent SIGKILL! Perhaps out of memory?`: a program that guesses does not know.
        let is_guess = GUESSES.iter().any(|guess| before.trim_end().ends_with(guess));
        let is_begin = is_begin && !is_guess;
        let behind = at + begin.len();
        let rest = text[behind..].find(end).filter(|_| is_begin)?;
        let past = behind + rest + end.len();
        (!is_count_of_none(&text[past..])).then_some((at, past))
    })
}

/// Whether what stands behind the words is how often that happened, and it never did: `connection refused: 0`, `timed out=0, ok=7`. An address is
/// no count: `address already in use: 0.0.0.0:5000`.
fn is_count_of_none(rest: &str) -> bool {
    let rest = rest.trim_start_matches(['"', '\'', ' ']);
    let Some(count) = rest.strip_prefix([':', '=']).map(str::trim_start) else { return false };
    let Some(behind) = count.strip_prefix('0') else { return false };
    behind.chars().next().is_none_or(|next| matches!(next, ',' | ';' | ')' | '}' | ']' | '|'))
}
