//! `deploy`: a new release. It is recorded when the scheduler commits it; if it fails, everything is as before.

mod secrets;
mod start_command;
mod unrecorded;
mod variables;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use app_json::AppJson;
use formation::AppName;
use procfile::Procfile;
use ps_apps::{
    AppLock, Bytes, Deployed, FormationOrigin, KeptRelease, SchedulerName, Scope, StoredEntry, World,
};
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_release::{Checkout, Counts, Release, Source, remarks};
use ps_rollout::Canary;
use ps_scheduler::{Intent, Plan, Scheduler};
use ps_scheduler_docker::{DockerLocal, Pull};

use crate::args::{AddressArgs, CanaryArgs, DeployArgs, RequireArgs, TellingArgs};
use crate::scripts::Scripts;
use crate::session::Session;
use crate::source_args::SourceArgs;
use crate::{
    address, archive, canary, compose, idle, images, interrupted, journal, leave, plan, provision, release,
    scripts, shared_port, watch,
};

use unrecorded::RunsOn;

const VERB: &str = "deploy";

pub(crate) fn run(session: &Session, args: &DeployArgs) -> Result<Outcome> {
    let app: AppName = args.app.parse().map_err(ps_apps::Error::from)?;
    if args.dry_run {
        return dry_run(session, &app, args);
    }
    session.of_app(VERB, &app, || deploy_to(session, &app, args))
}

fn deploy_to(session: &Session, app: &AppName, args: &DeployArgs) -> Result<Outcome> {
    let lock = session.lock(app)?;
    let unpacked = args.source.archive.as_deref();
    let unpacked = unpacked.map(|archive| archive::take(session, app, archive)).transpose()?;
    let mut checkout =
        args.source.checkout(&session.world, app, args.scheduler.as_deref(), unpacked.as_ref())?;
    let deployed = anew(session, lock, app, args, (VERB, &mut checkout));
    let runs_on = matches!(&deployed, Err(error) if error.is::<RunsOn>());
    if let Some(unpacked) = unpacked.filter(|_| deployed.is_ok() || runs_on) {
        unpacked.keep();
    }
    // While an unrecorded release runs, it is unknown which images are still needed.
    if !runs_on {
        images::tidy(session, app, &checkout);
    }
    deployed.map(|()| Outcome::Done)
}

/// Deploys what was checked out. A missing app is created, and removed again if the deploy fails.
pub(crate) fn anew(
    session: &Session,
    lock: AppLock,
    app: &AppName,
    args: &DeployArgs,
    (verb, checkout): (&str, &mut Checkout),
) -> Result<()> {
    let is_new = !session.world.is_app(app)?;
    let deployed = provide_images(session, app, args, checkout).and_then(|()| {
        if is_new {
            session.world.create_app(app)?;
            journal::of_new_app(&session.world, verb, app);
        } else {
            session.world.join_app(app)?;
        }
        deploy(session, &lock, app, args, checkout)
    });
    let runs_on = matches!(&deployed, Err(error) if error.is::<RunsOn>());
    if deployed.is_err() && is_new && !runs_on && !ps_dokku::is_deployed(&session.world, app)? {
        // An error of this removal is dropped, because the error of the deploy is reported. If only a hook failed after the deploy, the
        // app is deployed and is not removed.
        let _ = session.world.destroy_app(app);
        lock.retire();
    }
    deployed
}

/// Deploys the same source again. Takes the app's lock.
pub(crate) fn again(session: &Session, app: &AppName) -> Result<()> {
    let lock = session.lock(app)?;
    let args = of_nothing(app);
    let mut checkout = args.source.checkout(&session.world, app, None, None)?;
    checkout.replay(&session.world, app)?;
    let deployed = provide_images(session, app, &args, &mut checkout)
        .and_then(|()| deploy(session, &lock, app, &args, &checkout));
    images::tidy(session, app, &checkout);
    deployed
}

/// Deploys a recorded release again, with its counts and its images. The caller holds the lock.
pub(crate) fn of_record(session: &Session, lock: &AppLock, app: &AppName, record: &Deployed) -> Result<()> {
    let scale = record.scale.iter().map(|entry| format!("{}={}", entry.name, entry.count)).collect();
    let args = DeployArgs { scheduler: Some(record.scheduler.clone()), scale, ..of_nothing(app) };
    let mut checkout = Checkout::of_record(record)?;
    images::look_up(session, app, &mut checkout)?;
    deploy(session, lock, app, &args, &checkout)
}

/// Makes sure that the engine has the image that is going to run. A deploy that no scheduler could carry out is refused before anything is
/// pulled.
fn provide_images(
    session: &Session,
    app: &AppName,
    args: &DeployArgs,
    checkout: &mut Checkout,
) -> Result<()> {
    let scheduler = scheduler_name(&session.world, app, args, &checkout.source)?;
    start_command::check(args)?;
    if let (Some(_), Source::Directory(directory)) = (args.source.pull, &checkout.source) {
        bail!("--pull is for images, and {} runs natively: leave --pull out", directory.display());
    }
    let pull = args.source.pull();
    let may_move = scheduler == SchedulerName::Swarm && pull == Pull::Missing;
    let named = images::name_of(checkout).filter(|_| may_move);
    images::provide(session, app, checkout, pull)?;
    if let Some(image) = named {
        images::say_if_moved(session, app, &image);
    }
    Ok(())
}

/// Deploys a kept release again. Types that the app has now keep their counts; a type that only the kept release has gets its count from
/// then. The caller holds the lock.
pub(crate) fn of_kept(session: &Session, lock: &AppLock, app: &AppName, kept: &KeptRelease) -> Result<()> {
    let checkout = Checkout::of_kept(kept)?;
    let now = session.world.formation(app)?;
    let is_missing =
        |entry: &&StoredEntry| entry.count > 0 && !now.effective().contains_key(entry.name.as_str());
    let scale = if checkout.parsed_app_json()?.formation()?.is_empty() {
        let missing = kept.formation.iter().filter(is_missing);
        missing.map(|entry| format!("{}={}", entry.name, entry.count)).collect()
    } else {
        vec![]
    };
    let (scheduler, restores) = (Some(kept.scheduler.clone()), Some(kept.number));
    deploy(session, lock, app, &DeployArgs { scheduler, scale, restores, ..of_nothing(app) }, &checkout)
}

/// The arguments of a deploy without options.
pub(crate) fn of_nothing(app: &AppName) -> DeployArgs {
    DeployArgs {
        app: app.to_string(),
        source: SourceArgs::default(),
        scheduler: None,
        scale: vec![],
        address: AddressArgs::default(),
        env_file: None,
        env_as_secrets: None,
        dry_run: false,
        json: false,
        canary: CanaryArgs::default(),
        require: RequireArgs::default(),
        telling: TellingArgs::default(),
        restores: None,
        declared: None,
    }
}

impl DeployArgs {
    fn intent(&self) -> Intent {
        match &self.declared {
            Some(declared) => Intent::DeployTypes(declared.changed.clone()),
            None => Intent::Deploy,
        }
    }
}

/// Makes the plan of a deploy and prints it, without carrying it out.
fn dry_run(session: &Session, app: &AppName, args: &DeployArgs) -> Result<Outcome> {
    let checkout = args.source.checkout(&session.world, app, args.scheduler.as_deref(), None)?;
    compose::say_what_is_not_carried_over(app, &checkout)?;
    foresee(session, app, args, &checkout)
}

/// Prints the plan for what was checked out, without carrying it out.
pub(crate) fn foresee(
    session: &Session,
    app: &AppName,
    args: &DeployArgs,
    checkout: &Checkout,
) -> Result<Outcome> {
    let world = &session.world;
    let (procfile, app_json) = (checkout.parsed()?, checkout.parsed_app_json()?);
    let name = scheduler_name(world, app, args, &checkout.source)?;
    let counts = Counts::read(&args.scale, checkout, procfile.as_ref(), &app_json)?;
    let (formation, _) = counts.apply(world, app)?;
    let release = assemble(world, app, args, checkout, (procfile.as_ref(), &app_json))?;
    let release = address::give(release, &address::asked(world, app, (&args.address, None), &name)?)?;
    let release = variables::give(session, secrets::give(world, release, args, &name)?, args)?;
    let wanted = release::runnable(&formation, &release);
    release::say_all(&counts.hints(world, app, &formation)?);
    remark(world, &name, args, (procfile.as_ref(), &app_json), &release)?;
    idle::warn(app, &release, &wanted);
    if ps_dokku::is_deployed(world, app)? && world.scheduler_name(app)? != name {
        let earlier = world.scheduler_name(app)?;
        say::warning(&format!(
            "{app} moves to {name}: its instances under {earlier} end when the new ones run"
        ));
    }
    let scheduler = ps_schedulers::named(world, &name);
    let scripts = Scripts::of(world, &release, &app_json, checkout.record.prepared.as_ref())?;
    let is_json = args.json || args.telling.is_json();
    plan::show(scheduler.as_ref(), (release, &wanted, &args.intent()), scripts, is_json)
}

/// The release of a checkout; for an image with the command that the deploy was given.
fn assemble(
    world: &World,
    app: &AppName,
    args: &DeployArgs,
    checkout: &Checkout,
    (procfile, app_json): (Option<&Procfile>, &AppJson),
) -> Result<Release> {
    let release = release::assemble(world, app, checkout.source.clone(), procfile, app_json)?;
    start_command::give(release, args)
}

/// The properties that options of the deploy set.
fn of_options(args: &DeployArgs) -> Result<Vec<(String, String)>> {
    Ok(secrets::property(args).into_iter().chain(start_command::property(args)?).collect())
}

fn deploy(
    session: &Session,
    lock: &AppLock,
    app: &AppName,
    args: &DeployArgs,
    checkout: &Checkout,
) -> Result<()> {
    let world = &session.world;
    let (procfile, app_json) = (checkout.parsed()?, checkout.parsed_app_json()?);
    let name = scheduler_name(world, app, args, &checkout.source)?;
    let counts = Counts::read(&args.scale, checkout, procfile.as_ref(), &app_json)?;
    let assembled = || assemble(world, app, args, checkout, (procfile.as_ref(), &app_json));
    let (asked, canary) = at_address(session, app, args, &name, assembled)?;
    // A deploy that will be refused, or could not be recorded, is refused before any hook is called.
    let planned = counts.apply(world, app)?;
    world.next_release(app)?;
    release::say_all(&counts.hints(world, app, &planned.0)?);
    interrupted::put_back(session, app)?;
    let earlier = ps_dokku::is_deployed(world, app)?.then(|| world.scheduler_name(app)).transpose()?;
    let mut provision = variables::replace(session, app, args, &name)?;
    let ran: Result<_> = (|| {
        let release = secrets::give(world, address::give(assembled()?, &asked)?, args, &name)?;
        remark(world, &name, args, (procfile.as_ref(), &app_json), &release)?;
        session.step(&format!("Deploying {app} via the {name} scheduler..."))?;
        session.trigger(lock, "pre-start", &[app.as_str()])?;
        // The hook may have scaled the app.
        let (formation, source) = counts.apply(world, app)?;
        let wanted = release::runnable(&formation, &release);
        idle::warn(app, &release, &wanted);
        let is_usual = earlier.is_none() && source.is_none();
        let idle_types = if is_usual { idle::types(&release, &wanted) } else { Vec::new() };
        let scheduler = ps_schedulers::named(world, &name);
        let mut plan = Plan { canary, ..Plan::ask(scheduler.as_ref(), release, &wanted, &args.intent())? };
        // The plan is judged before a root is started and before anything is written.
        scheduler.judge(&plan)?;
        provision = provision.take().or_else(|| provision::for_deploy(session, app, &name));
        let before = (&app_json, checkout.record.prepared.as_ref());
        let prepared = scripts::before(session, lock, scheduler.as_ref(), &mut plan, before)?;
        // If this deploy names no source of the counts, the source of the last deploy stays recorded.
        let source = source.map_or_else(|| world.formation_origin(app), Ok)?;
        let image = image(world, &name, &plan.release.source)?;
        let mut record = record(&name, checkout, formation.scale, source, counts.can_scale());
        (record.image, record.restores, record.source.prepared) = (image, args.restores, prepared);
        record.properties = asked.properties.clone().into_iter().chain(of_options(args)?).collect();
        plan.deploy = Some(intend(world, app, &record, scheduler.as_ref())?);
        roll_out(session, lock, scheduler.as_ref(), &plan)?;
        Ok((scheduler, plan, idle_types))
    })();
    if ran.is_err() && !world.is_unfinished(app) {
        variables::put_back(world, app);
    }
    let (scheduler, plan, idle_types) = ran?;
    if let Err(error) = world.record_intended(app) {
        return Err(unrecorded::of(session, app, &name, earlier.is_none(), error));
    }
    leave::earlier(session, earlier, &name, &plan.release)?;
    idle::tell(session, app, &idle_types)?;
    conclude(session, lock, scheduler.as_ref(), (&name, &plan, &app_json))
}

/// Determines the app's new address, and whether the rollout compares the new release with the old one there.
fn at_address(
    session: &Session,
    app: &AppName,
    args: &DeployArgs,
    name: &SchedulerName,
    release: impl FnOnce() -> Result<Release>,
) -> Result<(address::Asked, Option<Canary>)> {
    let chosen = address::by_default(session, app, (&args.address, name), release)?;
    let asked = address::settled(session, app, (&args.address, chosen), name)?;
    let canary = canary::wanted(&session.world, app, args.canary, (name, &asked.reached))?;
    Ok((asked, canary))
}

/// The last steps of a deploy that has succeeded and was recorded.
fn conclude(
    session: &Session,
    lock: &AppLock,
    scheduler: &dyn Scheduler,
    (name, plan, app_json): (&SchedulerName, &Plan, &AppJson),
) -> Result<()> {
    let app = &plan.release.app;
    address::tell(session, &plan.release)?;
    shared_port::tell(session, scheduler, plan)?;
    watch::note_schedules(&session.world, name, &plan.release);
    scripts::after(session, lock, scheduler, plan, app_json)?;
    session.trigger(lock, "post-deploy", &[app.as_str(), "", "", "latest"])?;
    session.fact(&format!("Application deployed: ps-lifecycle status {app}"))
}

/// Prints which parts of the files and properties have no effect in a deploy.
fn remark(
    world: &World,
    scheduler: &SchedulerName,
    args: &DeployArgs,
    (procfile, app_json): (Option<&Procfile>, &AppJson),
    release: &Release,
) -> Result<()> {
    // With an image the command is stored as the property start-cmd.
    let is_command = args.source.is_command() && args.source.image.is_none();
    let mut odd =
        remarks::of_deploy(world, &release.app, procfile, app_json, (release, scheduler), is_command)?;
    if args.declared.is_some() {
        // `apply` has named them already, with the path of the file.
        odd.retain(|line| !remarks::of_unknown_keys(app_json).contains(line));
    }
    release::say_all(&odd);
    watch::remind(world, scheduler, release)
}

/// Has the scheduler carry the plan out, and writes the changes into the journal.
fn roll_out(session: &Session, lock: &AppLock, scheduler: &dyn Scheduler, plan: &Plan) -> Result<()> {
    let (world, app) = (&session.world, &plan.release.app);
    journal::planned(world, app, plan);
    match session.deploy(Some(lock), scheduler, plan) {
        Ok(outcome) => {
            journal::done(world, app, &outcome);
            Ok(())
        }
        Err(error) => {
            give_up(world, app, &error);
            Err(error.into())
        }
    }
}

/// Writes the record that becomes valid when the scheduler commits. So the deploy is recorded even if this program is killed meanwhile.
fn intend(world: &World, app: &AppName, record: &Deployed, scheduler: &dyn Scheduler) -> Result<String> {
    let witness =
        scheduler.witness(app).context("the scheduler has no file that says what it has committed")?;
    world.intend_deploy(app, record, &witness).with_context(|| format!("record the deploy of {app}"))
}

/// Gives up a deploy that has failed. If the scheduler could not be reached, it may still commit the deploy; the next verb finds out.
fn give_up(world: &World, app: &AppName, error: &ps_scheduler::Error) {
    if !matches!(error, ps_scheduler::Error::Unreachable { .. })
        && let Err(error) = world.conclude_intended(app)
    {
        say::warning(&error.to_string());
    }
}

fn scheduler_name(world: &World, app: &AppName, args: &DeployArgs, source: &Source) -> Result<SchedulerName> {
    let is_chosen = world.chosen_scheduler(Scope::App(app))?.is_some()
        || world.chosen_scheduler(Scope::Global)?.is_some();
    let name = match (&args.scheduler, source) {
        (Some(name), _) => name.as_str().into(),
        (None, Source::Image(_) | Source::Services(_)) if !is_chosen => SchedulerName::DockerLocal,
        (None, _) => world.scheduler_name(app)?,
    };
    match (&name, source) {
        (SchedulerName::Native, Source::Image(image)) if !image.is_empty() => {
            bail!("image {image} cannot run natively: deploy a directory, or pass --scheduler docker-local")
        }
        (SchedulerName::Native, Source::Image(_) | Source::Services(_)) => {
            bail!(
                "an image cannot run natively: deploy a directory with a Procfile, or pass --scheduler docker-local"
            )
        }
        (SchedulerName::DockerLocal | SchedulerName::Swarm, Source::Directory(directory)) => bail!(
            "{} cannot run in {name} without an image: build one and pass --image, or pass --scheduler native",
            directory.display()
        ),
        (SchedulerName::External(other), _) => bail!(
            "{app} has the scheduler {other}, which Formation cannot deploy to: deploy with Dokku, or pass --scheduler"
        ),
        _ => Ok(name),
    }
}

/// Records a successful deploy for the next verbs.
fn record(
    scheduler: &SchedulerName,
    checkout: &Checkout,
    scale: Vec<StoredEntry>,
    scale_source: FormationOrigin,
    can_scale: bool,
) -> Deployed {
    let (kind, place) = checkout.place();
    Deployed {
        kind: kind.to_owned(),
        place,
        source: checkout.record.clone(),
        procfile: checkout.procfile.clone().map(Bytes),
        app_json: checkout.app_json.clone().map(Bytes),
        scheduler: scheduler.to_string(),
        scale,
        scale_source: scale_source.as_str().to_owned(),
        can_scale,
        image: None,
        restores: None,
        properties: BTreeMap::new(),
    }
}

/// The id of the image that is deployed, if there is one: the name may stand for another image later.
fn image(world: &World, name: &SchedulerName, source: &Source) -> Result<Option<String>> {
    match (name, source) {
        (SchedulerName::DockerLocal | SchedulerName::Swarm, Source::Image(image)) => {
            Ok(DockerLocal::new(world).image_id(image)?)
        }
        _ => Ok(None),
    }
}
