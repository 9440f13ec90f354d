//! Runs a command in a running container, in addition to its main process.

use std::time::Duration;

use formation::Exit;
use ps_engine::{Engine, Fault, Target};
use ps_scheduler::{Ended, Entry, SHELL};

use crate::SIGPIPE;
use crate::talk::{Over, Talk};

/// How long the engine may take to report the exit status of a process whose output has ended.
const SAID_LATER: Duration = Duration::from_secs(10);

/// The command of an interactive shell.
pub fn shell() -> Vec<String> {
    ["/bin/sh", "-c", SHELL].map(str::to_owned).into()
}

/// Runs the words of an entry, or a shell, in the container with this id, until the output ends.
///
/// # Errors
/// The container does not run, or the connection to the engine broke off.
pub async fn enter(engine: &Engine, id: &str, entry: &Entry<'_>) -> Result<Ended, Fault> {
    let words = entry.words.map_or_else(shell, <[String]>::to_vec);
    let exec = engine.exec(id, &words, &[], entry.is_terminal).await?;
    let streams = engine.start_exec(&exec, entry.is_terminal).await?;
    let Entry { is_terminal, signals, grace, .. } = *entry;
    let target = Target::Exec(&exec);
    let talk = Talk { engine, container: id, target, is_terminal, signals, timeout: None, grace };
    if talk.hold(streams).await? == Over::Unread {
        return Ok(Ended::Exit(Exit::Signal(SIGPIPE)));
    }
    let until = tokio::time::Instant::now() + SAID_LATER;
    loop {
        if let Some(status) = engine.exec_status(&exec).await? {
            return Ok(Ended::Exit(ps_engine::exit_of(status).unwrap_or(Exit::Code(1))));
        }
        if tokio::time::Instant::now() >= until {
            // The process has closed its output and still runs, or the connection broke off.
            return Ok(Ended::RunsOn);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
