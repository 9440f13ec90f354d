//! A world with one app on a real swarm, and what the tests ask of both.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use formation::{AppName, RestartPolicy, State, Which};
use ps_apps::World;
use ps_engine::{Container, Engine};
use ps_scheduler::{
    AppStatus, Cancel, DeployOutcome, Error, Gate, Intent, LogLine, LogRequest, Plan, Process, Progress,
    Release, Requester, Scheduler, Source, StopOrder, Stopped, conformance,
};
use ps_scheduler_swarm::Swarm;
use swarm_cluster::Cluster;
use type_settings::TypeSettings;

pub(crate) const IMAGE: &str = swarm_cluster::IMAGE;
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// A world with the app `shop`.
pub(crate) struct Place {
    pub(crate) swarm: Swarm,
    pub(crate) engine: Engine,
    pub(crate) app: AppName,
    socket: PathBuf,
    dir: tempfile::TempDir,
}

impl Place {
    /// A world of its own for `shop`, on the swarm of the first node.
    pub(crate) fn new(cluster: &Cluster) -> Self {
        Self::for_app("shop", &cluster.socket(1))
    }

    pub(crate) fn for_app(app: &str, socket: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the test");
        fs::create_dir_all(dir.path().join("home").join(app)).expect("the app's directory");
        fs::create_dir_all(dir.path().join("lib")).expect("a directory for its data");
        let world = World::new(dir.path().join("home"), dir.path().join("lib"));
        Self {
            swarm: Swarm::at(&world, socket),
            engine: Engine::new(socket.to_owned()).expect("a client"),
            app: app.parse().expect("a legal name"),
            socket: socket.to_owned(),
            dir,
        }
    }

    /// The world of another process, which removes it.
    pub(crate) fn of_another(dir: &Path, socket: &Path) -> Self {
        let mut place = Self::for_app("shop", socket);
        place.swarm = Swarm::at(&World::new(dir.join("home"), dir.join("lib")), socket);
        place
    }

    /// Asks another node from now on.
    pub(crate) fn ask(&mut self, socket: &Path) {
        self.swarm = Swarm::at(&self.world(), socket);
        self.engine = Engine::new(socket.to_owned()).expect("a client");
        socket.clone_into(&mut self.socket);
    }

    /// Where its files are.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn world(&self) -> World {
        World::new(self.dir.path().join("home"), self.dir.path().join("lib"))
    }

    /// The scheduler as another program has it.
    pub(crate) fn another(&self) -> Swarm {
        Swarm::at(&self.world(), &self.socket)
    }

    /// A release of the test image in which `web` runs a command.
    pub(crate) fn release(&self, command: &str) -> Release {
        Release {
            app: self.app.clone(),
            source: Source::Image(IMAGE.to_owned()),
            processes: vec![Process::new("web".parse().expect("a type"), Some(command.to_owned()))],
            are_all_types: false,
            others: TypeSettings::default(),
            env: vec![("SECRET".to_owned(), "{{.Node.Hostname}} {{ $x".to_owned())],
            restart_policy: RestartPolicy::default(),
            stop_timeout: GRACE,
            gate: Gate::default(),
            listen: formation::Addresses::default(),
            frontend: balance::Frontend::default(),
        }
    }

    pub(crate) fn plan(&self, release: Release, wanted: &[&str], intent: &Intent) -> Plan {
        Plan::ask(&self.swarm, release, &conformance::formation(wanted), intent).expect("makes a plan")
    }

    /// Carries out a plan; what was told.
    pub(crate) fn carry_out(&self, plan: &Plan) -> (Result<DeployOutcome, Error>, Vec<Progress>) {
        let mut told = Vec::new();
        let mut tell = |progress| told.push(progress);
        let deployed = self
            .swarm
            .deploy(plan, &mut Requester { tell: &mut tell, cancel: &Cancel::default(), lock: None });
        (deployed, told)
    }

    pub(crate) fn deploy(
        &self,
        command: &str,
        wanted: &[&str],
    ) -> (Result<DeployOutcome, Error>, Vec<Progress>) {
        self.carry_out(&self.plan(self.release(command), wanted, &Intent::Deploy))
    }

    pub(crate) fn stop(&self, which: &str, remove: bool) -> Result<Stopped, Error> {
        let which = if which.is_empty() { Which::All } else { which.parse().expect("a type") };
        let order = StopOrder { app: self.app.clone(), which, grace: GRACE, remove };
        let mut tell = |_| ();
        self.swarm.stop(&order, &mut Requester { tell: &mut tell, cancel: &Cancel::default(), lock: None })
    }

    pub(crate) fn status(&self) -> AppStatus {
        self.swarm.status_of(&self.app).expect("tells the status")
    }

    /// The rows of a status: `web.1 running`.
    pub(crate) fn rows(&self) -> Vec<String> {
        self.status().instances.iter().map(|row| format!("{} {}", row.slot, row.state.as_str())).collect()
    }

    /// What these instances have written: `web.1 a line`.
    pub(crate) fn log(&self, which: Which) -> Vec<String> {
        let mut lines = Vec::new();
        let mut sink = |line: &LogLine| {
            assert!(line.at.is_some(), "each line has its time: {line:?}");
            lines.push(format!("{} {}", line.slot, String::from_utf8_lossy(&line.bytes)));
            ControlFlow::Continue(())
        };
        let request = LogRequest::last(self.app.clone(), which, None);
        self.swarm.logs(&request, &mut sink).expect("reads the logs");
        lines
    }

    /// The containers of the app's instances that run, in the order of the slots.
    pub(crate) fn containers(&self) -> Vec<String> {
        let instances = self.status().instances;
        let running = instances.into_iter().filter(|row| row.state == State::Running);
        running.filter_map(|row| row.container_id).collect()
    }

    /// Every container of this world that runs on the first node, recorded or not.
    pub(crate) fn alive(&self) -> BTreeSet<String> {
        let id = self.world().property("scheduler-swarm", ps_apps::Scope::Global, "world").expect("reads");
        let Some(id) = id else { return BTreeSet::new() };
        let listed = self.engine.run(self.engine.list(&[format!("com.formation.world={id}")]));
        let listed = listed.expect("the engine lists containers");
        listed.into_iter().filter(Container::may_serve).map(|container| container.id).collect()
    }
}
