//! A message about a process and the last lines that it wrote, in the form in which errors have both:
//! ```text
//! release.1 of shop failed (exit status: 1); the last it wrote:
//!     no such table: orders
//! ```

/// The text between the message and the lines.
const LEAD: &str = "; the last it wrote:";
/// How far each line is indented.
const INDENT: &str = "    ";

/// The message with the lines, the oldest first; the message alone if there are none.
pub fn with_last_words<L: AsRef<str>>(message: &str, lines: impl IntoIterator<Item = L>) -> String {
    let mut whole = message.to_owned();
    for (n, line) in lines.into_iter().enumerate() {
        if n == 0 {
            whole.push_str(LEAD);
        }
        whole.extend(["\n", INDENT, line.as_ref()]);
    }
    whole
}

/// Splits a text into the message and the lines, the oldest line first. Text after the lines, such as what happened to other instances, is
/// in neither.
pub fn without_last_words(message: &str) -> (&str, Vec<&str>) {
    let Some((sentence, rest)) = message.split_once(LEAD) else { return (message, Vec::new()) };
    let lines = rest.lines().skip(1).map_while(|line| line.strip_prefix(INDENT));
    (sentence, lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_behind_a_message_and_taken_from_it_again() {
        let told = with_last_words("release.1 of shop failed", ["one", "  two"]);
        assert_eq!(told, "release.1 of shop failed; the last it wrote:\n    one\n      two");
        assert_eq!(without_last_words(&told), ("release.1 of shop failed", vec!["one", "  two"]));
        let more = format!("{told}\nweb.2 of shop ended\nweb.1 runs the earlier release again");
        assert_eq!(
            without_last_words(&more).1,
            ["one", "  two"],
            "what is said of others is not the process's"
        );
        assert_eq!(with_last_words::<&str>("it failed", []), "it failed");
        for alone in ["it failed", "web.1 of shop is held\n    by somebody"] {
            assert_eq!(without_last_words(alone), (alone, vec![]));
        }
        assert_eq!(without_last_words("it failed; the last it wrote:"), ("it failed", vec![]));
    }
}
