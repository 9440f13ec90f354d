//! Reading the files that a command names. `-` is standard input for the Procfile, and nothing else is: a file that
//! cannot be opened is an error, in the words of the original.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Result, anyhow};
use procfile::{Delimiter, EnvFile, MAX_FILE_BYTES, ParseOptions, Procfile};
use ps_apps::nearby;

use crate::diagnose;
use crate::flags::Given;
use crate::talk::Failure;

/// The Procfile that `--procfile` names, read as `--delimiter` and `--strict` say.
pub(crate) fn procfile(given: &Given) -> Result<Procfile> {
    let path = given.text("procfile");
    let bytes = read(path)?;
    let options = options(given)?;
    match Procfile::parse_with(bytes, &options) {
        Ok(procfile) => Ok(procfile),
        Err(refused) => Err(diagnose::failure(path, &refused, &options)),
    }
}

/// How the Procfile is to be read.
pub(crate) fn options(given: &Given) -> Result<ParseOptions> {
    let delimiter = Delimiter::new(given.text("delimiter").as_encoded_bytes())?;
    Ok(ParseOptions { delimiter, strict: given.on("strict") })
}

/// The bytes of a Procfile; one byte more than is legal at most.
pub(crate) fn read(path: &OsStr) -> Result<Vec<u8>> {
    if path == "-" {
        return bounded(io::stdin().lock(), 0).map_err(|why| anyhow!("read -: {}", words(&why)));
    }
    let file = File::open(path).map_err(|why| {
        let missing = why.kind() == io::ErrorKind::NotFound;
        let meant = missing.then(|| meant(Path::new(path))).flatten().unwrap_or_default();
        let line = format!("open {}: {}{meant}", path.display(), words(&why));
        Failure::hinted(
            vec![line],
            missing.then(|| "-P names another file; -P - is standard input".to_owned()),
        )
    })?;
    let len = file.metadata().map_or(0, |about| about.len());
    bounded(file, len).map_err(|why| anyhow!("read {}: {}", path.display(), words(&why)))
}

/// ` (but procfile: call it Procfile)`, where a file beside the missing one was probably meant.
fn meant(path: &Path) -> Option<String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name()?.to_str()?;
    nearby::mistaken_for(directory, name).map(|other| format!(" (but {other}: call it {name})"))
}

/// The env file that `--env-file` names; none if it names none. The error is the text behind `processing command:`.
pub(crate) fn env_file(given: &Given) -> Result<Option<EnvFile>, EnvFileFailure> {
    let path = Path::new(given.text("env-file"));
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let mut file = File::open(path)
        .map_err(|why| EnvFileFailure::Read(format!("open {}: {}", path.display(), words(&why))))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|why| EnvFileFailure::Read(format!("read {}: {}", path.display(), words(&why))))?;
    EnvFile::parse(&bytes).map(Some).map_err(|why| EnvFileFailure::Parse(why.to_string()))
}

/// Why there is no env file.
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

/// An operating system's error in the words of the original: lower case, without the number.
pub(crate) fn words(error: &io::Error) -> String {
    let text = if error.raw_os_error().is_some() { error.to_string() } else { error.kind().to_string() };
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn bounded(from: impl Read, expected: u64) -> io::Result<Vec<u8>> {
    let limit = MAX_FILE_BYTES + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(expected).map_or(limit, |len| (len + 1).min(limit)));
    from.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
