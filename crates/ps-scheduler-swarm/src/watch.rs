//! Between verbs: sees when the tasks of an app with an address are others than those to which its clients are led. A swarm tells nobody
//! when it replaces a task, so a manager is asked again and again, in one request for all apps, and only where an app has an address.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use formation::{AppName, FIRST_TYPE};
use ps_apps::SchedulerName;
use ps_engine::{Engine, SwarmFault};
use ps_scheduler::Error;
use ps_service::{Backend, Service};
use serde_json::Value;

use crate::failed::of_swarm;
use crate::instances::Nodes;
use crate::swarm::Swarm;
use crate::swarm_task::SwarmTask;
use crate::{backends, label};

/// The pause between two looks, and where there is nothing to look for, or no manager answers.
const LOOK: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(10);
/// After this time it is looked anew which apps there are, and where nodes are.
const FIND_AGAIN: Duration = Duration::from_secs(10);
/// After this time it is said again that clients are to be led elsewhere.
const SAY_AGAIN: Duration = Duration::from_secs(5);

/// What is looked at.
pub struct AddressWatch<'a> {
    swarm: &'a Swarm,
    only: Option<AppName>,
    apps: Vec<AppName>,
    nodes: Nodes,
    /// When `apps` and `nodes` are to be read again.
    stale: Option<Instant>,
    /// What was said of each app, and when.
    said: BTreeMap<AppName, (Vec<Backend>, Instant)>,
    pause: Duration,
}

impl<'a> AddressWatch<'a> {
    /// A watch of one app, or of all. Nothing is asked yet.
    pub fn new(swarm: &'a Swarm, only: Option<AppName>) -> Self {
        let (apps, nodes, stale, said) = Default::default();
        Self { swarm, only, apps, nodes, stale, said, pause: LOOK }
    }

    /// How long the next look has time.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// The apps whose clients are to be led elsewhere ([`Swarm::redirect`]).
    ///
    /// # Errors
    /// No manager answers.
    pub fn look(&mut self) -> Result<Vec<AppName>, Error> {
        self.pause = REST;
        let Some(world) = self.swarm.known_id()? else { return Ok(Vec::new()) };
        if self.stale.is_none_or(|stale| Instant::now() >= stale) {
            self.apps = self.reached()?;
            self.nodes = Nodes::default();
            self.stale = Some(Instant::now() + FIND_AGAIN);
        }
        if self.apps.is_empty() {
            return Ok(Vec::new());
        }
        let engine = self.swarm.engine()?;
        let tasks = engine.run(self.tasks(engine, &world));
        let tasks = tasks.map_err(|fault| of_swarm(&fault, "look where clients are to be led"))?;
        self.pause = LOOK;
        Ok(self.apps.clone().into_iter().filter(|app| self.is_news(app, tasks.get(app))).collect())
    }

    /// The apps that have an address here, run on the swarm, and are to run.
    fn reached(&self) -> Result<Vec<AppName>, Error> {
        let world = self.swarm.world();
        let is_meant = |app: &AppName| {
            self.only.as_ref().is_none_or(|only| only == app)
                && world.scheduler_name(app).is_ok_and(|name| name == SchedulerName::Swarm)
                && world.is_restored(app).unwrap_or(false)
                && !Service::of(world, app, None).listens().is_empty()
        };
        Ok(Service::apps(world)?.into_iter().filter(is_meant).collect())
    }

    /// The tasks of `web` of each app that the swarm wants.
    async fn tasks(
        &mut self,
        engine: &Engine,
        world: &str,
    ) -> Result<BTreeMap<AppName, Vec<SwarmTask>>, SwarmFault> {
        let (of_apps, of_web) = (label::of_instances(None), format!("{}={FIRST_TYPE}", label::PROCESS_TYPE));
        let filter = [("label", of_apps.as_str()), ("label", of_web.as_str()), ("desired-state", "running")];
        let read = |json: &Value| {
            let labels = &json["Spec"]["ContainerSpec"]["Labels"];
            let app = labels[label::APP].as_str().filter(|_| labels[label::WORLD] == *world)?.parse().ok()?;
            Some((app, SwarmTask::dated(json)?.1))
        };
        let tasks = engine.each_task(&filter, read).await?;
        let tasks: Vec<(AppName, SwarmTask)> = tasks.into_iter().flatten().collect();
        if tasks.iter().any(|(_, task)| !task.node.is_empty() && self.nodes.address(task).is_none()) {
            self.nodes = Nodes::read(&engine.nodes().await?);
        }
        let mut all: BTreeMap<AppName, Vec<SwarmTask>> = BTreeMap::new();
        for (app, task) in tasks {
            all.entry(app).or_default().push(task);
        }
        Ok(all)
    }

    /// Whether the clients of an app are led to others than to these, and that was not said just before.
    fn is_news(&mut self, app: &AppName, tasks: Option<&Vec<SwarmTask>>) -> bool {
        let in_order = |mut backends: Vec<Backend>| {
            backends.sort_by(|one, other| one.id.cmp(&other.id));
            backends
        };
        let led = Service::of(self.swarm.world(), app, None).led();
        let tasks = tasks.into_iter().flatten();
        let wanted = in_order(tasks.filter_map(|task| backends::of_task(task, &self.nodes, &led)).collect());
        if in_order(led) == wanted {
            self.said.remove(app);
            return false;
        }
        let is_old = self.said.get(app).is_some_and(|(said, at)| *said == wanted && at.elapsed() < SAY_AGAIN);
        if !is_old {
            self.said.insert(app.clone(), (wanted, Instant::now()));
        }
        !is_old
    }
}
