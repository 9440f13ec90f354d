//! What came of restoring all apps: a line for each, and what is missing.

use anyhow::{Error, Result, anyhow};
use formation::{AppName, ProcessType, Slot};
use ps_apps::App;
use ps_scheduler::{Instance, Over};

use crate::converge;
use crate::session::Session;

/// `1 app`, `3 apps`.
pub(super) fn apps(count: usize) -> String {
    format!("{count} app{}", if count == 1 { "" } else { "s" })
}

/// Tells how each app is, those that stay stopped too; the apps of which something is missing, and what.
pub(super) fn tell(
    session: &Session,
    restored: &[App],
    held: &[App],
    failures: Vec<(&App, Error)>,
) -> Result<Vec<(AppName, Error)>> {
    let mut failures = failures.into_iter().peekable();
    let mut missing = Vec::new();
    for app in restored {
        let failure = failures.next_if(|(failed, _)| *failed == app).map(|(_, error)| error);
        let (line, lack) = match how_it_is(session, app) {
            Ok(Standing { up, wanted, lacks }) => {
                let lack = (!lacks.is_empty()).then(|| anyhow!("{}", lacks.join(", ")));
                (format!("{}: {up} of {wanted} up", app.name), lack)
            }
            Err(error) => (format!("{}: unknown", app.name), Some(error)),
        };
        session.detail(&line)?;
        // Why it could not be started says more than that it does not run.
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
    Ok(missing)
}

struct Standing {
    up: usize,
    wanted: usize,
    /// The instances that should run and do not, each with its state.
    lacks: Vec<String>,
}

fn how_it_is(session: &Session, app: &App) -> Result<Standing> {
    let world = &session.world;
    let formation = converge::wanted(world, &app.name, &world.formation(&app.name)?)?;
    let status = converge::status(session, app)?;
    let slots = formation.iter().flat_map(|(process_type, quantity)| slots(process_type, quantity.get()));
    let (mut up, mut wanted, mut lacks) = (0, 0, Vec::new());
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
        if here.iter().any(|instance| instance.state.is_alive()) {
            up += 1;
        } else {
            let state = here.first().map_or("missing", |instance| instance.state.as_str());
            lacks.push(format!("{slot} is {state}"));
        }
    }
    Ok(Standing { up, wanted, lacks })
}

fn slots(process_type: &ProcessType, quantity: u16) -> impl Iterator<Item = Slot> + use<'_> {
    (1..=quantity).map(|index| Slot::new(process_type.clone(), index))
}
