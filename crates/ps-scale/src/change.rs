//! A change of the formation: parsed and checked as a whole, stored under the app's lock, then carried out.

use std::collections::BTreeSet;
use std::env;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use formation::{AppName, FIRST_TYPE, MAX_QUANTITY, ProcessType, Quantity};
use ps_apps::{
    AppLock, AskedCount, FormationOrigin, RefusedScaling, Scaling, SchedulerName, StoredFormation, World,
};
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use ps_dokku::DeployLock;
use ps_journal::Journal;
use ps_release::address::Reached;

use crate::args::Args;
use crate::format::Format;
use crate::{act, dry_run, print};

/// A parsed change, and the facts that decide whether it is accepted.
pub(crate) struct Change {
    pub(crate) asked: Vec<AskedCount>,
    pub(crate) replaces: bool,
    pub(crate) known: Option<BTreeSet<ProcessType>>,
    /// The Compose file whose services are the process types, if there is no Procfile.
    pub(crate) compose: Option<String>,
}

pub(crate) fn run(world: &World, app: &AppName, args: &Args) -> Result<Outcome> {
    if !world.can_scale(app)? {
        return Err(cannot_scale(world, app));
    }
    let is_talk = !args.dry_run;
    if is_talk && world.inside_dokku() {
        announce(world, app, args)?;
    }
    let change = Change::of(world, app, args)?;
    // The change is checked once before the lock is taken, so that a refusal leaves no lock file behind.
    let before = print::read(world, app)?;
    let (expected, _) = change.apply(world, &before)?;
    if args.dry_run {
        return dry_run::change(world, app, &before, &expected, args);
    }
    refuse_uncounted(world, app, args)?;
    if !world.inside_dokku() {
        refuse_elsewhere(world, app, args)?;
        announce(world, app, args)?;
    }
    store_and_act(world, app, args, &change)
}

/// Refuses `--require` for an app whose clients connect directly to its instances, or to Dokku's proxies: there failed
/// connections cannot be counted.
fn refuse_uncounted(world: &World, app: &AppName, args: &Args) -> Result<()> {
    if args.require.is_none() {
        return Ok(());
    }
    Reached::of(world, app)?.uncounted(app).map_or(Ok(()), |reason| Err(Refusal::usage(reason)))
}

/// Makes a change, and records it in the app's journal.
pub(crate) fn told<T>(world: &World, app: &AppName, deed: impl FnOnce() -> Result<T>) -> Result<T> {
    let words: Vec<String> = env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    Journal::of(world, app).tell("scale", &words, say::warning, deed)
}

fn store_and_act(world: &World, app: &AppName, args: &Args, change: &Change) -> Result<Outcome> {
    let wait = Duration::from_secs(args.wait);
    let lock = world.lock_app(app, wait).map_err(|error| ps_dokku::busy(world, error))?;
    // Hooks of a killed ps-scale may still be running, and a plan that is made meanwhile would soon be wrong.
    if !world.inside_dokku()
        && lock.was_left_by_the_dead()
        && let Some(orphans) = lock.orphans(wait)
    {
        say::warning(&orphans.to_string());
    }
    let _deploy = lock_deploy(world, app, args, &lock)?;
    // Refusals above this line change nothing and are not written to the journal.
    told(world, app, || carry_through(&lock, world, app, args, change))
}

/// Stores the change and makes the instances match it; the caller holds the app's lock.
fn carry_through(
    lock: &AppLock,
    world: &World,
    app: &AppName,
    args: &Args,
    change: &Change,
) -> Result<Outcome> {
    let _provision = if args.skip_deploy { None } else { act::provide_for(world, app) };
    let origin = world.formation_origin(app)?;
    let Stored { before, after, mut named } = store(world, app, FormationOrigin::Argument, change)?;
    let outcome = if args.skip_deploy {
        Outcome::Done
    } else {
        // As in Dokku, a type that was not there has changed, be it to 0: its deploy ends what an earlier one left of it.
        let (was, is) = (before.effective(), after.effective());
        named.retain(|name| was.get(name.as_str()) != is.get(name.as_str()));
        let done = act::carry_out(world, app, Some(lock), &to_deploy(named, &before, &after), args);
        done.map_err(|error| without_what_is_refused(world, app, (&before, origin), error))?
    };
    if args.format() != Format::Text {
        print::write(app, &after, args.format(), true)?;
    }
    Ok(outcome)
}

/// Stores what was before, if the scheduler has refused the change: otherwise each later verb would fail for it, too. Returns the error.
fn without_what_is_refused(
    world: &World,
    app: &AppName,
    (before, origin): (&StoredFormation, FormationOrigin),
    error: anyhow::Error,
) -> anyhow::Error {
    if !error.is::<act::NothingChanged>() {
        return error;
    }
    let write = |_: &StoredFormation| Ok::<_, ps_apps::Error>(before.clone());
    match world.update_formation_from(app, origin, write) {
        Ok(_) => Refusal::failed(format!(
            "the counts of {app} stay as they were, because its scheduler refuses the change"
        )),
        Err(error) => anyhow::Error::from(error).context(format!(
            "the scheduler of {app} refuses the change, and its counts cannot be stored as they were"
        )),
    }
}

/// Dokku's own lock of a deploy, where one will follow. It is had before anything is stored.
fn lock_deploy(world: &World, app: &AppName, args: &Args, holder: &AppLock) -> Result<Option<DeployLock>> {
    if args.skip_deploy || !world.inside_dokku() || !ps_dokku::is_deployed(world, app)? {
        return Ok(None);
    }
    let lock = ps_dokku::lock_deploy(world, app)?;
    if let Some(remark) = lock.remark(app) {
        say::warning(&remark);
        if let Some(orphans) = holder.orphans(Duration::from_secs(args.wait)) {
            say::warning(&orphans.to_string());
        }
    }
    Ok(Some(lock))
}

/// A change that was stored.
pub(crate) struct Stored {
    /// The formation before the change.
    pub(crate) before: StoredFormation,
    /// The formation after the change.
    pub(crate) after: StoredFormation,
    /// The types that the change named, in their order.
    pub(crate) named: Vec<String>,
}

/// Stores a change, and who asked for it. The caller holds the app's lock.
pub(crate) fn store(
    world: &World,
    app: &AppName,
    source: FormationOrigin,
    change: &Change,
) -> Result<Stored> {
    let (mut before, mut named) = (StoredFormation::default(), Vec::new());
    let after = world.update_formation_from(app, source, |stored| -> Result<StoredFormation> {
        before = stored.clone();
        let (formation, types) = change.apply(world, stored)?;
        named = types;
        Ok(formation)
    })?;
    Ok(Stored { before, after, named })
}

/// The types to deploy: first those that were named, then other types whose count has changed.
pub(crate) fn to_deploy(
    mut named: Vec<String>,
    before: &StoredFormation,
    after: &StoredFormation,
) -> Vec<String> {
    for name in after.changed_since(before) {
        if !named.contains(&name) {
            named.push(name);
        }
    }
    named
}

impl Change {
    fn of(world: &World, app: &AppName, args: &Args) -> Result<Self> {
        let asked = parse(world, &args.counts, AskedCount::parse)?;
        let (known, compose) = (world.known_types(app)?, world.compose_file(app)?);
        if args.clear {
            return Ok(Self { asked: first_counts(known.as_ref()), replaces: true, known, compose });
        }
        Ok(Self { asked, replaces: args.replace, known, compose })
    }

    /// The formation that `before` becomes, and the types that were named.
    pub(crate) fn apply(
        &self,
        world: &World,
        before: &StoredFormation,
    ) -> Result<(StoredFormation, Vec<String>)> {
        let scaling = Scaling {
            asked: &self.asked,
            replaces: self.replaces,
            known: self.known.as_ref(),
            compose: self.compose.as_deref(),
            max: cpus(),
            may_scale_release: world.inside_dokku(),
        };
        scaling.resolve_all(before).map_err(|refused| refusal(world, &refused))
    }
}

pub(crate) fn parse(
    world: &World,
    words: &[String],
    read: fn(&str) -> Result<AskedCount, RefusedScaling>,
) -> Result<Vec<AskedCount>> {
    words.iter().map(|word| read(word).map_err(|refused| refusal(world, &refused))).collect()
}

/// The counts of a new app, `web=1`; empty if the Procfile has no web.
fn first_counts(known: Option<&BTreeSet<ProcessType>>) -> Vec<AskedCount> {
    let has_web = known.is_none_or(|types| types.contains(FIRST_TYPE));
    has_web.then(AskedCount::of_a_new_app).into_iter().collect()
}

fn refusal(world: &World, refused: &RefusedScaling) -> anyhow::Error {
    let dokkus = world.inside_dokku().then(|| ps_dokku::words::of_scaling(refused)).flatten();
    Refusal::failed(dokkus.unwrap_or_else(|| refused.to_string()))
}

fn cannot_scale(world: &World, app: &AppName) -> anyhow::Error {
    if world.inside_dokku() {
        return Refusal::failed(format!(
            "App {app} contains an app.json file with a formations key and cannot be manually scaled"
        ));
    }
    let path = world.app_json_path(app);
    Refusal::failed(format!(
        "{app} is scaled by the formation in its app.json ({}): change it there and deploy again",
        path.display()
    ))
}

/// Refuses a change for an app whose instances only Dokku can change.
fn refuse_elsewhere(world: &World, app: &AppName, args: &Args) -> Result<()> {
    let name = world.scheduler_name(app)?;
    if !matches!(name, SchedulerName::External(_)) || args.skip_deploy || !ps_dokku::is_deployed(world, app)?
    {
        return Ok(());
    }
    Err(Refusal::failed(format!(
        "{app} has the scheduler {name}: it is Dokku's to scale, not Formation's; with --skip-deploy the formation is stored for its next \
         deploy"
    )))
}

fn announce(world: &World, app: &AppName, args: &Args) -> Result<()> {
    let text = if args.clear {
        format!("Resetting {app} processes to the default scale")
    } else {
        format!("Scaling {app} processes: {}", args.counts.join(" "))
    };
    let stdout_is_data = args.format() != Format::Text;
    if world.inside_dokku() && !stdout_is_data {
        say::step_always(&text)?;
    } else if !args.quiet {
        say::step_aside(&text);
    }
    Ok(())
}

fn cpus() -> Quantity {
    let count = thread::available_parallelism().map_or(1, NonZero::get);
    let count = u64::try_from(count).unwrap_or(u64::MAX).min(u64::from(MAX_QUANTITY));
    Quantity::new(count).unwrap_or(Quantity::ONE)
}
