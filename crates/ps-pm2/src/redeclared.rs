//! What a file says anew about apps that exist: `restart`, `reload`, `startOrRestart` and `startOrReload` of a file take
//! over what an instance reads when it starts. What belongs to the app as a whole stays as it was, with a warning.

use anyhow::Result;
use procfile_exchange::pm2::Declaration;
use serde_json::Value;

use crate::book::{App, Book};
use crate::declared::{self, Declared};
use crate::fleet;
use crate::say;
use crate::session::{self, Session};
use crate::target;

/// The keys that are taken over, by all of their names, or that say which app is meant. `env_<name>` is one too.
const TAKEN_OVER: [&str; 11] = [
    "name",
    "script",
    "args",
    "cwd",
    "env",
    "exec_interpreter",
    "interpreter",
    "node_args",
    "interpreter_args",
    "instances",
    "force",
];

/// Takes over what the declarations say about apps of their names, replaces their instances by `replace`, and then gives each app as many as
/// its declaration says. The variables of whoever started an app stay below those of the declaration, unless `--update-env` puts the
/// caller's in their place.
///
/// # Errors
/// A declaration is invalid, and nothing is changed; or `replace` has failed: then what starts later is what ran before.
pub(crate) fn carry_out(
    session: &Session,
    book: &mut Book,
    declarations: &[Declaration],
    replace: impl FnOnce(&mut Book) -> Result<()>,
) -> Result<()> {
    let before = book.apps.clone();
    let counts = take_over(session, book, declarations)?;
    if let Err(error) = replace(book) {
        put_back(book, &before);
        book.write(&session.home)?;
        return Err(error);
    }
    for (ours, count) in counts {
        fleet::scale(&session.home, book, &ours, count)?;
    }
    Ok(())
}

/// The apps that are to have another number of instances, by our names.
fn take_over(session: &Session, book: &mut Book, declarations: &[Declaration]) -> Result<Vec<(String, u16)>> {
    let (mut renewed, mut counts) = (book.clone(), Vec::new());
    for declaration in declarations {
        let is_alone = book.apps.iter().filter(|app| is_of(declaration, app)).count() == 1;
        for app in renewed.apps.iter_mut().filter(|app| is_of(declaration, app)) {
            let variables = if session.args.update_env { session::own_variables() } else { app.env.clone() };
            let declared = declared::judge_with(session, declaration, variables)?;
            let is_other = usize::from(declared.count) != app.instances.len();
            if declaration.get("instances").is_some() && is_alone && is_other {
                counts.push((app.ours.clone(), declared.count));
            }
            warn_of_others(app, &declared);
            put_into(app, declaration, declared);
        }
    }
    if renewed.apps != book.apps {
        renewed.write(&session.home)?;
        *book = renewed;
    }
    Ok(counts)
}

/// What an instance reads when it starts is as it was; what became of the instances stays.
fn put_back(book: &mut Book, before: &[App]) {
    for app in &mut book.apps {
        if let Some(old) = before.iter().find(|old| old.ours == app.ours).cloned() {
            (app.script, app.words, app.env, app.cwd, app.shown) =
                (old.script, old.words, old.env, old.cwd, old.shown);
        }
    }
}

fn is_of(declaration: &Declaration, app: &App) -> bool {
    target::declared_name(declaration).is_ok_and(|name| name == app.name)
}

fn put_into(app: &mut App, declaration: &Declaration, declared: Declared) {
    let Declared { app: new, .. } = declared;
    (app.script, app.words, app.env) = (new.script, new.words, new.env);
    if declaration.get("cwd").is_some() {
        app.cwd = new.cwd;
    }
    let is_kept = |key: &str| !is_taken_over(key);
    let old = std::mem::take(&mut app.shown);
    let (kept, renewed) = (old.into_iter(), new.shown.into_iter());
    app.shown =
        renewed.filter(|(key, _)| !is_kept(key)).chain(kept.filter(|(key, _)| is_kept(key))).collect();
}

fn is_taken_over(key: &str) -> bool {
    TAKEN_OVER.contains(&key) || key.starts_with("env_")
}

/// Names the keys that are other than those that the app was started with.
fn warn_of_others(app: &App, declared: &Declared) {
    let value = |keys: &[(String, Value)], wanted: &str| {
        keys.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.clone())
    };
    let new = &declared.app.shown;
    let other = |key: &&String| !is_taken_over(key) && value(new, key) != value(&app.shown, key);
    let others: Vec<&str> = new.iter().map(|(key, _)| key).filter(other).map(String::as_str).collect();
    if !others.is_empty() {
        say::warning(format_args!(
            "{} keeps its {}: delete it and start it again for what the file says now",
            app.name,
            others.join(", ")
        ));
    }
}
