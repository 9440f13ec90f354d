//! `start`: starts a script, the apps of a file or of stdin, or a known app that does not run.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use procfile_exchange::pm2::{Declaration, as_text};
use ps_cli::exit::Outcome;
use serde_json::Value;

use crate::book::Book;
use crate::command::Command;
use crate::declared::{self, Declared, basename};
use crate::redeclared::{self, Renewal};
use crate::row::{self, Status};
use crate::say::{self, Usage};
use crate::session::Session;
use crate::table;
use crate::target;
use crate::{fleet, given, interpreter, load, reload};

/// What `start` is about, as pm2 says it.
const WHAT: &str = "script|json_file|stdin(-)";
/// What pm2 says of a script that runs, or of a port that another app has.
const ALREADY_LAUNCHED: &str = "Script already launched, add -f option to force re execution";

/// Starts each of the words.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let usual: Vec<String> = load::usual(session).into_iter().collect();
    let words = if session.subjects().is_empty() && !usual.is_empty() {
        &usual
    } else {
        target::words(session, WHAT)?
    };
    for word in words {
        let _lock = session.home.lock()?;
        let mut book = Book::read(&session.home)?;
        if load::declares(word) {
            declared(session, &mut book, &load::declarations(session, word)?)?;
        } else {
            script_or_known(session, &mut book, word)?;
        }
    }
    table::print_all(session)?;
    Ok(Outcome::Done)
}

/// `startOrRestart` and `startOrReload`: apps of a file that do not exist yet are started, and existing ones are
/// restarted or reloaded.
pub(crate) fn or_again(session: &Session, again: Again) -> Result<Outcome> {
    for word in target::words(session, "json")? {
        let _lock = session.home.lock()?;
        let mut book = Book::read(&session.home)?;
        for declaration in load::declarations(session, word)? {
            let judged = judge_one_of(session, &declaration)?;
            let ids = target::called(&book, &judged.app.name);
            if ids.is_empty() {
                launch(session, &mut book, &judged)?;
                continue;
            }
            let renewals = redeclared::of_file(session, &book, &[declaration])?;
            redeclared::carry_out(session, &mut book, &renewals, |book| match again {
                Again::Restart => fleet::restart(&session.home, book, &ids),
                Again::Reload(manner) => reload::reload(session, book, &ids, manner),
            })?;
        }
    }
    table::print_all(session)?;
    Ok(Outcome::Done)
}

/// What is done with an existing app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    Restart,
    Reload(reload::Manner),
}

fn script_or_known(session: &Session, book: &mut Book, word: &str) -> Result<()> {
    let script = session.path(Path::new(word));
    if script.is_file() {
        return one_script(session, book, (&script, word), None);
    }
    if word.is_empty() {
        return Err(Usage(format!("missing required argument `{WHAT}'")).into());
    }
    // Programs of the machine, such as npm, run many apps, which their names tell apart.
    let is_program = interpreter::on_path(word).is_some();
    let ids =
        if is_program { target::called(book, word) } else { target::parse(session, book, word)?.ids(book) };
    let is_other = session.args.name.as_ref().is_some_and(|name| is_program && name != word);
    if !ids.is_empty() && !is_other {
        let renewals = redeclared::of_options(session, book, &ids, &given::said(&session.args)?)?;
        let (resting, running) = by_rest(session, book, &ids)?;
        // Today's pm2 restarts what runs; 0.7.2 knows no options that are about an app that exists.
        let running = if renewals.is_empty() { Vec::new() } else { running };
        return start_again(session, book, (&resting, &running), &renewals);
    }
    let command = Command::read(word)?;
    let first = command.as_ref().map_or(word, |command| command.first());
    let local = command.as_ref().map(|command| session.path(Path::new(command.first())));
    let program = local.filter(|path| path.is_file()).or_else(|| interpreter::on_path(first));
    let Some(program) = program else {
        let hint = if script.is_dir() { ", which is a directory: name the script in it" } else { "" };
        bail!("script not found : {}{hint}", script.display())
    };
    let shown = program.display().to_string();
    one_script(session, book, (&program, &shown), command.as_ref())
}

/// Starts instances that do not run, as they were started before, but for what is said anew. These ones that run are restarted for it.
fn start_again(
    session: &Session,
    book: &mut Book,
    (resting, running): (&[u64], &[u64]),
    renewals: &[Renewal],
) -> Result<()> {
    redeclared::carry_out(session, book, renewals, |book| {
        for (app, instances) in fleet::by_app(book, resting) {
            fleet::start(&session.home, app, &instances)?;
        }
        fleet::restart(&session.home, book, running)
    })?;
    say::fact("Process successfully started")?;
    Ok(())
}

/// Those of these instances that do not run, and those that do.
fn by_rest(session: &Session, book: &Book, ids: &[u64]) -> Result<(Vec<u64>, Vec<u64>)> {
    let rows = row::rows(&session.home, book)?;
    let rest = |id: &u64| rows.iter().any(|row| row.instance.id == *id && at_rest(row.status));
    Ok(ids.iter().copied().partition(rest))
}

fn at_rest(status: Status) -> bool {
    matches!(status, Status::Stopped | Status::Errored)
}

/// `shown`: the script as the command line names it. `words`: the command that was given in one word, if it was.
fn one_script(
    session: &Session,
    book: &mut Book,
    (script, shown): (&Path, &str),
    words: Option<&Command>,
) -> Result<()> {
    let declaration = given::declaration(session, script, words)?;
    let is_shared = words.is_some() || interpreter::is_on_path(script);
    let name = declaration.text("name")?.unwrap_or_default();
    let same: Vec<u64> = book
        .apps
        .iter()
        .filter(|app| app.script == script && (!is_shared || app.name == name))
        .flat_map(|app| app.instances.iter().map(|instance| instance.id))
        .collect();
    // As in pm2, the instance with the lowest id says whether the script is launched. One that is stopped is started even with -f.
    if let Some(first) = same.iter().min() {
        let rows = row::rows(&session.home, book)?;
        let is_stopped = rows.iter().any(|row| row.instance.id == *first && row.status == Status::Stopped);
        match (is_stopped, session.args.force) {
            (true, _) => return start_known(session, book, &same),
            (false, false) => bail!("{ALREADY_LAUNCHED}"),
            (false, true) => {}
        }
    }
    tell_schedule(session, &declaration)?;
    let judged = declared::judge(session, &declaration)?;
    if session.args.write {
        write_declaration(session, (script, shown), &declaration)?;
    }
    launch(session, book, &judged)
}

/// Starts the apps of a script with what the options say of them. Each keeps its name: pm2 starts them also where another one is given.
fn start_known(session: &Session, book: &mut Book, ids: &[u64]) -> Result<()> {
    let mut said = given::said(&session.args)?;
    if let Some(name) = said.text("name")? {
        said.0.retain(|(key, _)| key != "name");
        let others = fleet::by_app(book, ids).into_iter().filter(|(app, _)| app.name != name);
        for (app, _) in others {
            say::warning(format_args!(
                "{} keeps its name: ps-pm2 restart {0} --name {name} gives it another one",
                app.name
            ));
        }
    }
    let renewals = redeclared::of_options(session, book, ids, &said)?;
    let (resting, _) = by_rest(session, book, ids)?;
    start_again(session, book, (&resting, &[]), &renewals)
}

/// The apps of a file. What runs already by that name is refused, what is stopped is started, and the first one that cannot be started is
/// the last that is tried.
///
/// Two entries of one name are two apps, as in pm2: what counts is which names there were before.
fn declared(session: &Session, book: &mut Book, declarations: &[Declaration]) -> Result<()> {
    let before = book.clone();
    for declaration in declarations {
        tell_schedule(session, declaration)?;
        let judged = judge_one_of(session, declaration)?;
        let is_forced = session.args.force || declaration.flag("force")?.unwrap_or(false);
        let known = target::called(&before, &judged.app.name);
        if known.is_empty() && !is_forced && has_port(session, &before, &judged)? {
            say::warning(format_args!("{}: {ALREADY_LAUNCHED}", judged.app.name));
            continue;
        }
        if is_forced || known.is_empty() {
            launch(session, book, &judged)?;
            continue;
        }
        let (rest, _) = by_rest(session, book, &known)?;
        if rest.is_empty() {
            say::warning(format_args!(
                "{} is already launched, add -f option to force re execution",
                judged.app.name
            ));
        } else {
            // Processes that run go on with what the file said when they were started.
            let said = if rest == known { std::slice::from_ref(declaration) } else { &[] };
            let renewals = redeclared::of_file(session, book, said)?;
            start_again(session, book, (&rest, &[]), &renewals)?;
        }
    }
    Ok(())
}

/// Judges an app of a file: an error says which of its apps it is about.
fn judge_one_of(session: &Session, declaration: &Declaration) -> Result<Declared> {
    let name = target::declared_name(declaration).unwrap_or_default();
    declared::judge(session, declaration).map_err(|error| match &*name {
        "" => error,
        name => anyhow!("{error:#} (app {name})"),
    })
}

/// Whether an app that runs was given the same `port`. pm2 takes that for the same app, and starts nothing.
fn has_port(session: &Session, book: &Book, judged: &Declared) -> Result<bool> {
    let Some(port) = judged.app.port.as_ref().map(as_text) else { return Ok(false) };
    let others = book.apps.iter().filter(|app| app.port.as_ref().map(as_text).as_ref() == Some(&port));
    let rows = row::rows_of(&session.home, others.collect())?;
    Ok(rows.iter().any(|row| !at_rest(row.status)))
}

fn launch(session: &Session, book: &mut Book, judged: &Declared) -> Result<()> {
    let stopped: Vec<u16> = if judged.rests { (1..=judged.count).collect() } else { Vec::new() };
    fleet::launch(&session.home, book, judged, &stopped)?;
    if !session.args.streams_are_of_apps {
        say::fact("Process launched")?;
    }
    if session.shows_notes {
        fleet::show_online(book.apps.last(), &stopped)?;
    }
    Ok(())
}

/// pm2 repeats a schedule before it judges it.
fn tell_schedule(session: &Session, declaration: &Declaration) -> Result<()> {
    match declared::schedule_of(declaration)? {
        Some(pattern) if !session.args.streams_are_of_apps => Ok(say::plain(pattern)?),
        _ => Ok(()),
    }
}

/// `-w`: the options as a declaration, in the directory of the caller. It names the script as the command line did.
fn write_declaration(
    session: &Session,
    (script, shown): (&Path, &str),
    declaration: &Declaration,
) -> Result<()> {
    let stem = basename(script);
    let stem = stem.strip_suffix(".js").unwrap_or(&stem);
    let path = session.cwd.join(format!("{stem}-pm2.json"));
    let said = |(key, value): &(String, Value)| {
        let value = if key == "script" { shown.into() } else { value.clone() };
        Ok(format!("{}:{}", Value::from(key.as_str()), serde_json::to_string(&value)?))
    };
    let json = declaration.0.iter().map(said).collect::<Result<Vec<_>>>()?;
    let json = format!("{{{}}}", json.join(","));
    say::fact(format_args!("Writing configuration to  {}", path.display()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    durable::replace(&session.cwd, &name, json.as_bytes())
        .with_context(|| format!("write {}", path.display()))
}
