//! Runs another program of this installation with the same arguments that a person would use, so it does the same as
//! for a person.

use std::process::Stdio;
use std::time::Duration;

use formation::Which;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

/// How much of its output is read, in bytes.
const MOST: u64 = 4 << 20;

/// What a client says that an order or a question is about: `web`, `web.1`. `None`: it is no such name, or one that a program would take for
/// an option.
pub(crate) fn named(word: &str) -> Option<Which> {
    word.parse().ok().filter(|_| !word.starts_with('-'))
}

/// How it ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit status; `None`: a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs it to its end; after `deadline` it is killed.
///
/// # Errors
/// A sentence for people: it is not there, cannot be started, or takes too long.
pub(crate) async fn ask(program: &str, words: &[&str], deadline: Duration) -> Result<Ran, String> {
    let mut command = command(program, words)?;
    command.kill_on_drop(true);
    match timeout(deadline, run(program, command)).await {
        Ok(ran) => ran,
        Err(_) => Err(format!("{program} has not answered within {} s", deadline.as_secs())),
    }
}

/// Runs it to its end, however long that is; `on_behalf_of` is whom the journal names.
///
/// # Errors
/// A sentence for people: it is not there, or cannot be started.
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

/// The beginning of the output. The rest is read and dropped, so that the program does not block.
async fn read(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut bytes = Vec::new();
    let _ = (&mut from).take(MOST).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
