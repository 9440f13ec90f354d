//! Builds the image of an app. What a build that fails has made is removed, so that it leaves no image behind; one that succeeds
//! leaves its steps, from which the next build goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use build_context::{Context, DOCKERIGNORE, Ignored, PackError};
use durable::ReadError;
use formation::AppName;
use ps_engine::{Build, Fault, Reference};
use ps_scheduler::{Error, Progress, Requester};

use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::interruptible::unless_cancelled;
use crate::pull::{self, Pull};
use crate::steps::Steps;
use crate::{clock, context, label};

/// The largest file of rules and the largest Dockerfile that are read, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// How long an engine that is busy may take to end the step that was cancelled, and the pause between two looks.
const UNTIL_IT_ENDS: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// The name of a Dockerfile of ours in the archive.
const OURS: &str = "Dockerfile";

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

impl DockerLocal {
    /// Builds an image of an app and gives it a name of ours; its id.
    pub fn build(
        &self,
        app: &AppName,
        order: &BuildOrder,
        requester: &mut Requester<'_>,
    ) -> Result<String, Error> {
        let engine = self.engine()?;
        let logins = pull::logins(requester);
        let context = self.context(order)?;
        let build = Build {
            dockerfile: match &order.recipe {
                Recipe::Dockerfile(path) => path.clone(),
                Recipe::Over(_) => OURS.to_owned(),
            },
            arguments: order.arguments.clone(),
            target: order.target.clone(),
            labels: [label::of_app(self.world().root(), app)].into(),
            pulls: order.pull == Pull::Always && matches!(order.recipe, Recipe::Dockerfile(_)),
        };
        let (archive, packing) = context::send(context);
        let mut steps = Steps::default();
        let tell = &mut *requester.tell;
        let hear = |text: &str| steps.hear(text, |line| tell(Progress::Output(line.to_owned())));
        let built =
            engine.run(unless_cancelled(requester.cancel, engine.build(&build, archive, &logins, hear)));
        let packed = packing.join().expect("packing does not panic");
        let named = match built {
            Ok(Ok(id)) => self.name(app, &id).map(|()| id),
            Ok(Err(fault)) => Err(told(order, fault, packed.err(), &steps)),
            Err(cancelled) => Err(cancelled),
        };
        if named.is_err() {
            self.forget(&steps);
        }
        named
    }

    /// What is packed, once everything that can be judged before is judged.
    fn context(&self, order: &BuildOrder) -> Result<Context, Error> {
        let directory = order.directory.clone();
        let rules = text(&directory.join(DOCKERIGNORE))?.unwrap_or_default();
        let ignored = Ignored::parse(&rules);
        let context = Context { directory, ignored, ..Context::default() };
        match &order.recipe {
            Recipe::Dockerfile(path) => {
                let file = order.directory.join(path);
                let Some(dockerfile) = text(&file)? else {
                    return Err(refused(order, format!("there is no {}", file.display())));
                };
                if order.pull == Pull::Never {
                    self.has_all(order, &dockerfile)?;
                }
                Ok(Context { always: vec![path.clone()], ..context })
            }
            Recipe::Over(base) => {
                let engine = self.engine()?;
                let image = engine.run(engine.image(base));
                let image = image.map_err(|fault| failed(fault, format!("look for the image {base}")))?;
                let dockerfile = context::laid_over(base, &image.directory).into_bytes();
                let added = vec![(OURS.to_owned(), dockerfile)];
                Ok(Context { below: context::TREE.to_owned(), added, ..context })
            }
        }
    }

    /// The engine pulls what a build lacks by itself: where nothing may be pulled, it must lack nothing.
    fn has_all(&self, order: &BuildOrder, dockerfile: &str) -> Result<(), Error> {
        let engine = self.engine()?;
        for image in named_images(dockerfile) {
            match engine.run(engine.image(&image)) {
                Ok(_) => {}
                Err(fault) if fault.is_gone() => {
                    let reason = format!(
                        "it is built from {image}, which the engine does not have, and --pull never keeps it from being pulled"
                    );
                    return Err(refused(order, reason));
                }
                Err(fault) => return Err(failed(fault, format!("look for the image {image}"))),
            }
        }
        Ok(())
    }

    /// An image without a name is removed by everybody who tidies up.
    pub(crate) fn name(&self, app: &AppName, id: &str) -> Result<(), Error> {
        let engine = self.engine()?;
        let (repository, tag) = label::image_name(app, id);
        let named = engine.run(engine.name_image(id, &repository, &tag));
        named.map_err(|fault| failed(fault, format!("name the image {id} of {app}")))
    }

    /// Removes what a build has made. The engine may still be ending the step that was under way.
    fn forget(&self, steps: &Steps) {
        let Ok(engine) = self.engine() else { return };
        let until = clock::now() + UNTIL_IT_ENDS;
        for image in steps.made.iter().rev() {
            while let Err(fault) = engine.run(engine.remove_image(image, false)) {
                if !is_held_by_a_container(&fault) || clock::now() > until {
                    break;
                }
                thread::sleep(LOOK);
            }
        }
    }
}

/// Whether an image cannot be removed as long as a container is made from it. One that another build goes on from stays.
fn is_held_by_a_container(fault: &Fault) -> bool {
    fault.is_conflict() && fault.reason().contains("container")
}

/// Why a build failed: the step, what the engine says of it, and what the step wrote last.
fn told(order: &BuildOrder, fault: Fault, packed: Option<PackError>, steps: &Steps) -> Error {
    // An archive that nobody takes any more is a consequence. A file that could not be read is the cause.
    if let Some(error) = packed.filter(|error| !matches!(error, PackError::Write(_))) {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        return refused(order, format!("{error}{}", source.unwrap_or_default()));
    }
    let Fault::Refused { message, .. } = fault else { return failed(fault, context_of(order)) };
    let message = message.trim_end();
    let advice = match steps.from() {
        Some(image) => {
            let registry = Reference::of(image).registry().to_owned();
            pull::advised(message, &registry, None)
        }
        None if message.contains("BuildKit") => {
            format!(
                "{message}: the engine's own builder is used here: docker build it, and deploy that with --image"
            )
        }
        None => message.to_owned(),
    };
    let step = steps.step.as_deref().map(|step| format!("step {step}: ")).unwrap_or_default();
    let last = if steps.last.is_empty() {
        String::new()
    } else {
        format!("; the last it wrote:\n    {}", steps.last.join("\n    "))
    };
    refused(order, format!("{step}{advice}{last}"))
}

fn context_of(order: &BuildOrder) -> String {
    format!("build {}", order.directory.display())
}

fn refused(order: &BuildOrder, reason: String) -> Error {
    Error::Backend { context: context_of(order), reason }
}

/// A file of the directory, as text; `None` if it is not there.
fn text(path: &Path) -> Result<Option<String>, Error> {
    match durable::input(path, MAX_BYTES) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(ReadError::Missing) => Ok(None),
        Err(reason) => {
            Err(Error::Backend { context: format!("read {}", path.display()), reason: reason.to_string() })
        }
    }
}

/// The images that a Dockerfile names, without its own stages and without those that only an argument knows.
fn named_images(dockerfile: &str) -> Vec<String> {
    let (mut images, mut stages) = (Vec::new(), vec!["scratch".to_owned()]);
    for line in dockerfile.lines() {
        let mut words = line.split_whitespace().filter(|word| !word.starts_with("--"));
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("from")) {
            continue;
        }
        let Some(image) = words.next() else { continue };
        if !image.contains('$') && !stages.contains(&image.to_lowercase()) {
            images.push(image.to_owned());
        }
        stages.extend(words.nth(1).map(str::to_lowercase));
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_arguments_are_no_images() {
        let dockerfile = "ARG V=1\nFROM go:1 AS Build\nRUN x\nfrom --platform=linux/amd64 build AS test\nFROM base:$V\nFROM scratch\nFROM run\nCOPY --from=build /a /a\n";
        assert_eq!(named_images(dockerfile), ["go:1", "run"]);
    }
}
