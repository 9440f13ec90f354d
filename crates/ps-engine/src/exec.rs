//! Runs a command in a container, in addition to its processes, for checks: waits for its end, and keeps the end of its output.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bollard::errors::Error;
use bollard::exec::CreateExecOptions;
use formation::Exit;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use rustix::process::Signal;
use serde_json::Value;

use crate::deadline::SHORT;
use crate::{Engine, Fault, condition, transport};

/// The pause between two looks whether a command has started.
const LOOK: Duration = Duration::from_millis(100);
const START: &str = "run a command in a container";
/// How many bytes of the end of the output are kept.
const KEPT: usize = 4096;
/// The size of the header before each piece of output: the number of the stream and the length.
const HEAD: usize = 8;

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// It ended.
    Ended {
        /// How it ended; `None` if that is unknown.
        exit: Option<Exit>,
        /// The end of its output.
        output: String,
    },
    /// It ran longer than permitted, and was killed if this machine permits that.
    Late,
}

impl Engine {
    /// Runs a command, given as a list of words and without a shell, with the environment of a running container.
    pub async fn execute(&self, id: &str, words: &[String], limit: Duration) -> Result<Executed, Fault> {
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(words.to_vec()),
            ..CreateExecOptions::default()
        };
        let created = self.within(START, SHORT, self.docker.create_exec(id, options)).await?.id;
        let body = self.within(START, SHORT, start(self.socket(), &created)).await?;
        let output = tokio::time::timeout(limit, written(body)).await;
        let Ok(output) = output else {
            self.kill_late(id, &created).await?;
            return Ok(Executed::Late);
        };
        let exit = self.describe_command(&created).await?["ExitCode"].as_i64().and_then(condition::exit_of);
        Ok(Executed::Ended { exit, output })
    }

    /// Kills a command that is late. A busy engine may not have started the command yet. Then its start is waited for, because
    /// otherwise nobody would ever end it.
    async fn kill_late(&self, container: &str, command: &str) -> Result<(), Fault> {
        let until = Instant::now() + SHORT;
        loop {
            let described = self.describe_command(command).await?;
            if !is_to_come(&described) || Instant::now() >= until {
                kill(container, &described);
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn describe_command(&self, command: &str) -> Result<Value, Fault> {
        self.within(START, SHORT, transport::get(self.socket(), &format!("/exec/{command}/json"))).await
    }
}

/// Whether the engine has not started a command yet.
fn is_to_come(described: &Value) -> bool {
    described["Pid"].as_u64().unwrap_or_default() == 0 && described["ExitCode"].is_null()
}

/// Starts a prepared command. Its output is the body of the answer, because no other protocol is requested.
async fn start(socket: &Path, id: &str) -> Result<Incoming, Error> {
    let request = Request::post(format!("/exec/{id}/start")).header(CONTENT_TYPE, "application/json");
    let request = request.body(bollard::body_full(Bytes::from_static(br#"{"Detach":false,"Tty":false}"#)))?;
    let response = transport::send(socket.to_owned(), request).await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response.into_body());
    }
    let answer = response.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let answer: Value = serde_json::from_slice(&answer)?;
    let message = answer["message"].as_str().unwrap_or_default().to_owned();
    Err(Error::DockerResponseServerError { status_code: status.as_u16(), message })
}

/// The end of the output of a command until the command has ended. An answer that breaks off counts as an end.
async fn written(mut body: Incoming) -> String {
    let (mut frames, mut text) = (Vec::new(), Vec::new());
    while let Some(Ok(piece)) = body.frame().await {
        frames.extend(piece.into_data().unwrap_or_default());
        while let Some(length) = whole_frame(&frames) {
            text.extend(frames.drain(..HEAD + length).skip(HEAD));
        }
        text.drain(..text.len().saturating_sub(KEPT));
    }
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// The length of the first piece, if the piece is complete.
fn whole_frame(frames: &[u8]) -> Option<usize> {
    let length = frames.get(4..HEAD)?.try_into().map(u32::from_be_bytes).ok()?;
    let length = usize::try_from(length).ok()?;
    (frames.len() >= HEAD + length).then_some(length)
}

/// Kills a command that still runs. The engine has no call for that, and reports only a pid. If the engine lives in another PID
/// namespace, another process of this machine may have that pid. So the cgroup of the process has to be that of the container.
fn kill(container: &str, described: &Value) {
    let pid = described["Pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 1);
    let Some(pid) = pid.filter(|_| described["Running"] == true) else { return };
    let is_the_containers =
        || fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(container));
    os_process::signal_process(pid, Signal::KILL, is_the_containers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_a_process_is_to_come_until_it_has_an_exit_status() {
        let is_to_come = |pid: u64, running: bool, exit: Option<i64>| {
            is_to_come(&serde_json::json!({"Pid": pid, "Running": running, "ExitCode": exit}))
        };
        assert!(is_to_come(0, false, None) && is_to_come(0, true, None));
        assert!(
            !is_to_come(7, true, None) && !is_to_come(7, false, Some(0)) && !is_to_come(0, false, Some(126))
        );
    }

    #[test]
    fn a_piece_of_output_is_taken_when_all_of_it_is_there() {
        let frame = [1, 0, 0, 0, 0, 0, 0, 2, b'o', b'k'];
        assert_eq!(whole_frame(&frame), Some(2));
        for end in 0..frame.len() {
            assert_eq!(whole_frame(&frame[..end]), None, "{end}");
        }
    }
}
