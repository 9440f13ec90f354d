//! `--dry-run`: prints the plan of a verb, made from the same status and by the same steps, without carrying it out.
//! `ps-scale --dry-run` calls this as well. If a scheduler does not answer, rows say `unknown`: nothing is guessed from
//! records.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};

use anyhow::{Context, Result};
use formation::{Formation, ProcessType, Which};
use ps_apps::{App, StoredEntry, StoredFormation};
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_release::Release;
use ps_scheduler::{
    AppStatus, Foreseen, ForeseenTask, Intent, Outlook, Plan, Scheduler, Task, around_doubts, foresee,
};

use crate::args::ConvergeArgs;
use crate::scripts::Scripts;
use crate::session::Session;
use crate::{converge, release};

/// Prints a row for each slot that is wanted or filled; [`Outcome::No`] if something is unknown.
pub(crate) fn print(session: &Session, args: &ConvergeArgs) -> Result<Outcome> {
    let world = &session.world;
    let app = world.app(&args.app)?;
    let stored = world.formation(&app.name)?;
    let asked = if args.formation { asked()? } else { stored.clone() };
    let wanted = converge::wanted(world, &app.name, &asked)?;
    write(&rows(session, &app, &wanted, &stored, args)?, args.json || args.telling.is_json())
}

/// Prints the plan of a deploy: a row for each slot, and for each task that runs before and after them;
/// [`Outcome::No`] if something is unknown.
///
/// # Errors
/// The scheduler would refuse the plan; its rows are printed all the same.
pub(crate) fn show(
    scheduler: &dyn Scheduler,
    (release, wanted, intent): (Release, &Formation, &Intent),
    scripts: Scripts,
    is_json: bool,
) -> Result<Outcome> {
    let status = scheduler.status_of(&release.app)?;
    warn_of_troubles(&status);
    let usual = scheduler.usual_strategy();
    let plan = Plan::new(release, wanted, &status.instances, intent, usual);
    let Scripts { predeploy, first, postdeploy } = scripts;
    let before: Vec<Task> = predeploy.into_iter().chain(plan.tasks.clone()).chain(first).collect();
    write_tasks(&before, is_json)?;
    let outcome = write(&plan.foreseen(&status), is_json)?;
    write_tasks(postdeploy.as_slice(), is_json)?;
    converge::refuse_what_is_refused(scheduler, &plan, None).context("this plan would be refused")?;
    Ok(outcome)
}

fn write_tasks(tasks: &[Task], is_json: bool) -> Result<()> {
    let mut out = io::stdout().lock();
    for row in tasks.iter().map(ForeseenTask::of) {
        if is_json {
            writeln!(out, "{}", serde_json::to_string(&row)?)?;
        } else {
            writeln!(out, "{row}")?;
        }
    }
    Ok(out.flush()?)
}

fn rows(
    session: &Session,
    app: &App,
    wanted: &Formation,
    stored: &StoredFormation,
    args: &ConvergeArgs,
) -> Result<Vec<Foreseen>> {
    let world = &session.world;
    if !ps_dokku::is_deployed(world, &app.name)? {
        return Ok(foresee(wanted, Outlook::Undeployed));
    }
    let status = match converge::status(session, app) {
        Ok(status) => status,
        Err(error) => {
            say::warning(&format!("what runs of {} is not known: {error:#}", app.name));
            let before = converge::wanted(world, &app.name, stored)?;
            return Ok(foresee(wanted, Outlook::Unanswered(&before)));
        }
    };
    warn_of_troubles(&status);
    if let Some(words) = &args.whole {
        return Ok(foresee(wanted, Outlook::Whole(&status, &types(words)?)));
    }
    if converge::is_stopped(session, app, &status)? {
        return Ok(foresee(wanted, Outlook::Stopped(&status)));
    }
    let intent = Intent::Converge(Which::All);
    let Some(release) = release::deployed(world, &app.name)? else {
        // Dokku has deployed this app, and its hooks make the plan.
        return Ok(foresee(wanted, Outlook::Planned(&status, &intent)));
    };
    let scheduler = ps_schedulers::of(world, &app.name)?;
    let plan = Plan::new(release, wanted, &status.instances, &intent, scheduler.usual_strategy());
    converge::refuse_what_is_refused(scheduler.as_ref(), &plan, args.refusal_status)?;
    Ok(around_doubts(plan.foreseen(&status), &status))
}

/// What is wrong with the app now may be why it is planned so, and who plans wants to know of it.
fn warn_of_troubles(status: &AppStatus) {
    release::say_all(&status.troubles);
}

/// Prints rows; [`Outcome::No`] if something is unknown.
fn write(rows: &[Foreseen], is_json: bool) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    for row in rows {
        if is_json {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        } else {
            writeln!(out, "{row}")?;
        }
    }
    out.flush()?;
    Ok(if rows.iter().all(Foreseen::is_known) { Outcome::Done } else { Outcome::No })
}

fn types(words: &str) -> Result<BTreeSet<ProcessType>> {
    let named = words.split(',').filter(|word| !word.is_empty());
    named.map(|word| Ok(word.parse()?)).collect()
}

/// The formation on stdin: lines `type=count`.
fn asked() -> Result<StoredFormation> {
    let mut scale = Vec::new();
    for line in io::stdin().lock().lines() {
        let line = line.context("read the formation from stdin")?;
        let (name, count) = line.split_once('=').with_context(|| format!("{line:?} has no count"))?;
        let count = count.parse().with_context(|| format!("the count of {name:?}"))?;
        scale.push(StoredEntry { name: name.to_owned(), count });
    }
    Ok(StoredFormation { scale, old: Vec::new() })
}
