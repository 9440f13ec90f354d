//! One scheduled run: a container that is not an instance, with the scheduled time in its name and labels.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use formation::{RestartPolicy, Slot};
use futures_util::future::join_all;
use jiff::Timestamp;
use ps_engine::{Container, Engine, Fault};
use ps_release::Release;
use ps_scheduler::{Error, StopOrder};

use crate::app::App;
use crate::beside::{self, Beside};
use crate::docker_local::DockerLocal;
use crate::schedule_file::Schedules;
use crate::{entrypoint, label, network};

/// How many of the last lines of a run that failed are kept.
pub(crate) const LAST_LINES: usize = 10;
/// The engine reports in whole seconds when a container was made.
const ROUNDING: Duration = Duration::from_secs(1);

/// Creates and starts the container of a run. If it already exists and was started, it is left alone, because another
/// process has begun this run.
pub(crate) async fn begin(
    engine: &Engine,
    root: &Path,
    release: &Release,
    slot: &Slot,
    due: Timestamp,
) -> Result<(), Fault> {
    let process_type = &slot.process_type;
    let image = release.source.image(process_type).unwrap_or_default();
    let beside = Beside {
        kind: label::CRON,
        process_type,
        name: slot,
        env: &[],
        deadline: Some(release.run_timeout(process_type)),
        is_waited_for: false,
    };
    let mut body = beside::container(root, release, image, &beside);
    let labels = body.labels.get_or_insert_default();
    labels.insert(label::DUE.to_owned(), due.as_second().to_string());
    let own = release.settings(process_type).restart_policy;
    if let (Some(policy @ RestartPolicy::OnFailure(Some(_))), Some(host)) = (own, &mut body.host_config) {
        host.restart_policy = Some(ps_engine::restart_policy(policy));
    }
    let command = release.process(process_type).and_then(|process| process.command.as_deref());
    if let (Some(command), Ok(image)) = (command, engine.image(image).await) {
        body = entrypoint::behind(body, command, &image);
    }
    // Two worlds on one engine may have apps of the same name, so the name contains a number for the world.
    let world = label::fold(&root.display().to_string()) & 0xffff_ffff;
    let name = format!("{}.{slot}.{}-{world:08x}", release.app, due.as_second());
    let id = match engine.create(&name, body).await {
        Err(fault) if fault.is_conflict() => {
            let there = engine.inspect(&name).await?;
            if there["State"]["Status"] != "created" {
                return Ok(());
            }
            name
        }
        created => created?,
    };
    let networks = beside::networks(root, release, process_type);
    let started = match network::join(engine, &id, &networks).await {
        Ok(()) => engine.start(&id).await,
        Err((_, fault)) => Err(fault),
    };
    if started.as_ref().is_err_and(|fault| !fault.is_silence()) {
        // The container would be taken for a run that is to be started.
        let _ = engine.remove(&id).await;
    }
    started
}

/// Ends the scheduled runs of the stopped slots.
pub(crate) fn end_runs(docker: &DockerLocal, order: &StopOrder) -> Result<(), Error> {
    let rows = Schedules::read(docker.world(), &order.app).rows(false);
    if order.remove || !rows.iter().any(|row| order.which.includes(&row.slot)) {
        return Ok(());
    }
    let app = App { engine: docker.engine()?, world: docker.world(), name: &order.app };
    let [root, ours, _] = app.filters();
    app.engine.run(async {
        let listed = app.engine.list(&[root, ours]).await;
        let listed = listed.map_err(|fault| app.error(fault, "list the scheduled runs"))?;
        let is_meant = |container: &&Container| {
            let is_run = label::is_cron(container) && container.may_serve();
            is_run && label::slot(container).is_some_and(|slot| order.which.includes(&slot))
        };
        let runs = listed.iter().filter(is_meant);
        let ends = runs.map(|container| app.engine.stop(&container.id, order.grace));
        for ended in join_all(ends).await {
            match ended {
                Err(fault) if !fault.is_gone() && !fault.is_conflict() => {
                    return Err(app.error(fault, "end the scheduled runs"));
                }
                _ => (),
            }
        }
        Ok(())
    })
}

/// How much time a run has left.
pub(crate) fn time_left(container: &Container) -> Option<Duration> {
    let limit = container.label(label::DEADLINE)?.parse().ok().map(Duration::from_secs)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Some((limit + ROUNDING).saturating_sub(now.saturating_sub(container.created)))
}
