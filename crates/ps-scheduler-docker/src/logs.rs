//! `logs`: splits the output of containers into streams and lines.

use std::ops::ControlFlow;
use std::time::SystemTime;

use formation::{Slot, Stream, Which};
use ps_apps::InstanceFiles;
use ps_engine::{Container, Fault};
use ps_scheduler::{Error, LogLine, LogRequest, LogSink, ReadUpTo, Scheduler};

use crate::app::{self, App};
use crate::docker_local::DockerLocal;
use crate::label;
use crate::lines::{Sink, Writer};
use crate::schedule_file::Schedules;

/// Passes lines of the containers to `sink` until there are no more, or `sink` stops. Without `follow` it goes through one
/// container after the other; with it, lines come in the order in which they are written.
pub(crate) fn logs(docker: &DockerLocal, request: &LogRequest, sink: &mut Sink<'_>) -> Result<(), Error> {
    if request.is_previous {
        let what = "show what earlier runs wrote, because the engine removes the log of a container with it";
        return Err(Error::Unsupported { scheduler: Scheduler::name(docker).to_owned(), what });
    }
    let sink = &mut OfStream { stream: request.stream, sink };
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
        let writers = app.all_writers(&records, &request.which, is_scheduled).await?;
        app.hand_out_all(writers, request, sink).await
    })
}

/// Passes on the lines of one stream, or of both.
struct OfStream<'a, 'b> {
    stream: Option<Stream>,
    sink: &'a mut Sink<'b>,
}

impl LogSink for OfStream<'_, '_> {
    fn line(&mut self, line: &LogLine) -> ControlFlow<()> {
        let is_wanted = self.stream.is_none_or(|stream| stream == line.stream);
        if is_wanted { self.sink.line(line) } else { ControlFlow::Continue(()) }
    }

    fn caught_up(&mut self, read: &ReadUpTo) -> ControlFlow<()> {
        self.sink.caught_up(read)
    }
}

impl App<'_> {
    /// The containers of these slots that have a log to read. For scheduled types these are the last runs.
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

    /// The instances of these slots, in the order of their runs: those that are recorded, and during a rollout the second ones.
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

    /// The last scheduled runs of these slots.
    pub(crate) async fn scheduled_writers(&self, which: &Which) -> Result<Vec<Writer>, Error> {
        let [root, ours, _] = self.filters();
        let listed = self.engine.list(&[root, ours]).await;
        let mut runs = listed.map_err(|fault| self.error(fault, "list the scheduled runs"))?;
        runs.retain(label::is_cron);
        runs.sort_by_key(label::due);
        let writers = runs
            .iter()
            .filter_map(|run| Some(Writer { slot: label::slot(run)?, run: None, id: run.id.clone() }));
        Ok(writers.filter(|writer| which.includes(&writer.slot)).collect())
    }

    /// The error for a log that was not read to its end.
    pub(crate) fn unread(&self, slot: &Slot, fault: Fault) -> Error {
        self.error(fault, &format!("read the log of {slot}"))
    }
}

/// The container as a source of log lines; `None` if its slot is unknown.
pub(crate) fn writer(records: &InstanceFiles, container: &Container) -> Option<Writer> {
    let has_it = |record: &ps_apps::InstanceRecord| record.id.as_ref() == Some(&container.id);
    let recorded = records.slots.iter().find(|(_, record)| has_it(record)).map(|(slot, _)| slot.clone());
    let slot = recorded.or_else(|| label::slot(container))?;
    Some(Writer { slot, run: label::run_number(container), id: container.id.clone() })
}
