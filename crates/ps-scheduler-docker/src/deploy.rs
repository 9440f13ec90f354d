//! `deploy`: carries out a plan as a rollout (docs/rollout.md). Everything that can be checked is checked before the first
//! container is made.

use std::collections::BTreeMap;
use std::time::Duration;

use formation::{AppName, ProcessType, RestartPolicy, Slot};
use ps_apps::InstanceFiles;
use ps_engine::Container;
use ps_rollout::{Event, Outcome, Rollout, Run, Strategy};
use ps_scheduler::{Change, DeployOutcome, Error, Moved, Plan, Progress, Release, Requester};
use ps_service::{Opened, Service};

use crate::address::{self, Address};
use crate::app::{self, App};
use crate::carry_out::Executor;
use crate::containers::{Containers, Fresh};
use crate::docker_local::DockerLocal;
use crate::recover::{self, Recovered};
use crate::rollout_file::{Hold, RolloutFile, Terms, UnderWay};
use crate::{found, judge, task};

/// How much longer a busy engine may take for each container to create and start; a type's deadline is extended by that.
const FOR_EACH: Duration = Duration::from_secs(5);

/// Carries out the plan.
pub(crate) fn deploy(
    docker: &DockerLocal,
    plan: &Plan,
    requester: &mut Requester<'_>,
) -> Result<DeployOutcome, Error> {
    requester.cancel.check()?;
    if plan.is_noop() && plan.tasks.is_empty() {
        return Ok(DeployOutcome { kept: slots(plan, Change::Keep), ..DeployOutcome::default() });
    }
    let name = &plan.release.app;
    if plan.release.source.is_native() {
        return Err(Error::Unsupported {
            scheduler: "docker-local".to_owned(),
            what: "run a directory: build an image of it and deploy that with --image",
        });
    }
    // For a deploy, the caller has had the plan judged before it recorded the deploy.
    if !plan.is_deploy {
        judge::judge(docker, plan)?;
    }
    if !app::records(docker.world(), name)?.have_a_place() {
        return Err(Error::Backend {
            context: format!("deploy {name}"),
            reason: format!("there is no such app in {}: create it first", docker.world().root().display()),
        });
    }
    let app = App { engine: docker.engine()?, world: docker.world(), name };
    let file = recover::file(&app);
    file.make_room().map_err(|error| app.unwritable(&error))?;
    let _held = app.hold(&file)?;
    let recovered = app.recover(&file, plan.release.stop_timeout, requester)?;
    app.ensure_network(&plan.release)?;
    for task in &plan.tasks {
        task::run(docker, &plan.release, task, requester)?;
    }
    if plan.is_noop() {
        return Ok(DeployOutcome { kept: slots(plan, Change::Keep), ..DeployOutcome::default() });
    }
    app.roll(plan, &file, recovered, requester)
}

/// Tidies up for a plan without changes: finishes or undoes a rollout whose executor has died, removes ended containers that do not
/// belong to a slot, and makes sure that the app is reached at the addresses of its release.
pub(crate) fn tend(docker: &DockerLocal, plan: &Plan, requester: &mut Requester<'_>) -> Result<(), Error> {
    let app = App { engine: docker.engine()?, world: docker.world(), name: &plan.release.app };
    let file = recover::file(&app);
    if recover::was_cut_off(app.world, app.name) {
        let _held = app.hold(&file)?;
        app.recover(&file, plan.release.stop_timeout, requester)?;
        return app.tend_address(plan);
    }
    // An engine may report that it has removed a container without having done so. If a rollout is in progress, its executor
    // removes such containers itself.
    let held = file.hold();
    if !matches!(held, Hold::Others) {
        let records = app::records(app.world, app.name)?;
        for line in app.engine.run(app.sweep(&records))? {
            (requester.tell)(Progress::Note(line));
        }
        app.tend_address(plan)?;
    }
    Ok(())
}

/// Finishes or undoes a rollout whose executor has died, without a plan.
pub(crate) fn end_interrupted(
    docker: &DockerLocal,
    name: &AppName,
    requester: &mut Requester<'_>,
) -> Result<(), Error> {
    if !recover::was_cut_off(docker.world(), name) {
        return Ok(());
    }
    let app = App { engine: docker.engine()?, world: docker.world(), name };
    let file = recover::file(&app);
    let _held = app.hold(&file)?;
    let grace = app.world.stop_timeout(name).map_err(|error| app.unwritable(&error))?;
    app.recover(&file, grace, requester).map(drop)
}

/// Changes the address of the app to that of this release, and directs clients to its present containers.
pub(crate) fn reach(docker: &DockerLocal, release: &Release) -> Result<Moved, Error> {
    let (world, name) = (docker.world(), &release.app);
    if let Some(reason) = Service::of(world, name, None).refusal_to_listen(release.reached()) {
        return Err(Error::Backend { context: format!("change the address of {name}"), reason });
    }
    let app = App { engine: docker.engine()?, world, name };
    let _held = app.hold(&recover::file(&app))?;
    let records = app::records(world, name)?;
    // If no container runs, the next start opens the address.
    if !address::backends(&app, &records, &[])?.is_empty()
        && let Some(opened) = Address::open(&app, release, &records)?
    {
        opened.settle(release.reached())?;
    }
    Ok(Moved::Done)
}

fn slots(plan: &Plan, change: Change) -> Vec<Slot> {
    plan.slots(change).cloned().collect()
}

/// The restart policies of types that have one of their own.
fn policies(plan: &Plan) -> BTreeMap<String, RestartPolicy> {
    let own = |process_type: &ProcessType| {
        Some((process_type.to_string(), plan.release.settings(process_type).restart_policy?))
    };
    plan.rules.keys().filter_map(own).collect()
}

impl App<'_> {
    /// If any instance of the app is to run, its address is opened, and directs clients to its present containers.
    fn tend_address(&self, plan: &Plan) -> Result<(), Error> {
        if plan.filled().next().is_none() {
            return Ok(());
        }
        match Address::open(self, &plan.release, &app::records(self.world, self.name)?)? {
            Some(opened) => opened.settle(plan.release.reached()),
            None => Ok(()),
        }
    }

    fn roll(
        &self,
        plan: &Plan,
        file: &RolloutFile<'_>,
        recovered: Recovered,
        requester: &mut Requester<'_>,
    ) -> Result<DeployOutcome, Error> {
        let Recovered { mut written, records } = recovered;
        let listed = self.engine.run(self.listed(&records))?;
        let runs = found::runs(&records, &listed);
        written.next_run = found::next_number(&listed, written.next_run);
        written.release = found::release(&records, &listed, written.release);
        let rollout = with_time(plan.rollout(&found::present(&runs), written.next_run));
        let terms = Terms {
            release: written.release + u64::from(plan.is_deploy),
            old_release: written.release,
            deploy: plan.deploy.clone().or_else(|| written.deploy.clone()),
            old_deploy: written.deploy.clone(),
            policy: plan.release.restart_policy,
            policies: policies(plan),
            old_policies: self.engine.run(self.old_policies(&rollout, &records))?,
        };
        let begun = Rollout::new(&rollout);
        let begun = if plan.only_fills() { begun.each_for_itself() } else { begun };
        written.under_way = Some(UnderWay { terms: terms.clone(), rollout: begun });
        let mut containers = Containers::new(self, records, terms, plan.release.stop_timeout);
        containers.know(&runs);
        containers.fresh = Some(Fresh { release: &plan.release });
        let opened = Address::open(self, &plan.release, &containers.records.borrow())?;
        let ran = Executor::new(&containers, file, written).carry_out(vec![Event::Begin], requester);
        self.conclude_address(plan, opened, ran.as_ref().ok().map(|(outcome, _)| outcome))?;
        let (outcome, _) = ran?;
        let unstopped = self.unstopped(plan, &outcome);
        if recover::was_cut_off(self.world, self.name) {
            let text = format!("what was replaced may still run: the next verb about {} ends it", self.name);
            (requester.tell)(Progress::Note(text));
        }
        let records = containers.records.into_inner();
        let concluded = ps_scheduler::conclude(self.name, outcome, requester)
            .and_then(|outcome| self.clear(plan, records.clone(), outcome));
        // Containers that have ended and have no record any more are removed, whether the rollout succeeded or not.
        let swept = self.engine.run(self.sweep(&records));
        swept.unwrap_or_default().into_iter().for_each(|line| (requester.tell)(Progress::Note(line)));
        unstopped.map_or(concluded, Err)
    }

    /// After a rollout: the address is that of the new release, or the earlier one if the rollout has failed. If the next verb has
    /// to finish the rollout, both addresses stay open.
    fn conclude_address(
        &self,
        plan: &Plan,
        opened: Option<Opened>,
        outcome: Option<&Outcome>,
    ) -> Result<(), Error> {
        let Some(opened) = opened.filter(|_| !recover::was_cut_off(self.world, self.name)) else {
            return Ok(());
        };
        if outcome.is_some_and(|outcome| outcome.cause.is_none()) {
            return opened.settle(plan.release.reached());
        }
        opened.put_back();
        Ok(())
    }

    /// The error for instances that survived the order to stop, when everything else has succeeded.
    fn unstopped(&self, plan: &Plan, outcome: &Outcome) -> Option<Error> {
        let is_to_stop = |run: &Run| plan.slots(Change::Stop).any(|slot| *slot == run.slot);
        let (run, reason) = outcome.remains.iter().find(|(run, _)| is_to_stop(run))?;
        let context = format!("stop {} of {}", run.slot, self.name);
        outcome.cause.is_none().then(|| Error::Backend { context, reason: reason.clone() })
    }

    /// The restart policies that the recorded containers had, for a rollout that may have to start them again. During the rollout
    /// the policies in the engine are set to `no`.
    async fn old_policies(
        &self,
        rollout: &ps_rollout::Plan,
        records: &InstanceFiles,
    ) -> Result<BTreeMap<Slot, RestartPolicy>, Error> {
        let mut policies = BTreeMap::new();
        for (process_type, planned) in &rollout.types {
            if planned.rules.strategy == Strategy::Overlap {
                continue;
            }
            for (index, change) in &planned.slots {
                let slot = Slot::new(process_type.clone(), *index);
                let id = records.slots.get(&slot).and_then(|record| record.id.as_deref());
                let is_told_to_end =
                    matches!(change, ps_rollout::Change::Replace(_) | ps_rollout::Change::Stop(_));
                if let Some(id) = id.filter(|_| is_told_to_end) {
                    let policy = self.engine.policy(id).await;
                    let policy = policy.map_err(|fault| self.error(fault, "look at the containers"))?;
                    policies.extend(policy.map(|policy| (slot, policy)));
                }
            }
        }
        Ok(policies)
    }

    /// After a rollout: removes containers that had ended before it began and are no longer wanted.
    fn clear(
        &self,
        plan: &Plan,
        mut records: InstanceFiles,
        mut outcome: DeployOutcome,
    ) -> Result<DeployOutcome, Error> {
        let done = |slots: &[Slot], slot: &Slot| slots.contains(slot);
        let kept = plan.slots(Change::Keep).filter(|slot| !done(&outcome.kept, slot)).cloned();
        outcome.kept.extend(kept.collect::<Vec<_>>());
        let over = plan.slots(Change::Stop).filter(|slot| !outcome.fates.contains_key(slot)).cloned();
        let over: Vec<Slot> = over.collect();
        self.engine.run(async {
            for slot in &over {
                if let Some(id) = records.slots.get(slot).and_then(|record| record.id.clone()) {
                    let removed = self.engine.remove(&id).await;
                    removed.map_err(|fault| self.error(fault, &format!("remove {slot}")))?;
                }
            }
            Ok::<(), Error>(())
        })?;
        records.remove(&over).map_err(|error| Error::Backend {
            context: format!("forget the containers of {}", self.name),
            reason: error.to_string(),
        })?;
        outcome.stopped.extend(over);
        Ok(outcome)
    }

    /// Removes containers that have ended and have no record.
    async fn sweep(&self, records: &InstanceFiles) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        let is_left = |container: &Container| {
            (container.is_over || container.is_new) && !records.contains(&container.id)
        };
        for container in self.listed(records).await?.into_iter().filter(is_left) {
            if let Err(fault) = self.engine.remove(&container.id).await {
                lines.push(format!("{} is left over and could not be removed: {fault}", container.name));
            }
        }
        Ok(lines)
    }
}

/// The plan with deadlines that allow the engine to start this many containers.
fn with_time(mut rollout: ps_rollout::Plan) -> ps_rollout::Plan {
    for planned in rollout.types.values_mut() {
        let count = u32::try_from(planned.slots.len()).unwrap_or(u32::MAX);
        planned.rules.deadline = planned.rules.deadline.saturating_add(FOR_EACH.saturating_mul(count));
    }
    rollout
}
