//! How the processes of an image are started, as its builder meant it.

use ps_scheduler::Error;

use crate::failed::failed;
use crate::swarm::Swarm;

/// The label of every image of Cloud Native Buildpacks.
const BUILDPACKS: &str = "io.buildpacks.stack.id";
/// A variable of every image of herokuish.
const HEROKUISH: &str = "USER=herokuishuser";

/// How the processes of an image are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// By the command of a type, or by what the image runs by itself.
    Plain,
    /// By herokuish, as `/start <type>`.
    Herokuish,
    /// By the launcher of Cloud Native Buildpacks.
    Buildpacks,
}

impl Swarm {
    /// The kind of an image that this machine's engine has.
    ///
    /// # Errors
    /// The engine does not have it, or does not answer.
    pub fn kind_of_image(&self, image: &str) -> Result<ImageKind, Error> {
        let engine = self.engine()?;
        let found = engine.run(engine.image(image));
        let found = found.map_err(|fault| failed(&fault, &format!("look at the image {image}")))?;
        Ok(if found.labels.contains_key(BUILDPACKS) {
            ImageKind::Buildpacks
        } else if found.environment.iter().any(|variable| variable == HEROKUISH) {
            ImageKind::Herokuish
        } else {
            ImageKind::Plain
        })
    }
}
