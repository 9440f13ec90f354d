//! A table as docs/supervisor.md prints it, for the tests that compare the page with what runs.

use std::fmt::Debug;

/// What a table is made of.
pub(crate) struct Printed<'a, S, E, A> {
    /// Its rows.
    pub(crate) states: &'a [S],
    /// Its columns.
    pub(crate) events: &'a [E],
    /// The action that is not worth a word.
    pub(crate) nothing: A,
}

/// The page holds the table of `after`: one row a state, one column an event.
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
