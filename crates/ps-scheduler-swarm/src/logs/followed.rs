//! `logs -f`: a stream for each task that runs, so that a line is handed out when it is written. A manager says neither that a task has ended nor
//! that its node is gone, and tells nobody of a new task: it is asked once a second which tasks there are.

use std::collections::BTreeMap;
use std::future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use formation::Slot;
use futures_util::future::{AbortHandle, Either, select};
use futures_util::stream::{self, SelectAll};
use futures_util::{FutureExt, Stream, StreamExt};
use ps_engine::{Fault, LogOutput, Moment, OutputRange};
use ps_scheduler::{Error, LogSink};

use super::reader::Reader;
use crate::instances::Nodes;
use crate::manager::{Manager, Seen};

/// The pause between two questions which tasks there are.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How many pieces that have come together are put in the order of time.
const TOGETHER: usize = 1000;

type Piece = Result<(Option<Moment>, LogOutput), Fault>;

/// What comes of a task.
enum News {
    Wrote(Slot, String, Piece),
    /// Its stream has ended.
    Over(String),
}

/// A task whose stream is read.
struct Open {
    slot: Slot,
    node: String,
    handle: AbortHandle,
    /// How many of its last lines are wanted, of those from before.
    tail: Option<usize>,
    /// Whether the stream has ended, although nobody has said so of the task.
    is_over: bool,
}

struct Follower<'a, 'b> {
    reader: &'a mut Reader<'b>,
    streams: SelectAll<Pin<Box<dyn Stream<Item = News>>>>,
    open: BTreeMap<String, Open>,
    /// How many of the last lines of a task are wanted that is there at the beginning.
    tail: Option<usize>,
}

/// Hands out lines as they come, until `sink` breaks, the range is over, or the app is gone.
pub(super) async fn follow(
    manager: &Manager<'_>,
    reader: &mut Reader<'_>,
    sink: &mut dyn LogSink,
) -> Result<(), Error> {
    let until = reader.request.until;
    let tail = reader.request.tail;
    let mut follower = Follower { reader, streams: SelectAll::new(), open: BTreeMap::new(), tail };
    let mut looking = Box::pin(look(manager, Duration::ZERO));
    loop {
        let left = match until.map(|until| until.duration_since(SystemTime::now())) {
            Some(Err(_)) => return Ok(()),
            Some(Ok(left)) => left,
            None => Duration::MAX,
        };
        let next = select(&mut looking, Box::pin(follower.next()));
        let next = match tokio::time::timeout(left, next).await {
            Err(_) => return Ok(()),
            Ok(Either::Left((seen, _))) => Either::Left(seen?),
            Ok(Either::Right((news, _))) => Either::Right(news),
        };
        let flow = match next {
            Either::Left((seen, nodes)) => {
                if seen.services.is_empty() {
                    return Ok(());
                }
                looking = Box::pin(look(manager, LOOK_AGAIN));
                follower.compare(&seen, &nodes, sink).await
            }
            Either::Right(news) => follower.take(news, sink),
        };
        if flow.is_break() {
            return Ok(());
        }
    }
}

/// What there is after a pause.
async fn look(manager: &Manager<'_>, pause: Duration) -> Result<(Seen, Nodes), Error> {
    tokio::time::sleep(pause).await;
    Ok((manager.look().await?, manager.nodes().await?))
}

impl Follower<'_, '_> {
    /// What comes next; never, where no task is read.
    async fn next(&mut self) -> News {
        match self.streams.next().await {
            Some(news) => news,
            None => future::pending().await,
        }
    }

    /// Begins to read new tasks, and ends to read those that have ended or whose node is gone.
    async fn compare(&mut self, seen: &Seen, nodes: &Nodes, sink: &mut dyn LogSink) -> ControlFlow<()> {
        let current = self.reader.current(seen);
        for (slot, task) in current.iter().filter(|(_, task)| nodes.is_up(task)) {
            if self.open.get(&task.id).is_none_or(|open| open.is_over) {
                self.begin(slot, &task.id, nodes.name(task));
            }
        }
        self.tail = None;
        let is_read = |id: &String| current.iter().any(|(_, task)| task.id == *id && nodes.is_up(task));
        let ended: Vec<String> = self.open.keys().filter(|id| !is_read(id)).cloned().collect();
        let mut lines = Vec::new();
        for id in ended {
            let Some(Open { slot, node, handle, tail, .. }) = self.open.remove(&id) else { continue };
            handle.abort();
            match seen.tasks.iter().find(|task| task.id == id) {
                // What it wrote last may not have come yet.
                Some(task) if nodes.is_up(task) => {
                    lines.extend(self.reader.lines((&slot, task), &node, tail).await);
                }
                Some(_) => {
                    self.reader.silent.insert(node);
                }
                // With a task that the swarm has forgotten its log is gone.
                None => {}
            }
        }
        self.reader.hand_out(lines, sink)
    }

    fn begin(&mut self, slot: &Slot, id: &str, node: String) {
        // A node that was gone is back, and its task is read on from where it was.
        self.reader.silent.remove(&node);
        let request = self.reader.request;
        let range = OutputRange { since: request.since, until: request.until, tail: self.tail };
        let pieces = self.reader.engine.task_logs(id, &range, true, self.reader.read_up_to(id));
        let (of_task, name) = (slot.clone(), id.to_owned());
        let over = stream::once(future::ready(News::Over(name.clone())));
        let pieces = pieces.map(move |piece| News::Wrote(of_task.clone(), name.clone(), piece)).chain(over);
        let (pieces, handle) = stream::abortable(pieces);
        self.streams.push(Box::pin(pieces));
        self.open.insert(
            id.to_owned(),
            Open { slot: slot.clone(), node, handle, tail: self.tail, is_over: false },
        );
    }

    /// Hands out what has come, and what has come with it from others, in the order of time.
    fn take(&mut self, news: News, sink: &mut dyn LogSink) -> ControlFlow<()> {
        let mut lines = Vec::new();
        let mut next = Some(news);
        let mut count = 0;
        while let Some(news) = next {
            match news {
                News::Wrote(slot, id, Ok(piece)) => lines.extend(self.reader.take(&slot, &id, piece)),
                // The next look says what has become of it.
                News::Wrote(_, id, Err(_)) | News::Over(id) => {
                    if let Some(open) = self.open.get_mut(&id) {
                        open.is_over = true;
                    }
                }
            }
            count += 1;
            next = if count < TOGETHER { self.streams.next().now_or_never().flatten() } else { None };
        }
        self.reader.hand_out(lines, sink)
    }
}
