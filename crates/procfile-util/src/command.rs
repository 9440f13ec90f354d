//! The parts of a row in the table of subcommands: name, flags, help text, and the function that runs it.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::flags::{Flags, Given};
use crate::near;

/// A subcommand.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// One line for the overview.
    pub(crate) synopsis: &'static str,
    /// Further help: what the subcommand reads and what it prints.
    pub(crate) about: &'static str,
    /// Command lines that work as they are written.
    pub(crate) examples: &'static [&'static str],
    pub(crate) flags: Flags,
    /// The flag whose value an argument without dashes is.
    pub(crate) operand: Option<&'static str>,
    pub(crate) run: fn(&Given) -> Result<Outcome>,
}

impl Command {
    /// A hint for a person whose arguments were refused with this text; `None` if it cannot be guessed what was
    /// meant.
    pub(crate) fn meant(&self, refusal: &str) -> Option<String> {
        let flags = || self.flags.iter().flat_map(|group| group.iter());
        if let Some(unknown) = refusal.strip_prefix("unknown flag: --") {
            let begins =
                || flags().map(|flag| flag.long).find(|long| long.split('-').any(|part| part == unknown));
            let near = near::nearest(unknown, flags().map(|flag| flag.long)).or_else(begins);
            return near.map(|near| format!("did you mean --{near}?"));
        }
        let has = |long: &str| flags().any(|flag| flag.long == long);
        let positional = refusal.starts_with("This command requires");
        match (positional, has("process-type"), has("procfile")) {
            (true, true, _) => Some("name the process type with -p, and the file with -P".to_owned()),
            (true, false, true) => Some("name the file with -P".to_owned()),
            _ => None,
        }
    }
}
