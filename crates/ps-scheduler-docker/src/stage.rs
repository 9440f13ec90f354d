//! New instances before they are recorded: they are created, started, and watched for their first second. Nothing here touches
//! a record, or an instance that was there before.

use std::cell::Cell;
use std::time::Duration;

use formation::{Exit, Slot, State};
use futures_util::{StreamExt, stream};
use ps_apps::InstanceRecord;
use ps_engine::Fault;
use ps_scheduler::{Error, Progress, Release, Watch};
use serde_json::Value;
use tokio::time::Instant;

use crate::app::{AT_ONCE, App, WAITING_AT_ONCE};
use crate::{blueprint, label};

/// How long a new instance must stay up.
const FIRST_SECOND: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);
const LAST_LINES: usize = 10;

/// The new instances of one deploy, and what they are made from.
pub(crate) struct Stage<'a> {
    /// The app.
    pub(crate) app: &'a App<'a>,
    /// What its instances are started from.
    pub(crate) release: &'a Release,
    /// The image.
    pub(crate) image: &'a str,
}

/// A new instance that is not recorded yet.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    /// The slot it is for.
    pub(crate) slot: Slot,
    /// Its container.
    pub(crate) id: String,
    ip: Option<String>,
}

impl Staged {
    /// What is to be recorded about it.
    pub(crate) fn record(&self) -> InstanceRecord {
        InstanceRecord { id: Some(self.id.clone()), ip: self.ip.clone(), port: blueprint::port(&self.slot) }
    }
}

impl Stage<'_> {
    /// A running instance for each slot, or none at all and why.
    pub(crate) async fn prove(&self, slots: &[Slot], watch: &mut Watch<'_>) -> Result<Vec<Staged>, Error> {
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let mut staged = Vec::new();
        let proven = self.try_prove(slots, &mut staged, watch).await;
        if let Err(error) = proven {
            let removals = staged.iter().map(|staged| self.app.engine.remove(&staged.id));
            // A container that cannot be removed now is found by its label in the next deploy.
            stream::iter(removals).buffered(WAITING_AT_ONCE).collect::<Vec<_>>().await;
            return Err(error);
        }
        Ok(staged)
    }

    async fn try_prove(
        &self,
        slots: &[Slot],
        staged: &mut Vec<Staged>,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        self.create(slots, staged).await?;
        watch.cancel.check()?;
        self.start(staged, watch).await?;
        self.survive(staged, watch).await?;
        self.look_closely(staged).await?;
        for proven in staged.iter() {
            (watch.say)(Progress::Ready(proven.slot.clone()));
        }
        Ok(())
    }

    async fn create(&self, slots: &[Slot], staged: &mut Vec<Staged>) -> Result<(), Error> {
        let root = self.app.world.root();
        let creations = slots.iter().map(|slot| async move {
            let body = blueprint::container(root, self.release, self.image, slot);
            (slot, self.app.engine.create(&label::upcoming_name(self.app.name, slot), body).await)
        });
        let created: Vec<_> = stream::iter(creations).buffered(AT_ONCE).collect().await;
        let mut failure = None;
        for (slot, result) in created {
            match result {
                Ok(id) => staged.push(Staged { slot: slot.clone(), id, ip: None }),
                Err(fault) => failure = failure.or(Some((slot, fault))),
            }
        }
        let Some((slot, fault)) = failure else { return Ok(()) };
        let is_without_image = fault.is_gone() && fault.reason().to_lowercase().contains("image");
        let reason = if is_without_image {
            let image = self.image;
            format!("cannot be created: there is no image {image} here: docker pull {image}, or build it")
        } else {
            format!("cannot be created: {}", fault.reason())
        };
        Err(self.failed(slot, fault, reason))
    }

    /// After a failure no further instance is begun; those that were begun are waited for.
    async fn start(&self, staged: &[Staged], watch: &mut Watch<'_>) -> Result<(), Error> {
        let is_off = &Cell::new(false);
        let starts = staged.iter().map(|staged| async move {
            let result = if is_off.get() { None } else { Some(self.app.engine.start(&staged.id).await) };
            is_off.set(is_off.get() || matches!(result, Some(Err(_))));
            (staged, result)
        });
        let mut starts = stream::iter(starts).buffered(AT_ONCE);
        let mut failure = None;
        while let Some((staged, result)) = starts.next().await {
            match result {
                Some(Ok(())) => (watch.say)(Progress::Started(staged.slot.clone())),
                Some(Err(fault)) => failure = failure.or(Some((staged, fault))),
                None => (),
            }
            is_off.set(is_off.get() || watch.cancel.check().is_err());
        }
        if let Some((staged, fault)) = failure {
            let reason = format!("cannot be started: {}", fault.reason());
            return Err(self.failed(&staged.slot, fault, reason));
        }
        watch.cancel.check()
    }

    async fn survive(&self, staged: &[Staged], watch: &Watch<'_>) -> Result<(), Error> {
        let until = Instant::now() + FIRST_SECOND;
        loop {
            watch.cancel.check()?;
            let listed = self.app.listed().await?;
            for new in staged {
                match listed.iter().find(|container| container.id == new.id) {
                    Some(container) if container.state.is_alive() => (),
                    Some(container) => {
                        return Err(self.died(new, container.state, container.last_exit).await);
                    }
                    None => return Err(self.died(new, State::Missing, None).await),
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }

    /// Whether an instance has ended. One that ended and was started again between two looks is found by the engine's count of
    /// restarts.
    async fn look_closely(&self, staged: &mut [Staged]) -> Result<(), Error> {
        let looks = staged.iter().map(|staged| self.app.engine.inspect(&staged.id));
        let looks: Vec<Result<Value, Fault>> = stream::iter(looks).buffered(AT_ONCE).collect().await;
        for (new, look) in staged.iter_mut().zip(looks) {
            let look = look.map_err(|fault| self.app.error(fault, "look at the new containers"))?;
            if look["State"]["Running"] != true || look["RestartCount"].as_u64() > Some(0) {
                return Err(self.died(new, State::Backoff, None).await);
            }
            new.ip = address(&look);
        }
        Ok(())
    }

    async fn died(&self, new: &Staged, state: State, exit: Option<Exit>) -> Error {
        let what = match (state, exit) {
            (State::Missing, _) => "was removed by somebody while it started".to_owned(),
            (_, Some(exit)) => format!("ended with {exit} in its first second"),
            (_, None) => "ended in its first second".to_owned(),
        };
        let lines = self.app.engine.last_lines(&new.id, LAST_LINES).await;
        let wrote = if lines.is_empty() {
            "it wrote nothing".to_owned()
        } else {
            format!("the last it wrote:\n    {}", lines.join("\n    "))
        };
        self.refused(&new.slot, format!("{what}; {wrote}"))
    }

    fn failed(&self, slot: &Slot, fault: Fault, reason: String) -> Error {
        match fault {
            Fault::Refused { .. } => self.refused(slot, reason),
            fault => self.app.error(fault, &format!("start {slot}")),
        }
    }

    fn refused(&self, slot: &Slot, reason: String) -> Error {
        Error::deploy_failed(self.app.name, slot, reason)
    }
}

fn address(inspected: &Value) -> Option<String> {
    let networks = inspected["NetworkSettings"]["Networks"].as_object()?;
    let ips = networks.values().filter_map(|network| network["IPAddress"].as_str());
    ips.map(str::to_owned).find(|ip| !ip.is_empty())
}
