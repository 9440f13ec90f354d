//! Calls about a process that somebody interacts with: the only process of a container, or an additional one in a
//! running container.

use std::path::PathBuf;

use hyper::Response;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::deadline::{HEAVY, SHORT};
use crate::engine::Engine;
use crate::{Fault, Input, Output, attached, transport};

/// A sequence of keys that nobody types by chance. With its default keys, Ctrl-P Ctrl-Q, the engine would end the connection, and would hold
/// back a Ctrl-P until the next key; shells use Ctrl-P for the previous line.
const DETACH_KEYS: &str = "ctrl-@%2Cctrl-@%2Cctrl-@%2Cctrl-@%2Cctrl-@%2Cctrl-@";

/// The owner of a terminal.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The container with this id.
    Container(&'a str),
    /// The process in a container with this id, which [`Engine::exec`] has returned.
    Exec(&'a str),
}

/// The name of the call that returns when the container is gone, however long that takes.
const AWAITS: &str = "wait for a container";

/// A container that is going to be removed.
#[derive(Debug)]
pub struct Removal {
    response: Response<Incoming>,
    socket: PathBuf,
}

impl Removal {
    /// Waits until the container is gone. Returns its exit status.
    ///
    /// # Errors
    /// The connection to the engine broke off.
    pub async fn status(self) -> Result<i64, Fault> {
        let answer = transport::json(self.response).await;
        let answer = answer.map_err(|error| Fault::of(&self.socket, AWAITS, error))?;
        let status = answer["StatusCode"].as_i64();
        status.ok_or_else(|| Fault::broke_off(&self.socket, AWAITS, "it does not say how it ended"))
    }
}

impl Engine {
    /// The streams of a container, which need not have been started.
    pub async fn attach(&self, id: &str, is_terminal: bool) -> Result<(Input, Output), Fault> {
        let path =
            format!("/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1&detachKeys={DETACH_KEYS}");
        let attached = attached::attach(self.socket(), &path, None, is_terminal, SHORT).await;
        attached.map_err(|error| Fault::of(self.socket(), "attach to a container", error))
    }

    /// Asks the engine to report when a container that removes itself is gone. Call this before the container is started, because it
    /// may be gone a moment later.
    pub async fn await_removal(&self, id: &str) -> Result<Removal, Fault> {
        let path = format!("/containers/{id}/wait?condition=removed");
        let begun = transport::begin_post(self.socket(), &path);
        let response = self.within(AWAITS, SHORT, begun).await?;
        Ok(Removal { response, socket: self.socket().to_owned() })
    }

    /// Prepares another process in a running container, with these variables in addition to those of the container. Returns its id.
    pub async fn exec(
        &self,
        container: &str,
        words: &[String],
        env: &[String],
        is_terminal: bool,
    ) -> Result<String, Fault> {
        let body = json!({
            "AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": is_terminal, "Cmd": words, "Env": env,
            "DetachKeys": DETACH_KEYS.replace("%2C", ","),
        });
        let path = format!("/containers/{container}/exec");
        let answer =
            self.within("run in a container", SHORT, transport::post(self.socket(), &path, Some(&body)));
        Ok(answer.await?["Id"].as_str().unwrap_or_default().to_owned())
    }

    /// Starts a process that [`Self::exec`] has prepared. Returns its streams.
    pub async fn start_exec(&self, id: &str, is_terminal: bool) -> Result<(Input, Output), Fault> {
        let body = json!({"Detach": false, "Tty": is_terminal});
        let path = format!("/exec/{id}/start");
        let attached = attached::attach(self.socket(), &path, Some(&body), is_terminal, HEAVY).await;
        attached.map_err(|error| Fault::of(self.socket(), "run in a container", error))
    }

    /// The exit status of a process that [`Self::start_exec`] started; `None` while it runs.
    pub async fn exec_status(&self, id: &str) -> Result<Option<i64>, Fault> {
        let path = format!("/exec/{id}/json");
        let answer: Value =
            self.within("describe a process", SHORT, transport::get(self.socket(), &path)).await?;
        Ok(answer["ExitCode"].as_i64().filter(|_| answer["Running"] != json!(true)))
    }

    /// The pid of a process that [`Self::start_exec`] has started, on the machine of the engine; `None` before it runs and after its end.
    pub async fn exec_pid(&self, id: &str) -> Result<Option<i32>, Fault> {
        let path = format!("/exec/{id}/json");
        let answer: Value =
            self.within("describe a process", SHORT, transport::get(self.socket(), &path)).await?;
        let pid = answer["Pid"].as_i64().filter(|_| answer["Running"] == json!(true));
        Ok(pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0))
    }

    /// Gives a terminal another size.
    pub async fn resize(&self, target: Target<'_>, rows: u16, columns: u16) -> Result<(), Fault> {
        let of = match target {
            Target::Container(id) => format!("/containers/{id}"),
            Target::Exec(id) => format!("/exec/{id}"),
        };
        let path = format!("{of}/resize?h={rows}&w={columns}");
        self.within("resize a terminal", SHORT, transport::post(self.socket(), &path, None)).await.map(drop)
    }

    /// Sends a signal, by its number, to the main process of a container.
    pub async fn signal(&self, id: &str, signal: i32) -> Result<(), Fault> {
        let path = format!("/containers/{id}/kill?signal={signal}");
        self.within("signal a container", SHORT, transport::post(self.socket(), &path, None)).await.map(drop)
    }
}
