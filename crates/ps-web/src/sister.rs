//! Runs another program of this installation with the same arguments that a person would use, so that the result is the same.

use std::process::Stdio;
use std::time::Duration;

use formation::Which;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

/// How many bytes of the output are read.
const MOST: u64 = 4 << 20;

/// The type or instance that a client names: `web`, `web.1`. `None` if it is no valid name, or if a program would take it for an option.
pub(crate) fn named(word: &str) -> Option<Which> {
    word.parse().ok().filter(|_| !word.starts_with('-'))
}

/// The result of a program.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit status; `None` if a signal ended the program.
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a program to its end; after `deadline` it is killed.
///
/// # Errors
/// A sentence for people: the program does not exist, cannot be started, or takes too long.
pub(crate) async fn ask(program: &str, words: &[&str], deadline: Duration) -> Result<Ran, String> {
    let mut command = command(program, words)?;
    command.kill_on_drop(true);
    match timeout(deadline, run(program, command)).await {
        Ok(ran) => ran,
        Err(_) => Err(format!("{program} has not answered within {} s", deadline.as_secs())),
    }
}

/// Runs a program to its end, without a deadline. `on_behalf_of` is the person that the journal names.
///
/// # Errors
/// A sentence for people: the program does not exist, or cannot be started.
pub(crate) async fn order(program: &str, words: &[&str], on_behalf_of: &str) -> Result<Ran, String> {
    let mut command = command(program, words)?;
    command.env(ps_journal::ON_BEHALF_OF, on_behalf_of);
    run(program, command).await
}

fn command(program: &str, words: &[&str]) -> Result<Command, String> {
    let path = os_process::sister(program)
        .ok_or_else(|| format!("{program} is neither beside ps-web nor on PATH: install it"))?;
    let mut command = Command::new(path);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

async fn run(program: &str, mut command: Command) -> Result<Ran, String> {
    let mut child = command.spawn().map_err(|error| format!("cannot run {program}: {error}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err, ended) = tokio::join!(read(out), read(err), child.wait());
    let ended = ended.map_err(|error| format!("cannot wait for {program}: {error}"))?;
    Ok(Ran { status: ended.code(), out, err })
}

/// The beginning of the output. The rest is read and discarded, so that the program does not block.
async fn read(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut bytes = Vec::new();
    let _ = (&mut from).take(MOST).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
