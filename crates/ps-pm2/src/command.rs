//! A whole command in one word, of the command line (`start "npm run serve"`) or as the `script` of a file.

use anyhow::{Result, bail};
use procfile_exchange::pm2::Declaration;

use crate::arguments;

/// What only a shell understands.
const OF_SHELL: [char; 13] = ['|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '~', '#'];

/// A command in one word of the command line, as today's pm2 takes it: `start "npm run serve"`.
#[derive(Debug)]
pub(crate) struct Command {
    text: String,
    words: Vec<String>,
}

impl Command {
    /// The command, if the word is one.
    ///
    /// # Errors
    /// A shell would be needed for it, and none is called here.
    pub(crate) fn read(word: &str) -> Result<Option<Self>> {
        if !word.trim().contains(char::is_whitespace) {
            return Ok(None);
        }
        if let Some(c) = of_shell(word) {
            bail!("{word}: {c} is for a shell, and none is called: start sh --name NAME -- -c '{word}'");
        }
        let words = arguments::of(&word.into())?;
        Ok((!words.is_empty()).then(|| Self { text: word.trim().replace('/', "-"), words }))
    }

    /// The word that says the program.
    pub(crate) fn first(&self) -> &str {
        &self.words[0]
    }

    pub(crate) fn arguments(&self) -> &[String] {
        &self.words[1..]
    }

    /// The name of an app without one: the whole command. A name becomes that of log files, so it has no `/`.
    pub(crate) fn name(&self) -> &str {
        &self.text
    }
}

/// The first character of a command that only a shell understands.
fn of_shell(command: &str) -> Option<char> {
    command.chars().find(|c| OF_SHELL.contains(c))
}

/// The same declaration with a whole command as its `script` (`"npm run serve"`) taken apart: the program, and arguments before its `args`.
///
/// # Errors
/// A shell would be needed for it, and none is called here.
pub(crate) fn taken_apart(declared: &Declaration) -> Result<Option<Declaration>> {
    let Some(script) = declared.text("script")? else { return Ok(None) };
    if !script.trim().contains(char::is_whitespace) {
        return Ok(None);
    }
    if let Some(c) = of_shell(&script) {
        bail!(
            "script: {c} in {script:?} is for a shell, and none is called: with \"script\": \"sh\" the line belongs into \"args\": [\"-c\", …]"
        );
    }
    let mut words = arguments::of(&script.as_str().into())?.into_iter();
    let Some(program) = words.next() else { return Ok(None) };
    let own = declared.get("args").map(arguments::of).transpose()?.unwrap_or_default();
    let mut apart = declared.clone();
    // The first of several names of a key counts.
    apart.0.retain(|(key, _)| key != "script");
    apart.0.insert(0, ("script".to_owned(), program.into()));
    apart.set("args", words.chain(own).collect::<Vec<_>>().into());
    if declared.text("name")?.is_none_or(|name| name.is_empty()) {
        // The name that every script has without one: what stands behind its last slash.
        apart.set("name", script.rsplit('/').next().unwrap_or(&script).into());
    }
    Ok(Some(apart))
}
