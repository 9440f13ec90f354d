//! Describes for people how a container ended: its exit status or signal, and the last lines that it wrote.

use formation::with_last_words;
use ps_engine::{Container, Engine};

/// How many of a container's last lines are shown.
const LAST_LINES: usize = 10;

/// How a container ended, as a phrase that follows the name of its slot. `None` means that the container no longer
/// exists.
pub(crate) async fn of(engine: &Engine, id: &str, container: Option<&Container>, is_early: bool) -> String {
    let when = if is_early { " in its first second" } else { "" };
    let what = match container.map(|container| container.last_exit) {
        None => return "was removed while it started".to_owned(),
        Some(Some(exit)) => format!("ended with {exit}{when}"),
        Some(None) => format!("ended{when}"),
    };
    with_words_of(engine, id, &what).await
}

/// A sentence about a container with the last lines that it wrote.
pub(crate) async fn with_words_of(engine: &Engine, id: &str, sentence: &str) -> String {
    let lines = engine.last_lines(id, LAST_LINES).await;
    if lines.is_empty() {
        return format!("{sentence}; it wrote nothing");
    }
    with_last_words(sentence, &lines)
}
