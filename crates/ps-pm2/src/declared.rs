//! A declaration after checking: everything that an app needs, before anything of it is created.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use procfile_exchange::pm2::{self, Declaration, KILL_TIMEOUT, as_text};
use serde_json::{Map, Value, json};

use crate::arguments;
use crate::book::{Account, App};
use crate::command;
use crate::count;
use crate::interpreter::{self, Interpreter};
use crate::log_date;
use crate::options;
use crate::session::{self, OF_PM2, Session, absolute};
use crate::settings;
use crate::sharing::{self, Kind};

/// Keys that are shown by another name, or by what pm2 makes of them.
const SHOWN_OTHERWISE: [&str; 11] = [
    "script",
    "cwd",
    "pm_cwd",
    "pm_exec_path",
    "error_file",
    "out_file",
    "pid_file",
    "pm_out_log_path",
    "pm_err_log_path",
    "pm_pid_path",
    "force",
];
/// The fields that pm2 sets for each process itself.
const VOLATILE: [&str; 7] =
    ["pm_id", "restart_time", "unstable_restarts", "created_at", "pm_uptime", "status", "exit_code"];

/// Where output goes that nobody wants.
const NOWHERE: &str = "/dev/null";

/// An app to be.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// Without its name here and its instances.
    pub(crate) app: App,
    pub(crate) count: u16,
    /// The settings of its process type, in the words of app.json.
    pub(crate) settings: Map<String, Value>,
    /// When it is restarted, in five fields.
    pub(crate) schedule: Option<String>,
    /// The address that its instances share, if they do.
    pub(crate) listen: Option<String>,
    /// Whether files below its directory are watched.
    pub(crate) watches: bool,
    /// Whether `start` only adds it to the list, as stopped.
    pub(crate) rests: bool,
}

/// Judges a declaration. Paths are those of the session's directory, and its variables come on top of the caller's.
pub(crate) fn judge(session: &Session, declared: &Declaration) -> Result<Declared> {
    remark(declared);
    judge_with(session, declared, session::variables())
}

/// Warns of keys that have no effect here, and of unknown keys, with the key that was probably meant.
pub(crate) fn remark(declared: &Declaration) {
    for key in declared.not_done() {
        crate::say::warning(format_args!("{key} is kept and has no effect: it is not done here"));
    }
    if log_date::format_of(&declared.0).is_some() {
        crate::say::warning(
            "the date of log_date_format or time stands before the lines that ps-pm2 logs shows as they come, and not in the files, which the app writes itself",
        );
    }
    if pm2::loses_seconds(declared) {
        crate::say::warning(
            "the seconds of cron_restart have no effect: it is restarted once in each minute that fits",
        );
    }
    for difference in pm2::differences(declared) {
        crate::say::warning(difference);
    }
    for (key, nearest) in declared.unknown() {
        let hint = nearest.map_or_else(String::new, |name| format!(", is {name} meant?"));
        crate::say::warning(format_args!("{key} is kept and has no effect{hint}"));
    }
}

/// The same, with other variables below those of the declaration.
pub(crate) fn judge_with(
    session: &Session,
    declared: &Declaration,
    variables: BTreeMap<String, String>,
) -> Result<Declared> {
    let script = script_of(declared)?;
    let cwd = declared.text("cwd")?.map_or_else(|| session.cwd.clone(), |cwd| session.path(Path::new(&cwd)));
    let script = match script_at(session, &cwd, Path::new(&script)) {
        Ok(script) => script,
        Err(absent) => {
            let apart = taken_apart(session, declared, &cwd)?.ok_or(absent)?;
            return judge_with(session, &apart, variables);
        }
    };
    if !cwd.is_dir() {
        bail!("cwd: {} is no directory", cwd.display());
    }
    let name = name(declared, &script)?;
    let mut env = environment(session, declared, variables)?;
    let is_cluster = is_cluster(declared, &script)?;
    let words = words(session, &script, declared, env.get("PATH").map_or("", String::as_str))?;
    let count = declared.get("instances").map_or(Ok(1), instances)?;
    let port = declared.get("port").cloned();
    let account = account(declared)?;
    // A process of another user could not open the socket through which ports are shared.
    let kind = kind(&name, &words, is_cluster, &account, count);
    let sharing = sharing::judge(&session.home, declared, kind)?;
    let listen = address(port.as_ref(), count)?.filter(|_| sharing.is_none_or(|sharing| sharing.owns_ports));
    if let Some(port) = &port {
        env.insert("PORT".to_owned(), as_text(port));
    }
    let files = Files::of(session, declared, &name)?;
    let schedule = schedule_of(declared)?.map(|pattern| pm2::schedule(&pattern)).transpose()?;
    let settings = settings::of(declared, listen.is_some(), sharing.as_ref())?;
    let app = App {
        ours: String::new(),
        shown: shown(declared, &name, count),
        name,
        script,
        words,
        cwd,
        env,
        is_cluster,
        has_address: listen.is_some(),
        sharing,
        account,
        is_left_when_it_ends: settings.get("restart_policy") == Some(&json!("no")),
        port,
        out: files.out,
        err: files.err,
        pid: files.pid,
        merges_logs: declared.flag("merge_logs")?.unwrap_or(false),
        kill_timeout: declared.number("kill_timeout")?.unwrap_or(KILL_TIMEOUT),
        instances: Vec::new(),
    };
    let watches = settings.contains_key("watch_paths");
    let rests = declared.flag("autostart")? == Some(false);
    Ok(Declared { app, count, settings, schedule, listen, watches, rests })
}

/// What `ps-node` may be to an app. Several instances that could share ports but for their user are warned of.
fn kind(name: &str, words: &[String], is_cluster: bool, account: &Account, count: u16) -> Kind {
    match (sharing::runs_node(words), *account == Account::default()) {
        (false, _) => Kind::NoNode,
        (true, true) if is_cluster => Kind::Cluster,
        (true, true) => Kind::Fork,
        (true, false) => {
            if is_cluster && count > 1 {
                crate::say::warning(format_args!(
                    "{name}: with uid or gid its instances share no ports, so only one of them can listen on a fixed port"
                ));
            }
            Kind::OfOther
        }
    }
}

/// The declaration with its `script` taken apart, if that is a command whose program is there.
fn taken_apart(session: &Session, declared: &Declaration, cwd: &Path) -> Result<Option<Declaration>> {
    let is_there = |apart: &Declaration| {
        script_of(apart).and_then(|script| script_at(session, cwd, Path::new(&script))).is_ok()
    };
    Ok(command::taken_apart(declared)?.filter(is_there))
}

fn script_of(declared: &Declaration) -> Result<String> {
    let script = declared.text("script")?.filter(|script| !script.is_empty());
    script.context("script: this key is missing; it says what to run")
}

/// When an app is restarted. As for later versions of pm2, `0` is never.
pub(crate) fn schedule_of(declared: &Declaration) -> Result<Option<String>> {
    Ok(declared.text("cron_restart")?.filter(|pattern| pattern.trim() != "0"))
}

/// In a file, no instance at all means as many as there are CPUs.
pub(crate) fn instances(value: &Value) -> Result<u16> {
    count::parse(&if *value == json!(0) { "max".to_owned() } else { as_text(value) })
}

fn name(declared: &Declaration, script: &Path) -> Result<String> {
    let name = declared.text("name")?.filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| basename(script));
    if name.contains(['/', '\0']) {
        bail!("{name}: a name becomes that of log files, so it may have no /");
    }
    Ok(name)
}

/// The user and the group of an app, which have to be there, and which this process may become.
fn account(declared: &Declaration) -> Result<Account> {
    let account = Account { user: declared.text("uid")?, group: declared.text("gid")? };
    let identity = account.identity().context("uid, gid")?;
    if identity.is_some_and(|identity| !identity.is_own()) && !rustix::process::geteuid().is_root() {
        bail!("uid, gid: only root can run an app as somebody else");
    }
    Ok(account)
}

fn is_cluster(declared: &Declaration, script: &Path) -> Result<bool> {
    match declared.text("exec_mode")?.as_deref() {
        None => Ok(interpreter::is_cluster(script) && !interpreter::is_on_path(script)),
        Some("cluster" | "cluster_mode") => Ok(true),
        Some("fork" | "fork_mode") => Ok(false),
        Some(other) => bail!("exec_mode: cluster_mode or fork_mode is wanted, not {other}"),
    }
}

/// The files of an app, before the id of an instance is added.
struct Files {
    out: PathBuf,
    err: PathBuf,
    pid: PathBuf,
}

impl Files {
    fn of(session: &Session, declared: &Declaration, name: &str) -> Result<Self> {
        let file = |key: &'static str, usual: PathBuf| -> Result<PathBuf> {
            Ok(declared.text(key)?.map_or(usual, |file| match file.as_str() {
                // Later versions of pm2 write nothing then.
                "NULL" => NOWHERE.into(),
                file => session.path(Path::new(file)),
            }))
        };
        let logs = session.home.logs();
        let (out, err) = (logs.join(format!("{name}-out.log")), logs.join(format!("{name}-err.log")));
        let (out, err) = match declared.flag("disable_logs")? {
            Some(true) => (NOWHERE.into(), NOWHERE.into()),
            _ => (file("out_file", out)?, file("error_file", err)?),
        };
        let pid = file("pid_file", session.home.pids().join(format!("{name}.pid")))?;
        [&out, &err, &pid].into_iter().try_for_each(|file| make_directory(file))?;
        [&out, &err].into_iter().try_for_each(|file| refuse_unwritable(file))?;
        Ok(Self { out, err, pid })
    }
}

/// The name of an app of which only the script is known.
pub(crate) fn basename(script: &Path) -> String {
    script.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn script_at(session: &Session, cwd: &Path, script: &Path) -> Result<PathBuf> {
    let first = session.path(script);
    let second = absolute(cwd, script);
    let found = [&first, &second].into_iter().find(|path| path.is_file()).cloned();
    let on_path = || script.to_str().and_then(interpreter::on_path);
    found.or_else(on_path).with_context(|| format!("script not found : {}", first.display()))
}

/// The variables of the caller, below those of the declaration, below those that `--env NAME` chooses.
fn environment(
    session: &Session,
    declared: &Declaration,
    mut env: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    env.retain(|name, _| !OF_PM2.contains(&name.as_str()));
    let chosen = session.args.env.as_ref().map(|name| format!("env_{name}"));
    if let Some(chosen) = chosen.as_ref().filter(|chosen| !declared.0.iter().any(|(key, _)| key == *chosen)) {
        let name = declared.get("name").map(as_text).unwrap_or_default();
        crate::say::warning(format_args!("{name}: {chosen} is not declared, so only env is taken"));
    }
    for key in std::iter::once("env".to_owned()).chain(chosen) {
        let said = if key == "env" {
            declared.get("env")
        } else {
            declared.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
        };
        match said {
            None => (),
            Some(Value::Object(said)) => {
                env.extend(said.iter().map(|(name, value)| (name.clone(), as_text(value))));
            }
            Some(other) => bail!("{key}: an object is wanted, not {other}"),
        }
    }
    env.remove("pm_cwd");
    env.retain(|name, value| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    Ok(env)
}

fn words(session: &Session, script: &Path, declared: &Declaration, path: &str) -> Result<Vec<String>> {
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).with_context(|| format!("{} is no UTF-8: rename it", path.display()))
    };
    let given = declared.text("exec_interpreter")?;
    // What a dump names for a script without an own one is found anew: python may be python3 here.
    let given = given.filter(|given| given != interpreter::shown(script));
    let mut words = Vec::new();
    if let Interpreter::Program(program, before) = interpreter::of(script, given.as_deref(), path)? {
        words.push(text(&program)?);
        words.extend(before);
        if program.file_name().is_some_and(|name| name == "node") {
            words.extend(node_options(session));
        }
        words.extend(declared.get("node_args").map(arguments::of).transpose()?.into_iter().flatten());
    }
    words.push(text(script)?);
    words.extend(declared.get("args").map(arguments::of).transpose()?.into_iter().flatten());
    Ok(words)
}

/// Options of every node that `PM2_NODE_OPTIONS` names.
fn node_options(session: &Session) -> Vec<String> {
    let options = options::value(&session.home, "PM2_NODE_OPTIONS");
    options.iter().flat_map(|options| options.split_whitespace()).map(str::to_owned).collect()
}

/// Several instances with a port are reached there together, and each has a port of its own behind it.
fn address(port: Option<&Value>, count: u16) -> Result<Option<String>> {
    let Some(port) = port else { return Ok(None) };
    let number: u16 = as_text(port)
        .trim()
        .parse()
        .ok()
        .filter(|number| *number > 0)
        .with_context(|| format!("port: a whole number from 1 to 65535 is wanted, not {port}"))?;
    Ok((count > 1).then(|| format!("0.0.0.0:{number}")))
}

/// Makes the directory of a file that an app is to write, as later versions of pm2 do.
fn make_directory(file: &Path) -> Result<()> {
    let Some(parent) = file.parent().filter(|parent| !parent.exists()) else { return Ok(()) };
    std::fs::create_dir_all(parent).with_context(|| format!("make the directory {}", parent.display()))?;
    crate::say::warning(format_args!("{} was not there, and is made", parent.display()));
    Ok(())
}

fn refuse_unwritable(file: &Path) -> Result<()> {
    let parent = file.parent().unwrap_or(Path::new("/"));
    let is_there = parent.is_dir() && (!file.exists() || file.is_file() || !file.is_dir());
    let can = rustix::fs::access(parent, rustix::fs::Access::WRITE_OK).is_ok()
        || rustix::fs::access(file, rustix::fs::Access::WRITE_OK).is_ok();
    if is_there && can {
        return Ok(());
    }
    bail!("{}: no log can be written there", file.display())
}

/// The keys as they are shown: with the name first if none was said, the count as a number, and no key that pm2 shows otherwise.
fn shown(declared: &Declaration, name: &str, count: u16) -> Vec<(String, Value)> {
    let is_shown = |key: &str| !SHOWN_OTHERWISE.contains(&key) && !VOLATILE.contains(&key);
    let mut keys: Vec<(String, Value)> = Vec::new();
    for (key, value) in declared.0.iter().filter(|(key, _)| is_shown(key)) {
        let value = if key == "instances" { count.into() } else { value.clone() };
        keys.push((key.clone(), value));
    }
    if declared.get("name").is_none() {
        keys.insert(0, ("name".to_owned(), name.into()));
    }
    keys
}
