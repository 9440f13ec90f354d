//! How the processes of an image are started, as its builder meant it. An image of Cloud Native Buildpacks has an ENTRYPOINT that
//! starts one process type, and takes all words that follow as arguments of that process. So a command of a Procfile is given to
//! its launcher instead, which makes the environment of the buildpacks and runs the command.

use crate::Image;

/// The label of every image of Cloud Native Buildpacks.
const BUILDPACKS: &str = "io.buildpacks.stack.id";
/// A variable of every image of herokuish.
const HEROKUISH: &str = "USER=herokuishuser";
/// The launcher of an image of Cloud Native Buildpacks, which is in its PATH. A single argument is a script for its shell;
/// arguments after `--` are the words of a command.
pub const LAUNCHER: &str = "launcher";

/// How the processes of an image are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// By the command of a type, or by the default command of the image.
    Plain,
    /// By herokuish: an instance as `/start <type>`, any other command as `/exec <command>`.
    Herokuish,
    /// By the launcher of Cloud Native Buildpacks, which a scheduler puts before a command.
    Buildpacks,
}

impl ImageKind {
    /// The kind of an image.
    pub fn of(image: &Image) -> Self {
        if image.labels.get(BUILDPACKS).is_some_and(|stack| !stack.is_empty()) {
            Self::Buildpacks
        } else if image.environment.iter().any(|variable| variable == HEROKUISH) {
            Self::Herokuish
        } else {
            Self::Plain
        }
    }
}
