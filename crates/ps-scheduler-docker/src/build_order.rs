//! The parameters of a build.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::pull::Pull;

/// An image to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOrder {
    /// The directory.
    pub directory: PathBuf,
    /// What is done with it.
    pub recipe: Recipe,
    /// Values of the arguments of the build.
    pub arguments: BTreeMap<String, String>,
    /// The stage to end with; empty: the last one.
    pub target: String,
    /// Whether images that it is built from are pulled.
    pub pull: Pull,
}

/// How a directory becomes an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// As this Dockerfile in it says.
    Dockerfile(String),
    /// It is laid over this image, which is here, in the directory where its processes start.
    Over(String),
}
