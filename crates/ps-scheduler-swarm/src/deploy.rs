//! `deploy`: turns a plan into changes of services, follows them to the end, and puts back what failed. The swarm
//! replaces tasks by itself. It accepts a change at once and does not report its result, so this module waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, Instant};

use formation::{ProcessType, RestartPolicy, Slot};
use jiff::Timestamp;
use ps_rollout::{Rules, Strategy};
use ps_scheduler::{Cancel, Change, DeployOutcome, Error, Plan, Progress, Requester};
use serde_json::Value;

use crate::address::Opening;
use crate::changes::{self, ServiceChange};
use crate::failed::backend;
use crate::follow::Follower;
use crate::image_kind::Launched;
use crate::limit::Limit;
use crate::manager::{AFTER_GRACE, Manager, Seen, scaled};
use crate::put_back;
use crate::sealed::{self, Seal};
use crate::service::Service;
use crate::spec::{self, Identity, Proof};
use crate::standing::Move;
use crate::swarm::Swarm;
use crate::{committed, images, judge, made, remarks, secret, task};

/// One deploy that is under way.
struct Deploy<'a> {
    manager: Manager<'a>,
    plan: &'a Plan,
    seen: Seen,
    /// What the deploy is called, and so what its services say that they are of.
    name: String,
    /// What tells its tasks from those before.
    revision: String,
    release: u64,
    /// What takes the environment of those types out of their specifications that are to have it so; `None`: of no type.
    seal: Option<Seal>,
    launched: Launched,
    follower: Follower,
    moves: Vec<Move>,
    /// When each type that stops first has begun to be without an instance.
    silent_since: BTreeMap<ProcessType, Instant>,
}

/// Carries the plan out.
pub(crate) fn deploy(
    swarm: &Swarm,
    plan: &Plan,
    requester: &mut Requester<'_>,
) -> Result<DeployOutcome, Error> {
    let limit = Limit::of_plan(plan);
    judge::judge_within(swarm, plan, &limit)?;
    requester.cancel.check()?;
    let app = &plan.release.app;
    let world = swarm.ensured_id()?;
    for planned in &plan.tasks {
        task::run(swarm, &plan.release, planned, requester)?;
    }
    let engine = swarm.engine()?;
    let opened = Opening::of(swarm, &plan.release)?;
    let clients = opened.as_ref().map(|opened| &opened.clients);
    let logins = swarm.logins(app, requester.tell);
    let manager = Manager { clients, logins: &logins, ..Manager::new(engine, &world, app, requester.cancel) };
    let contact = Rc::clone(&manager.contact);
    let outcome = engine.run(limit.hold(&contact, async {
        let mut deploy = Deploy::of(swarm, plan, manager).await?;
        deploy.follower.know(&deploy.seen);
        if let Some(reason) = changes::refusal_to_start(plan, &deploy.seen) {
            return Err(backend(&format!("start {app}"), reason));
        }
        let changes = changes::of(plan, &deploy.seen, &deploy.manager.nodes().await?, Timestamp::now());
        images::remark_on_logins(&logins, &plan.release, &changes, requester.tell);
        images::refuse_missing(&deploy.manager, &images::needed(&plan.release, &changes)).await?;
        for remark in remarks::of(&deploy.manager, plan, &deploy.seen).await? {
            (requester.tell)(Progress::Note(remark));
        }
        match deploy.bring_up(&changes, requester.tell).await {
            Ok(()) => {}
            Err(error) => return Err(deploy.undone(error, requester.tell).await),
        }
        if plan.is_deploy {
            committed::write(swarm.world(), app, &deploy.name)?;
        }
        if let Some(clients) = clients {
            clients.set_out();
        }
        deploy.wind_down(&changes, requester.tell).await?;
        deploy.tidy(requester.tell).await;
        Ok(())
    }));
    if let Some(opened) = opened {
        opened.conclude(outcome.as_ref().err(), &plan.release, requester)?;
    }
    outcome.map(|()| done(plan))
}

/// How many deploys the app has had, this one included.
fn release_number(swarm: &Swarm, plan: &Plan, seen: &Seen) -> Result<u64, Error> {
    let app = &plan.release.app;
    let next = swarm.world().next_release(app);
    let next = next.map_err(|error| backend(&format!("number the release of {app}"), error.to_string()))?;
    let present = seen.services.iter().filter_map(Service::release).max();
    Ok(if plan.is_deploy { next } else { present.unwrap_or(next.saturating_sub(1)) })
}

/// A word that no other deploy or restart has.
fn unique() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

fn done(plan: &Plan) -> DeployOutcome {
    let slots = |changes: &[Change]| -> Vec<Slot> {
        plan.steps
            .iter()
            .filter(|step| changes.contains(&step.change))
            .map(|step| step.slot.clone())
            .collect()
    };
    DeployOutcome {
        started: slots(&[Change::Start, Change::Replace]),
        stopped: slots(&[Change::Stop]),
        kept: slots(&[Change::Keep]),
        fates: BTreeMap::new(),
    }
}

impl<'a> Deploy<'a> {
    /// A deploy of which nothing was begun yet.
    async fn of(swarm: &Swarm, plan: &'a Plan, manager: Manager<'a>) -> Result<Self, Error> {
        let revision = unique();
        let seen = manager.look().await?;
        let committed = committed::read(swarm.world(), manager.app)?;
        let name = match (&plan.deploy, plan.is_deploy) {
            (Some(name), _) => name.clone(),
            (None, true) => revision.clone(),
            (None, false) => committed.unwrap_or_else(|| revision.clone()),
        };
        let release = release_number(swarm, plan, &seen)?;
        let (follower, seal, launched) = (Follower::default(), None, Launched::default());
        let (moves, silent_since) = (Vec::new(), BTreeMap::new());
        Ok(Self {
            manager,
            plan,
            seen,
            name,
            revision,
            release,
            seal,
            launched,
            follower,
            moves,
            silent_since,
        })
    }

    /// Everything that has to be proved. What stops first comes last, so that no outage begins for a release of which another type has
    /// already failed.
    async fn bring_up(
        &mut self,
        changes: &BTreeMap<ProcessType, ServiceChange>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let specified = changes.iter().filter(|(_, change)| change.is_specified()).map(|(name, _)| name);
        let source = &self.plan.release.source;
        let images = specified.clone().filter_map(|process_type| source.image(process_type));
        self.launched = Launched::of(&self.manager, images).await?;
        self.seal = Seal::of(&self.manager, &self.plan.release, specified).await?;
        let mut last = Vec::new();
        for (process_type, change) in changes {
            self.await_ports(process_type, tell).await?;
            if matches!(change, ServiceChange::Replace(_)) && self.stops_first(process_type) {
                last.push((process_type, change));
                continue;
            }
            self.begin(process_type, *change).await?;
        }
        self.follow(0, tell).await?;
        for (process_type, change) in last {
            let first = self.moves.len();
            self.stop_first(process_type, *change, tell).await?;
            self.follow(first, tell).await?;
        }
        Ok(())
    }

    /// Waits until tasks that were told to end earlier have ended, if each has a fixed port of its node: the task of a node that was lost keeps
    /// running there for a moment when the node is back, and a new task on that node could not have the port. What does not end within its
    /// grace period is left to the swarm, which says so.
    async fn await_ports(
        &mut self,
        process_type: &ProcessType,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let Some(there) = self.seen.service(process_type) else { return Ok(()) };
        if self.plan.release.node_port(process_type).is_none() {
            return Ok(());
        }
        let services = BTreeSet::from([there.id.clone()]);
        let within = self.plan.release.grace(process_type) + AFTER_GRACE;
        self.follower.ended(&self.manager, &services, within, tell).await.map(drop)
    }

    async fn follow(&mut self, first: usize, tell: &mut dyn FnMut(Progress)) -> Result<(), Error> {
        let each_alone = self.plan.only_fills();
        let followed = self.follower.follow(&self.manager, &self.moves[first..], each_alone, tell).await?;
        if followed.failed.is_empty() {
            return Ok(());
        }
        let mut aftermath = Vec::new();
        if each_alone {
            aftermath.push("the swarm goes on trying what did not come up".to_owned());
        }
        let (app, failed) = (self.plan.release.app.clone(), followed.failed);
        Err(Error::DeployFailed { app, failed, fates: BTreeMap::new(), aftermath })
    }

    /// Asks for the change of a type whose instances are brought up beside those that run.
    async fn begin(&mut self, process_type: &ProcessType, change: ServiceChange) -> Result<(), Error> {
        let there = self.seen.service(process_type).cloned();
        match (change, there) {
            (ServiceChange::Make(count), _) => {
                let (spec, proof) = self.specified(process_type, count);
                let service = self.manager.make(process_type, &spec).await?;
                self.moved(service, None, &proof, false);
            }
            (ServiceChange::Replace(count), Some(there)) => {
                // Fewer are left when the new ones have proved themselves.
                let (spec, proof) = self.specified(process_type, count.max(there.replicas));
                let service = self.replaced(&there, spec).await?;
                let is_update = there.replicas > 0;
                self.moved(service, Some(there.spec), &proof, is_update);
            }
            (ServiceChange::Fill(count), Some(there)) => {
                let proof = self.proof(process_type);
                let service = self.manager.bring(&there.id, |service| scaled(service, count, 0)).await?;
                self.moved(service, Some(there.spec), &proof, false);
            }
            (
                ServiceChange::Replace(_)
                | ServiceChange::Fill(_)
                | ServiceChange::Shrink(_)
                | ServiceChange::StayStopped(_)
                | ServiceChange::Remove,
                _,
            ) => {}
        }
        Ok(())
    }

    /// Ends every instance of a type before the first new one starts.
    async fn stop_first(
        &mut self,
        process_type: &ProcessType,
        change: ServiceChange,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let (ServiceChange::Replace(count), Some(there)) = (change, self.seen.service(process_type).cloned())
        else {
            return Ok(());
        };
        let (spec, proof) = self.specified(process_type, count);
        self.silent_since.insert(process_type.clone(), Instant::now());
        let emptied = self.manager.bring(&there.id, |service| scaled(service, 0, 0)).await?;
        // From here on whatever fails has to be put back.
        self.moved(emptied, Some(there.spec.clone()), &proof, false);
        let services = BTreeSet::from([there.id.clone()]);
        let within = self.plan.release.grace(process_type) + AFTER_GRACE;
        let left = self.follower.ended(&self.manager, &services, within, tell).await?;
        if let Some((slot, why)) = left.into_iter().next() {
            return Err(Error::deploy_failed(&self.plan.release.app, &slot, format!("would not end: {why}")));
        }
        let service = self.replaced(&there, spec).await?;
        self.moves.pop();
        self.moved(service, Some(there.spec), &proof, false);
        Ok(())
    }

    async fn replaced(&self, there: &Service, mut spec: Value) -> Result<Service, Error> {
        spec["Name"] = there.spec["Name"].clone();
        self.manager.bring(&there.id, |_| spec.clone()).await
    }

    fn moved(&mut self, service: Service, old: Option<Value>, proof: &Proof, is_update: bool) {
        let release = &self.plan.release;
        let process_type = &service.process_type;
        let policy = release.settings(process_type).restart_policy.unwrap_or(release.restart_policy);
        let is_filled = !self.plan.is_deploy && !is_update;
        let may_end = policy == RestartPolicy::No || release.order().is_awaited_to_be_done(process_type);
        let life = self.rules(process_type).minimum_life;
        let grace = release.grace(process_type);
        let (within, batch) = (proof.rules.deadline(service.replicas, grace), proof.rules.batch(grace));
        let before = self.seen.tasks_of(&service.id).map(|task| task.id.clone()).collect();
        self.moves.push(Move {
            old,
            before,
            is_update,
            life: if proof.health.is_some() { Duration::ZERO } else { life },
            may_end,
            over: if is_filled { changes::over(self.plan, &self.seen, &service) } else { 0 },
            deadline: Instant::now() + within,
            within,
            batch,
            service,
        });
    }

    fn rules(&self, process_type: &ProcessType) -> Rules {
        *self
            .plan
            .rules
            .get(process_type)
            .expect("each type that something is done about has a step, and so its rules")
    }

    fn stops_first(&self, process_type: &ProcessType) -> bool {
        self.rules(process_type).strategy == Strategy::StopFirst
    }

    fn proof(&self, process_type: &ProcessType) -> Proof {
        Proof::of(&self.plan.release, process_type, &self.rules(process_type))
    }

    fn specified(&self, process_type: &ProcessType, count: u16) -> (Value, Proof) {
        let proof = self.proof(process_type);
        let identity = Identity {
            world: self.manager.world,
            deploy: &self.name,
            revision: &self.revision,
            release: self.release,
        };
        let release = &self.plan.release;
        let mut spec = spec::service(release, process_type, count, identity, &proof);
        let command = release.process(process_type).and_then(|process| process.command.as_deref());
        self.launched.run_line(&mut spec["TaskTemplate"]["ContainerSpec"], command);
        if let Some(seal) = self.seal.as_ref().filter(|_| sealed::is_sealed(release, process_type)) {
            seal.put_on(&mut spec["TaskTemplate"]["ContainerSpec"], process_type);
        }
        made::stamp(&mut spec);
        (spec, proof)
    }

    /// Removes the secret of an environment that nothing has any more. It may be left to the next verb: everything runs.
    async fn tidy(&self, tell: &mut dyn FnMut(Progress)) {
        let never = Cancel::default();
        if let Err(error) = secret::collect(&Manager { cancel: &never, ..self.manager.clone() }).await {
            tell(Progress::Note(format!("{error}: the next verb does it")));
        }
    }

    /// What follows once the new release is proved: what is not wanted any more ends.
    async fn wind_down(
        &mut self,
        changes: &BTreeMap<ProcessType, ServiceChange>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        let (mut ending, mut removed) = (BTreeSet::new(), Vec::new());
        let mut grace = Duration::ZERO;
        for (process_type, change) in changes {
            let moved = self.moves.iter().find(|moved| moved.service.process_type == *process_type);
            let there = moved.map(|moved| &moved.service).or_else(|| self.seen.service(process_type));
            let Some(there) = there else { continue };
            let (replicas, stopped) = match *change {
                ServiceChange::Shrink(count) => (count, 0),
                ServiceChange::Replace(count) if count < there.replicas => (count, 0),
                ServiceChange::StayStopped(count) => (0, count),
                ServiceChange::Remove => {
                    removed.push(there.id.clone());
                    (0, 0)
                }
                ServiceChange::Make(_) | ServiceChange::Replace(_) | ServiceChange::Fill(_) => continue,
            };
            grace = grace.max(self.plan.release.grace(process_type));
            let id = there.id.clone();
            self.manager.bring(&id, |service| scaled(service, replicas, stopped)).await?;
            ending.insert(id);
        }
        let left = self.follower.ended(&self.manager, &ending, grace + AFTER_GRACE, tell).await?;
        for (slot, why) in left {
            tell(Progress::Note(format!("{slot} was told to end and would not: {why}")));
        }
        for id in removed {
            self.manager.remove(&id).await?;
        }
        self.see_out(tell).await
    }

    /// Waits until the instances have ended that others have replaced. Everything is done by then, so whoever cancels is not told of a failure.
    async fn see_out(&mut self, tell: &mut dyn FnMut(Progress)) -> Result<(), Error> {
        let replaced = self.moves.iter().filter(|moved| moved.is_update);
        let services: BTreeSet<String> = replaced.map(|moved| moved.service.id.clone()).collect();
        let grace = self.plan.rules.keys().map(|process_type| self.plan.release.grace(process_type)).max();
        let within = grace.unwrap_or_default() + AFTER_GRACE;
        match self.follower.ended(&self.manager, &services, within, tell).await {
            Err(Error::Cancelled) => {
                let note = "what was replaced has been told to end, and its end is not waited for";
                tell(Progress::Note(note.to_owned()));
            }
            left => {
                for (slot, why) in left? {
                    tell(Progress::Note(format!("{slot} of the earlier release was told to end: {why}")));
                }
            }
        }
        Ok(())
    }

    /// Puts everything back, unless each slot is independent of the others. Returns the error, with what differs from
    /// before.
    async fn undone(&mut self, error: Error, tell: &mut dyn FnMut(Progress)) -> Error {
        if matches!(error, Error::Unreachable { .. }) {
            return error;
        }
        let is_alone = self.plan.only_fills() && !matches!(error, Error::Cancelled);
        if is_alone {
            self.tidy(tell).await;
            return error;
        }
        let within = self.moves.iter().map(|moved| moved.within).max().unwrap_or_default();
        let back = put_back::all(&self.manager, &self.moves, within, &self.silent_since).await;
        self.tidy(tell).await;
        let told = back.unwrap_or_else(|other| {
            vec![format!(
                "and what was changed could not be put back: {other}; deploy again, which looks first"
            )]
        });
        match error {
            Error::DeployFailed { app, failed, fates, mut aftermath } => {
                aftermath.extend(told);
                Error::DeployFailed { app, failed, fates, aftermath }
            }
            error => {
                for sentence in told {
                    tell(Progress::Note(sentence));
                }
                error
            }
        }
    }
}
