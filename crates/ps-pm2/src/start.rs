//! `start`: starts a script, the apps of a file or of stdin, or a known app that does not run.

use std::path::Path;

use anyhow::{Context, Result, bail};
use procfile_exchange::pm2::{Declaration, as_text};
use ps_cli::exit::Outcome;
use serde_json::{Value, json};

use crate::book::Book;
use crate::declared::{self, Declared, basename};
use crate::row::{self, Status};
use crate::say;
use crate::session::Session;
use crate::table;
use crate::target;
use crate::{fleet, interpreter, load, redeclared, reload};

/// Starts each of the words.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let usual: Vec<String> = load::usual(session).into_iter().collect();
    let words = if session.subjects().is_empty() && !usual.is_empty() {
        &usual
    } else {
        target::words(session, "file|json|stdin")?
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
            let judged = declared::judge(session, &declaration)?;
            let ids = target::called(&book, &judged.app.name);
            if ids.is_empty() {
                launch(session, &mut book, &judged)?;
                continue;
            }
            redeclared::carry_out(session, &mut book, &[declaration], |book| match again {
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
        return one_script(session, book, &script);
    }
    let ids = target::parse(session, book, word)?.ids(book);
    if !ids.is_empty() {
        return start_again(session, book, &ids);
    }
    let Some(program) = interpreter::on_path(word) else { bail!("script not found : {}", script.display()) };
    one_script(session, book, &program)
}

/// Starts what does not run of these, as they were started before.
fn start_again(session: &Session, book: &Book, ids: &[u64]) -> Result<()> {
    let rows = row::rows(&session.home, book)?;
    let rest = |id: &u64| rows.iter().any(|row| row.instance.id == *id && at_rest(row.status));
    let ids: Vec<u64> = ids.iter().copied().filter(rest).collect();
    for (app, instances) in fleet::by_app(book, &ids) {
        fleet::start(&session.home, app, &instances)?;
    }
    say::fact("Process successfully started")?;
    Ok(())
}

fn at_rest(status: Status) -> bool {
    matches!(status, Status::Stopped | Status::Errored)
}

fn one_script(session: &Session, book: &mut Book, script: &Path) -> Result<()> {
    if !session.args.force {
        let same: Vec<u64> = book
            .apps
            .iter()
            .filter(|app| app.script == script)
            .flat_map(|app| app.instances.iter().map(|instance| instance.id))
            .collect();
        if !same.is_empty() {
            let rows = row::rows(&session.home, book)?;
            let runs =
                |id: &u64| rows.iter().any(|row| row.instance.id == *id && row.status != Status::Stopped);
            if same.iter().any(runs) {
                bail!("Script already launched, add -f option to force re execution");
            }
            return start_again(session, book, &same);
        }
    }
    let declaration = of_options(session, script)?;
    tell_schedule(&declaration)?;
    let judged = declared::judge(session, &declaration)?;
    if session.args.write {
        write_declaration(session, script, &declaration)?;
    }
    launch(session, book, &judged)
}

/// The declaration that the options of the command line make.
pub(crate) fn of_options(session: &Session, script: &Path) -> Result<Declaration> {
    let args = &session.args;
    let mut declared = Declaration::default();
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).with_context(|| format!("{} is no UTF-8", path.display()))
    };
    let usual = basename(script);
    let usual = usual.strip_suffix(".js").unwrap_or(&usual);
    declared.set("script", text(script)?.into());
    declared.set("name", args.name.as_deref().unwrap_or(usual).into());
    if let Some(instances) = &args.instances {
        declared.set("instances", instances.as_str().into());
    }
    for (key, path) in [("error_file", &args.error), ("out_file", &args.output), ("pid_file", &args.pid)] {
        if let Some(path) = path {
            declared.set(key, text(path)?.into());
        }
    }
    let is_fork = args.execute_command || !interpreter::is_cluster(script) || interpreter::is_on_path(script);
    declared.set("exec_mode", if is_fork { "fork_mode" } else { "cluster_mode" }.into());
    let shown = args.interpreter.as_deref().unwrap_or_else(|| interpreter::shown(script));
    declared.set("exec_interpreter", shown.into());
    if !args.of_app.is_empty() {
        declared.set("args", serde_json::to_string(&args.of_app)?.into());
    }
    let texts = [
        ("node_args", &args.node_args),
        ("cron_restart", &args.cron),
        ("max_memory_restart", &args.max_memory_restart),
        ("max_restarts", &args.max_restarts),
        ("restart_delay", &args.restart_delay),
        ("kill_timeout", &args.kill_timeout),
        ("listen_timeout", &args.listen_timeout),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            declared.set(key, value.as_str().into());
        }
    }
    if let Some(cwd) = &args.cwd {
        declared.set("cwd", text(cwd)?.into());
    }
    let flags = [
        ("autorestart", args.no_autorestart, false),
        ("merge_logs", args.merge_logs, true),
        ("wait_ready", args.wait_ready, true),
        ("watch", args.watch, true),
    ];
    for (key, is_given, value) in flags {
        if is_given {
            declared.set(key, value.into());
        }
    }
    Ok(declared)
}

/// The apps of a file. What runs already by that name is refused, what is stopped is started, and the first one that cannot be started is
/// the last that is tried.
fn declared(session: &Session, book: &mut Book, declarations: &[Declaration]) -> Result<()> {
    for declaration in declarations {
        tell_schedule(declaration)?;
        let judged = declared::judge(session, declaration)?;
        let is_forced = session.args.force || declaration.flag("force")?.unwrap_or(false);
        let known = target::called(book, &judged.app.name);
        if is_forced || known.is_empty() {
            launch(session, book, &judged)?;
            continue;
        }
        let rows = row::rows(&session.home, book)?;
        let rest: Vec<u64> = known
            .iter()
            .copied()
            .filter(|id| rows.iter().any(|row| row.instance.id == *id && at_rest(row.status)))
            .collect();
        if rest.is_empty() {
            say::warning(format_args!(
                "{} is already launched, add -f option to force re execution",
                judged.app.name
            ));
        } else {
            start_again(session, book, &rest)?;
        }
    }
    Ok(())
}

fn launch(session: &Session, book: &mut Book, judged: &Declared) -> Result<()> {
    fleet::launch(&session.home, book, judged, &[])?;
    say::fact("Process launched")?;
    if session.shows_notes {
        fleet::show_online(book.apps.last(), &[])?;
    }
    Ok(())
}

/// pm2 repeats a schedule before it judges it.
fn tell_schedule(declaration: &Declaration) -> Result<()> {
    if let Some(pattern) = declaration.get("cron_restart") {
        say::plain(as_text(pattern))?;
    }
    Ok(())
}

/// `-w`: the options as a declaration, in the directory of the caller.
fn write_declaration(session: &Session, script: &Path, declaration: &Declaration) -> Result<()> {
    let stem = basename(script);
    let stem = stem.strip_suffix(".js").unwrap_or(&stem);
    let path = session.cwd.join(format!("{stem}-pm2.json"));
    let object: serde_json::Map<String, Value> = declaration.0.iter().cloned().collect();
    let mut json = serde_json::to_vec_pretty(&json!([object]))?;
    json.push(b'\n');
    say::fact(format_args!("Writing configuration to  {}", path.display()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    durable::replace(&session.cwd, &name, &json).with_context(|| format!("write {}", path.display()))
}
