//! `logs`: the output of an app's tasks, one stream for each task. The swarm's own stream of a service is out of order,
//! and fails as a whole if one node is gone. Here a node that does not answer is named, and the others are read
//! nevertheless.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::SystemTime;

use formation::{Slot, Stream};
use futures_util::StreamExt;
use ps_engine::{Engine, LogOutput, Moment, OutputRange};
use ps_scheduler::{Cancel, Error, LogLine, LogRequest, LogSink, ReadUpTo};

use crate::failed::backend;
use crate::instances::Nodes;
use crate::manager::{LOOK, Manager};
use crate::swarm::Swarm;
use crate::swarm_task::SwarmTask;

/// A line longer than this is handed out in pieces.
const LONGEST: usize = 1 << 20;

/// Passes the lines of the tasks that an app has now to `sink` until there are no more, or `sink` breaks.
pub(crate) fn logs(swarm: &Swarm, request: &LogRequest, sink: &mut dyn LogSink) -> Result<(), Error> {
    if request.is_previous {
        let what = "show what earlier runs wrote, because its nodes remove the log of a container with it";
        return Err(Error::Unsupported { scheduler: "swarm".to_owned(), what });
    }
    let app = &request.app;
    let not_deployed = || Error::NotDeployed { app: app.clone() };
    let world = swarm.known_id()?.ok_or_else(not_deployed)?;
    let engine = swarm.engine()?;
    let manager = Manager { engine, world: &world, app, cancel: &Cancel::default() };
    engine.run(async {
        let nodes = manager.nodes().await?;
        let mut reader = Reader { engine, request, read: ReadUpTo::default(), silent: BTreeSet::new() };
        loop {
            let seen = manager.look().await?;
            if seen.services.is_empty() {
                return if request.follow { Ok(()) } else { Err(not_deployed()) };
            }
            let mut tasks: Vec<(Slot, &SwarmTask)> = Vec::new();
            for service in &seen.services {
                let current = seen
                    .tasks_of(&service.id)
                    .filter(|task| !task.phase.is_over() && task.container.is_some());
                tasks.extend(current.map(|task| (Slot::new(service.process_type.clone(), task.slot), task)));
            }
            tasks.retain(|(slot, _)| request.which.includes(slot));
            tasks.sort_by(|(one, _), (other, _)| one.cmp(other));
            if reader.round(&tasks, &nodes, sink).await?.is_break() || !request.follows(SystemTime::now()) {
                return reader.concluded();
            }
            tokio::time::sleep(LOOK).await;
        }
    })
}

struct Reader<'a> {
    engine: &'a Engine,
    request: &'a LogRequest,
    /// Up to where each task was read.
    read: ReadUpTo,
    /// The nodes that did not answer.
    silent: BTreeSet<String>,
}

impl Reader<'_> {
    /// Reads on in the log of each task.
    async fn round(
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
            lines.extend(self.lines(slot, task, &nodes.name(task)).await);
        }
        if self.request.is_by_time || self.request.follow {
            // The sort is stable: lines without a time stay where they are.
            lines.sort_by_key(|line: &LogLine| line.at);
        }
        for line in &lines {
            if sink.line(line).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(sink.caught_up(&self.read))
    }

    /// The lines of a task that were not handed out yet. Nothing is waited for but its node.
    async fn lines(&mut self, slot: &Slot, task: &SwarmTask, node: &str) -> Vec<LogLine> {
        let request = self.request;
        let known = |read: &ReadUpTo| read.0.get(&task.id).and_then(|word| Moment::parse(word));
        let after = known(&self.read).or_else(|| request.after.as_ref().and_then(known));
        let is_first = after.is_none();
        let LogRequest { since, until, tail, .. } = *request;
        // The engine counts the last lines from the end of everything; where that is not the end of the range they are counted here.
        let range = OutputRange { since, until, tail: tail.filter(|_| until.is_none() && is_first) };
        let mut pieces = Box::pin(self.engine.task_logs(&task.id, &range, false, after));
        let mut lines = Vec::new();
        while let Some(piece) = pieces.next().await {
            let Ok((moment, piece)) = piece else {
                self.silent.insert(node.to_owned());
                break;
            };
            lines.extend(split(slot, moment.as_ref(), &piece));
            self.read.0.extend(moment.map(|moment| (task.id.clone(), moment.as_str().to_owned())));
        }
        lines.retain(|line| request.stream.is_none_or(|stream| stream == line.stream));
        let most = tail.filter(|_| is_first).unwrap_or(usize::MAX);
        lines.split_off(lines.len().saturating_sub(most))
    }

    /// What is said at the end of the nodes that did not answer.
    fn concluded(&self) -> Result<(), Error> {
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
