//! Reads the output of containers up to now, one after the other or merged in the order of time. For each container at most one frame of
//! the engine is read ahead.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::SystemTime;

use futures_util::{Stream, StreamExt};
use ps_engine::{Fault, LogOutput, Moment, OutputRange};
use ps_scheduler::{Error, LogLine, LogRequest};

use crate::app::App;
use crate::bookmark;
use crate::lines::{Lines, Sink, Writer};

type Frames = Pin<Box<dyn Stream<Item = Result<(Option<Moment>, LogOutput), Fault>>>>;

/// The output of one container, which is being read.
struct Output {
    writer: Writer,
    frames: Frames,
    lines: Lines,
    /// Lines that were read and not passed on yet.
    ready: VecDeque<LogLine>,
    /// When the last frame came.
    moment: Option<Moment>,
    is_over: bool,
}

impl App<'_> {
    /// Passes on the output of these containers.
    pub(crate) async fn hand_out_all(
        &self,
        writers: Vec<Writer>,
        request: &LogRequest,
        sink: &mut Sink<'_>,
    ) -> Result<(), Error> {
        let mut known = request.after.as_ref().map(bookmark::read).unwrap_or_default();
        let outputs: Vec<Output> =
            writers.into_iter().map(|writer| self.output(writer, request, &known)).collect();
        // If the order of time does not matter, each group has one container.
        let groups: Vec<Vec<Output>> = if request.is_by_time {
            vec![outputs]
        } else {
            outputs.into_iter().map(|one| vec![one]).collect()
        };
        for mut group in groups {
            if self.hand_out(&mut group, request, sink).await?.is_break() {
                return Ok(());
            }
            known.extend(group.into_iter().filter_map(|one| Some((one.writer.id, one.moment?))));
        }
        let _ = sink.caught_up(&bookmark::written(&known));
        Ok(())
    }

    fn output(&self, writer: Writer, request: &LogRequest, known: &BTreeMap<String, Moment>) -> Output {
        let after = known.get(&writer.id).cloned();
        let LogRequest { since, until, tail, .. } = *request;
        let range = match after {
            Some(_) => OutputRange::default(),
            // The engine counts the last lines from the end of all output. If the range ends earlier, they are counted here.
            None => OutputRange { since, until, tail: tail.filter(|_| until.is_none()) },
        };
        let frames = Box::pin(self.engine.dated_output(&writer.id, &range, after));
        Output {
            writer,
            frames,
            lines: Lines::default(),
            ready: VecDeque::new(),
            moment: None,
            is_over: false,
        }
    }

    /// Passes on the lines of these containers, the earliest first.
    async fn hand_out(
        &self,
        outputs: &mut [Output],
        request: &LogRequest,
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        if let Some(last) = request.tail.filter(|_| request.until.is_some()) {
            for output in outputs.iter_mut() {
                output.keep(last).await.map_err(|fault| self.unread(&output.writer.slot, fault))?;
            }
        }
        loop {
            let mut earliest: Option<(SystemTime, usize)> = None;
            for (index, output) in outputs.iter_mut().enumerate() {
                let time =
                    output.next_time().await.map_err(|fault| self.unread(&output.writer.slot, fault))?;
                if let Some(time) = time
                    && earliest.is_none_or(|(known, _)| time < known)
                {
                    earliest = Some((time, index));
                }
            }
            let Some((_, index)) = earliest else { return Ok(ControlFlow::Continue(())) };
            let line = outputs[index].ready.pop_front();
            if line.is_some_and(|line| sink.line(&line).is_break()) {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
}

impl Output {
    /// The time of the next line; `None` if there are no more lines.
    async fn next_time(&mut self) -> Result<Option<SystemTime>, Fault> {
        while self.ready.is_empty() && !self.is_over {
            self.read().await?;
        }
        Ok(self.ready.front().map(|line| line.at.unwrap_or(SystemTime::UNIX_EPOCH)))
    }

    /// Reads everything, and keeps the given number of last lines.
    async fn keep(&mut self, last: usize) -> Result<(), Fault> {
        while !self.is_over {
            self.read().await?;
            self.ready.drain(..self.ready.len().saturating_sub(last));
        }
        Ok(())
    }

    /// Reads the next frame; at the end of the output, the unfinished last line.
    async fn read(&mut self) -> Result<(), Fault> {
        let Self { writer, frames, lines, ready, moment, is_over } = self;
        let mut keep = |line: &LogLine| {
            ready.push_back(line.clone());
            ControlFlow::Continue(())
        };
        if let Some(frame) = frames.next().await {
            let (came, frame) = frame?;
            let _ = lines.take(writer, came.as_ref(), &frame, &mut keep);
            *moment = came.or(moment.take());
        } else {
            *is_over = true;
            let _ = lines.finish(writer, &mut keep);
        }
        Ok(())
    }
}
