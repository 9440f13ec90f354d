//! Merges the logs of several apps in the order of time. Each app is read by a thread of its own, which waits until its
//! lines are taken. So only a few lines of each app are read ahead, and an app whose scheduler does not answer delays
//! only itself while the others are followed.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use formation::AppName;
use ps_apps::World;
use ps_scheduler::{Error, LogLine, LogRequest, LogSink, ReadUpTo};

/// How many lines of an app are read ahead.
const AHEAD: usize = 64;
/// Lines of several apps that come within this time while they are followed are put in order.
const TOGETHER: Duration = Duration::from_millis(100);
/// How much memory the stack of a thread may take, in bytes.
const STACK: usize = 512 << 10;

/// The receiver of the lines of several apps. It returns `Break` when it wants no more.
pub trait Outputs {
    /// A line of an app.
    fn line(&mut self, app: &AppName, line: &LogLine) -> ControlFlow<()>;

    /// All lines of an app up to the position `read` have been passed on.
    fn caught_up(&mut self, app: &AppName, read: &ReadUpTo) -> ControlFlow<()>;

    /// An app cannot be read, or not any further.
    fn failed(&mut self, app: &AppName, error: Error) -> ControlFlow<()>;
}

/// The messages of a thread that reads an app.
enum News {
    Line(LogLine),
    CaughtUp(ReadUpTo),
    Failed(Error),
    Over,
}

/// Reads the output of these apps: lines of one app in the order of its request, lines of several apps in the order of
/// time.
pub fn gather(world: &World, requests: Vec<LogRequest>, outputs: &mut dyn Outputs) {
    match <[LogRequest; 1]>::try_from(requests) {
        Ok([request]) => {
            let mut one = One { app: &request.app, outputs };
            if let Err(error) = read(world, &request, &mut one) {
                let _ = one.outputs.failed(&request.app, error);
            }
        }
        Err(requests) => {
            let apps: Vec<AppName> = requests.iter().map(|request| request.app.clone()).collect();
            let is_followed = requests.iter().any(|request| request.follows(SystemTime::now()));
            if is_followed {
                follow(world, requests, &apps, outputs);
            } else {
                merge(world, requests, &apps, outputs);
            }
        }
    }
}

fn read(world: &World, request: &LogRequest, sink: &mut dyn LogSink) -> Result<(), Error> {
    let scheduler = ps_schedulers::of(world, &request.app).map_err(|error| Error::Backend {
        context: format!("read which scheduler {} has", request.app),
        reason: error.to_string(),
    })?;
    scheduler.logs(request, sink)
}

/// The output of one app.
struct One<'a> {
    app: &'a AppName,
    outputs: &'a mut dyn Outputs,
}

impl LogSink for One<'_> {
    fn line(&mut self, line: &LogLine) -> ControlFlow<()> {
        self.outputs.line(self.app, line)
    }

    fn caught_up(&mut self, read: &ReadUpTo) -> ControlFlow<()> {
        self.outputs.caught_up(self.app, read)
    }
}

/// Sends the output of an app to the thread that puts the lines in order.
struct Sent {
    index: usize,
    to: SyncSender<(usize, News)>,
}

impl Sent {
    /// Sends a message. If the receiver is gone, no more are wanted.
    fn send(&self, news: News) -> ControlFlow<()> {
        match self.to.send((self.index, news)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

impl LogSink for Sent {
    fn line(&mut self, line: &LogLine) -> ControlFlow<()> {
        self.send(News::Line(line.clone()))
    }

    fn caught_up(&mut self, read: &ReadUpTo) -> ControlFlow<()> {
        self.send(News::CaughtUp(read.clone()))
    }
}

/// Reads an app in a thread of its own. The thread is not joined, because it may be waiting for an engine.
fn begin(world: &World, request: LogRequest, index: usize, to: SyncSender<(usize, News)>) {
    let world = world.clone();
    let mut sent = Sent { index, to };
    let last = sent.to.clone();
    let begun = thread::Builder::new().stack_size(STACK).spawn(move || {
        if let Err(error) = read(&world, &request, &mut sent) {
            let _ = sent.send(News::Failed(error));
        }
        let _ = sent.send(News::Over);
    });
    if let Err(error) = begun {
        let (context, reason) = ("start a thread".to_owned(), error.to_string());
        let _ = last.send((index, News::Failed(Error::Backend { context, reason })));
        let _ = last.send((index, News::Over));
    }
}

/// The lines of all apps up to now, each time the earliest of the next lines of all apps.
fn merge(world: &World, requests: Vec<LogRequest>, apps: &[AppName], outputs: &mut dyn Outputs) {
    let readers = requests.into_iter().enumerate().map(|(index, request)| {
        let (to, from) = sync_channel(AHEAD);
        begin(world, request, index, to);
        from
    });
    let readers: Vec<Receiver<(usize, News)>> = readers.collect();
    let mut heads: Vec<Option<LogLine>> = Vec::new();
    for (reader, app) in readers.iter().zip(apps) {
        match next(reader, app, outputs) {
            ControlFlow::Continue(head) => heads.push(head),
            ControlFlow::Break(()) => return,
        }
    }
    loop {
        let waiting = heads.iter().enumerate().filter_map(|(index, head)| Some((head.as_ref()?.at, index)));
        let Some((_, index)) = waiting.min() else { return };
        if heads[index].take().is_some_and(|line| outputs.line(&apps[index], &line).is_break()) {
            return;
        }
        match next(&readers[index], &apps[index], outputs) {
            ControlFlow::Continue(head) => heads[index] = head,
            ControlFlow::Break(()) => return,
        }
    }
}

/// The next line of an app; other events that come before it are reported.
fn next(
    reader: &Receiver<(usize, News)>,
    app: &AppName,
    outputs: &mut dyn Outputs,
) -> ControlFlow<(), Option<LogLine>> {
    loop {
        match reader.recv() {
            Ok((_, News::Line(line))) => return ControlFlow::Continue(Some(line)),
            Ok((_, News::CaughtUp(read))) => outputs.caught_up(app, &read)?,
            Ok((_, News::Failed(error))) => outputs.failed(app, error)?,
            Ok((_, News::Over)) | Err(_) => return ControlFlow::Continue(None),
        }
    }
}

/// The lines of all apps as they come. Lines that come within [`TOGETHER`] are put in order.
fn follow(world: &World, requests: Vec<LogRequest>, apps: &[AppName], outputs: &mut dyn Outputs) {
    let (to, from) = sync_channel(AHEAD * 16);
    for (index, request) in requests.into_iter().enumerate() {
        begin(world, request, index, to.clone());
    }
    drop(to);
    // The lines that exist already are one batch.
    let mut awaited: Vec<bool> = vec![true; apps.len()];
    loop {
        let Ok(first) = from.recv() else { return };
        let mut batch = vec![first];
        let ends = Instant::now() + TOGETHER;
        loop {
            for (index, news) in &batch[batch.len() - 1..] {
                awaited[*index] &= matches!(news, News::Line(_));
            }
            let is_first = awaited.contains(&true);
            let left = if is_first { TOGETHER } else { ends.saturating_duration_since(Instant::now()) };
            match from.recv_timeout(left) {
                Ok(news) => batch.push(news),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        if tell(batch, apps, outputs).is_break() {
            return;
        }
    }
}

/// Passes on a batch: its lines in the order of time, then the positions up to which the apps were read.
fn tell(batch: Vec<(usize, News)>, apps: &[AppName], outputs: &mut dyn Outputs) -> ControlFlow<()> {
    let (mut lines, mut rest) = (Vec::new(), Vec::new());
    for (index, news) in batch {
        match news {
            News::Line(line) => lines.push((index, line)),
            other => rest.push((index, other)),
        }
    }
    lines.sort_by_key(|(_, line)| line.at);
    for (index, line) in lines {
        outputs.line(&apps[index], &line)?;
    }
    for (index, news) in rest {
        match news {
            News::CaughtUp(read) => outputs.caught_up(&apps[index], &read)?,
            News::Failed(error) => outputs.failed(&apps[index], error)?,
            News::Line(_) | News::Over => (),
        }
    }
    ControlFlow::Continue(())
}
