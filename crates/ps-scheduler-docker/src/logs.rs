//! `logs`: splits the output of containers into streams and lines.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::SystemTime;

use formation::{Slot, Which};
use futures_util::StreamExt;
use ps_apps::InstanceFiles;
use ps_engine::{Container, Fault, OutputRange};
use ps_scheduler::{Error, LogLine, LogRequest};

use crate::app::{self, App};
use crate::docker_local::DockerLocal;
use crate::label;
use crate::lines::{Lines, Sink, Writer};
use crate::schedule_file::Schedules;

/// Passes lines of the containers to `sink` until there are no more, or `sink` stops. Without `follow` it goes through one
/// container after the other; with it, lines come in the order in which they are written.
pub(crate) fn logs(docker: &DockerLocal, request: &LogRequest, sink: &mut Sink<'_>) -> Result<(), Error> {
    let records = app::records(docker.world(), &request.app)?;
    let scheduled = Schedules::read(docker.world(), &request.app).rows(false);
    let is_scheduled = scheduled.iter().any(|row| request.which.includes(&row.slot));
    if !is_scheduled {
        app::chosen(&records, &request.app, &request.which)?;
    }
    let app = App { engine: docker.engine()?, world: docker.world(), name: &request.app };
    app.engine.run(async {
        if request.follows(SystemTime::now()) {
            return app.follow(request, is_scheduled, sink).await;
        }
        for writer in app.all_writers(&records, &request.which, is_scheduled).await? {
            if app.hand_out_range(&writer, request, sink).await?.is_break() {
                break;
            }
        }
        Ok(())
    })
}

impl App<'_> {
    /// The containers of these slots that have a log to read; of what runs by a schedule, if something does, those of the last runs.
    pub(crate) async fn all_writers(
        &self,
        records: &InstanceFiles,
        which: &Which,
        is_scheduled: bool,
    ) -> Result<Vec<Writer>, Error> {
        let mut writers = self.writers(records, which).await?;
        if is_scheduled {
            writers.extend(self.scheduled_writers(which).await?);
        }
        Ok(writers)
    }

    /// The instances among them, in the order of their runs: those that are recorded, and what lives
    /// beside them during a rollout.
    async fn writers(&self, records: &InstanceFiles, which: &Which) -> Result<Vec<Writer>, Error> {
        let listed = self.listed(records).await?;
        let is_beside = |container: &&Container| !records.contains(&container.id) && container.may_serve();
        let beside = listed.iter().filter(is_beside).filter_map(|container| writer(records, container));
        let recorded = records.slots.iter().filter_map(|(slot, record)| {
            let id = record.id.clone()?;
            let run = listed.iter().find(|container| container.id == id).and_then(label::run_number);
            Some(Writer { slot: slot.clone(), run, id })
        });
        let mut writers: Vec<Writer> =
            recorded.chain(beside).filter(|writer| which.includes(&writer.slot)).collect();
        writers.sort();
        Ok(writers)
    }

    /// The last runs by a schedule of these slots.
    pub(crate) async fn scheduled_writers(&self, which: &Which) -> Result<Vec<Writer>, Error> {
        let [root, ours, _] = self.filters();
        let listed = self.engine.list(&[root, ours]).await;
        let mut runs = listed.map_err(|fault| self.error(fault, "list what runs by a schedule"))?;
        runs.retain(label::is_cron);
        runs.sort_by_key(label::due);
        let writers = runs
            .iter()
            .filter_map(|run| Some(Writer { slot: label::slot(run)?, run: None, id: run.id.clone() }));
        Ok(writers.filter(|writer| which.includes(&writer.slot)).collect())
    }

    /// The engine counts the last lines from the end of everything. Where that is not the end of the range, they are counted here.
    async fn hand_out_range(
        &self,
        writer: &Writer,
        request: &LogRequest,
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let LogRequest { since, until, tail, .. } = *request;
        let Some(last) = tail.filter(|_| until.is_some()) else {
            return self.hand_out(writer, &OutputRange { since, until, tail }, sink).await;
        };
        let mut kept: VecDeque<LogLine> = VecDeque::new();
        let mut keep = |line: &LogLine| {
            kept.push_back(line.clone());
            if kept.len() > last {
                kept.pop_front();
            }
            ControlFlow::Continue(())
        };
        let _ = self.hand_out(writer, &OutputRange { since, until, tail: None }, &mut keep).await?;
        Ok(kept.iter().try_for_each(sink))
    }

    async fn hand_out(
        &self,
        writer: &Writer,
        range: &OutputRange,
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut frames = Box::pin(self.engine.output(&writer.id, range));
        let mut lines = Lines::default();
        let unread = |fault| self.unread(&writer.slot, fault);
        while let Some(frame) = frames.next().await {
            if lines.take(writer, &frame.map_err(unread)?, sink).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(lines.finish(writer, sink))
    }

    /// Why a log was not read to its end.
    pub(crate) fn unread(&self, slot: &Slot, fault: Fault) -> Error {
        self.error(fault, &format!("read the log of {slot}"))
    }
}

/// The container as one that writes; `None` if nobody knows which slot it is of.
pub(crate) fn writer(records: &InstanceFiles, container: &Container) -> Option<Writer> {
    let has_it = |record: &ps_apps::InstanceRecord| record.id.as_ref() == Some(&container.id);
    let recorded = records.slots.iter().find(|(_, record)| has_it(record)).map(|(slot, _)| slot.clone());
    let slot = recorded.or_else(|| label::slot(container))?;
    Some(Writer { slot, run: label::run_number(container), id: container.id.clone() })
}
