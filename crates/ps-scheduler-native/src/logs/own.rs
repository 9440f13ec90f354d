//! The files into which instances write their output themselves.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use formation::{Slot, Stream};
use log_store::{OwnFile, OwnPlace, OwnRange};
use ps_scheduler::{Error, LogLine, LogRequest, LogSink};
use ps_service::backend;
use ps_supervisor::OwnOutputs;

pub(super) const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

/// The own logs of instances that are being read.
#[derive(Debug, Default)]
pub(super) struct OwnFiles(BTreeMap<(Slot, Stream), OwnFile>);

impl OwnFiles {
    /// Opens the logs that a slot, whose directory is given, writes itself and that are not open yet. `is_new`: the slot has appeared since
    /// the first look, so all output of its run is read. `place`: the position up to which a stream was read earlier. A file that several
    /// slots share is read once. `opened` is called with the path of each opened file.
    pub(super) fn open(
        &mut self,
        slot: &Slot,
        directory: &Path,
        request: &LogRequest,
        is_new: bool,
        place: impl Fn(Stream) -> Option<OwnPlace>,
        mut opened: impl FnMut(&Path),
    ) -> Result<(), Error> {
        let Some(noted) = OwnOutputs::read(directory) else { return Ok(()) };
        for stream in STREAMS {
            let output = noted.of(stream);
            let is_wanted = request.stream.is_none_or(|one| one == stream);
            if !is_wanted || self.0.values().any(|file| file.path() == output.path) {
                continue;
            }
            let whole = || OwnPlace { inode: 0, offset: output.begin };
            let file = if let Some(place) = place(stream).or(is_new.then(whole)) {
                OwnFile::at(&output.path, place)
            } else {
                let before = request.is_previous.then_some(output.begin);
                let range = OwnRange { since: request.since, before, last: request.tail };
                OwnFile::open(&output.path, range).map_err(|error| unread(&output.path, &error))?
            };
            opened(&output.path);
            self.0.insert((slot.clone(), stream), file);
        }
        Ok(())
    }

    /// Looks for new lines in each log.
    pub(super) fn look(&mut self) -> Result<(), Error> {
        for file in self.0.values_mut() {
            file.look().map_err(|error| unread(file.path(), &error))?;
        }
        Ok(())
    }

    /// Passes on the lines that were read, one file after the other, because the times of most lines are not known. With `whole`, incomplete
    /// last lines are passed on as well.
    pub(super) fn hand_out(&mut self, whole: bool, sink: &mut dyn LogSink) -> Result<ControlFlow<()>, Error> {
        for ((slot, stream), file) in &mut self.0 {
            while let Some(line) = file.next(whole).map_err(|error| unread(file.path(), &error))? {
                let line = LogLine {
                    slot: slot.clone(),
                    run: None,
                    stream: *stream,
                    at: line.at,
                    bytes: line.bytes,
                    shown: 0,
                    is_begun: false,
                };
                if sink.line(&line).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The position up to which each log was read.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Slot, Stream, OwnPlace)> {
        self.0.iter().map(|((slot, stream), file)| (slot, *stream, file.place()))
    }
}

fn unread(path: &Path, error: &dyn std::fmt::Display) -> Error {
    backend(format!("read {}", path.display()), error)
}
