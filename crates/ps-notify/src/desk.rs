//! Decides when alerts are sent: each one by itself while there are few, and further ones combined into one when the
//! minute is over.

use std::thread;

use anyhow::{Context, Result};
use formation::AppName;
use jiff::{SignedDuration, Timestamp};
use ps_alerts::{Alert, ORIGIN};
use ps_apps::World;
use ps_journal::{Journal, Unread};

use crate::courier::Courier;
use crate::kept::Kept;
use crate::quota::Quota;

/// Older events are not sent: an address was set after them, or the machine was off.
const OLDEST: SignedDuration = SignedDuration::from_mins(10);

/// The alerts of an app that are still to be sent.
pub(crate) struct Desk<'a> {
    world: &'a World,
    app: &'a AppName,
    courier: Courier<'a>,
    unread: Unread<'a>,
    quota: Quota,
    kept: Kept,
    /// Whether the journal already says that a receiver could not be reached.
    is_failure_said: bool,
}

impl<'a> Desk<'a> {
    /// Continues where the last run has ended.
    pub(crate) fn open(world: &'a World, app: &'a AppName, courier: Courier<'a>) -> Self {
        let kept = Kept::read(world, app);
        let unread = Unread::of(world, app).behind(kept.last.clone());
        let quota = Quota::of(kept.told.clone());
        Self { world, app, courier, unread, quota, kept, is_failure_said: false }
    }

    /// Sends alerts about all new entries. Returns the state of the journal at the last reading.
    pub(crate) fn work(mut self) -> Result<Option<(u64, u64)>> {
        loop {
            let state = Journal::of(self.world, self.app).state();
            let news = self.unread.news().with_context(|| format!("read the journal of {}", self.app))?;
            let is_nothing = news.entries.is_empty();
            for entry in news.entries {
                let now = Timestamp::now();
                let alert = Alert::of(self.app, &entry).filter(|_| now.duration_since(entry.at) <= OLDEST);
                self.kept.last = Some(entry);
                if let Some(alert) = alert {
                    self.take(&alert, now)?;
                }
            }
            if self.kept.left_out.is_empty() {
                self.keep()?;
                if is_nothing {
                    return Ok(state);
                }
            } else {
                self.tell_of_more()?;
            }
        }
    }

    /// Sends an alert, or counts it for later.
    fn take(&mut self, alert: &Alert, now: Timestamp) -> Result<()> {
        if self.kept.left_out.is_empty() && self.quota.wait(now).is_zero() {
            return self.tell(alert);
        }
        *self.kept.left_out.entry(alert.event.to_owned()).or_default() += 1;
        self.kept.left_out_until = alert.at();
        Ok(())
    }

    /// Sends one alert for those that were counted, or waits until that is permitted; events that happen meanwhile are counted
    /// too.
    fn tell_of_more(&mut self) -> Result<()> {
        let wait = self.quota.wait(Timestamp::now());
        if !wait.is_zero() {
            self.keep()?;
            thread::sleep(wait);
            return Ok(());
        }
        let more = Alert::of_more(self.app, &self.kept.left_out, self.kept.left_out_until);
        self.kept.left_out.clear();
        self.tell(&more)
    }

    /// Sends an alert. The first failure of a run is written into the journal.
    fn tell(&mut self, alert: &Alert) -> Result<()> {
        self.quota.note(Timestamp::now());
        for failure in self.courier.tell(alert) {
            if !self.is_failure_said {
                let what = format!("{} was not told: {failure}", alert.event);
                Journal::of(self.world, self.app).happened(ORIGIN, &[], None, &what, true, |_| ());
                self.is_failure_said = true;
            }
        }
        self.keep()
    }

    /// Stores the progress. An error ends this run: otherwise the next one would send all alerts again, because it would not
    /// know how many were sent.
    fn keep(&mut self) -> Result<()> {
        self.kept.told = self.quota.told().to_vec();
        self.kept.write(self.world, self.app)
    }
}
