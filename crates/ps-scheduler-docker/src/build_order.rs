//! The parameters of a build.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::pull::Pull;

/// An image to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOrder {
    /// The directory.
    pub directory: PathBuf,
    /// How the image is made.
    pub recipe: Recipe,
    /// Values of the arguments of the build.
    pub arguments: BTreeMap<String, String>,
    /// The last stage to build; empty: the last one of the Dockerfile.
    pub target: String,
    /// Whether images that the build starts from are pulled.
    pub pull: Pull,
}

/// How a directory becomes an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// By this Dockerfile in the directory.
    Dockerfile(String),
    /// The directory is copied over this image, which the engine has, into the working directory of its
    /// processes.
    Over(String),
}
