//! A world with one app on a real engine, and helpers to examine both.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};
use type_settings::TypeSettings;

use formation::{AppName, RestartPolicy, State, Stream, Which};
use ps_apps::World;
use ps_rollout::{Role, Strategy};
use ps_scheduler::{
    AppStatus, Cancel, DeployOutcome, Error, Gate, Instance, Intent, LogRequest, Plan, Process, Progress,
    Release, Requester, Scheduler, Source, StopOrder, Stopped, conformance,
};
use ps_scheduler_docker::DockerLocal;

pub(crate) const IMAGE: &str = "formation-test/busybox:latest";
pub(crate) const SOCKET: &str = "/var/run/docker.sock";
pub(crate) const SERVER: &str = "httpd -f -p $PORT";
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// A world with one app, `shop`, on the real engine. Its containers are removed when the value is dropped.
pub(crate) struct Place {
    pub(crate) dir: Rc<tempfile::TempDir>,
    pub(crate) docker: DockerLocal,
    pub(crate) policy: RestartPolicy,
    pub(crate) strategy: Option<Strategy>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::for_app("shop")
    }

    pub(crate) fn for_app(app: &str) -> Self {
        require_engine();
        Self::on(app, None)
    }

    pub(crate) fn on(app: &str, socket: Option<&Path>) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let world = World::new(dir.path().join("home"), dir.path().join("lib"));
        fs::create_dir_all(dir.path().join("home").join(app)).expect("the app's directory");
        let docker = match socket {
            Some(socket) => DockerLocal::at(&world, socket),
            None => DockerLocal::new(&world),
        };
        Self { dir: Rc::new(dir), docker, policy: RestartPolicy::default(), strategy: None }
    }

    /// The app of another process, which removes it.
    pub(crate) fn of_another(dir: &Path, socket: &Path) -> Self {
        let mut place = Self::on("shop", None);
        place.docker = DockerLocal::at(&World::new(dir.join("home"), dir.join("lib")), socket);
        place
    }

    /// The same world as another process would see it, on the engine at `socket`.
    pub(crate) fn through(&self, socket: &Path) -> Self {
        let world = World::new(self.dir.path().join("home"), self.dir.path().join("lib"));
        let docker = DockerLocal::at(&world, socket);
        Self { dir: Rc::clone(&self.dir), docker, policy: self.policy, strategy: self.strategy }
    }

    pub(crate) fn world(&self) -> World {
        World::new(self.dir.path().join("home"), self.dir.path().join("lib"))
    }

    /// The file of the app's rollouts.
    pub(crate) fn rollout_file(&self) -> PathBuf {
        self.dir.path().join("lib/data/scheduler-docker-local/shop/rollout.json")
    }

    pub(crate) fn app_dir(&self) -> PathBuf {
        self.dir.path().join("home/shop")
    }

    pub(crate) fn deploy(
        &self,
        wanted: &[&str],
        command: &str,
        intent: &Intent,
    ) -> Result<DeployOutcome, Error> {
        self.deploy_image(IMAGE, wanted, Some(command), intent, &mut |_| ())
    }

    pub(crate) fn deploy_image(
        &self,
        image: &str,
        wanted: &[&str],
        command: Option<&str>,
        intent: &Intent,
        say: &mut dyn FnMut(Progress),
    ) -> Result<DeployOutcome, Error> {
        let plan = self.plan_of(image, wanted, command, intent);
        self.docker.deploy(&plan, &mut Requester { tell: say, cancel: &Cancel::default(), lock: None })
    }

    pub(crate) fn plan(&self, wanted: &[&str], command: &str, intent: &Intent) -> Plan {
        self.plan_of(IMAGE, wanted, Some(command), intent)
    }

    fn plan_of(&self, image: &str, wanted: &[&str], command: Option<&str>, intent: &Intent) -> Plan {
        let process = |name: &str| {
            let process_type = name.parse().expect("a legal process type");
            let process = Process::new(process_type, command.map(str::to_owned));
            Process { strategy: self.strategy, ..process }
        };
        let release = Release {
            app: shop(),
            source: Source::Image(image.to_owned()),
            processes: vec![process("web"), process("worker")],
            are_all_types: false,
            others: TypeSettings::default(),
            env: vec![("GREETING".to_owned(), "hello  \"you\"".to_owned())],
            restart_policy: self.policy,
            stop_timeout: GRACE,
            gate: Gate::default(),
            listen: formation::Addresses::default(),
            frontend: balance::Frontend::default(),
        };
        Plan::new(
            release,
            &conformance::formation(wanted),
            &self.status().instances,
            intent,
            self.docker.usual_strategy(),
        )
    }

    pub(crate) fn status(&self) -> AppStatus {
        self.docker.status(&[shop()]).expect("tells the status").remove(0)
    }

    pub(crate) fn stop(&self, which: Which, remove: bool) -> Result<Stopped, Error> {
        let order = StopOrder { app: shop(), which, grace: GRACE, remove };
        self.docker.stop(&order, &mut Requester { tell: &mut |_| (), cancel: &Cancel::default(), lock: None })
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let current = |instance: &Instance| instance.role == Some(Role::Current);
        let instances = self.status().instances.into_iter().filter(current);
        instances.map(|instance| instance.container_id.expect("an id")).collect()
    }

    /// Names of all containers of this world, recorded or not.
    pub(crate) fn names(&self) -> Vec<String> {
        let root = format!("label=com.formation.root={}", self.dir.path().join("home").display());
        let mut names: Vec<String> = docker(&["ps", "-a", "--format", "{{.Names}}", "--filter", &root])
            .lines()
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    }

    pub(crate) fn lines(&self, which: &str, tail: Option<usize>) -> Vec<String> {
        let which = which.parse().expect("a process type or instance");
        let request = LogRequest::last(shop(), which, tail);
        let mut lines = Vec::new();
        let mut sink = |line: &ps_scheduler::LogLine| {
            let stream = if line.stream == Stream::Stderr { "err" } else { "out" };
            lines.push(format!("{} {stream} {}", line.slot, String::from_utf8_lossy(&line.bytes)));
            ControlFlow::Continue(())
        };
        self.docker.logs(&request, &mut sink).expect("reads the log");
        lines
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if Rc::strong_count(&self.dir) > 1 {
            return;
        }
        let root = format!("label=com.formation.root={}", self.dir.path().join("home").display());
        let listed = command(&["ps", "-aq", "--filter", &root]);
        for id in listed.unwrap_or_default().split_whitespace() {
            let _ = command(&["rm", "-f", id]);
        }
    }
}

pub(crate) fn command(arguments: &[&str]) -> Result<String, String> {
    let output = std::process::Command::new("docker").args(arguments).output();
    let output =
        output.map_err(|error| format!("there is no docker command ({error}): run scripts/setup"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("docker {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

pub(crate) fn docker(arguments: &[&str]) -> String {
    command(arguments).unwrap_or_else(|reason| panic!("{reason}"))
}

pub(crate) fn require_engine() {
    if let Err(reason) = command(&["image", "inspect", IMAGE]) {
        panic!("this test needs an engine and the image {IMAGE}: run scripts/setup first ({reason})");
    }
}

pub(crate) fn eventually(fact: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(60), "not within a minute: {fact}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The name of the app of a [`Place`].
pub(crate) fn shop() -> AppName {
    "shop".parse().expect("a legal name")
}

pub(crate) fn describe(instance: &Instance) -> (String, State) {
    (instance.slot.to_string(), instance.state)
}
