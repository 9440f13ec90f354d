//! Reads the files that a command names: a regular file, a pipe, or `-` for standard input. The error for a file that
//! cannot be read has the words of the original.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use anyhow::Result;
use durable::ReadError;
use procfile::{Delimiter, EnvFile, Grammar, MAX_FILE_BYTES, ParseOptions, Procfile, Reading};
use ps_apps::nearby;
use ps_cli::say;

use crate::diagnose;
use crate::flags::Given;
use crate::talk::{Failure, words};

/// The Procfile that `--procfile` names, read by the rules of `--delimiter` and `--strict`.
pub(crate) fn procfile(given: &Given) -> Result<Procfile> {
    let path = given.text("procfile");
    let bytes = read(path)?;
    let options = options(given)?;
    match Procfile::parse_with(bytes, &options) {
        Ok(procfile) => Ok(procfile),
        Err(refused) => Err(diagnose::failure(path, &refused, &options)),
    }
}

/// The rules for reading the Procfile.
pub(crate) fn options(given: &Given) -> Result<ParseOptions> {
    let delimiter = Delimiter::new(given.text("delimiter").as_encoded_bytes())?;
    Ok(ParseOptions { delimiter, strict: given.on("strict") })
}

/// The bytes of a Procfile or of a named pipe. At most one byte more than is allowed is read.
pub(crate) fn read(path: &OsStr) -> Result<Vec<u8>> {
    let limit = MAX_FILE_BYTES as u64 + 1;
    match durable::argument(Path::new(path), limit, &|| false) {
        Ok(bytes) => Ok(bytes),
        // The parser refuses the file and says how large it may be.
        Err(ReadError::TooLarge(_)) => Ok(vec![b'\n'; MAX_FILE_BYTES + 1]),
        Err(error) => {
            let hint = "-P names another file; -P - is standard input";
            let is_missing = matches!(error, ReadError::Missing);
            let meant = is_missing.then(|| meant(Path::new(path))).flatten().unwrap_or_default();
            let line = format!("{}{meant}", refusal(path, &error));
            Err(Failure::hinted(vec![line], is_missing.then(|| hint.to_owned())))
        }
    }
}

/// ` (but procfile: call it Procfile)`, if a file with a similar name is in the directory of the missing one.
fn meant(path: &Path) -> Option<String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name()?.to_str()?;
    nearby::mistaken_for(directory, name).map(|other| format!(" (but {other}: call it {name})"))
}

/// The env file that `--env-file` names; `None` if there is no such flag. The error is the text behind `processing
/// command:`.
///
/// Inside Dokku the file is read in Dokku's grammar. With `--allow-getenv` its values may refer to variables of the
/// environment.
pub(crate) fn env_file(given: &Given) -> Result<Option<EnvFile>, EnvFileFailure> {
    let path = Path::new(given.text("env-file"));
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let bytes = durable::argument(path, MAX_FILE_BYTES as u64, &|| false)
        .map_err(|error| EnvFileFailure::Read(refusal(path.as_os_str(), &error)))?;
    let known = |name: &[u8]| if given.on("allow-getenv") { ambient(name) } else { None };
    let grammar = if say::inside_dokku() { Grammar::Dokku } else { Grammar::Own };
    let file = EnvFile::parse_with(&bytes, &Reading { grammar, known: &known })
        .map_err(|why| EnvFileFailure::Parse(why.in_file(path)))?;
    file.warnings().iter().for_each(|odd| say::warning(&format!("{}, {odd}", path.display())));
    Ok(Some(file))
}

/// A variable of the environment. No variable has a name with `=` or NUL in it.
pub(crate) fn ambient(name: &[u8]) -> Option<Vec<u8>> {
    if name.is_empty() || name.iter().any(|byte| matches!(byte, b'=' | 0)) {
        return None;
    }
    std::env::var_os(OsStr::from_bytes(name)).map(OsString::into_vec)
}

/// Why a file was not read, in the words of the original if it has any.
pub(crate) fn refusal(path: &OsStr, error: &ReadError) -> String {
    let path = path.display();
    match error {
        ReadError::Missing => format!("open {path}: no such file or directory"),
        ReadError::NotAFile("a directory") => format!("read {path}: is a directory"),
        ReadError::Symlink | ReadError::LinkLoop => format!("open {path}: too many levels of symbolic links"),
        ReadError::Io(why) => format!("open {path}: {}", words(why)),
        other => format!("read {path}: {other}"),
    }
}

/// Why an env file could not be used.
pub(crate) enum EnvFileFailure {
    Read(String),
    Parse(String),
}

impl EnvFileFailure {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Read(text) | Self::Parse(text) => text,
        }
    }
}
