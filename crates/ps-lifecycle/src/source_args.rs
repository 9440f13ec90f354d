//! The arguments of a deploy that name its source.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::ValueEnum;
use ps_release::CommandLine;
use ps_scheduler_docker::Pull;

// The options of `deploy` about the source. They have no documentation of their own, because clap would show it as the help of the verb.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SourceArgs {
    /// Run from this directory: natively by its Procfile, or in containers of an image that is built from it
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    pub(crate) dir: Option<PathBuf>,
    /// Run from this tar archive, also one that is compressed with gzip; -: read it from standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dir", "image", "dry_run"])]
    pub(crate) archive: Option<PathBuf>,
    /// Run this image; it is pulled if the engine does not have it
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// Run the image of the app with this tag (see tags)
    #[arg(long, value_name = "TAG", conflicts_with_all = [
        "dir", "archive", "image", "base", "dockerfile", "compose", "build_arg", "command", "arguments",
    ])]
    pub(crate) tag: Option<String>,
    /// Add the directory to this image, and run its Procfile there
    #[arg(long, value_name = "REF", conflicts_with_all = ["image", "command", "dockerfile", "build_arg"])]
    pub(crate) base: Option<String>,
    /// Build the image by this Dockerfile of the directory
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "command"])]
    pub(crate) dockerfile: Option<String>,
    /// Run the services of this Compose file of the directory
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "command", "base", "dockerfile", "build_arg"])]
    pub(crate) compose: Option<String>,
    // The selected services of the Compose file; empty: all.
    #[arg(skip)]
    pub(crate) only: BTreeSet<String>,
    /// A build argument; without a value, that of the environment is used; can be repeated
    #[arg(long, value_name = "NAME[=VALUE]", conflicts_with_all = ["image", "command"])]
    pub(crate) build_arg: Vec<String>,
    /// When an image is pulled from its registry [default: missing]
    #[arg(long, value_name = "WHEN", value_enum)]
    pub(crate) pull: Option<PullWhen>,
    /// Run this command as `web`, without a Procfile; with --image in place of what the image runs, from now on (the property start-cmd)
    #[arg(long, value_name = "CMD")]
    pub(crate) command: Option<String>,
    /// The program that runs the script which --command names
    #[arg(long, value_name = "PROGRAM", requires = "command")]
    pub(crate) interpreter: Option<String>,
    /// Arguments of the command, passed on unchanged; without --command the first one is the program
    #[arg(last = true, value_name = "ARGUMENT", conflicts_with_all = ["base", "dockerfile", "compose", "build_arg"])]
    pub(crate) arguments: Vec<String>,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullWhen {
    /// Not at all
    Never,
    /// If the engine does not have it
    Missing,
    /// In any case
    Always,
}

impl SourceArgs {
    /// Whether a command was given, which stands in for a Procfile.
    pub(crate) fn is_command(&self) -> bool {
        self.command.is_some() || !self.arguments.is_empty()
    }

    /// The whole command line that was given; `None` if none was.
    pub(crate) fn line(&self) -> Result<Option<String>, ps_release::Error> {
        let command = CommandLine {
            command: self.command.as_deref(),
            interpreter: self.interpreter.as_deref(),
            arguments: &self.arguments,
        };
        command.line()
    }

    /// When an image is pulled.
    pub(crate) fn pull(&self) -> Pull {
        match self.pull {
            Some(PullWhen::Never) => Pull::Never,
            Some(PullWhen::Missing) | None => Pull::Missing,
            Some(PullWhen::Always) => Pull::Always,
        }
    }
}
