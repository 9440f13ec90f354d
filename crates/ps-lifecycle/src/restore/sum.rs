//! The result of restoring all apps: a line for each, and the missing instances.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};
use formation::{AppName, ProcessType, Slot, State};
use ps_apps::{App, SchedulerName};
use ps_rows::VerbRow;
use ps_scheduler::{Instance, Over};

use crate::converge;
use crate::each::Outcomes;
use crate::session::Session;

/// The verb in rows and in the journal.
pub(super) const VERB: &str = "restore";
/// If the instances that a supervisor is about to start do not change for this long, they are no longer waited for. It is also the time
/// that all other apps together are waited for while instances are being started.
const ON_ITS_WAY: Duration = Duration::from_secs(3);
/// An instance that was started again this many times is no longer waited for.
const TRIES: u32 = 3;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// `1 app`, `3 apps`.
pub(super) fn apps(count: usize) -> String {
    format!("{count} app{}", if count == 1 { "" } else { "s" })
}

/// The result of restoring all apps.
pub(super) struct Sum {
    /// For each app how many instances are up and how many are wanted, if that is known.
    counts: BTreeMap<AppName, Option<(usize, usize)>>,
    /// The apps with missing instances, and what is missing.
    pub(super) lacking: Vec<(AppName, Error)>,
}

impl Sum {
    /// A row for each app, also for those that stay stopped and those that cannot be read.
    pub(super) fn rows<'a>(
        &'a self,
        outcomes: &Outcomes,
        held: &'a [App],
        unreadable: &'a [(AppName, Error)],
    ) -> Vec<VerbRow<'a>> {
        let restored = self.counts.iter().map(|(app, counts)| {
            let lacks = self.lacking.iter().find(|(lacking, _)| lacking == app).map(|(_, error)| error);
            let (up, wanted) = counts.unzip();
            VerbRow { up, wanted, ..outcomes.row(app, VERB, lacks) }
        });
        let held =
            held.iter().map(|app| VerbRow { outcome: "stopped", ..outcomes.row(&app.name, VERB, None) });
        let unreadable = unreadable.iter().map(|(app, error)| outcomes.row(app, VERB, Some(error)));
        let mut rows: Vec<VerbRow<'_>> = restored.chain(held).chain(unreadable).collect();
        rows.sort_by_key(|row| row.app);
        rows
    }
}

/// Prints the state of each app, including stopped ones.
pub(super) fn tell(
    session: &Session,
    restored: &[App],
    held: &[App],
    failures: Vec<(&App, Error)>,
) -> Result<Sum> {
    let mut failures = failures.into_iter().peekable();
    let (mut missing, mut counts) = (Vec::new(), BTreeMap::new());
    let until = Instant::now() + ON_ITS_WAY;
    for app in restored {
        let failure = failures.next_if(|(failed, _)| *failed == app).map(|(_, error)| error);
        let (line, lack) = match how_it_ends(session, app, until) {
            Ok(Standing { up, wanted, lacks, .. }) => {
                counts.insert(app.name.clone(), Some((up, wanted)));
                let lack = (!lacks.is_empty()).then(|| anyhow!("{}", lacks.join(", ")));
                (format!("{}: {up} of {wanted} up", app.name), lack)
            }
            Err(error) => {
                counts.insert(app.name.clone(), None);
                (format!("{}: unknown", app.name), Some(error))
            }
        };
        session.detail(&line)?;
        // The reason why an app could not be started says more than the list of its missing instances.
        missing.extend(failure.or(lack).map(|error| (app.name.clone(), error)));
    }
    for app in held {
        session.detail(&format!("{}: stays stopped", app.name))?;
    }
    session.fact(&format!(
        "{} of {} restored, {} stopped before",
        restored.len() - missing.len(),
        apps(restored.len()),
        held.len()
    ))?;
    Ok(Sum { counts, lacking: missing })
}

/// How many instances of an app are up.
pub(super) struct Standing {
    up: usize,
    wanted: usize,
    /// The wanted instances that do not run, each with its state.
    lacks: Vec<String>,
    /// The instances among these that are starting, or are about to be started again.
    awaited: Awaited,
}

/// State and restarts of instances.
type Awaited = BTreeMap<Slot, (State, u32)>;

impl Standing {
    /// Whether every wanted instance is up.
    pub(super) fn is_whole(&self) -> bool {
        self.lacks.is_empty()
    }
}

/// Whether a supervisor of ours runs the app, which restarts instances by itself.
pub(super) fn starts_by_itself(session: &Session, app: &App) -> Result<bool> {
    Ok(session.world.scheduler_name(&app.name)? == SchedulerName::Native)
}

/// The state of an app once its supervisor has brought up all that it can, or at `until`. Instances that die again and again, or whose
/// state does not change, are not waited for.
pub(super) fn settled(session: &Session, app: &App, until: Instant) -> Result<Standing> {
    let mut first: Option<Awaited> = None;
    let (mut last, mut changed) = (Awaited::new(), Instant::now());
    loop {
        session.check()?;
        let standing = how_it_is(session, app)?;
        let awaited = &standing.awaited;
        if *awaited != last {
            (last, changed) = (awaited.clone(), Instant::now());
        }
        let first = first.get_or_insert_with(|| awaited.clone());
        let has_tried = |(slot, (_, restarts)): (&Slot, &(State, u32))| {
            first.get(slot).is_some_and(|(_, at_first)| *restarts >= at_first + TRIES)
        };
        let is_starting = awaited.values().any(|(state, _)| *state == State::Starting);
        let is_over = awaited.iter().all(has_tried) || (!is_starting && changed.elapsed() >= ON_ITS_WAY);
        if is_over || Instant::now() >= until {
            return Ok(standing);
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// The state of a native app now, because its restore has waited already; of any other app once none of its instances is starting, or at
/// `until`.
fn how_it_ends(session: &Session, app: &App, until: Instant) -> Result<Standing> {
    let has_settled = starts_by_itself(session, app)?;
    loop {
        session.check()?;
        let standing = how_it_is(session, app)?;
        if has_settled || standing.awaited.is_empty() || Instant::now() >= until {
            return Ok(standing);
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn how_it_is(session: &Session, app: &App) -> Result<Standing> {
    let world = &session.world;
    let formation = converge::wanted(world, &app.name, &world.formation(&app.name)?)?;
    let status = converge::status(session, app)?;
    let slots = formation.iter().flat_map(|(process_type, quantity)| slots(process_type, quantity.get()));
    let (mut up, mut wanted, mut lacks, mut awaited) = (0, 0, Vec::new(), Awaited::new());
    for slot in slots {
        let here: Vec<&Instance> = status.instances.iter().filter(|instance| instance.slot == slot).collect();
        let is_over = |over: Over| match over {
            Over::Finished | Over::StoppedByHand => true,
            Over::GivenUp => false,
        };
        if here.iter().any(|instance| instance.over.is_some_and(is_over)) {
            continue;
        }
        wanted += 1;
        let on_its_way = here.iter().filter(|instance| is_on_its_way(instance.state));
        awaited.extend(on_its_way.map(|it| (slot.clone(), (it.state, it.restarts.unwrap_or(0)))));
        if here.iter().any(|instance| instance.state.is_in_order()) {
            up += 1;
        } else {
            let state = here.first().map_or("missing", |instance| instance.state.as_str());
            lacks.push(format!("{slot} is {state}"));
        }
    }
    Ok(Standing { up, wanted, lacks, awaited })
}

/// A process that has just ended counts as missing until its supervisor has handled that.
fn is_on_its_way(state: State) -> bool {
    matches!(state, State::Starting | State::Waiting | State::Backoff | State::Missing)
}

fn slots(process_type: &ProcessType, quantity: u16) -> impl Iterator<Item = Slot> + use<'_> {
    (1..=quantity).map(|index| Slot::new(process_type.clone(), index))
}
