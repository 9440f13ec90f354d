//! One engine: its socket, bollard as the client, and an async runtime of our own in which every call has a deadline.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::errors::Error as BollardError;
use bollard::models::{ContainerCreateBody, ContainerUpdateBody};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, DownloadFromContainerOptionsBuilder,
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use formation::RestartPolicy;
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::deadline::{HEAVY, SHORT};
use crate::swarm::Patience;
use crate::trust::Trust;
use crate::{Container, Fault, Moment, OutputRange, Reference, flow, moment, terms, transport};

/// The time after the grace period in which the engine must have killed the container and cleaned up.
const AFTER_GRACE: Duration = Duration::from_secs(30);
/// bollard's own deadline, in seconds. It only covers the head of an answer; ours are shorter and cover all of it.
const BOLLARDS_OWN: u64 = 86_400;
/// The name in error messages of the two calls that return a log, which last as long as the log is read.
const READ: &str = "read a log";
/// The name in error messages of the calls that remove a container.
const REMOVE: &str = "remove a container";
/// The most of a container's last lines that is kept for a message, in bytes.
const MOST_OF_LAST_LINES: usize = 64 << 10;

/// The properties of an image: its identity, and where its files are.
pub struct Image {
    /// Its id, `sha256:…`.
    pub id: String,
    /// The names under which registries have it, `name@sha256:…` each.
    pub digests: Vec<String>,
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// The ENTRYPOINT, which the engine puts before each command; empty if there is none.
    pub entrypoint: Vec<String>,
    /// The command that the image runs by default; empty if there is none.
    pub command: Vec<String>,
    /// The variables of the image, each as `NAME=value`.
    pub environment: Vec<String>,
    /// The working directory of its processes; empty means the root directory.
    pub directory: String,
    /// The signal that asks its main process to end, as the author of the image wrote it; `None`: SIGTERM.
    pub stop_signal: Option<String>,
}

impl Image {
    /// The permanent name of the image: the digest under which the registry of the given name has it, else the id.
    pub fn settled(&self, asked: &Reference) -> String {
        let name = format!("{}@", asked.familiar());
        let digest = self.digests.iter().find(|digest| digest.starts_with(&name));
        digest.unwrap_or(&self.id).clone()
    }
}

/// An engine, and the runtime in which its calls are made.
pub struct Engine {
    runtime: Runtime,
    pub(crate) docker: Docker,
    pub(crate) socket: PathBuf,
    trust: Trust,
    pub(crate) patience: Patience,
}

/// The version and the state of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its version, such as `20.10.24`.
    pub version: String,
    /// Its state in a swarm, as the engine names it: `active`, `inactive`, `locked`, `pending`, `error`.
    pub swarm: Option<String>,
}

impl Engine {
    /// Prepares to talk to the engine at `socket`. Nothing is sent yet.
    pub fn new(socket: PathBuf) -> Result<Self, Fault> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let path = socket.clone();
        let send = move |request| transport::send(path.clone(), request);
        let docker = Docker::connect_with_custom_transport(
            send,
            Some("http://engine"),
            BOLLARDS_OWN,
            API_DEFAULT_VERSION,
        );
        Ok(Self {
            runtime: runtime.map_err(|error| Fault::Unprepared(error.to_string()))?,
            docker: docker.map_err(|error| Fault::Unprepared(error.to_string()))?,
            socket,
            trust: Trust::default(),
            patience: Patience::default(),
        })
    }

    /// Runs `future` to its end on the calling thread.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The path of its socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits for a call, at most until the deadline. `asked` is the name of the call in error messages.
    pub(crate) async fn within<T>(
        &self,
        asked: &'static str,
        deadline: Duration,
        call: impl Future<Output = Result<T, BollardError>>,
    ) -> Result<T, Fault> {
        self.beyond(Duration::ZERO, asked, deadline, call).await
    }

    /// As [`Engine::within`], for a call that takes `needed` longer, because no engine answers it before that.
    async fn beyond<T>(
        &self,
        needed: Duration,
        asked: &'static str,
        deadline: Duration,
        call: impl Future<Output = Result<T, BollardError>>,
    ) -> Result<T, Fault> {
        let deadline = needed.saturating_add(self.trust.limit(asked, deadline, Instant::now()));
        let Ok(result) = tokio::time::timeout(deadline, call).await else {
            let first = self.trust.was_late(asked, Instant::now());
            return Err(match deadline.as_secs() {
                0 => Fault::still_silent(&self.socket, asked, first),
                _ => Fault::late(&self.socket, asked, deadline),
            });
        };
        let result = result.map_err(|error| Fault::of(&self.socket, asked, error));
        if !result.as_ref().is_err_and(Fault::is_silence) {
            self.trust.answered(asked);
        }
        result
    }

    /// All containers, running or not, that have all of these labels (`name` or `name=value`).
    pub async fn list(&self, labels: &[String]) -> Result<Vec<Container>, Fault> {
        let filters = HashMap::from([("label", labels.to_vec())]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed =
            self.within("list containers", SHORT, self.docker.list_containers(Some(options))).await?;
        Ok(listed.into_iter().map(Container::from).collect())
    }

    /// Creates a container, and returns its full id.
    pub async fn create(&self, name: &str, body: ContainerCreateBody) -> Result<String, Fault> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        Ok(self
            .within("create a container", HEAVY, self.docker.create_container(Some(options), body))
            .await?
            .id)
    }

    /// Starts a container.
    pub async fn start(&self, id: &str) -> Result<(), Fault> {
        self.within("start a container", HEAVY, self.docker.start_container(id, None)).await
    }

    /// The engine's description of a container, with all fields.
    pub async fn inspect(&self, id: &str) -> Result<Value, Fault> {
        self.within(
            "describe a container",
            SHORT,
            transport::get(&self.socket, &format!("/containers/{id}/json")),
        )
        .await
    }

    /// The processes of a running container, a row each, with these columns of the system's `ps`.
    pub async fn top(&self, id: &str, columns: &str) -> Result<Vec<Vec<String>>, Fault> {
        let path = format!("/containers/{id}/top?ps_args=-eo%20{columns}");
        let listed = self.within("list processes", SHORT, transport::get(&self.socket, &path)).await?;
        let rows = listed["Processes"].as_array().into_iter().flatten().filter_map(Value::as_array);
        let words = |row: &Vec<Value>| row.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(rows.map(words).collect())
    }

    /// The properties of an image.
    pub async fn image(&self, name: &str) -> Result<Image, Fault> {
        let image = self.within("describe an image", SHORT, self.docker.inspect_image(name)).await?;
        let config = image.config.unwrap_or_default();
        Ok(Image {
            id: image.id.unwrap_or_default(),
            digests: image.repo_digests.unwrap_or_default(),
            labels: config.labels.unwrap_or_default(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            environment: config.env.unwrap_or_default(),
            directory: config.working_dir.unwrap_or_default(),
            stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
        })
    }

    /// Asks the registry of an image for its description (`/distribution`), with the credentials of the header `auth`. An image without a registry in
    /// its name is looked for in Docker Hub.
    ///
    /// # Errors
    /// The registry does not have the image, does not show it to a client with these credentials, or does not answer.
    pub async fn describe_in_registry(&self, name: &str, auth: Option<&str>) -> Result<Value, Fault> {
        let path = format!("/distribution/{name}/json");
        self.within("ask a registry for an image", SHORT, transport::get_as(&self.socket, &path, auth)).await
    }

    /// Makes an image from a root file system, which is a tar archive, and gives it labels (`name=value`).
    pub async fn import(
        &self,
        name: &str,
        tag: &str,
        archive: &[u8],
        labels: &[String],
    ) -> Result<(), Fault> {
        let changes = labels.iter().map(|label| format!("LABEL {label}")).collect();
        let options =
            CreateImageOptionsBuilder::new().from_src("-").repo(name).tag(tag).changes(changes).build();
        let archive = bollard::body_full(archive.to_vec().into());
        let progress = self.docker.create_image(Some(options), Some(archive), None);
        self.within("make an image", HEAVY, progress.try_for_each(|_| std::future::ready(Ok(())))).await
    }

    /// The version and the state of the engine.
    pub async fn facts(&self) -> Result<Facts, Fault> {
        let info = self.within("describe the engine", SHORT, self.docker.info()).await?;
        let swarm = info.swarm.and_then(|swarm| swarm.local_node_state).map(|state| state.to_string());
        Ok(Facts { version: info.server_version.unwrap_or_else(|| "unknown".to_owned()), swarm })
    }

    /// How many CPUs the engine can give to containers.
    pub async fn cpus(&self) -> Result<u64, Fault> {
        let info = self.within("describe the engine", SHORT, self.docker.info()).await?;
        Ok(info.ncpu.and_then(|cpus| cpus.try_into().ok()).unwrap_or(u64::MAX))
    }

    /// A file of a container, in a tar archive. Little more than `limit` bytes of it are read.
    pub async fn archive(&self, id: &str, path: &str, limit: usize) -> Result<Vec<u8>, Fault> {
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let mut pieces = self.docker.download_from_container(id, Some(options));
        self.within("copy a file", HEAVY, async move {
            let mut all = Vec::new();
            while let Some(piece) = pieces.try_next().await?
                && all.len() < limit
            {
                all.extend_from_slice(&piece);
            }
            Ok(all)
        })
        .await
    }

    /// Changes the restart policy of a container.
    pub async fn set_policy(&self, id: &str, policy: RestartPolicy) -> Result<(), Fault> {
        let restart_policy = Some(terms::restart_policy(policy));
        let update = ContainerUpdateBody { restart_policy, ..ContainerUpdateBody::default() };
        self.within("change a restart policy", SHORT, self.docker.update_container(id, update)).await
    }

    /// The restart policy of a container; `None` if there is no such container, or if the policy is unknown here.
    pub async fn policy(&self, id: &str) -> Result<Option<RestartPolicy>, Fault> {
        match self.inspect(id).await {
            Ok(inspected) => Ok(terms::policy_of(&inspected["HostConfig"]["RestartPolicy"])),
            Err(fault) if fault.is_gone() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Lets a paused container continue.
    pub async fn unpause(&self, id: &str) -> Result<(), Fault> {
        self.within("unpause a container", SHORT, self.docker.unpause_container(id)).await
    }

    /// Sends SIGTERM, after `grace` SIGKILL, and returns when the container has ended. A container that does not run is no error.
    pub async fn stop(&self, id: &str, grace: Duration) -> Result<(), Fault> {
        let options = StopContainerOptionsBuilder::new().t(terms::seconds(grace)).build();
        let call = self.docker.stop_container(id, Some(options));
        self.beyond(grace, "stop a container", AFTER_GRACE, call).await
    }

    /// Sends SIGKILL.
    pub async fn kill(&self, id: &str) -> Result<(), Fault> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        self.within("kill a container", SHORT, self.docker.kill_container(id, Some(options))).await
    }

    /// Removes a container, and kills it if it runs. Its volumes stay. A missing container is no error.
    pub async fn remove(&self, id: &str) -> Result<(), Fault> {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        match self.within(REMOVE, HEAVY, self.docker.remove_container(id, Some(options))).await {
            Err(fault) if fault.is_gone() => Ok(()),
            result => result,
        }
    }

    /// The fault of an engine that has reported a container as removed, and still lists it.
    pub fn has_not_removed(&self) -> Fault {
        let reason = "it has reported the container as removed, and still lists it".to_owned();
        Fault::Garbled { socket: self.socket.clone(), asked: REMOVE, reason }
    }

    /// Gives a container another name.
    pub async fn rename(&self, id: &str, name: &str) -> Result<(), Fault> {
        let options = RenameContainerOptionsBuilder::new().name(name).build();
        self.within("rename a container", SHORT, self.docker.rename_container(id, options)).await
    }

    /// The selected part of a container's output. If the engine sends it too slowly, the last piece is an error.
    pub fn output(
        &self,
        id: &str,
        wanted: &OutputRange,
    ) -> impl Stream<Item = Result<LogOutput, Fault>> + use<> {
        let socket = self.socket.clone();
        let late = move || Fault::late(&socket, READ, SHORT);
        flow::while_they_come(self.log(id, wanted.options()), SHORT, |frame| frame.as_ref().len(), late)
    }

    /// As [`Engine::output`], each piece with the time at which the engine received it. `after`: only output that came later.
    pub fn dated_output(
        &self,
        id: &str,
        wanted: &OutputRange,
        after: Option<Moment>,
    ) -> impl Stream<Item = Result<(Option<Moment>, LogOutput), Fault>> + use<> {
        let socket = self.socket.clone();
        let late = move || Fault::late(&socket, READ, SHORT);
        let options = moment::after_second(wanted.options().timestamps(true), after.as_ref());
        let frames = flow::while_they_come(self.log(id, options), SHORT, |frame| frame.as_ref().len(), late);
        moment::later_than(frames, after)
    }

    /// The output of a container until it ends, including future output, each piece with the time at which the engine received it. `after`: only
    /// output that came later.
    pub fn follow(
        &self,
        id: &str,
        wanted: &OutputRange,
        after: Option<Moment>,
    ) -> impl Stream<Item = Result<(Option<Moment>, LogOutput), Fault>> + use<> {
        let options = moment::after_second(wanted.options().follow(true).timestamps(true), after.as_ref());
        moment::later_than(self.log(id, options), after)
    }

    fn log(
        &self,
        id: &str,
        options: LogsOptionsBuilder,
    ) -> impl Stream<Item = Result<LogOutput, Fault>> + use<> {
        let options = options.stdout(true).stderr(true).build();
        let socket = self.socket.clone();
        self.docker
            .clone()
            .with_timeout(SHORT)
            .logs(id, Some(options))
            .map(move |frame| frame.map_err(|error| Fault::of(&socket, READ, error)))
    }

    /// The last lines of a container's output, for a message; lines that cannot be read are left out.
    pub async fn last_lines(&self, id: &str, count: usize) -> Vec<String> {
        let mut frames = Box::pin(self.output(id, &OutputRange::last(Some(count))));
        let mut text = Vec::new();
        while let Some(Ok(frame)) = frames.next().await
            && text.len() < MOST_OF_LAST_LINES
        {
            text.extend_from_slice(frame.as_ref());
        }
        let lines: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
        lines[lines.len().saturating_sub(count)..].to_vec()
    }
}
