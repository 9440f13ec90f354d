//! Examines one app: compares the state of its containers with the records.

use std::collections::BTreeMap;
use std::time::Duration;

use formation::{AppName, Slot};
use ps_apps::InstanceFiles;
use ps_engine::{Container, Fault};
use ps_release::Release;
use ps_scheduler::Error;
use serde_json::Value;
use type_settings::Checking;

use crate::app::{self, App};
use crate::asking::Subject;
use crate::label;
use crate::recover;
use crate::watch::{News, Watcher, What};
use crate::watch_file::{MOST_STARTS, Watched, Withdrawn};
use crate::watch_rounds::{self, Round};

/// The pause between two looks at an app that is being deployed.
const MEANWHILE: Duration = Duration::from_secs(2);

impl Watcher<'_> {
    /// Looks at an app. If a part of its state cannot be read, a message says so, and the next event of the app
    /// causes another look.
    pub(crate) async fn look_at(&mut self, name: &AppName) {
        let (docker, engine) = (self.docker, self.engine);
        let app = App { engine, world: docker.world(), name };
        let is_rolling = recover::was_cut_off(app.world, name);
        let is_settled = !is_rolling && !app.world.is_unfinished(name);
        if !is_settled {
            // While a deploy is in progress, the records do not describe the running containers.
            self.look_in(MEANWHILE, name.clone());
        }
        match app.listed_now().await {
            Ok((records, listed)) => {
                let running = self.compare(&app, &records, &listed, is_rolling).await;
                let release = ps_release::deployed(app.world, name).ok().flatten().map(|found| found.release);
                self.follow(&app, release.as_ref().filter(|_| is_settled), running);
                if is_settled {
                    self.wind(&app, release.as_ref()).await;
                } else {
                    self.turn(&app).await;
                }
            }
            Err(Looked::Fault(fault)) => self.lose(&fault),
            Err(Looked::Unreadable(error)) => self.news.push(News::Say(error.to_string())),
        }
    }

    /// Orders the actions that are needed. Returns the running containers, each with whether clients are kept away
    /// from it.
    async fn compare(
        &mut self,
        app: &App<'_>,
        records: &InstanceFiles,
        listed: &[Container],
        is_rolling: bool,
    ) -> BTreeMap<Slot, (String, bool)> {
        let mut watched = Watched::read(app.world, app.name);
        let (mut running, mut is_elsewhere) = (BTreeMap::new(), false);
        for (slot, record) in &records.slots {
            let container = listed.iter().find(|container| record.id.as_deref() == Some(&container.id));
            let Some(container) = container else { continue };
            if container.state.is_alive() {
                let withdrawn = watched.withdrawn(slot, &container.id).is_some();
                let wanted = container.ip.as_ref().filter(|_| !withdrawn);
                is_elsewhere |= record.ip.as_ref() != wanted;
                running.insert(slot.clone(), (container.id.clone(), withdrawn));
            } else if container.is_over && !is_rolling {
                self.take_end(app, slot, container, &mut watched).await;
            }
        }
        let is_there = |slot: &Slot, id: &str| running.get(slot).is_some_and(|(running, _)| running == id);
        watched.withdrawn.retain(|slot, withdrawn| is_there(slot, &withdrawn.id));
        self.keep(app, &watched);
        // During a rollout its executor writes the records.
        if is_elsewhere && !is_rolling {
            self.order(app.name, What::Redirect, "its containers have other addresses".to_owned());
        }
        running
    }

    /// Makes the checks of the recorded, running instances. As long as there is no release, the checks of a new
    /// container are unknown.
    fn follow(&mut self, app: &App<'_>, release: Option<&Release>, running: BTreeMap<Slot, (String, bool)>) {
        let is_same = |slot: &Slot, id: &str| running.get(slot).is_some_and(|(running, _)| running == id);
        self.tracked.retain(|(name, slot), tracked| name != app.name || is_same(slot, &tracked.id));
        let Some(release) = release else { return };
        for (slot, (id, is_withdrawn)) in running {
            let place = (app.name.clone(), slot.clone());
            self.missed.remove(&place);
            if self.tracked.contains_key(&place) {
                continue;
            }
            let subject = Subject::of(app, &slot, id.clone());
            let rounds = rounds(app, &slot, &subject, release, is_withdrawn);
            self.track(place, id, rounds);
        }
    }

    /// Handles a container that has ended and that the engine does not restart.
    async fn take_end(&mut self, app: &App<'_>, slot: &Slot, container: &Container, watched: &mut Watched) {
        let place = (app.name.clone(), slot.clone());
        let ran = self.missed.remove(&place).is_some_and(|id| id == container.id);
        let is_seen_to = self.ordered.contains(&container.id) || watched.is_given_up(slot, &container.id);
        if is_seen_to || recover::is_stopped(app, slot, &container.id) {
            return;
        }
        let inspected = match self.engine.inspect(&container.id).await {
            Ok(inspected) => inspected,
            Err(fault) if fault.is_silence() => return self.lose(&fault),
            Err(_) => return,
        };
        if ran && has_policy(&inspected) {
            let why = "it ran when the Docker engine went away".to_owned();
            return self.order(app.name, What::Start(slot.clone(), container.id.clone()), why);
        }
        let Some(restarts) = exhausted(&inspected) else { return };
        let exit = container.last_exit.map(|exit| format!(" ({exit})")).unwrap_or_default();
        let ended = format!("it ended{exit} after {restarts} restarts");
        if watched.may_start(label::release(container).unwrap_or(0), slot, &container.id) {
            self.order(app.name, What::Start(slot.clone(), container.id.clone()), ended);
        } else {
            let name = app.name;
            self.news.push(News::Say(format!(
                "{slot} of {name} is given up: {ended}, and was started anew {MOST_STARTS} times: ps-lifecycle logs {name} {slot}"
            )));
        }
    }

    /// Keeps clients away from an instance from now on.
    pub(crate) fn withdraw(&mut self, round: &Round, why: &str) {
        let app = App { engine: self.engine, world: self.docker.world(), name: &round.app };
        let mut watched = Watched::read(app.world, app.name);
        let withdrawn = Withdrawn { id: round.subject.id.clone(), why: why.to_owned() };
        watched.withdrawn.insert(round.slot.clone(), withdrawn);
        self.keep(&app, &watched);
        let why = format!("{} is not ready: it {why}", round.slot);
        self.order(&round.app, What::Redirect, why);
    }

    /// Directs clients to an instance again.
    pub(crate) fn lead_back(&mut self, round: &Round) {
        let app = App { engine: self.engine, world: self.docker.world(), name: &round.app };
        let mut watched = Watched::read(app.world, app.name);
        if watched.withdrawn.remove(&round.slot).is_some() {
            self.keep(&app, &watched);
            self.order(&round.app, What::Redirect, format!("{} is ready again", round.slot));
        }
    }

    fn keep(&mut self, app: &App<'_>, watched: &Watched) {
        if let Err(error) = watched.write(app.world, app.name) {
            self.news.push(News::Say(error.to_string()));
        }
    }
}

fn rounds(
    app: &App<'_>,
    slot: &Slot,
    subject: &Subject,
    release: &Release,
    is_withdrawn: bool,
) -> Vec<Round> {
    let is_disabled = release.checking(&slot.process_type) == Checking::Disabled;
    let process = release.process(&slot.process_type).filter(|_| !is_disabled);
    let checks = process.map(|process| &process.checks);
    checks.map_or_else(Vec::new, |checks| watch_rounds::of(app.name, slot, subject, checks, is_withdrawn))
}

/// Whether the engine was to restart a container.
fn has_policy(inspected: &Value) -> bool {
    !matches!(inspected["HostConfig"]["RestartPolicy"]["Name"].as_str(), None | Some("" | "no"))
}

/// How often the engine has restarted a container, if the container has failed and no restart is left.
fn exhausted(inspected: &Value) -> Option<u64> {
    let policy = &inspected["HostConfig"]["RestartPolicy"];
    let most = policy["MaximumRetryCount"].as_u64().filter(|most| *most > 0)?;
    let restarts = inspected["RestartCount"].as_u64().filter(|restarts| *restarts >= most)?;
    let has_failed = inspected["State"]["ExitCode"].as_i64() != Some(0);
    (policy["Name"] == "on-failure" && has_failed).then_some(restarts)
}

/// Why an app could not be looked at.
enum Looked {
    Fault(Fault),
    Unreadable(Error),
}

impl App<'_> {
    async fn listed_now(&self) -> Result<(InstanceFiles, Vec<Container>), Looked> {
        let records = app::records(self.world, self.name).map_err(Looked::Unreadable)?;
        let [_, ours, deployed] = self.filters();
        let listed = self.engine.list(&[ours, deployed]).await.map_err(Looked::Fault)?;
        Ok((records, listed))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_is_given_up_by_the_engine_when_it_has_failed_as_often_as_it_may() {
        let of = |policy: &str, most: u64, restarts: u64, code: i64| {
            exhausted(&json!({
                "HostConfig": {"RestartPolicy": {"Name": policy, "MaximumRetryCount": most}},
                "RestartCount": restarts, "State": {"ExitCode": code},
            }))
        };
        assert_eq!(of("on-failure", 2, 2, 1), Some(2));
        for (policy, most, restarts, code) in [
            ("on-failure", 2, 1, 1),
            ("on-failure", 2, 2, 0),
            ("on-failure", 0, 99, 1),
            ("always", 0, 99, 1),
            ("no", 0, 0, 1),
        ] {
            assert_eq!(of(policy, most, restarts, code), None, "{policy} {most} {restarts} {code}");
        }
    }
}
