//! Reads the logs of tasks up to now. A node that does not answer is remembered, and not asked again.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use formation::{Slot, Stream};
use futures_util::StreamExt;
use ps_engine::{Engine, LogOutput, Moment, OutputRange};
use ps_scheduler::{Error, LogLine, LogRequest, LogSink, ReadUpTo};

use crate::failed::backend;
use crate::instances::Nodes;
use crate::manager::Seen;
use crate::swarm_task::{Phase, SwarmTask};

/// A line longer than this is handed out in pieces.
const LONGEST: usize = 1 << 20;

/// Reads the logs of tasks.
pub(super) struct Reader<'a> {
    pub(super) engine: &'a Engine,
    pub(super) request: &'a LogRequest,
    /// Up to where each task was read.
    read: ReadUpTo,
    /// The nodes that did not answer.
    pub(super) silent: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(engine: &'a Engine, request: &'a LogRequest) -> Self {
        Self { engine, request, read: ReadUpTo::default(), silent: BTreeSet::new() }
    }
}

impl Reader<'_> {
    /// The tasks that are meant and have something to read, in the order of their slots. Of a slot in which nothing lives it is the one that ended
    /// there last: its node keeps what that wrote for as long as it keeps its container. Where lines are followed, only what lives counts.
    pub(super) fn current<'a>(&self, seen: &'a Seen) -> Vec<(Slot, &'a SwarmTask)> {
        let mut tasks: Vec<(Slot, &SwarmTask)> = Vec::new();
        for service in &seen.services {
            let of_service: Vec<&SwarmTask> =
                seen.tasks_of(&service.id).filter(|task| task.container.is_some()).collect();
            let lives = |task: &SwarmTask| !task.phase.is_over();
            let has_one = |slot: u16| of_service.iter().any(|task| task.slot == slot && lives(task));
            let is_last = |at: usize, task: &SwarmTask| {
                !of_service[at + 1..].iter().any(|later| later.slot == task.slot)
            };
            let has_ended = |at: usize, task: &SwarmTask| {
                matches!(task.phase, Phase::Failed | Phase::Complete)
                    && (1..=service.replicas).contains(&task.slot)
                    && !self.request.follow
                    && !has_one(task.slot)
                    && is_last(at, task)
            };
            let numbered = of_service.iter().copied().enumerate();
            let current =
                numbered.filter(|(at, task)| lives(task) || has_ended(*at, task)).map(|(_, task)| task);
            tasks.extend(current.map(|task| (Slot::new(service.process_type.clone(), task.slot), task)));
        }
        tasks.retain(|(slot, _)| self.request.which.includes(slot));
        tasks.sort_by(|(one, _), (other, _)| one.cmp(other));
        tasks
    }

    /// Up to where a task was read, now or by whoever asks.
    pub(super) fn read_up_to(&self, task: &str) -> Option<Moment> {
        let read = self.read.0.get(task).or_else(|| self.request.after.as_ref()?.0.get(task));
        read.and_then(|word| Moment::parse(word))
    }

    /// The lines of a piece of output that are wanted. Of each piece is noted that it was read.
    pub(super) fn take(
        &mut self,
        slot: &Slot,
        task: &str,
        (moment, piece): (Option<Moment>, LogOutput),
    ) -> Vec<LogLine> {
        let mut lines = split(slot, moment.as_ref(), &piece);
        self.read.0.extend(moment.map(|moment| (task.to_owned(), moment.as_str().to_owned())));
        lines.retain(|line| self.request.stream.is_none_or(|stream| stream == line.stream));
        lines
    }

    /// Hands out lines in the order of their times; the sort is stable, so lines without a time stay where they are.
    pub(super) fn hand_out(&self, mut lines: Vec<LogLine>, sink: &mut dyn LogSink) -> ControlFlow<()> {
        if self.request.is_by_time || self.request.follow {
            lines.sort_by_key(|line: &LogLine| line.at);
        }
        for line in &lines {
            sink.line(line)?;
        }
        sink.caught_up(&self.read)
    }

    /// Reads on in the log of each task.
    pub(super) async fn round(
        &mut self,
        tasks: &[(Slot, &SwarmTask)],
        nodes: &Nodes,
        sink: &mut dyn LogSink,
    ) -> Result<ControlFlow<()>, Error> {
        let mut lines = Vec::new();
        for (slot, task) in tasks {
            if self.silent.contains(&nodes.name(task)) || !nodes.is_up(task) {
                self.silent.insert(nodes.name(task));
                continue;
            }
            lines.extend(self.lines((slot, task), &nodes.name(task), self.request.tail).await);
        }
        Ok(self.hand_out(lines, sink))
    }

    /// The lines of a task that were not handed out yet, of one that was not read before no more than `tail`. Nothing is waited for but its
    /// node.
    pub(super) async fn lines(
        &mut self,
        (slot, task): (&Slot, &SwarmTask),
        node: &str,
        tail: Option<usize>,
    ) -> Vec<LogLine> {
        let after = self.read_up_to(&task.id);
        let is_first = after.is_none();
        let LogRequest { since, until, .. } = *self.request;
        // The engine counts the last lines from the end of everything; where that is not the end of the range they are counted here.
        let range = OutputRange { since, until, tail: tail.filter(|_| until.is_none() && is_first) };
        let mut pieces = Box::pin(self.engine.task_logs(&task.id, &range, false, after));
        let mut lines = Vec::new();
        while let Some(piece) = pieces.next().await {
            let Ok(piece) = piece else {
                // What has ended may be gone there, with all that it wrote.
                if !task.phase.is_over() {
                    self.silent.insert(node.to_owned());
                }
                break;
            };
            lines.extend(self.take(slot, &task.id, piece));
        }
        let most = tail.filter(|_| is_first).unwrap_or(usize::MAX);
        lines.split_off(lines.len().saturating_sub(most))
    }

    /// What is said at the end of the nodes that did not answer.
    pub(super) fn concluded(&self) -> Result<(), Error> {
        if self.silent.is_empty() {
            return Ok(());
        }
        let nodes: Vec<&str> = self.silent.iter().map(String::as_str).collect();
        let reason = format!("no answer from {}: what runs there is missing above", nodes.join(", "));
        Err(backend(&format!("read the logs of {}", self.request.app), reason))
    }
}

/// The lines of a piece of output. A node sends a piece for each line.
fn split(slot: &Slot, moment: Option<&Moment>, piece: &LogOutput) -> Vec<LogLine> {
    let stream = if matches!(piece, LogOutput::StdErr { .. }) { Stream::Stderr } else { Stream::Stdout };
    let bytes = piece.as_ref();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let whole = bytes.split(|byte| *byte == b'\n').flat_map(|line| {
        let is_empty = line.is_empty();
        line.chunks(LONGEST).chain(is_empty.then_some(line))
    });
    let line = |bytes: &[u8]| LogLine {
        slot: slot.clone(),
        run: None,
        stream,
        at: moment.and_then(Moment::time),
        bytes: bytes.to_vec(),
        shown: 0,
        is_begun: false,
    };
    whole.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_as_many_lines_as_it_has_ends() {
        let slot: Slot = "web.1".parse().expect("a slot");
        let of = |text: &'static str| -> Vec<String> {
            let piece = LogOutput::StdErr { message: text.into() };
            let lines = split(&slot, None, &piece);
            assert!(lines.iter().all(|line| line.stream == Stream::Stderr));
            lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
        };
        assert_eq!(of("a\n"), ["a"]);
        assert_eq!(of("a\n\nb"), ["a", "", "b"]);
        assert_eq!(of("\n"), [""]);
    }
}
