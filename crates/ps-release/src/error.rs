//! Why no release can be made: the problem lies in the source, in its files, or in the stored data of the app.

use std::io;
use std::path::PathBuf;
use std::str::Utf8Error;

use durable::ReadError;
use formation::ProcessType;
use procfile::ParseError;
use ps_apps::{InvalidDokkuScale, RefusedOffer, RefusedScaling};

/// Why no release can be made. The user has to act on all variants but [`Error::Apps`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory cannot be opened.
    #[error("open {}: name a directory that is there", path.display())]
    NoDirectory {
        /// The path, as it was typed.
        path: PathBuf,
        /// The reason that the system gave.
        source: io::Error,
    },
    /// The path leads to something that is not a directory.
    #[error("{} is not a directory: name the one that holds the Procfile", path.display())]
    NotADirectory {
        /// The path, as it was typed.
        path: PathBuf,
    },
    /// The working directory, from which a relative path starts, cannot be determined.
    #[error("open {}", path.display())]
    NotAbsolute {
        /// The path, as it was typed.
        path: PathBuf,
        /// The reason that the system gave.
        source: io::Error,
    },
    /// The path cannot be recorded in one line of text and read back.
    #[error("{} cannot be recorded: a path is one line of UTF-8", path.display())]
    NotALine {
        /// The path.
        path: PathBuf,
    },
    /// The directory has no Procfile.
    #[error("no {procfile} in {}{there}: write one (web: <command>), or pass --command", directory.display())]
    NoProcfile {
        /// The path of the Procfile inside the directory.
        procfile: String,
        /// The directory.
        directory: PathBuf,
        /// A file that was probably meant, in brackets; empty if none was found.
        there: String,
    },
    /// No file in a directory says how an image is made of it.
    #[error(
        "nothing in {} says how it becomes an image: write a Dockerfile, pass --base IMAGE with a {procfile}, or pass --scheduler native",
        directory.display()
    )]
    NoImageOf {
        /// The directory.
        directory: PathBuf,
        /// Where the Procfile should lie in the directory.
        procfile: String,
    },
    /// A file does not exist although a property names its path.
    #[error("there is no {path} in {place}, which {property} names: put it there, or clear the property")]
    NamedFileMissing {
        /// The property.
        property: &'static str,
        /// The path.
        path: String,
        /// The directory or the image.
        place: String,
    },
    /// A path that leads out of the directory that is deployed.
    #[error("{path:?} does not lie in the directory that is deployed: name a file in it")]
    NotBelow {
        /// The path.
        path: String,
    },
    /// The kind of the recorded source is not known to this version.
    #[error("a source of the kind {kind:?} is of a later version: deploy with that version")]
    UnknownSource {
        /// The recorded word.
        kind: String,
    },
    /// The directory of a kept release does not exist any more.
    #[error("release {number} cannot come back: it ran in {}, which is not there any more", directory.display())]
    GoneRelease {
        /// Its number.
        number: u64,
        /// The directory.
        directory: PathBuf,
    },
    /// The directory of a kept release has other content by now.
    #[error(
        "release {number} cannot come back: {} does not hold what was deployed then{which}; to run what it holds now, deploy it",
        directory.display()
    )]
    ChangedRelease {
        /// Its number.
        number: u64,
        /// The directory.
        directory: PathBuf,
        /// What was changed, in brackets; empty if that is unknown.
        which: String,
    },
    /// The directory of a kept release cannot be read any more.
    #[error("release {number} cannot come back")]
    UnreadableRelease {
        /// Its number.
        number: u64,
        /// Why.
        source: Box<tree_digest::Error>,
    },
    /// It is not known what was deployed with a kept release.
    #[error("release {number} cannot come back: it was deployed from {place}, and {why}: deploy it anew")]
    UnknownRelease {
        /// Its number.
        number: u64,
        /// The source, as it was typed.
        place: String,
        /// What is not known.
        why: String,
    },
    /// Inside Dokku: the source that is being deployed has no Procfile.
    #[error("App {app} has no Procfile, which says what to run: add one (web: <command>) and push again")]
    NothingToRun {
        /// The app.
        app: String,
    },
    /// The word is not a valid name of an image.
    #[error("{image:?} is no image reference: write <name>[:<tag>]")]
    NoImage {
        /// The word.
        image: String,
    },
    /// There was no earlier deploy whose source could be used again.
    #[error("{app} was never deployed: say from where, with --dir, --image or --command")]
    NeverDeployed {
        /// The app.
        app: String,
    },
    /// The command cannot be written in a Procfile.
    #[error("--command {command:?}: one command on one line is needed")]
    NotOneCommand {
        /// The command.
        command: String,
    },
    /// A part of the command would be a comment in a Procfile.
    #[error(
        "--command {command:?}: {lost:?} would be a comment: put the command into a script, or remove the blank before it"
    )]
    CutCommand {
        /// The command.
        command: String,
        /// The part that would be cut.
        lost: String,
    },
    /// The command is a script for a shell, so no interpreter and no arguments can be added to it.
    #[error(
        "--command {command:?} is a script for a shell: --interpreter and the arguments behind -- need a program and its arguments"
    )]
    NotSimple {
        /// The command.
        command: String,
    },
    /// The argument cannot be part of a line.
    #[error("the argument {word:?} has a line end, and a command is one line: put the command into a script")]
    NotOneWord {
        /// The argument.
        word: String,
    },
    /// A file of the source is not a regular file.
    #[error("{}: {reason}: put an ordinary file there", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: ReadError,
    },
    /// The Procfile of the source is not valid.
    #[error("the Procfile of {origin} (procfile-util check shows more)")]
    BadProcfile {
        /// The directory or the image.
        origin: String,
        /// All its problems, each with its line.
        source: ParseError,
    },
    /// The app.json of the source is not valid.
    #[error("app.json")]
    BadAppJson(#[source] app_json::Error),
    /// The file CHECKS of the source is not valid.
    #[error("CHECKS")]
    BadChecksFile(#[source] app_json::Error),
    /// A file that Dokku keeps for the deploy is not valid.
    #[error("{}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: Broken,
    },
    /// A file that the last deploy recorded is not valid any more.
    #[error("the recorded {} (ps-lifecycle deploy {app} writes it anew)", path.display())]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// The app.
        app: String,
        /// The problem.
        source: Broken,
    },
    /// Some settings contradict each other.
    #[error("the settings of {process_type}: {what}")]
    Contradiction {
        /// The process type.
        process_type: ProcessType,
        /// Which settings these are, and what to do.
        what: String,
    },
    /// A task of app.json would have the name of a type that the Procfile has.
    #[error("app.json: cron[{}] would run as {process_type}, which the Procfile has already: give that type another name", number - 1)]
    TaskIsAType {
        /// The number of the task, from 1.
        number: usize,
        /// The name of the task as a process type.
        process_type: ProcessType,
    },
    /// A command is not UTF-8.
    #[error("the command of {process_type} is not UTF-8")]
    NotText {
        /// The process type.
        process_type: ProcessType,
        /// The place of the first wrong byte.
        source: Utf8Error,
    },
    /// An env file is not valid. The text names the file, the line and the reason.
    #[error("{0}")]
    Environment(String),
    /// The engine does not accept the value of a variable.
    #[error("{place} is not UTF-8, and the engine takes nothing else: encode it, or run the app natively")]
    NotForAnEngine {
        /// The variable, with its file and line.
        place: String,
    },
    /// A count on the command line is not valid.
    #[error(transparent)]
    Count(#[from] RefusedScaling),
    /// The counts were refused.
    #[error(transparent)]
    Counts(#[from] RefusedOffer),
    /// A DOKKU_SCALE file is not valid.
    #[error(transparent)]
    DokkuScale(#[from] InvalidDokkuScale),
    /// Stored data of the app cannot be read or written.
    #[error(transparent)]
    Apps(#[from] ps_apps::Error),
}

/// The problem of a recorded file.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The file has been removed.
    #[error("it is missing")]
    Missing,
    /// The file is a Procfile that is not valid.
    #[error(transparent)]
    Procfile(#[from] ParseError),
    /// The file is an app.json that is not valid.
    #[error(transparent)]
    AppJson(#[from] app_json::Error),
}
