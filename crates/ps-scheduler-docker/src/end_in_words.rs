//! How a container ended, in words for people: its exit status or signal, and the last lines that it wrote.

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
    format!("{what}{}", last_words(engine, id).await)
}

/// The last lines of a container, as the end of a sentence about it.
pub(crate) async fn last_words(engine: &Engine, id: &str) -> String {
    let lines = engine.last_lines(id, LAST_LINES).await;
    if lines.is_empty() {
        return "; it wrote nothing".to_owned();
    }
    format!("; the last it wrote:\n    {}", lines.join("\n    "))
}
