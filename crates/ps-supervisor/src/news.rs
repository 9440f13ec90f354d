//! Events of runs, collected for the rollout that is in progress. Without one, nothing is collected.

use std::time::Duration;

use formation::Slot;
use ps_rollout::{Event, Run};

/// What happened to a run.
#[derive(Debug)]
pub(crate) enum News {
    /// Its process was started.
    Started,
    /// It could not be started: the reason.
    Refused(String),
    /// It asks for this much time from now on to become ready.
    Extended(Duration),
    /// It was found ready.
    Ready,
    /// It will not become ready: the reason.
    NotReady(String),
    /// It ended by itself in a way that its restart policy calls a failure.
    Died(String),
    /// Nothing of it is left, after it was told to end or finished what it was started for.
    Ended,
    /// It was told to end and survived SIGKILL: the reason.
    Remains(String),
    /// The restart policy started it in place of one that died.
    Respawned {
        /// The number of the one that died.
        died: u64,
    },
}

/// The events that were not taken yet; `None`: no rollout is in progress.
#[derive(Debug, Default)]
pub(crate) struct NewsDesk(Option<Vec<Event>>);

impl NewsDesk {
    /// Begins to collect, or drops what was collected and stops collecting.
    pub(crate) fn listen(&mut self, is_heard: bool) {
        self.0 = is_heard.then(|| self.0.take().unwrap_or_default());
    }

    /// Whether events are collected.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// The events since this was last called, in order.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Adds an event of the run with that number.
    pub(crate) fn tell(&mut self, news: News, slot: &Slot, number: u64) {
        let Some(untold) = &mut self.0 else { return };
        let named = |number| Run { slot: slot.clone(), number };
        let run = named(number);
        untold.push(match news {
            News::Started => Event::Started(run),
            News::Refused(reason) => Event::StartRefused { run, reason },
            News::Extended(time) => Event::Extended { run, time },
            News::Ready => Event::Ready(run),
            News::NotReady(reason) => Event::NotReady { run, reason },
            News::Died(how) => Event::Died { run, how },
            News::Ended => Event::Ended(run),
            News::Remains(reason) => Event::Remains { run, reason },
            News::Respawned { died } => Event::Respawned { died: named(died), run },
        });
    }
}
