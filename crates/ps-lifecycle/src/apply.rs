//! `apply`: changes an app so that it matches a declaration, which is the file of another process manager, or a
//! Procfile with its app.json. The declaration becomes a release and counts, and only the parts that differ from the
//! present app are changed. If anything fails, everything stays as before.

mod declaration;
mod difference;
mod files;
mod format;
mod merged;
mod services;
mod variables;

use anyhow::{Context, Result, bail};
use formation::{AppName, FIRST_TYPE};
use ps_apps::{DeclarationRecord, StoredFormation};
use ps_cli::exit::{Outcome, Refusal};
use ps_release::{Checkout, Counts};
use ps_scheduler::Intent;

use self::declaration::{Declaration, Form};
use self::difference::Difference;
use self::variables::Environment;
use crate::args::{AddressArgs, ApplyArgs, DeployArgs};
use crate::session::Session;
use crate::source_args::SourceArgs;
use crate::{converge, deploy, elsewhere, images};

const VERB: &str = "apply";

/// The checked declaration, compared with the present app.
struct Prepared {
    checkout: Checkout,
    difference: Difference,
    /// The app's declaration record after this `apply`.
    record: DeclarationRecord,
    args: DeployArgs,
}

pub(crate) fn run(session: &Session, args: &ApplyArgs) -> Result<Outcome> {
    let done = carry_out(session, args);
    match done {
        // Exit status 1 means that something differs, so a usage error must have status 2.
        Err(error) if args.diff => Err(Refusal::usage(format!("{error:#}"))),
        done => done,
    }
}

fn carry_out(session: &Session, args: &ApplyArgs) -> Result<Outcome> {
    let declaration = Declaration::read(session, args)?;
    declaration.remark(args.strict)?;
    declaration.say_what_comes_along(session)?;
    if args.print {
        declaration.print()?;
        return Ok(Outcome::Done);
    }
    let app = &declaration.app;
    if session.world.is_app(app)? {
        elsewhere::refuse(&session.world, app, VERB)?;
    }
    if !args.only_looks() {
        return session.of_app(VERB, app, || apply(session, &declaration, args));
    }
    let prepared = prepare(session, &declaration, args)?;
    if args.diff {
        prepared.difference.print()?;
        return Ok(if prepared.difference.is_none() { Outcome::Done } else { Outcome::No });
    }
    let args = DeployArgs { json: args.json || args.telling.is_json(), ..prepared.args };
    deploy::foresee(session, app, &args, &prepared.checkout)
}

fn apply(session: &Session, declaration: &Declaration, args: &ApplyArgs) -> Result<Outcome> {
    let (world, app) = (&session.world, &declaration.app);
    let lock = session.lock(app)?;
    let mut prepared = prepare(session, declaration, args)?;
    if let Form::Compose(_) = declaration.form {
        // Whether a service has changed is known only when its image is.
        images::provide(session, app, &mut prepared.checkout, ps_scheduler_docker::Pull::Missing)?;
        prepared.difference.settle_images(world, app, &prepared.checkout)?;
        prepared.args.declared = Some(prepared.difference.declared());
    }
    for line in prepared.difference.lines() {
        session.detail(line)?;
    }
    let Prepared { mut checkout, difference, record, args } = prepared;
    if difference.touches_release() {
        deploy::anew(session, lock, app, &args, (VERB, &mut checkout))?;
        return keep(session, app, &record);
    }
    let done = if difference.is_none() {
        session.fact(&format!("{app} is as declared"))
    } else {
        scale(session, app, (&args, &checkout))
    };
    let done = done.and_then(|()| converged(session, app));
    images::tidy(session, app, &checkout);
    done?;
    keep(session, app, &record)
}

/// Stores new counts alone, which need no new release. If the scheduler refuses them, the earlier ones stay: otherwise each later verb would
/// fail because of them.
fn scale(session: &Session, app: &AppName, (args, checkout): (&DeployArgs, &Checkout)) -> Result<()> {
    let world = &session.world;
    let (procfile, app_json) = (checkout.parsed()?, checkout.parsed_app_json()?);
    let counts = Counts::read(&args.scale, checkout, procfile.as_ref(), &app_json)?;
    let (formation, origin) = counts.apply(world, app)?;
    let (before, earlier_origin) = (world.formation(app)?, world.formation_origin(app)?);
    let store = |formation: StoredFormation, origin| {
        world.update_formation_from(app, origin, |_: &StoredFormation| Ok::<_, ps_apps::Error>(formation))
    };
    store(formation, origin.unwrap_or(earlier_origin))?;
    if !world.is_restored(app)? {
        return Ok(());
    }
    let judged = converge::judge(session, app, &Intent::Converge(formation::Which::All));
    if let Err(refused) = judged {
        store(before, earlier_origin)?;
        return Err(refused.context(format!("the counts of {app} stay as they were")));
    }
    Ok(())
}

/// Starts missing instances and stops surplus ones, unless the app was stopped as a whole.
fn converged(session: &Session, app: &AppName) -> Result<()> {
    let app = session.world.app(app.as_str())?;
    if !session.world.is_restored(&app.name)? {
        return session
            .fact(&format!("{0} is stopped: ps-lifecycle start {0} starts it as declared", app.name));
    }
    converge::carry_out(session, &app, &Intent::Converge(formation::Which::All))
}

fn keep(session: &Session, app: &AppName, record: &DeclarationRecord) -> Result<Outcome> {
    if session.world.declaration_record(app)? != *record {
        let kept = session.world.keep_declaration(app, record);
        kept.with_context(|| format!("record the declaration of {app}; the app runs as declared"))?;
    }
    Ok(Outcome::Done)
}

/// Checks the declaration, and compares it with the current app.
fn prepare(session: &Session, declaration: &Declaration, args: &ApplyArgs) -> Result<Prepared> {
    let (world, app) = (&session.world, &declaration.app);
    let known =
        if world.is_app(app)? { world.declaration_record(app)? } else { DeclarationRecord::default() };
    let mut deploy = deploy::of_nothing(app);
    let (checkout, merged) = match &declaration.form {
        Form::Files(files) => {
            let merged = merged::with_what_stays(world, app, files, (&known, declaration, args))?;
            deploy.scheduler = Some("native".to_owned());
            if files.shared.contains(FIRST_TYPE) && world.deploy_source(app)?.is_none() {
                // Clients reach the instances at the port that they share, so the app gets no address.
                deploy.address = AddressArgs::none();
            }
            (merged.files.checkout()?, merged)
        }
        Form::Compose(composed) => {
            let (merged, services) = services::merged(world, app, composed, (&known, declaration, args))?;
            deploy.source = SourceArgs { only: services.only, ..composed.source() };
            deploy.scheduler = Some("docker-local".to_owned());
            let mut checkout = deploy.source.checkout(world, app, deploy.scheduler.as_deref(), None)?;
            let mut all = checkout.record.services.clone();
            all.extend(services.stay);
            checkout.take_services(all);
            (checkout, merged)
        }
    };
    if merged.types.is_empty() {
        bail!("{} declares no process: to remove the app, run ps-lifecycle destroy {app}", declaration.id);
    }
    deploy.scale = merged.counts(world, app)?;
    let environment = Environment::find(world, app, merged.files.environment.as_deref())?;
    let difference = Difference::find(world, app, (&checkout, &deploy, &merged), (environment, &known))?;
    deploy.declared = Some(difference.declared());
    merged::say_what_stays(app, &merged, (&known, declaration));
    let record = merged.record(known, declaration);
    Ok(Prepared { checkout, difference, record, args: deploy })
}
