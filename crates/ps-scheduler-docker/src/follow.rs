//! `logs -f`: follows the output of containers while the app is changed. The engine reports every container that is
//! started. So a container of a deploy is read from its first line, together with the one that it replaces; a container
//! that the engine restarts is read further; and a scheduled run is read when it begins. Nothing is polled, except that
//! the app's directory is looked at once a second.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use formation::Which;
use futures_util::stream::{self, SelectAll};
use futures_util::{Stream, StreamExt};
use ps_engine::{Fault, LogOutput, Moment, OutputRange};
use ps_scheduler::{Error, LogRequest};

use crate::app::{self, App};
use crate::bookmark;
use crate::lines::{Lines, Sink, Writer};
use crate::logs;

/// An event of the engine.
enum News {
    /// A container has written something.
    Wrote(Writer, Result<(Option<Moment>, LogOutput), Fault>),
    /// A container has ended, and all of its output was passed on.
    Over(Writer),
    /// The container with this id was started.
    Started(Result<String, Fault>),
}

/// How often to check whether the app still exists.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

type Source = Pin<Box<dyn Stream<Item = News>>>;

struct Follower<'a> {
    app: &'a App<'a>,
    which: &'a Which,
    sources: SelectAll<Source>,
    lines: Lines,
    /// The ids of the containers that are read.
    open: BTreeSet<String>,
    /// Those of the containers that were started again since, so that their last end is not the end of the output.
    started_again: BTreeSet<String>,
    /// For each container that was ever read, the time up to which it was read.
    read_up_to: BTreeMap<String, Moment>,
    /// For each container, the time up to which all its output was passed on.
    handed_out: BTreeMap<String, Moment>,
}

impl App<'_> {
    /// Passes on lines as they come, until `sink` breaks.
    pub(crate) async fn follow(
        &self,
        request: &LogRequest,
        is_scheduled: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        // Scheduled runs are not instances, but their output is followed too, so the starts of all containers of the
        // app are reported.
        let [_, ours, _] = self.filters();
        // A container that starts while the list is read is reported twice, and never missed.
        let started = self.engine.starts(&[ours], SystemTime::now());
        let mut follower = Follower {
            app: self,
            which: &request.which,
            sources: SelectAll::new(),
            lines: Lines::default(),
            open: BTreeSet::new(),
            started_again: BTreeSet::new(),
            read_up_to: BTreeMap::new(),
            handed_out: request.after.as_ref().map(bookmark::read).unwrap_or_default(),
        };
        follower.read_up_to.clone_from(&follower.handed_out);
        follower.sources.push(Box::pin(started.map(News::Started)));
        let records = app::records(self.world, self.name)?;
        for writer in self.all_writers(&records, &request.which, is_scheduled).await? {
            follower.open(writer, OutputRange { since: request.since, until: None, tail: request.tail });
        }
        loop {
            let is_over = match tokio::time::timeout(LOOK_AGAIN, follower.next(request.until)).await {
                Ok(Some(news)) => follower.take(news, sink).await?.is_break(),
                Ok(None) => true,
                // No event reports that an app was destroyed whose containers were gone already.
                Err(_) => follower.open.is_empty() && !self.world.app_dir(self.name).is_dir(),
            };
            if is_over {
                return Ok(());
            }
        }
    }
}

impl Follower<'_> {
    /// The next event; `None` once the range is over.
    async fn next(&mut self, until: Option<SystemTime>) -> Option<News> {
        let Some(until) = until else { return self.sources.next().await };
        let left = until.duration_since(SystemTime::now()).ok()?;
        tokio::time::timeout(left, self.sources.next()).await.ok().flatten()
    }

    /// Opens the output of a container. One that was read before is continued from that point; of any other, the wanted
    /// range is read.
    fn open(&mut self, writer: Writer, wanted: OutputRange) {
        let after = self.read_up_to.get(&writer.id).cloned();
        let wanted = if after.is_some() { OutputRange::default() } else { wanted };
        self.read_up_to.entry(writer.id.clone()).or_insert_with(Moment::now);
        self.open.insert(writer.id.clone());
        let frames = self.app.engine.follow(&writer.id, &wanted, after);
        let over = stream::once(ready(News::Over(writer.clone())));
        let news = frames.map(move |frame| News::Wrote(writer.clone(), frame)).chain(over);
        self.sources.push(Box::pin(news));
    }

    /// Records that a container was read up to that moment.
    fn note(&mut self, writer: &Writer, moment: Moment) {
        if !self.lines.waits_for(writer) {
            self.handed_out.insert(writer.id.clone(), moment.clone());
        }
        if let Some(known) = self.read_up_to.get_mut(&writer.id) {
            *known = moment.max(known.clone());
        }
    }

    async fn take(&mut self, news: News, sink: &mut Sink<'_>) -> Result<ControlFlow<()>, Error> {
        match news {
            News::Wrote(writer, Ok((moment, frame))) => {
                let handed = self.lines.take(&writer, moment.as_ref(), &frame, sink);
                if let Some(moment) = moment {
                    self.note(&writer, moment);
                }
                if handed.is_break() {
                    return Ok(handed);
                }
                Ok(sink.caught_up(&bookmark::written(&self.handed_out)))
            }
            // The container was removed before it could be read.
            News::Wrote(_, Err(fault)) if fault.is_gone() => Ok(ControlFlow::Continue(())),
            News::Wrote(writer, Err(fault)) => Err(self.app.unread(&writer.slot, fault)),
            News::Over(writer) => {
                self.open.remove(&writer.id);
                let handed = self.lines.finish(&writer, sink);
                if self.started_again.remove(&writer.id) {
                    self.open(writer, OutputRange::default());
                }
                Ok(handed)
            }
            News::Started(started) => {
                let id = started.map_err(|fault| self.app.error(fault, "follow the logs"))?;
                self.take_start(id).await?;
                Ok(ControlFlow::Continue(()))
            }
        }
    }

    /// The container with this id, if it is a scheduled run. The schedule may be new since the last deploy.
    async fn run_by_schedule(&self, id: &str) -> Result<Option<Writer>, Error> {
        let runs = self.app.scheduled_writers(self.which).await?;
        Ok(runs.into_iter().find(|run| run.id == id))
    }

    async fn take_start(&mut self, id: String) -> Result<(), Error> {
        if self.open.contains(&id) {
            self.started_again.insert(id);
            return Ok(());
        }
        let records = app::records(self.app.world, self.app.name)?;
        let listed = self.app.listed(&records).await?;
        let started = listed.iter().find(|container| container.id == id);
        let writer = match started {
            Some(container) => logs::writer(&records, container),
            None => self.run_by_schedule(&id).await?,
        };
        if let Some(writer) = writer.filter(|writer| self.which.includes(&writer.slot)) {
            self.open(writer, OutputRange::default());
        }
        Ok(())
    }
}
