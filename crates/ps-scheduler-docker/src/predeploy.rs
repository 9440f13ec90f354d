//! The task `predeploy` in a container. Its changes to the file system are kept as an image, which is then deployed.
//! The container runs a shell that waits, and the task is another process in it. So the variables of the app do not
//! become part of the image, where they would stay after they are unset.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use formation::{AppName, SignalName};
use futures_util::future::{Either, select};
use ps_container_talk::inmate;
use ps_engine::{ContainerCreateBody, Engine, Fault, Image};
use ps_scheduler::{Error, Release, Requester, Source, Task};
use serde_json::json;

use crate::app::App;
use crate::docker_local::DockerLocal;
use crate::task::{self, Over};
use crate::{beside, label, network, one_off};

/// The command of the container while it is prepared: it waits for a line that is never written.
const WAITING: [&str; 3] = ["/bin/sh", "-c", "read -r _"];
/// The labels of the container that must not apply to the new image. An instance gets its own ones.
const OF_CONTAINER: [&str; 7] =
    [label::ROOT, label::APP, label::DYNO, label::CONTAINER_TYPE, label::WAITS, label::TASK, label::DEADLINE];
/// The pause between two looks whether the task has ended, after its output has ended.
const LOOK: Duration = Duration::from_millis(50);

impl DockerLocal {
    /// Runs the task on the image of a release, and makes a new image with its changes. Returns the id of the new image.
    ///
    /// # Errors
    /// The task or the engine fails.
    pub fn prepare_image(
        &self,
        release: &Release,
        task: &Task,
        requester: &mut Requester<'_>,
    ) -> Result<String, Error> {
        let Source::Image(image) = &release.source else {
            return Err(Error::Unsupported {
                scheduler: "docker-local".to_owned(),
                what: "keep what a task has changed without an image",
            });
        };
        let app = App { engine: self.engine()?, world: self.world(), name: &release.app };
        let name = app.announce(release, task, requester)?;
        let mut last = VecDeque::new();
        let mut prepared = Ok(String::new());
        let over = app.engine.run(async {
            let of = app.engine.image(image).await?;
            let body = app.described(release, image, task).await;
            let id = app.engine.create(&name, waiting(&body, &of)).await?;
            let networks = beside::networks(app.world.root(), release, &task.process_type);
            let over = match network::join(app.engine, &id, &networks).await {
                Ok(()) => app.perform(&id, (&body, &of), (release, task), requester, &mut last).await,
                Err((_, fault)) => Err(fault),
            };
            if matches!(&over, Ok(Over::Ended(exit)) if exit.is_success()) {
                prepared = app.engine.commit(&id, &self.instructions(app.name, &of)).await;
            }
            // The container is removed whether the task succeeded or failed.
            app.engine.remove(&id).await?;
            over
        });
        task::concluded(&app, over, (release, task), &last)?;
        let prepared = prepared.map_err(|fault| app.error(fault, "keep what predeploy has changed"))?;
        self.name(app.name, &prepared)?;
        Ok(prepared)
    }

    /// The instructions for the new image: the label of the app, empty values for the labels of the container, and the
    /// entrypoint and command of the original image.
    fn instructions(&self, app: &AppName, of: &Image) -> Vec<String> {
        let (built, whose) = label::of_app(self.world().root(), app);
        let ours = OF_CONTAINER.map(|name| format!("LABEL {name}=\"\""));
        let mut instructions =
            vec![format!("LABEL {built}={}", json!(whose).to_string().replace('$', "\\$"))];
        instructions.extend(ours);
        // The order matters: ENTRYPOINT clears CMD.
        for (name, words) in [("ENTRYPOINT", &of.entrypoint), ("CMD", &of.command)] {
            if !words.is_empty() {
                instructions.push(format!("{name} {}", json!(words)));
            }
        }
        instructions
    }
}

/// The container with a waiting command in place of its own, and without the variables of the app.
fn waiting(body: &ContainerCreateBody, of: &Image) -> ContainerCreateBody {
    let waits = Some(WAITING.map(str::to_owned).to_vec());
    let (entrypoint, cmd) = if of.entrypoint.is_empty() { (None, waits) } else { (waits, None) };
    let mut waiting =
        ContainerCreateBody { entrypoint, cmd, env: None, open_stdin: Some(true), ..body.clone() };
    if let Some(host) = &mut waiting.host_config {
        host.auto_remove = Some(false);
    }
    waiting
}

impl App<'_> {
    /// Runs the task in a container that waits, and waits for its end.
    async fn perform(
        &self,
        id: &str,
        (body, of): (&ContainerCreateBody, &Image),
        (release, task): (&Release, &Task),
        requester: &mut Requester<'_>,
        last: &mut VecDeque<String>,
    ) -> Result<Over, Fault> {
        self.engine.start(id).await?;
        let command = body.cmd.iter().flatten();
        let words: Vec<String> = of.entrypoint.iter().chain(command).cloned().collect();
        let env = body.env.as_deref().unwrap_or_default();
        let exec = self.engine.exec(id, &words, env, false).await?;
        let (_, output) = self.engine.start_exec(&exec, false).await?;
        let Requester { tell, cancel, .. } = requester;
        let ended = pin!(async {
            task::pass_on(output, task, *tell, last).await;
            ended(self.engine, &exec).await
        });
        let told = pin!(task::until_told(cancel, release.run_timeout(&task.process_type)));
        match select(ended, told).await {
            Either::Left((status, _)) => Ok(Over::Ended(one_off::exit(status?))),
            Either::Right((over, ended)) => {
                if self.asks(id, &exec, stop_signal(body, of)).await {
                    // Output that still comes is passed on. The container is removed whether the task has ended or not.
                    drop(tokio::time::timeout(release.grace(&task.process_type), ended).await);
                }
                Ok(over)
            }
        }
    }

    /// Asks a process in a container to end. `false`: the process has ended already, or cannot be signalled; then there is no
    /// need to wait.
    async fn asks(&self, container: &str, exec: &str, signal: SignalName) -> bool {
        let pid = self.engine.exec_pid(exec).await.ok().flatten();
        pid.is_some_and(|pid| inmate::signal(container, pid, signal.number().into()).is_ok())
    }
}

/// The signal that asks the task to end: the one that is set for its type, else that of the image.
fn stop_signal(body: &ContainerCreateBody, of: &Image) -> SignalName {
    let word = body.stop_signal.as_ref().or(of.stop_signal.as_ref());
    word.and_then(|word| word.parse().ok()).unwrap_or(SignalName::TERM)
}

async fn ended(engine: &Engine, exec: &str) -> Result<i64, Fault> {
    loop {
        if let Some(status) = engine.exec_status(exec).await? {
            return Ok(status);
        }
        tokio::time::sleep(LOOK).await;
    }
}
