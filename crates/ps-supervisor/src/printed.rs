//! Formats a transition table as docs/supervisor.md prints it, so that tests can compare the page with the code.

use std::fmt::Debug;

/// A transition table.
pub(crate) struct Printed<'a, S, E, A> {
    /// Its rows.
    pub(crate) states: &'a [S],
    /// Its columns.
    pub(crate) events: &'a [E],
    /// The action "nothing", which is left out of the printed cells.
    pub(crate) nothing: A,
}

/// Asserts that the page contains the table of `after`: a row for each state, a column for each event.
pub(crate) fn assert_on_page<S, E, A>(table: &Printed<'_, S, E, A>, after: impl Fn(S, E) -> (S, A))
where
    S: Copy + Debug + PartialEq,
    E: Copy + Debug,
    A: Debug + PartialEq,
{
    let cell = |state: S, event: E| {
        let (next, action) = after(state, event);
        match (next == state, action == table.nothing) {
            (true, true) => " · |".to_owned(),
            (true, false) => format!(" {action:?} |"),
            (false, true) => format!(" → {next:?} |"),
            (false, false) => format!(" {action:?} → {next:?} |"),
        }
    };
    let row = |state: &S| {
        let cells: String = table.events.iter().map(|event| cell(*state, *event)).collect();
        format!("| **{state:?}** |{cells}\n")
    };
    let heading = table.events.iter().map(|event| format!(" {event:?} |")).collect::<Vec<_>>().concat();
    let rows: String = table.states.iter().map(row).collect();
    let expected = format!("| state |{heading}\n|{}\n{rows}", "---|".repeat(table.events.len() + 1));
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/supervisor.md");
    let text = std::fs::read_to_string(page).expect("docs/supervisor.md can be read");
    assert!(text.contains(&expected), "docs/supervisor.md should contain:\n{expected}");
}
