//! What happens to runs, for whoever carries a rollout out. While nobody does, nothing is kept.

use formation::Slot;
use ps_rollout::{Event, Run};

/// What happened to a run.
#[derive(Debug)]
pub(crate) enum News {
    /// Its process lives.
    Started,
    /// It could not be started.
    Refused(String),
    /// It was found ready.
    Ready,
    /// It was found not to become ready.
    NotReady(String),
    /// It ended by itself, in a way that its restart policy does not leave at that.
    Died(String),
    /// Nothing of it is left: it was told to end, or did what it was started for.
    Ended,
    /// It was told to end and would not.
    Remains(String),
    /// It was started in the place of one that died.
    Respawned {
        /// The number of that one.
        died: u64,
    },
}

/// What was not heard yet; `None`: nobody listens.
#[derive(Debug, Default)]
pub(crate) struct NewsDesk(Option<Vec<Event>>);

impl NewsDesk {
    /// From here on what happens is kept until it is taken, or no longer.
    pub(crate) fn listen(&mut self, is_heard: bool) {
        self.0 = is_heard.then(|| self.0.take().unwrap_or_default());
    }

    /// Whether somebody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// What happened since this was last asked, in order.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Something happened to the run of that number.
    pub(crate) fn tell(&mut self, news: News, slot: &Slot, number: u64) {
        let Some(untold) = &mut self.0 else { return };
        let named = |number| Run { slot: slot.clone(), number };
        let run = named(number);
        untold.push(match news {
            News::Started => Event::Started(run),
            News::Refused(reason) => Event::StartRefused { run, reason },
            News::Ready => Event::Ready(run),
            News::NotReady(reason) => Event::NotReady { run, reason },
            News::Died(how) => Event::Died { run, how },
            News::Ended => Event::Ended(run),
            News::Remains(reason) => Event::Remains { run, reason },
            News::Respawned { died } => Event::Respawned { died: named(died), run },
        });
    }
}
