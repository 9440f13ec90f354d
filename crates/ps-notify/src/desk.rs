//! Decides when alerts are sent: each one by itself while there are few, and further ones combined into one when the
//! minute is over. An alert does not wait for a receiver that hangs with an earlier one.

use std::collections::{BTreeMap, VecDeque};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use formation::AppName;
use jiff::{SignedDuration, Timestamp};
use ps_alerts::{Alert, ORIGIN};
use ps_apps::World;
use ps_journal::{Entry, Journal, Unread};

use crate::courier::{Courier, Delivery};
use crate::kept::Kept;
use crate::quota::Quota;

/// Older events are not sent: an address was set after them, or the machine was off.
const OLDEST: SignedDuration = SignedDuration::from_mins(10);
/// How long the next alert waits for one that is under way. So a receiver that answers gets alerts in their order, and one that hangs
/// delays none.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the journal is looked at while alerts are under way.
const LOOK: Duration = Duration::from_millis(200);

/// The alerts of an app that are still to be sent.
pub(crate) struct Desk<'a> {
    world: &'a World,
    app: &'a AppName,
    courier: Courier<'a>,
    unread: Unread<'a>,
    quota: Quota,
    kept: Kept,
    /// The oldest first.
    under_way: VecDeque<UnderWay>,
    /// Whether the journal already says that a receiver could not be reached.
    is_failure_said: bool,
}

/// An alert that was sent, and of which it is not yet known whether it arrived.
struct UnderWay {
    event: &'static str,
    delivery: Delivery,
    /// Where a later run continues if this one is killed now: it sends the alert again.
    back: Back,
}

/// The progress before an alert was sent.
struct Back {
    last: Option<Entry>,
    left_out: BTreeMap<String, u64>,
}

impl<'a> Desk<'a> {
    /// Continues where the last run has ended.
    pub(crate) fn open(world: &'a World, app: &'a AppName, courier: Courier<'a>) -> Self {
        let kept = Kept::read(world, app);
        let unread = Unread::of(world, app).behind(kept.last.clone());
        let quota = Quota::of(kept.told.clone());
        let under_way = VecDeque::new();
        Self { world, app, courier, unread, quota, kept, under_way, is_failure_said: false }
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
                let before = self.kept.last.replace(entry);
                if let Some(alert) = alert {
                    self.take(&alert, now, before)?;
                }
            }
            if !self.under_way.is_empty() {
                self.see_to_the_oldest(LOOK)?;
            } else if self.kept.left_out.is_empty() {
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
    fn take(&mut self, alert: &Alert, now: Timestamp, before: Option<Entry>) -> Result<()> {
        if self.kept.left_out.is_empty() && self.quota.wait(now).is_zero() {
            return self.send(alert, Back { last: before, left_out: BTreeMap::new() });
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
        let back = Back { last: self.kept.last.clone(), left_out: std::mem::take(&mut self.kept.left_out) };
        self.send(&more, back)
    }

    fn send(&mut self, alert: &Alert, back: Back) -> Result<()> {
        self.quota.note(Timestamp::now());
        let delivery = self.courier.send(alert);
        self.under_way.push_back(UnderWay { event: alert.event, delivery, back });
        let newest = self.under_way.len() - 1;
        self.under_way[newest].delivery.wait(PATIENCE);
        self.see_to_the_oldest(Duration::ZERO)
    }

    /// Waits for the oldest alert that is under way, for this long at most, and forgets those that are through. The first failure of a
    /// run is written into the journal.
    fn see_to_the_oldest(&mut self, limit: Duration) -> Result<()> {
        let mut limit = limit;
        while self.under_way.front_mut().is_some_and(|oldest| oldest.delivery.wait(limit)) {
            limit = Duration::ZERO;
            let Some(oldest) = self.under_way.pop_front() else { break };
            for failure in oldest.delivery.failures() {
                if !self.is_failure_said {
                    let what = format!("{} was not told: {failure}", oldest.event);
                    Journal::of(self.world, self.app).happened(ORIGIN, &[], None, &what, true, |_| ());
                    self.is_failure_said = true;
                }
            }
        }
        self.keep()
    }

    /// Stores the progress, up to the oldest alert that is under way. An error ends this run: otherwise the next one would send all
    /// alerts again, because it would not know how many were sent.
    fn keep(&mut self) -> Result<()> {
        let mut kept = self.kept.clone();
        kept.told = self.quota.told().to_vec();
        if let Some(oldest) = self.under_way.front() {
            kept.last.clone_from(&oldest.back.last);
            kept.left_out.clone_from(&oldest.back.left_out);
        }
        kept.write(self.world, self.app)
    }
}
