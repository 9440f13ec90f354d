//! Why there is no release: what the source, its files or what is stored of the app lack.

use std::io;
use std::path::PathBuf;
use std::str::Utf8Error;

use durable::ReadError;
use formation::ProcessType;
use procfile::ParseError;
use ps_apps::{InvalidDokkuScale, RefusedOffer, RefusedScaling};

/// A source from which no release can be made. All but [`Error::Apps`] are the user's to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory that was named cannot be opened.
    #[error("open {}: name a directory that is there", path.display())]
    NoDirectory {
        /// The path, as it was typed.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else lies where a directory was named.
    #[error("{} is not a directory: name the one that holds the Procfile", path.display())]
    NotADirectory {
        /// The path, as it was typed.
        path: PathBuf,
    },
    /// The working directory, against which the path is read, cannot be found out.
    #[error("open {}", path.display())]
    NotAbsolute {
        /// The path, as it was typed.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path could not be read back from the line in which it is recorded.
    #[error("{} cannot be recorded: a path is one line of UTF-8", path.display())]
    NotALine {
        /// The path.
        path: PathBuf,
    },
    /// The directory has no Procfile.
    #[error("no {procfile} in {}{there}: write one (web: <command>), or pass --command", directory.display())]
    NoProcfile {
        /// Where the Procfile should lie in the directory.
        procfile: String,
        /// The directory.
        directory: PathBuf,
        /// What lies there in its place, in brackets; empty if nothing is like it.
        there: String,
    },
    /// A source that was recorded in a word that we do not know.
    #[error("a source of the kind {kind:?} is of a later version: deploy with that version")]
    UnknownSource {
        /// The word.
        kind: String,
    },
    /// Inside Dokku: what is being deployed has no Procfile.
    #[error("App {app} has no Procfile, which says what to run: add one (web: <command>) and push again")]
    NothingToRun {
        /// The app.
        app: String,
    },
    /// The word is not the name of an image.
    #[error("{image:?} is no image reference: write <name>[:<tag>]")]
    NoImage {
        /// The word.
        image: String,
    },
    /// There is no earlier deploy whose source could be used again.
    #[error("{app} was never deployed: say from where, with --dir, --image or --command")]
    NeverDeployed {
        /// The app.
        app: String,
    },
    /// A command that a Procfile cannot hold.
    #[error("--command {command:?}: one command on one line is needed")]
    NotOneCommand {
        /// The command.
        command: String,
    },
    /// A command of which a Procfile would take a part for a comment.
    #[error(
        "--command {command:?}: {lost:?} would be a comment: put the command into a script, or remove the blank before it"
    )]
    CutCommand {
        /// The command.
        command: String,
        /// The part that would be lost.
        lost: String,
    },
    /// A script for a shell, to which no interpreter and no arguments can be added.
    #[error(
        "--command {command:?} is a script for a shell: --interpreter and the arguments behind -- need a program and its arguments"
    )]
    NotSimple {
        /// The command.
        command: String,
    },
    /// An argument that no line can hold.
    #[error("the argument {word:?} has a line end, and a command is one line: put the command into a script")]
    NotOneWord {
        /// The argument.
        word: String,
    },
    /// A file of the source that is no ordinary file.
    #[error("{}: {reason}: put an ordinary file there", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What lies there.
        reason: ReadError,
    },
    /// The Procfile of the source makes no sense.
    #[error("the Procfile of {origin} (procfile-util check shows more)")]
    BadProcfile {
        /// The directory or the image.
        origin: String,
        /// What is wrong, line by line.
        source: ParseError,
    },
    /// The app.json of the source makes no sense.
    #[error("app.json")]
    BadAppJson(#[source] app_json::Error),
    /// A file that Dokku keeps for the deploy makes no sense.
    #[error("{}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Broken,
    },
    /// A file that was recorded by the last deploy makes no sense any more.
    #[error("the recorded {} (ps-lifecycle deploy {app} writes it anew)", path.display())]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// The app.
        app: String,
        /// What is wrong.
        source: Broken,
    },
    /// Settings that cannot hold together.
    #[error("the settings of {process_type}: {what}")]
    Contradiction {
        /// The process type.
        process_type: ProcessType,
        /// Which ones, and what to say instead.
        what: String,
    },
    /// A task of app.json has the name that a type of the Procfile has.
    #[error("app.json: cron[{}] would run as {process_type}, which the Procfile has already: give that type another name", number - 1)]
    TaskIsAType {
        /// The number of the task, from 1.
        number: usize,
        /// Its name as a type.
        process_type: ProcessType,
    },
    /// A command that is no text.
    #[error("the command of {process_type} is not UTF-8")]
    NotText {
        /// The process type.
        process_type: ProcessType,
        /// Where.
        source: Utf8Error,
    },
    /// An env file that makes no sense, in the words of its reader: path, line and reason.
    #[error("{0}")]
    Environment(String),
    /// A variable that an engine does not take.
    #[error("{place} is not UTF-8, and the engine takes nothing else: encode it, or run the app natively")]
    NotForAnEngine {
        /// The variable, with file and line.
        place: String,
    },
    /// A count on the command line that is none.
    #[error(transparent)]
    Count(#[from] RefusedScaling),
    /// Counts that were refused.
    #[error(transparent)]
    Counts(#[from] RefusedOffer),
    /// A DOKKU_SCALE file that makes no sense.
    #[error(transparent)]
    DokkuScale(#[from] InvalidDokkuScale),
    /// Something that is stored of the app cannot be read or written.
    #[error(transparent)]
    Apps(#[from] ps_apps::Error),
}

/// What is wrong with a file that was kept.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It was removed since.
    #[error("it is missing")]
    Missing,
    /// It is a Procfile that makes no sense.
    #[error(transparent)]
    Procfile(#[from] ParseError),
    /// It is an app.json that makes no sense.
    #[error(transparent)]
    AppJson(#[from] app_json::Error),
}
