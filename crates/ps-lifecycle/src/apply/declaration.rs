//! A declaration that has been read: its app, and its translation.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use formation::AppName;
use procfile_exchange::compose::{Chosen, Composed};
use procfile_exchange::import::{Imported, MAX_IMPORT_BYTES, Manager, Surroundings};
use procfile_exchange::{compose, pm2};
use ps_cli::say;
use ps_release::{Checkout, Tree};

use super::files::Files;
use super::format;
use crate::args::{ApplyArgs, DeclarationFormat as Format};
use crate::session::Session;
use crate::source_args::SourceArgs;
use crate::sources;

/// The name of a declaration that comes on standard input.
const STDIN: &str = "-";

/// A declaration.
#[derive(Debug)]
pub(super) struct Declaration {
    /// Its path with links resolved, or `-`.
    pub(super) id: String,
    pub(super) app: AppName,
    pub(super) form: Form,
    /// A line for each part of the file that has no counterpart here and is left out.
    notes: Vec<String>,
    /// A line for each unknown key.
    unknown: Vec<String>,
}

/// The processes that a declaration asks for.
#[derive(Debug)]
pub(super) enum Form {
    /// Processes that run natively.
    Files(Files),
    /// Services that run in containers.
    Compose(Composition),
}

/// A Compose file.
#[derive(Debug)]
pub(super) struct Composition {
    directory: PathBuf,
    file: String,
    pub(super) composed: Composed,
}

impl Composition {
    /// The Compose file as the source of a deploy.
    pub(super) fn source(&self) -> SourceArgs {
        let (dir, compose) = (Some(self.directory.clone()), Some(self.file.clone()));
        SourceArgs { dir, compose, ..SourceArgs::default() }
    }
}

/// A file and its path.
struct Source {
    /// The path as it was named on the command line.
    shown: String,
    id: String,
    /// The name of the file; `-` on standard input.
    name: String,
    directory: PathBuf,
    bytes: Vec<u8>,
}

impl Declaration {
    /// Reads the file that the arguments name.
    pub(super) fn read(session: &Session, args: &ApplyArgs) -> Result<Self> {
        let source = Source::read(session, args)?;
        if source.bytes.iter().all(u8::is_ascii_whitespace) {
            bail!("{} is empty: it must say what runs", source.shown);
        }
        let format = args.from.map_or_else(|| format::of(&source.shown, &source.bytes), Ok)?;
        match format {
            Format::Procfile => source.procfile(session, args),
            Format::Compose => source.compose(session, args),
            Format::Pm2 => source.imported(session, args, Manager::Pm2),
            Format::ProcessCompose => source.imported(session, args, Manager::ProcessCompose),
            Format::Supervisord => source.imported(session, args, Manager::Supervisord),
        }
    }

    /// Prints which parts of the declaration are left out, and refuses unknown keys if `is_strict`.
    pub(super) fn remark(&self, is_strict: bool) -> Result<()> {
        for line in self.notes.iter().chain(&self.unknown) {
            say::warning(&format!("{}: {line}", self.id));
        }
        match self.unknown.len() {
            0 => Ok(()),
            _ if !is_strict => Ok(()),
            1 => bail!("{}: a key is unknown, and --strict allows none: see above", self.id),
            some => bail!("{}: {some} keys are unknown, and --strict allows none: see above", self.id),
        }
    }

    /// Prints which services are added because those that `--only` names depend on them.
    pub(super) fn say_what_comes_along(&self, session: &Session) -> Result<()> {
        let Form::Compose(Composition { composed, .. }) = &self.form else { return Ok(()) };
        for (service, dependent) in &composed.along {
            session.detail(&format!("{service} comes along, because {dependent} depends on it"))?;
        }
        Ok(())
    }

    /// Prints the translated declaration.
    pub(super) fn print(&self) -> Result<()> {
        let composition = match &self.form {
            Form::Files(files) => return files.print(),
            Form::Compose(composition) => composition,
        };
        let mut out = io::stdout().lock();
        for service in &composition.composed.services {
            let row = serde_json::json!({
                "process_type": service.process_type.as_str(),
                "image": service.image,
                "build": service.build.as_ref().map(|build| &build.directory),
                "replicas": service.replicas,
                "settings": service.settings,
                "port": service.port,
                "container": service.container,
            });
            writeln!(out, "{row}")?;
        }
        Ok(out.flush()?)
    }
}

/// The text of a file, or of all files whose paths match a pattern, in the order of their paths.
fn files_named(path: &Path) -> Result<Vec<u8>, String> {
    let read = |path: &Path| durable::input(path, MAX_IMPORT_BYTES as u64).map_err(|error| error.to_string());
    let pattern = path.to_str().filter(|path| path.contains(['*', '?', '[']));
    let Some(pattern) = pattern.filter(|_| !path.exists()) else { return read(path) };
    let found = glob::glob(pattern).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for path in found {
        let path = path.map_err(|error| error.to_string())?;
        all.extend(read(&path).map_err(|why| format!("{}: {why}", path.display()))?);
        all.push(b'\n');
    }
    if all.is_empty() { Err("no file matches".to_owned()) } else { Ok(all) }
}

impl Source {
    fn read(session: &Session, args: &ApplyArgs) -> Result<Self> {
        let shown = args.file.display().to_string();
        let is_stdin = args.file.as_os_str() == STDIN;
        let is_program = !is_stdin && format::is_program(&shown);
        if is_program && !args.allow_js {
            bail!(
                "{shown} is a program, so it is not run unless you allow it: add --allow-js, and node runs it"
            );
        }
        let limit = MAX_IMPORT_BYTES as u64;
        let read = if is_program {
            ask_node(&args.file)
        } else {
            durable::argument(&args.file, limit, &|| session.check().is_err()).map_err(anyhow::Error::from)
        };
        session.check()?;
        let bytes = read.with_context(|| shown.clone())?;
        let (path, id) = if is_stdin {
            let here = std::env::current_dir().context("find the working directory")?;
            (here.join(STDIN), STDIN.to_owned())
        } else {
            let path = args.file.canonicalize().with_context(|| shown.clone())?;
            let id = path.to_str().with_context(|| format!("{shown}: the path is not UTF-8"))?.to_owned();
            (path, id)
        };
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { shown, id, name, directory, bytes })
    }

    /// The app: the one in the arguments, or else the one in the file, or else the name of the file's directory.
    fn app(&self, args: &ApplyArgs, named: Option<&str>) -> Result<AppName> {
        if let Some(word) = &args.app {
            return Ok(word.parse().map_err(ps_apps::Error::from)?);
        }
        let directory = self.directory.file_name().and_then(|name| name.to_str());
        let of_directory = directory.filter(|_| self.id != STDIN);
        let name = named.and_then(AppName::like).or_else(|| of_directory.and_then(AppName::like));
        name.with_context(|| format!("{}: the app has no name here: name it with --app", self.shown))
    }

    /// A Procfile, and the app.json beside it.
    fn procfile(self, session: &Session, args: &ApplyArgs) -> Result<Declaration> {
        let app = self.app(args, None)?;
        let app_json = sources::app_json_path(&session.world, &app)?;
        let files = if self.id == STDIN {
            Files { directory: self.directory, procfile: self.bytes, ..Files::default() }
        } else {
            let tree = Tree {
                procfile: &self.name,
                procfile_is_named: true,
                app_json: &app_json,
                in_containers: Some(false),
                ..Tree::default()
            };
            let read = Checkout::of_directory(&self.directory, &tree)?;
            Files {
                directory: self.directory,
                procfile: read.procfile.unwrap_or_default(),
                app_json: read.app_json,
                dokku_scale: read.dokku_scale,
                ..Files::default()
            }
        };
        let parsed = files.checkout()?;
        parsed.parsed()?;
        let remarks = parsed.parsed_app_json()?;
        let is_unknown = |remark: &&app_json::Remark| matches!(remark, app_json::Remark::Unknown { .. });
        let unknown =
            remarks.remarks().iter().filter(is_unknown).map(|remark| format!("{app_json}: {remark}"));
        let unknown = unknown.collect();
        Ok(Declaration { id: self.id, app, form: Form::Files(files), notes: Vec::new(), unknown })
    }

    /// The configuration of another manager.
    fn imported(self, session: &Session, args: &ApplyArgs, manager: Manager) -> Result<Declaration> {
        let Some(directory) = self.directory.to_str() else {
            bail!("{}: the path is not UTF-8", self.directory.display());
        };
        let file = |named: &str| files_named(&self.directory.join(named));
        let sharing = match manager {
            Manager::Pm2 => Some(sharing(session, &self.app(args, None)?)?),
            _ => None,
        };
        let around = Surroundings {
            name: &self.name,
            app: args.app.as_deref().unwrap_or_default(),
            files: Some(&file),
            enter_directories: true,
            whole: Some(directory),
            sharing: sharing.as_deref(),
        };
        let imported = manager.read_in(&around, &self.bytes);
        let Imported { procfile, env_file, notes, whole, .. } =
            imported.map_err(|why| anyhow!("{} {why}", self.shown))?;
        if procfile.is_empty() {
            release_notes(&self.shown, &notes);
            bail!("{} declares no process that can be run", self.shown);
        }
        let app = self.app(args, whole.name.as_deref())?;
        let own = os_process::lasting_sister("ps-lifecycle");
        let own = own.context(
            "the program ps-lifecycle is no longer at its path: install it with the other programs",
        )?;
        let restart = |process_type: &str| restart(session, &own, &app, process_type);
        let files = Files {
            directory: PathBuf::from(&whole.directory),
            procfile,
            app_json: whole.app_json(restart),
            dokku_scale: None,
            environment: Some(env_file),
            variables: whole.variables.clone(),
            counts: whole.counts.clone(),
            shared: whole.shared.clone(),
            starts_one: true,
        };
        let unknown = whole.unknown.iter().map(ToString::to_string).collect();
        Ok(Declaration { id: self.id, app, form: Form::Files(files), notes, unknown })
    }

    /// A Compose file. The deploy reads it again, so it must be a file and cannot come from standard input.
    fn compose(self, session: &Session, args: &ApplyArgs) -> Result<Declaration> {
        if self.id == STDIN {
            bail!("a Compose file names others beside it: write it into a file and name that");
        }
        let app = self.app(args, compose::name(&self.bytes).as_deref())?;
        let only: BTreeSet<String> = args.only.iter().map(ToString::to_string).collect();
        // A service that only a profile starts is still declared if the app has it.
        let has = session.world.source_record(&app)?.services.into_keys().collect();
        let chosen = if only.is_empty() { Chosen::All(&has) } else { Chosen::WithDependencies(&only) };
        let composed = crate::compose::read(&app, (&self.directory, &self.name), chosen)?;
        let unknown: Vec<String> = composed.unknown.iter().map(ToString::to_string).collect();
        // If the app is going to be changed, keys that are left out are reported when the images are provided.
        let notes = composed.notes().filter(|_| args.only_looks()).map(str::to_owned).collect();
        let form = Form::Compose(Composition { directory: self.directory, file: self.name, composed });
        Ok(Declaration { id: self.id, app, form, notes, unknown })
    }
}

/// The words before the command of a Node program whose instances share the ports that they ask for.
fn sharing(session: &Session, app: &AppName) -> Result<Vec<String>> {
    let program = os_process::lasting_sister("ps-node");
    let program =
        program.context("ps-node is not beside ps-lifecycle: install it with the other programs")?;
    let sockets = session.world.node_sockets(app);
    let words = [program, "--share".into(), sockets].map(|word| word.to_str().map(str::to_owned));
    words.into_iter().collect::<Option<_>>().context("the path of ps-node or of the world is not UTF-8")
}

/// The command that restarts a type of the app in its own world, for a scheduled task.
fn restart(session: &Session, own: &Path, app: &AppName, process_type: &str) -> String {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let [root, lib, own] = [session.world.root(), session.world.lib(), own].map(quoted);
    format!("DOKKU_ROOT={root} DOKKU_LIB_ROOT={lib} {own} --quiet restart {app} {process_type}")
}

fn release_notes(shown: &str, notes: &[String]) {
    for note in notes {
        say::warning(&format!("{shown}: {note}"));
    }
}

/// The output of node for a JavaScript module.
fn ask_node(path: &Path) -> Result<Vec<u8>> {
    let path = path.canonicalize()?;
    let mut node = Command::new("node");
    node.args(["-e", pm2::PRINT_MODULE]).arg(&path).stdin(Stdio::null()).stderr(Stdio::inherit());
    let said = node.output().context("run node: install it, or write the declaration as JSON")?;
    if !said.status.success() {
        bail!("node could not run it: {}", said.status);
    }
    Ok(said.stdout)
}
