//! Builds the image of an app. Images of a failed build are removed; a successful build leaves its steps, which the
//! next build reuses.

use std::path::Path;
use std::thread;
use std::time::Duration;

use build_context::{Context, DOCKERIGNORE, Ignored, PackError, Packed};
use durable::ReadError;
use formation::AppName;
use ps_engine::{Build, BuildNews, Builder, Fault};
use ps_scheduler::{Error, Progress, Requester};
use registry_logins::Logins;

use crate::build_account::Account;
use crate::build_failure::{refused, told};
use crate::build_order::{BuildOrder, Recipe};
use crate::docker_local::DockerLocal;
use crate::dockerfile::{self, Dockerfile};
use crate::failed::failed;
use crate::interruptible::unless_cancelled;
use crate::pull::{self, Pull};
use crate::{clock, context, label};

/// The largest size of a `.dockerignore` file and of a Dockerfile, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// How long a busy engine may take to end the step that was cancelled.
const UNTIL_IT_ENDS: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// The name, in the archive, of a Dockerfile that this crate generates.
const OURS: &str = "Dockerfile";

/// The error of an engine that no longer has the image of the step before, because a build that ended at the same time had it removed.
const LOST: &str = "unknown parent image ID";

/// A build that was not cancelled.
struct Attempt {
    /// The id of the image.
    built: Result<String, Fault>,
    packed: Result<Packed, PackError>,
    account: Account,
}

impl Attempt {
    /// Whether the same build may succeed if it is repeated.
    fn lost_a_step(&self) -> bool {
        self.built.as_ref().is_err_and(|fault| fault.to_string().contains(LOST))
    }
}

impl DockerLocal {
    /// Builds an image of an app and gives it a name; returns its id.
    pub fn build(
        &self,
        app: &AppName,
        order: &BuildOrder,
        requester: &mut Requester<'_>,
    ) -> Result<String, Error> {
        let logins = pull::logins(self.world(), app, requester);
        let (context, builder) = self.context(app, order, requester)?;
        let build = Build {
            dockerfile: match &order.recipe {
                Recipe::Dockerfile(path) => path.clone(),
                Recipe::Over(_) => OURS.to_owned(),
            },
            arguments: order.arguments.clone(),
            target: order.target.clone(),
            labels: [label::of_app(self.world().root(), app)].into(),
            pulls: order.pull == Pull::Always
                && builder == Builder::Classic
                && matches!(order.recipe, Recipe::Dockerfile(_)),
            builder,
        };
        let mut tried = self.attempt(&build, context.clone(), &logins, requester)?;
        if tried.lost_a_step() {
            self.forget(&tried.account);
            (requester.tell)(Progress::Note(
                "the engine lost an image between two steps, as happens when another build ends: it builds again".to_owned(),
            ));
            tried = self.attempt(&build, context, &logins, requester)?;
        }
        let Attempt { built, packed, mut account } = tried;
        match built {
            Ok(id) => self.name(app, &id).map(|()| id.clone()).inspect_err(|_| {
                account.made(&id);
                self.forget(&account);
            }),
            Err(fault) => {
                self.forget(&account);
                Err(told(order, fault, packed.err(), &account, &logins))
            }
        }
    }

    /// Has the engine build once. If that is cancelled, the images that it has made are removed.
    fn attempt(
        &self,
        build: &Build,
        context: Context,
        logins: &Logins,
        requester: &mut Requester<'_>,
    ) -> Result<Attempt, Error> {
        let engine = self.engine()?;
        let (archive, packing) = context::send(context);
        let mut account = Account::default();
        let tell = &mut *requester.tell;
        let hear = |news: BuildNews<'_>| account.hear(news, |line| tell(Progress::Output(line.to_owned())));
        let built =
            engine.run(unless_cancelled(requester.cancel, engine.build(build, archive, logins, hear)));
        let packed = packing.join().expect("packing does not panic");
        let built = built.inspect_err(|_| self.forget(&account))?;
        Ok(Attempt { built, packed, account })
    }

    /// Prepares the archive and chooses the builder, after all checks that are possible before the build.
    fn context(
        &self,
        app: &AppName,
        order: &BuildOrder,
        requester: &mut Requester<'_>,
    ) -> Result<(Context, Builder), Error> {
        let directory = order.directory.clone();
        let rules = text(&directory.join(DOCKERIGNORE))?.unwrap_or_default();
        let ignored = Ignored::parse(&rules);
        let context = Context { directory, ignored, ..Context::default() };
        match &order.recipe {
            Recipe::Dockerfile(path) => {
                let file = order.directory.join(path);
                let Some(text) = text(&file)? else {
                    return Err(refused(order, format!("there is no {}", file.display())));
                };
                let dockerfile = Dockerfile::parse(&text);
                if order.pull == Pull::Never {
                    self.has_all(order, &dockerfile)?;
                }
                if dockerfile.only_buildkit.is_none() {
                    // The engine reads these two files as well, so they are never left out.
                    let always = vec![path.clone(), DOCKERIGNORE.to_owned()];
                    return Ok((Context { always, ..context }, Builder::Classic));
                }
                let replaced = self.ready_for_buildkit(app, order, &dockerfile, requester)?;
                let replaced = replaced.then(|| (path.clone(), dockerfile::without_frontend(&text).into()));
                let added = replaced.into_iter().collect();
                Ok((Context { always: vec![path.clone()], added, ..context }, Builder::BuildKit))
            }
            Recipe::Over(base) => {
                let engine = self.engine()?;
                let image = engine.run(engine.image(base));
                let image = image.map_err(|fault| failed(fault, format!("look for the image {base}")))?;
                let dockerfile = context::laid_over(base, &image.directory).into_bytes();
                let added = vec![(OURS.to_owned(), dockerfile)];
                Ok((Context { below: context::TREE.to_owned(), added, ..context }, Builder::Classic))
            }
        }
    }

    /// BuildKit has no credentials, so the images that a build needs are pulled before it. Returns whether the engine's own frontend
    /// has to be used, because the one that the Dockerfile names is not available.
    fn ready_for_buildkit(
        &self,
        app: &AppName,
        order: &BuildOrder,
        dockerfile: &Dockerfile,
        requester: &mut Requester<'_>,
    ) -> Result<bool, Error> {
        if let Some(mount) = &dockerfile.needs_session {
            let reason = format!(
                "{mount} needs a client that serves it during the build, and Formation does not: use docker build, and deploy the image with --image"
            );
            return Err(refused(order, reason));
        }
        for image in &dockerfile.images {
            self.settle_image(app, image, order.pull, requester)?;
        }
        let Some(frontend) = &dockerfile.frontend else { return Ok(false) };
        match self.settle_image(app, frontend, order.pull, requester) {
            Ok(_) => Ok(false),
            Err(Error::Backend { reason, .. }) if dockerfile.has_stock_frontend() => {
                let note = format!(
                    "# syntax={frontend} cannot be had ({reason}): the engine's own frontend reads the Dockerfile"
                );
                (requester.tell)(Progress::Note(note));
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// If pulling is not allowed, the engine must have every image already: during the build it would pull missing ones by itself.
    fn has_all(&self, order: &BuildOrder, dockerfile: &Dockerfile) -> Result<(), Error> {
        let engine = self.engine()?;
        for image in &dockerfile.images {
            match engine.run(engine.image(image)) {
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

    /// Names the image, because images without a name are removed by every clean-up.
    pub(crate) fn name(&self, app: &AppName, id: &str) -> Result<(), Error> {
        let engine = self.engine()?;
        let (repository, tag) = label::image_name(app, id);
        let named = engine.run(engine.name_image(id, &repository, &tag));
        named.map_err(|fault| failed(fault, format!("name the image {id} of {app}")))
    }

    /// Removes the images that a build has made. The engine may still be ending the step that was in progress.
    fn forget(&self, account: &Account) {
        let Ok(engine) = self.engine() else { return };
        let until = clock::now() + UNTIL_IT_ENDS;
        for image in account.all_made().rev() {
            while let Err(fault) = engine.run(engine.remove_image(image, false)) {
                if !is_held_by_a_container(&fault) || clock::now() > until {
                    break;
                }
                thread::sleep(LOOK);
            }
        }
    }
}

/// Whether an image cannot be removed because a container is made from it. An image that another build uses stays, too.
fn is_held_by_a_container(fault: &Fault) -> bool {
    fault.is_conflict() && fault.reason().contains("container")
}

/// A file of the directory as text; `None` if it does not exist.
fn text(path: &Path) -> Result<Option<String>, Error> {
    match durable::input(path, MAX_BYTES) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(ReadError::Missing) => Ok(None),
        Err(reason) => {
            Err(Error::Backend { context: format!("read {}", path.display()), reason: reason.to_string() })
        }
    }
}
