//! What is said anew about apps that exist: by a file that `start`, `restart`, `reload`, `startOrRestart` or `startOrReload` is given, or
//! by the options of `start`, `restart` and `reload`. The apps have it from their next start on.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use procfile_exchange::pm2::Declaration;
use ps_apps::Deployed;
use serde_json::Value;

use crate::book::{App, Book};
use crate::declared::{self, Declared};
use crate::fleet;
use crate::given;
use crate::release;
use crate::say;
use crate::session::{self, Session};
use crate::target::{self, Target};

/// The keys that an app no longer has once its file no longer says them; it keeps any other. `env_<name>` is one too.
const OF_FILE: [&str; 10] = [
    "name",
    "script",
    "args",
    "cwd",
    "env",
    "exec_interpreter",
    "interpreter",
    "node_args",
    "interpreter_args",
    "force",
];

/// The key of how many instances an app has.
const COUNT: &str = "instances";

/// All that an app is to be from now on.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// The name of our app.
    ours: String,
    declaration: Declaration,
    /// The variables below those of the declaration.
    variables: BTreeMap<String, String>,
    /// How many instances it is to have, if that was said.
    count: Option<u16>,
    /// The keys that it loses if the declaration does not have them.
    forgets: fn(&str) -> bool,
}

/// What is said about the apps of a word of the command line: by the file that it names, or else by the options.
pub(crate) fn of_target(
    session: &Session,
    book: &Book,
    target: &Target,
    ids: &[u64],
) -> Result<Vec<Renewal>> {
    match target {
        Target::Declared { declarations, .. } => of_file(session, book, declarations),
        _ => of_options(session, book, ids, &given::said(&session.args)?),
    }
}

/// What declarations of a file say about the apps of their names. The variables of whoever started an app stay below those of the
/// declaration, unless `--update-env` puts the caller's in their place.
pub(crate) fn of_file(session: &Session, book: &Book, declarations: &[Declaration]) -> Result<Vec<Renewal>> {
    let mut renewals = Vec::new();
    for declaration in declarations {
        let name = target::declared_name(declaration)?;
        let mut apps: Vec<&App> = book.apps.iter().filter(|app| app.name == name).collect();
        if apps.len() > 1 {
            // Two entries of a file may have one name; their scripts tell them apart.
            let script = declaration.text("script")?.map(|script| session.path(Path::new(&script)));
            apps.retain(|app| script.as_ref() == Some(&app.script));
        }
        for app in &apps {
            let mut renewal = renewal(app, declaration, is_of_file)?;
            if session.args.update_env {
                renewal.variables = session::own_variables();
            }
            // Of two apps with one name and script it is not known whose count is whose.
            renewal.count = renewal.count.filter(|_| apps.len() == 1);
            renewals.push(renewal);
        }
    }
    Ok(renewals)
}

/// What the options of the command line say about the apps of these instances. An option is about a whole app.
pub(crate) fn of_options(
    session: &Session,
    book: &Book,
    ids: &[u64],
    said: &Declaration,
) -> Result<Vec<Renewal>> {
    if said.0.is_empty() && session.args.env.is_none() {
        return Ok(Vec::new());
    }
    let apps: Vec<&App> = fleet::by_app(book, ids).into_iter().map(|(app, _)| app).collect();
    if apps.len() > 1 && said.says("name") {
        bail!("--name: one app is wanted, and {} are meant", apps.len());
    }
    declared::remark(said);
    let of_app = |app: &&App| {
        let mut renewal = renewal(app, said, |_| false)?;
        // The variables that the app was declared with are among its own already, and --update-env may have set others since.
        renewal.declaration.0.retain(|(key, _)| key != "env");
        Ok(renewal)
    };
    apps.iter().map(of_app).collect()
}

/// Gives apps what is said of them, replaces their instances by `replace`, and then gives each app as many as it is to have.
///
/// # Errors
/// What is said is invalid, and nothing is changed; or `replace` has failed: then what starts later is what ran before.
pub(crate) fn carry_out(
    session: &Session,
    book: &mut Book,
    renewals: &[Renewal],
    replace: impl FnOnce(&mut Book) -> Result<()>,
) -> Result<()> {
    let before = book.apps.clone();
    let mut settled = Vec::new();
    let done = take_over(session, book, renewals, &mut settled).and_then(|()| replace(book));
    if let Err(error) = done {
        put_back(book, &before);
        book.write(&session.home)?;
        for (app, deployed) in settled {
            if let Err(why) = release::settle_back(&session.home, &app, &deployed) {
                say::warning(format_args!("{} keeps its new settings: {why:#}", app.name));
            }
        }
        return Err(error);
    }
    for (ours, count) in renewals.iter().filter_map(|renewal| Some((&renewal.ours, renewal.count?))) {
        let there = book.apps.iter().find(|app| app.ours == *ours).map_or(0, |app| app.instances.len());
        if there != usize::from(count) {
            fleet::scale(&session.home, book, ours, count)?;
        }
    }
    Ok(())
}

/// `settled` gets the apps whose settings were exchanged, and what was deployed before.
fn take_over(
    session: &Session,
    book: &mut Book,
    renewals: &[Renewal],
    settled: &mut Vec<(App, Deployed)>,
) -> Result<()> {
    let (mut renewed, mut all) = (book.clone(), Vec::new());
    for renewal in renewals {
        let app = renewed.apps.iter_mut().find(|app| app.ours == renewal.ours);
        let app = app.context("there is no such app any more")?;
        let declared = declared::judge_with(session, &renewal.declaration, renewal.variables.clone())
            .with_context(|| app.name.clone())?;
        put_into(app, &declared, renewal);
        all.push((app.clone(), declared));
    }
    if renewed.apps != book.apps {
        renewed.write(&session.home)?;
        *book = renewed;
    }
    for (app, declared) in all {
        let before = release::settle(&session.home, &app, &declared).with_context(|| app.name.clone())?;
        settled.extend(before.map(|before| (app, before)));
    }
    Ok(())
}

/// What an app was before; what became of its instances stays.
fn put_back(book: &mut Book, before: &[App]) {
    for app in &mut book.apps {
        if let Some(old) = before.iter().find(|old| old.ours == app.ours) {
            *app = App { instances: std::mem::take(&mut app.instances), ..old.clone() };
        }
    }
}

/// What is said, and below it what the app is now.
fn renewal(app: &App, said: &Declaration, forgets: fn(&str) -> bool) -> Result<Renewal> {
    let count = said.get(COUNT).map(declared::instances).transpose()?;
    let mut declaration = said.clone();
    for (key, value) in &app.shown {
        if !forgets(key) && !said.says(key) {
            declaration.0.push((key.clone(), value.clone()));
        }
    }
    let paths = [
        ("script", &app.script),
        ("cwd", &app.cwd),
        ("error_file", &app.err),
        ("out_file", &app.out),
        ("pid_file", &app.pid),
    ];
    for (key, path) in paths.into_iter().filter(|(key, _)| !said.says(key)) {
        let path = path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))?;
        declaration.set(key, path.into());
    }
    keep_address(app, &mut declaration);
    Ok(Renewal { ours: app.ours.clone(), declaration, variables: app.env.clone(), count, forgets })
}

/// An app keeps its address, or has none as before: instances that run would be reached neither at the old one nor at a new one.
fn keep_address(app: &App, declaration: &mut Declaration) {
    if app.has_address && declaration.get("port") != app.port.as_ref() {
        say::warning(format_args!(
            "{} keeps its port: delete it and start it again for another one",
            app.name
        ));
        declaration.set("port", app.port.clone().unwrap_or_default());
    }
    let there = app.instances.len();
    let judged = match (app.has_address, declaration.get("port")) {
        (true, _) => there.max(2),
        (false, Some(_)) => 1,
        (false, None) => there,
    };
    if declaration.get(COUNT).is_some() || judged > 1 {
        declaration.set(COUNT, judged.into());
    }
}

fn put_into(app: &mut App, declared: &Declared, renewal: &Renewal) {
    let new = declared.app.clone();
    let old = std::mem::take(&mut app.shown);
    let count = renewal.count.map(Value::from);
    let count = count.or_else(|| old.iter().find(|(key, _)| key == COUNT).map(|(_, value)| value.clone()));
    let has = |key: &str| new.shown.iter().any(|(name, _)| name == key);
    let kept = old.into_iter().filter(|(key, _)| !(renewal.forgets)(key) && !has(key));
    let mut shown: Vec<(String, Value)> = new.shown.iter().cloned().chain(kept).collect();
    shown.retain_mut(|(key, value)| match &count {
        _ if key != COUNT => true,
        None => false,
        Some(count) => {
            value.clone_from(count);
            true
        }
    });
    *app = App {
        ours: std::mem::take(&mut app.ours),
        instances: std::mem::take(&mut app.instances),
        shown,
        ..new
    };
}

fn is_of_file(key: &str) -> bool {
    OF_FILE.contains(&key) || key.starts_with("env_")
}
