//! The streams of all slots that are read, one after the other or merged in the order of time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use file_watch::{Grown, GrowthWatch};
use formation::{Slot, Stream};
use log_store::{Line, Place, Range, Reader, Series};
use ps_scheduler::{Error, LogLine, LogRequest, LogSink, ReadUpTo};
use ps_service::{Service, backend};

use super::bookmark;
use super::own::{OwnFiles, STREAMS};

/// How often all files are looked at if no change is reported: some file systems report no writes.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
const SHORTEST: Duration = Duration::from_millis(1);

/// The streams that are read.
pub(super) struct Outputs<'a> {
    service: &'a Service,
    request: &'a LogRequest,
    identity: Option<(u64, u64)>,
    readers: BTreeMap<(Slot, Stream), Reader>,
    /// The logs that instances write themselves.
    own: OwnFiles,
    /// Whether the directory was looked at before: a stream that appears later is new.
    has_looked: bool,
    /// Reports new lines while the logs are followed.
    watch: Option<GrowthWatch<Where>>,
    /// When all files are looked at again, whether a change was reported or not.
    look_due: Instant,
}

/// A place that is watched for changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Where {
    /// The service directory, in which slots appear.
    Service,
    /// The logs of a slot.
    Logs(Slot),
    /// Logs that instances write themselves. Those of several slots may lie in one directory.
    Own,
}

impl<'a> Outputs<'a> {
    /// The streams of a service that a request selects. `identity` is that of the service directory.
    pub(super) fn of(service: &'a Service, request: &'a LogRequest, identity: Option<(u64, u64)>) -> Self {
        let watch = request.follow.then(GrowthWatch::new);
        let readers = BTreeMap::new();
        let own = OwnFiles::default();
        Self { service, request, identity, readers, own, has_looked: false, watch, look_due: Instant::now() }
    }

    /// Waits until there may be more to read, but no longer than `most`. Returns the places that have changed.
    pub(super) fn wait(&mut self, most: Duration) -> Grown<Where> {
        let Some(watch) = &mut self.watch else { return Grown::Anywhere };
        let due = self.readers.values().filter_map(Reader::due).min().unwrap_or(most);
        watch.wait(most.min(due).min(LOOK_AGAIN).max(SHORTEST))
    }

    /// Reads new lines in the places that have changed, and from time to time in all places.
    pub(super) fn look(&mut self, grown: &Grown<Where>) -> Result<(), Error> {
        if grown.has(&Where::Service) || self.look_due <= Instant::now() {
            return self.look_everywhere();
        }
        if grown.has(&Where::Own) {
            self.own.look()?;
        }
        for ((slot, _), reader) in &mut self.readers {
            if grown.has(&Where::Logs(slot.clone())) {
                reader.look().map_err(|error| unread(slot, &error))?;
            }
        }
        Ok(())
    }

    fn look_everywhere(&mut self) -> Result<(), Error> {
        self.look_due = Instant::now() + LOOK_AGAIN;
        // The directory is watched before it is read, so that a file that is created in between is reported.
        self.watch(|watch, service| {
            watch.watch_entries(&service.directory, Where::Service);
        });
        let slots = self.service.slots()?;
        for slot in slots.into_iter().filter(|slot| self.request.which.includes(slot)) {
            self.watch(|watch, service| {
                let directory = service.instance(&slot);
                if !watch.watch_files(&ps_supervisor::logs(&directory), Where::Logs(slot.clone())) {
                    watch.watch_entries(&directory, Where::Service);
                }
            });
            self.open_own(&slot)?;
            for stream in STREAMS.into_iter().filter(|it| self.request.stream.is_none_or(|one| one == *it)) {
                let key = (slot.clone(), stream);
                if !self.readers.contains_key(&key) {
                    let reader = self.open(&slot, stream)?.skimming(self.request.skim.clone());
                    let reader = reader.by_time(self.request.is_by_time);
                    self.readers.insert(key, reader);
                }
            }
        }
        self.has_looked = true;
        self.own.look()?;
        for ((slot, _), reader) in &mut self.readers {
            reader.look().map_err(|error| unread(slot, &error))?;
        }
        Ok(())
    }

    /// Passes on all lines that were read; with `whole`, incomplete last lines as well.
    pub(super) fn hand_out(&mut self, whole: bool, sink: &mut dyn LogSink) -> Result<ControlFlow<()>, Error> {
        if self.own.hand_out(whole, sink)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let handed = if self.request.is_by_time {
            self.hand_out_by_time(whole, sink)?
        } else {
            self.hand_out_in_turn(whole, sink)?
        };
        if handed.is_break() || !self.request.has_begun || whole {
            return Ok(handed);
        }
        for ((slot, stream), reader) in &mut self.readers {
            for line in reader.begun() {
                if sink.line(&LogLine { is_begun: true, ..handed_out(slot, *stream, line) }).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The position up to which each stream was read.
    pub(super) fn read_up_to(&self) -> ReadUpTo {
        let streams = self.readers.iter().map(|((slot, stream), reader)| (slot, *stream, reader.places()));
        bookmark::written(self.identity, streams, self.own.places())
    }

    fn open_own(&mut self, slot: &Slot) -> Result<(), Error> {
        let after = self.request.after.as_ref().filter(|_| !self.has_looked);
        let place = |stream| bookmark::read_own(after?, self.identity, slot, stream);
        let watch = &mut self.watch;
        self.own.open(slot, &self.service.instance(slot), self.request, self.has_looked, place, |path| {
            if let (Some(watch), Some(directory)) = (watch.as_mut(), path.parent()) {
                watch.watch_files(directory, Where::Own);
            }
        })
    }

    fn watch(&mut self, watch: impl FnOnce(&mut GrowthWatch<Where>, &Service)) {
        if let Some(growth) = &mut self.watch {
            watch(growth, self.service);
        }
    }

    fn open(&self, slot: &Slot, stream: Stream) -> Result<Reader, Error> {
        let series = log(self.service, slot, stream);
        if let Some(bookmark) = self.request.after.as_ref().filter(|_| !self.has_looked)
            && let Some(places) = bookmark::read(bookmark, self.identity, slot, stream)
        {
            return Ok(Reader::open_at(series, &places));
        }
        let mut range = Range::default();
        if !self.has_looked {
            let LogRequest { since, until, tail: last, .. } = *self.request;
            range = Range { since, until, last, before: None };
        }
        if self.request.is_previous {
            range.before = self.present_run(slot, stream)?;
        }
        Reader::open(series, range).map_err(|error| unread(slot, &error))
    }

    /// The position at which the output of the slot's present run begins; `None`: no run is known, so all output is
    /// earlier.
    fn present_run(&self, slot: &Slot, stream: Stream) -> Result<Option<Place>, Error> {
        let listing = self.service.listing()?;
        let statuses = self.service.statuses(&listing);
        let status = statuses.read(slot);
        let status = status.map_err(|error| backend(format!("read the status of {slot}"), &error))?;
        Ok(status.map(|status| status.log_place(stream)))
    }

    fn hand_out_in_turn(&mut self, whole: bool, sink: &mut dyn LogSink) -> Result<ControlFlow<()>, Error> {
        for ((slot, stream), reader) in &mut self.readers {
            while let Some(line) = reader.next(whole).map_err(|error| unread(slot, &error))? {
                if sink.line(&handed_out(slot, *stream, line)).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Passes on lines in the order of their times; of lines with the same time, that of the first slot comes
    /// first.
    fn hand_out_by_time(&mut self, whole: bool, sink: &mut dyn LogSink) -> Result<ControlFlow<()>, Error> {
        let mut readers: Vec<_> = self.readers.iter_mut().collect();
        let mut heads: BinaryHeap<Reverse<(SystemTime, usize)>> = BinaryHeap::new();
        for (index, ((slot, _), reader)) in readers.iter_mut().enumerate() {
            let time = reader.next_time(whole).map_err(|error| unread(slot, &error))?;
            heads.extend(time.map(|time| Reverse((time, index))));
        }
        while let Some(Reverse((_, index))) = heads.pop() {
            let ((slot, stream), reader) = &mut readers[index];
            if let Some(line) = reader.next(whole).map_err(|error| unread(slot, &error))?
                && sink.line(&handed_out(slot, *stream, line)).is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            let time = reader.next_time(whole).map_err(|error| unread(slot, &error))?;
            heads.extend(time.map(|time| Reverse((time, index))));
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn handed_out(slot: &Slot, stream: Stream, line: Line) -> LogLine {
    let Line { run, bytes, at, shown, .. } = line;
    LogLine { slot: slot.clone(), run: Some(run), stream, at, bytes, shown, is_begun: false }
}

fn log(service: &Service, slot: &Slot, stream: Stream) -> Series {
    ps_supervisor::log(&service.instance(slot), stream)
}

fn unread(slot: &Slot, error: &dyn std::fmt::Display) -> Error {
    backend(format!("read the log of {slot}"), error)
}
