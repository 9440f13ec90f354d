//! Calls of a Docker engine, made raw over its socket, so many at a time: the least that creating, starting and stopping containers
//! can cost.
//!
//! `raw SOCKET AT-A-TIME start COUNT LABEL IMAGE` creates and starts so many containers with the label and prints their ids.
//! `raw SOCKET AT-A-TIME stop GRACE` stops those whose ids it reads from standard input.

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: raw SOCKET AT-A-TIME start COUNT LABEL IMAGE, or raw SOCKET AT-A-TIME stop GRACE";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "raw: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [socket, at_a_time, "start", count, label, image] => {
            let ids = Mutex::new(Vec::new());
            each(at_a_time.parse()?, count.parse()?, |_| {
                let id = start(socket, label, image)?;
                ids.lock().expect("nobody panics").push(id);
                Ok(())
            })?;
            let ids = ids.into_inner().expect("nobody panics");
            Ok(writeln!(io::stdout(), "{}", ids.join("\n"))?)
        }
        [socket, at_a_time, "stop", grace] => {
            let ids = io::read_to_string(io::stdin())?;
            let ids: Vec<&str> = ids.split_whitespace().collect();
            each(at_a_time.parse()?, ids.len(), |nth| {
                call(socket, &format!("/containers/{}/stop?t={grace}", ids[nth]), "").map(drop)
            })
        }
        _ => Err(USAGE.into()),
    }
}

/// Does something with each number below `count`, so many at a time.
fn each(at_a_time: usize, count: usize, task: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= count {
                return Ok(());
            }
            task(nth)?;
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_a_time).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })
}

/// The id of a container that was created and started.
fn start(socket: &str, label: &str, image: &str) -> Result<String> {
    let (name, value) = label.split_once('=').unwrap_or((label, ""));
    let body = format!(
        r#"{{"Image":"{image}","Labels":{{"{name}":"{value}"}},"Env":["PORT=5000"],"HostConfig":{{"Init":true}}}}"#
    );
    let answer = call(socket, "/containers/create", &body)?;
    let id = answer.split("\"Id\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let id = id.ok_or_else(|| format!("no id in {answer}"))?.to_owned();
    call(socket, &format!("/containers/{id}/start"), "")?;
    Ok(id)
}

/// A POST on a connection of its own; the answer, if it says that it was done.
fn call(socket: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status.starts_with('2') { Ok(answer) } else { Err(format!("POST {path}: {answer}").into()) }
}
