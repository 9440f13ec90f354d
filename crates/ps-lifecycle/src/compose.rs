//! A Compose file as a source: read together with the files that it names, and recorded with the images of its services.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use formation::AppName;
use procfile::EnvFile;
use procfile_exchange::compose::{self, Around, Chosen, Composed, Service};
use ps_apps::ServiceRecord;
use ps_release::Checkout;
use ps_scheduler_docker::{BuildOrder, DockerLocal, Pull, Recipe};
use type_settings::{Setting, TypeSettings};

use crate::session::Session;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 4 << 20;
/// The file of variables that a Compose file may use and that the environment does not have.
const ENV: &str = ".env";

/// Reads the Compose file of a directory, and adds its services to the checkout; their images are not known yet.
pub(crate) fn read_into(checkout: &mut Checkout, app: &AppName) -> Result<()> {
    let Some(composed) = to_provide(checkout, app)? else { return Ok(()) };
    let services = composed.services.iter().map(|service| record(service, String::new()));
    let services = services.collect::<Result<_>>()?;
    checkout.take_services(services);
    Ok(())
}

/// Prints which keys of the file have no effect, as the deploy does when it provides the images.
pub(crate) fn say_what_is_not_carried_over(app: &AppName, checkout: &Checkout) -> Result<()> {
    if let Some(composed) = to_provide(checkout, app)? {
        crate::release::say_all(&composed.notes().collect::<Vec<_>>());
    }
    Ok(())
}

/// The services of the file that the app gets and whose images are not known yet; `None` if there are none.
fn to_provide(checkout: &Checkout, app: &AppName) -> Result<Option<Composed>> {
    let ps_release::ImageOf::Compose { directory, file } = checkout.image() else { return Ok(None) };
    let (only, none) = (&checkout.record.only, BTreeSet::new());
    let chosen = if only.is_empty() { Chosen::All(&none) } else { Chosen::Exactly(only) };
    let mut composed = read(app, (directory, file), chosen)?;
    let has_image = |service: &Service| {
        let known = checkout.record.services.get(service.process_type.as_str());
        known.is_some_and(|known| !known.image.is_empty())
    };
    composed.services.retain(|service| !has_image(service));
    Ok(Some(composed))
}

/// Provides the image of each service, and records it in the checkout.
pub(crate) fn provide(
    session: &Session,
    app: &AppName,
    docker: &DockerLocal,
    checkout: &mut Checkout,
    pull: Pull,
) -> Result<()> {
    let Some(composed) = to_provide(checkout, app)? else { return Ok(()) };
    crate::release::say_all(&composed.notes().collect::<Vec<_>>());
    let mut services = checkout.record.services.clone();
    services.retain(|_, service| !service.image.is_empty());
    let mut built: Vec<(compose::Build, String)> = Vec::new();
    for service in &composed.services {
        let of_service = || format!("the service {}", service.process_type);
        // Services with the same `build` share one image.
        let same = built.iter().find(|(build, _)| Some(build) == service.build.as_ref());
        let image = match (same, &service.build) {
            (Some((_, image)), _) => image.clone(),
            (None, Some(build)) => {
                let image = make(session, app, docker, build, pull).with_context(of_service)?;
                built.push((build.clone(), image.clone()));
                image
            }
            (None, None) => {
                let image = service.image.as_deref().unwrap_or_default();
                let settled =
                    session.with_requester(app, |requester| docker.settle_image(app, image, pull, requester));
                settled.with_context(of_service)?
            }
        };
        services.extend([record(service, image)?]);
    }
    checkout.take_services(services);
    Ok(())
}

fn make(
    session: &Session,
    app: &AppName,
    docker: &DockerLocal,
    build: &compose::Build,
    pull: Pull,
) -> Result<String> {
    session.step(&format!("Building {app} from {}...", build.directory))?;
    let order = BuildOrder {
        directory: build.directory.clone().into(),
        recipe: Recipe::Dockerfile(build.dockerfile.clone()),
        arguments: build.arguments.clone(),
        target: build.target.clone(),
        pull,
    };
    Ok(session.with_requester(app, |requester| docker.build(app, &order, requester))?)
}

/// Reads these services of the Compose file of a directory.
pub(crate) fn read(app: &AppName, (directory, file): (&Path, &str), chosen: Chosen<'_>) -> Result<Composed> {
    let path = directory.join(file);
    let place = || path.display().to_string();
    let bytes = durable::input(&path, MAX_BYTES).with_context(place)?;
    // Relative paths begin at the directory of the file. A symbolic link in its path is resolved now.
    let around = path.parent().unwrap_or(directory);
    let around = around.canonicalize().with_context(place)?;
    let Some(around) = around.to_str() else { bail!("{}: the path is not UTF-8", around.display()) };
    let of_file = variables(Path::new(around))?;
    let variable = |name: &str| {
        let own = ps_apps::variable(name).and_then(|value| value.into_string().ok());
        own.or_else(|| of_file.get(name).cloned())
    };
    let file = |path: &str| durable::input(Path::new(path), MAX_BYTES).map_err(|error| error.to_string());
    let around =
        Around { directory: around, project: app.as_str(), variable: &variable, file: &file, chosen };
    compose::read(&bytes, &around).with_context(place)
}

fn variables(directory: &Path) -> Result<BTreeMap<String, String>> {
    let path = directory.join(ENV);
    let bytes = match durable::input(&path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(durable::ReadError::Missing) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let file = EnvFile::parse(&bytes).with_context(|| path.display().to_string())?;
    Ok(file.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn record(service: &Service, image: String) -> Result<(String, ServiceRecord)> {
    for (name, value) in &service.settings {
        let taken = Setting::named(name)
            .map(|setting| (setting.take(value, &mut TypeSettings::default()), setting.rule));
        if let Some((false, rule)) = taken {
            bail!("the service {}: {value:?} is no value of {name}: {rule}", service.process_type);
        }
    }
    let record = ServiceRecord {
        image,
        settings: service.settings.clone(),
        container: service.container.clone(),
        replicas: service.replicas,
        port: service.port,
    };
    Ok((service.process_type.to_string(), record))
}
