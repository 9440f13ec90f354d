//! The table of verbs, one a line: name, state before, command, question, answer after. A later verb is one line more.

use anyhow::{Context, Result, bail};

use crate::reading::Question;

/// One line of a table.
#[derive(Clone, Debug)]
pub struct Verb {
    /// How reports call it.
    pub name: String,
    /// Commands that make the state before, run in turn in an empty world.
    pub before: Vec<Vec<String>>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// What is asked after each fault.
    pub question: Question,
    /// The answer once the verb is done.
    pub after: String,
}

/// The verbs under test.
pub fn all() -> Result<Vec<Verb>> {
    parse(include_str!("../verbs"))
}

/// The writers that must be caught.
pub fn controls() -> Result<Vec<Verb>> {
    parse(include_str!("../controls"))
}

fn parse(table: &str) -> Result<Vec<Verb>> {
    let lines = table.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| of(line).with_context(|| format!("line {line:?}"))).collect()
}

/// The verb of a line.
pub fn of(line: &str) -> Result<Verb> {
    let columns: Vec<&str> = line.split('|').map(str::trim).collect();
    let [name, before, command, question, after] = columns[..] else { bail!("a verb has five columns") };
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    Ok(Verb {
        name: name.to_owned(),
        before: before.split(';').map(words).filter(|command| !command.is_empty()).collect(),
        command: words(command),
        question: Question::parse(question)?,
        after: after.to_owned(),
    })
}
