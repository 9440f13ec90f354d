//! `import`: makes a Procfile, a formation and an env file from another process manager's configuration. Files that
//! exist are replaced only with `--force`. Everything that could not be carried over is listed on stderr, without the
//! values of variables.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use durable::ReadError;
use procfile_exchange::import::{Imported, MAX_IMPORT_BYTES, Manager, Surroundings};
use ps_cli::exit::Outcome;

use crate::files;
use crate::flags::Given;
use crate::talk::words;
use crate::{edit, output, talk, write};

/// A file that is to be written.
struct Target<'a> {
    path: &'a Path,
    bytes: Vec<u8>,
    mode: u32,
}

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    let manager = manager(given)?;
    let path = path(given, manager)?;
    let shown = path.to_string_lossy();
    let bytes = read(&path, manager)?;
    let name = Path::new(&path).file_name().filter(|_| path != "-").unwrap_or(OsStr::new("app"));
    let files = |named: &str| beside(&path, named);
    let (name, app) = (&name.to_string_lossy(), &given.word("app"));
    let (files, whole, sharing) = (Some(&files as _), None, None);
    let around = Surroundings { name, app, files, enter_directories: true, whole, sharing };
    let imported = manager.read_in(&around, &bytes);
    let imported = imported.map_err(|why| anyhow!("{shown} {why}"))?;
    imported.notes.iter().for_each(|note| talk::say(&format!("not carried over: {note}")));
    if imported.procfile.is_empty() {
        bail!("{shown} has no process that a Procfile can hold");
    }
    talk::say(&format!("formation: {}", formation(&imported, " ")));
    if given.on("stdout") {
        return output::print(&imported.procfile);
    }
    let targets = targets(given, imported)?;
    if given.on("dry-run") {
        return announce(&targets, "would write: ");
    }
    save(given, &targets)?;
    announce(&targets, "wrote: ")
}

/// The manager that `--from` names, or the one whose usual file name was given.
fn manager(given: &Given) -> Result<Manager> {
    let by_name = Path::new(given.text("file")).file_name();
    if let (true, Some(manager)) =
        (given.text("from").is_empty(), by_name.and_then(|name| Manager::of_file(&name.to_string_lossy())))
    {
        return Ok(manager);
    }
    let from = edit::required(given, "from")?;
    Manager::of(&from).ok_or_else(|| {
        anyhow!("invalid --from: {from:?}: use compose, pm2, process-compose, supervisord or systemd")
    })
}

/// The file that is named, or the first existing file with a usual name of the manager.
fn path(given: &Given, manager: Manager) -> Result<OsString> {
    let named = given.text("file");
    if !named.is_empty() {
        return Ok(named.to_owned());
    }
    let usual = manager.usual_names();
    match usual.iter().find(|name| Path::new(name).exists()) {
        Some(name) => Ok((*name).into()),
        None if usual.is_empty() => bail!("name a unit file, a directory of units, or - for standard input"),
        None => bail!("none of {} is here: name the file, or - for standard input", usual.join(", ")),
    }
}

fn read(path: &OsStr, manager: Manager) -> Result<Vec<u8>> {
    let failed = |path: &OsStr, why| anyhow!(files::refusal(path, &why));
    if manager != Manager::Systemd || !Path::new(path).is_dir() {
        return match durable::argument(Path::new(path), MAX_IMPORT_BYTES as u64, &|| false) {
            // The importer refuses a file of this size with a message that says how large it may be.
            Err(ReadError::TooLarge(_)) => Ok(vec![b'\n'; MAX_IMPORT_BYTES + 1]),
            read => read.map_err(|why| failed(path, why)),
        };
    }
    let mut bytes = Vec::new();
    for unit in units(path)? {
        bytes.extend(format!("==> {} <==\n", unit.display()).into_bytes());
        let read = durable::input(Path::new(&unit), MAX_IMPORT_BYTES as u64);
        bytes.extend(read.map_err(|why| failed(&unit, why))?);
        bytes.push(b'\n');
        if bytes.len() > MAX_IMPORT_BYTES {
            break;
        }
    }
    Ok(bytes)
}

/// The units in a directory, sorted by name: services, the targets that say to which app these belong, and instances
/// of templates, which are links in the directory of the target that wants them.
fn units(directory: &OsStr) -> Result<Vec<OsString>> {
    let mut found = Vec::new();
    for path in entries(directory)? {
        match path.extension().and_then(OsStr::to_str) {
            Some("service" | "target") => found.push(path.into_os_string()),
            Some("wants") if path.is_dir() => {
                let is_instance = |path: &PathBuf| {
                    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                    path.extension() == Some(OsStr::new("service")) && stem.contains('@') && path.is_file()
                };
                let wanted = entries(path.as_os_str())?;
                found.extend(wanted.into_iter().filter(is_instance).map(PathBuf::into_os_string));
            }
            _ => {}
        }
    }
    found.sort();
    Ok(found)
}

/// The files in a directory, except those whose names contain control characters.
fn entries(directory: &OsStr) -> Result<Vec<PathBuf>> {
    let failed = |why: io::Error| anyhow!("read {}: {}", directory.display(), words(&why));
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| !path.to_string_lossy().contains(char::is_control));
    Ok(paths)
}

/// Reads a file that the configuration names, relative to the directory of the configuration. Only a regular file is
/// read.
fn beside(configuration: &OsStr, named: &str) -> Result<Vec<u8>, String> {
    if configuration == "-" {
        return Err("the configuration is on standard input, which has no directory".to_owned());
    }
    if named.contains('$') {
        return Err("Compose fills in its name".to_owned());
    }
    let path = Path::new(configuration).parent().unwrap_or(Path::new("")).join(named);
    match durable::input(&path, MAX_IMPORT_BYTES as u64) {
        Err(ReadError::NotAFile(_) | ReadError::TooLarge(_)) => {
            Err(format!("{} is no plain file of 4 MiB at most", path.display()))
        }
        read => read.map_err(|why| files::refusal(path.as_os_str(), &why)),
    }
}

/// Each count as `web=2`, joined by `between`.
fn formation(imported: &Imported, between: &str) -> String {
    let word = |(process_type, quantity)| format!("{process_type}={quantity}");
    imported.formation.iter().map(word).collect::<Vec<_>>().join(between)
}

/// The files to be written. There is no env file if it would be empty.
fn targets(given: &Given, imported: Imported) -> Result<Vec<Target<'_>>> {
    let formation = formation(&imported, "\n") + "\n";
    let target = |flag, bytes, mode| Target { path: Path::new(given.text(flag)), bytes, mode };
    let mut targets = vec![
        target("procfile", imported.procfile, 0o666),
        target("formation", formation.into_bytes(), 0o666),
        target("env-file", imported.env_file, 0o600),
    ];
    targets.retain(|target| !target.bytes.is_empty());
    for (at, target) in targets.iter().enumerate() {
        if target.path.as_os_str().is_empty() {
            bail!("a path to be written to is empty: --procfile, --formation and --env-file name files");
        }
        if targets[..at].iter().any(|other| other.path == target.path) {
            bail!(
                "{} cannot hold two files: --procfile, --formation and --env-file differ",
                target.path.display()
            );
        }
    }
    let exists = |target: &&Target<'_>| fs::symlink_metadata(target.path).is_ok();
    let there: Vec<String> =
        targets.iter().filter(exists).map(|target| target.path.display().to_string()).collect();
    if !there.is_empty() && !given.on("force") {
        bail!("{} would be replaced: --force does so, --stdout only prints", there.join(", "));
    }
    Ok(targets)
}

/// Writes the files. New files are created all together or not at all. With `--force`, existing files are replaced
/// and keep their mode.
fn save(given: &Given, targets: &[Target<'_>]) -> Result<()> {
    let is_new = |target: &&Target<'_>| !given.on("force") || fs::symlink_metadata(target.path).is_err();
    let (new, old): (Vec<&Target<'_>>, Vec<_>) = targets.iter().partition(is_new);
    let files: Vec<(&Path, &[u8], u32)> =
        new.iter().map(|target| (target.path, target.bytes.as_slice(), target.mode)).collect();
    write::create(&files)?;
    old.iter().try_for_each(|target| write::replace(target.path, &target.bytes))
}

fn announce(targets: &[Target<'_>], what: &str) -> Result<Outcome> {
    let lines = targets.iter().map(|target| format!("{what}{}\n", target.path.display()));
    output::print(lines.collect::<String>().as_bytes())
}
