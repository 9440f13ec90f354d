//! The meaning of an argument: an id, a name, a script, a file that declares apps, or all.

use std::path::Path;

use anyhow::{Context, Result, bail};
use procfile_exchange::pm2::Declaration;
use regex::Regex;

use crate::book::{App, Book};
use crate::declared::basename;
use crate::load;
use crate::say::{self, Usage};
use crate::session::Session;

/// What most verbs are about, as pm2 says it.
pub(crate) const WHICH: &str = "pm2_id|name|all|json_file|stdin(-)";

/// What a word means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    All,
    /// The word, and the instance if there is one.
    Id(String, Option<u64>),
    /// A name, a script, or a regular expression between slashes.
    Name(String),
    /// The apps that a file declares, in its order, and their names.
    Declared {
        names: Vec<String>,
        declarations: Vec<Declaration>,
    },
}

/// Understands a word.
pub(crate) fn parse(session: &Session, book: &Book, word: &str) -> Result<Target> {
    if word == "all" {
        return Ok(Target::All);
    }
    if load::declares(word) {
        let declarations = load::declarations(session, word)?;
        let names = declarations.iter().map(declared_name).collect::<Result<_>>()?;
        return Ok(Target::Declared { names, declarations });
    }
    // As for pm2, space before a number does not matter to what is a number, and ids are written in one way.
    if word.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
        let id = word.parse().ok().filter(|id: &u64| id.to_string() == word && book.instance(*id).is_some());
        // An app may be called 3d-viewer, but a word of digits alone is always an id, also if an app is called 7.
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        if is_number || !book.apps.iter().any(|app| app.name == word) {
            return Ok(Target::Id(word.to_owned(), id));
        }
    }
    pattern(word)?;
    Ok(Target::Name(word.to_owned()))
}

/// The name of a declared app: that of its script, if it says none.
pub(crate) fn declared_name(declaration: &Declaration) -> Result<String> {
    let script =
        || declaration.text("script").map(|script| script.map(|script| basename(Path::new(&script))));
    Ok(declaration.text("name")?.map_or_else(script, |name| Ok(Some(name)))?.unwrap_or_default())
}

/// A pattern between slashes (`/^api-/`), which is searched for in names.
pub(crate) fn pattern(word: &str) -> Result<Option<Regex>> {
    let Some(inner) = word.strip_prefix('/').and_then(|word| word.strip_suffix('/')) else { return Ok(None) };
    if inner.is_empty() {
        return Ok(None);
    }
    let pattern = Regex::new(inner);
    pattern.map(Some).with_context(|| format!("{word} is no regular expression that is understood here"))
}

/// The words that a verb is about; an error names what is missing, as `what`.
pub(crate) fn words<'a>(session: &'a Session, what: &str) -> Result<&'a [String]> {
    let words = session.subjects();
    if words.is_empty() {
        return Err(Usage(format!("missing required argument `{what}'")).into());
    }
    Ok(words)
}

/// The ids of a target. An id that nothing has is an error, and a name that nothing has a warning.
pub(crate) fn found(book: &Book, target: &Target) -> Result<Vec<u64>> {
    let ids = target.ids(book);
    match target {
        Target::Id(word, None) => match called(book, word)[..] {
            [] => bail!("{word} : pm2 id not found"),
            [id, ..] => {
                bail!(
                    "{word} : pm2 id not found, a number is always an id; the app called {word} has id {id}"
                )
            }
        },
        Target::Name(name) if ids.is_empty() => {
            say::warning(format_args!(
                "no app is called {name}, so nothing was done: ps-pm2 list shows the names"
            ));
        }
        _ => (),
    }
    Ok(ids)
}

/// What pm2 says of each app of a file, whatever is done to it.
pub(crate) fn tell_each(names: &[String]) -> std::io::Result<()> {
    names.iter().try_for_each(|name| say::fact(format_args!("Stopping process by name {name}")))
}

impl Target {
    /// The ids of the instances that are meant.
    pub(crate) fn ids(&self, book: &Book) -> Vec<u64> {
        match self {
            Self::All => book.apps.iter().flat_map(ids).collect(),
            Self::Id(_, id) => id.iter().copied().collect(),
            Self::Name(word) => named(book, word),
            Self::Declared { names, .. } => names.iter().flat_map(|name| named(book, name)).collect(),
        }
    }
}

/// The instances of the apps that have this name or script.
pub(crate) fn named(book: &Book, word: &str) -> Vec<u64> {
    if let Ok(Some(pattern)) = pattern(word) {
        return book.apps.iter().filter(|app| pattern.is_match(&app.name)).flat_map(ids).collect();
    }
    let file = basename(Path::new(word));
    let is_meant = |app: &&App| app.name == word || (!file.is_empty() && basename(&app.script) == file);
    book.apps.iter().filter(is_meant).flat_map(ids).collect()
}

/// The instances of the apps that have this name.
pub(crate) fn called(book: &Book, name: &str) -> Vec<u64> {
    book.apps.iter().filter(|app| app.name == name).flat_map(ids).collect()
}

fn ids(app: &App) -> Vec<u64> {
    app.instances.iter().map(|instance| instance.id).collect()
}
