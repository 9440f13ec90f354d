//! `web`: an app that serves the list of apps by HTTP, only on this machine and without a token. It is read-only and
//! shows no variable. It answers only requests whose host name is this machine, so that no page of another site can
//! read it.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use procfile_exchange::pm2::Declaration;
use ps_cli::exit::Outcome;
use ps_rows::machine;
use serde_json::json;

use crate::book::Book;
use crate::declared;
use crate::fleet;
use crate::home::Home;
use crate::json_list::{Element, Environment, Ordered, listed};
use crate::options;
use crate::release;
use crate::row;
use crate::say;
use crate::session::Session;
use crate::table;

/// The word by which the app is called.
pub(crate) const WORD: &str = "--serve-web";
/// pm2's port where `PM2_API_PORT` says none.
const PORT: u16 = 9615;
/// What scripts look for in the path of its program.
const SCRIPT: &str = "HttpInterface.js";
/// The longest head of a request, in bytes, and how long one may take.
const HEAD: usize = 8192;
const PATIENCE: Duration = Duration::from_secs(5);
/// How many are answered at a time; the others are closed at once.
const CLIENTS: usize = 32;

/// Starts the app.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let port: u16 = match options::value(&session.home, "PM2_API_PORT") {
        None => PORT,
        Some(word) => {
            let number = word.parse().ok().filter(|port| *port > 0);
            number.with_context(|| format!("PM2_API_PORT: a port is wanted, not {word}"))?
        }
    };
    say::plain(format_args!("Launching web interface on port {port}"))?;
    let name = format!("Pm2Http{port}");
    let _lock = session.home.lock()?;
    let mut book = Book::read(&session.home)?;
    if book.apps.iter().any(|app| app.name == name) {
        bail!("{name} is there already: ps-pm2 restart {name}, or set PM2_API_PORT");
    }
    let script = session.home.own().join(SCRIPT);
    fs::write(&script, "// ps-pm2 web serves what this file stands for in lists.\n")
        .with_context(|| format!("write {}", script.display()))?;
    let mut declaration = Declaration::default();
    declaration.set("script", script.display().to_string().into());
    declaration.set("name", name.into());
    declaration.set("exec_mode", "fork_mode".into());
    declaration.set("exec_interpreter", "none".into());
    let mut judged = declared::judge(session, &declaration)?;
    judged.app.shown.retain(|(key, _)| key != "exec_interpreter");
    let home = session.home.directory().display().to_string();
    judged.app.words = vec![release::own_program()?, WORD.to_owned(), home, port.to_string()];
    fleet::launch(&session.home, &mut book, &judged, &[])?;
    say::fact("Process launched")?;
    table::print_all(session)?;
    Ok(Outcome::Done)
}

/// Serves until it is ended.
pub(crate) fn serve(words: &[OsString]) -> Result<Outcome> {
    let [home, port] = words else { return Err(anyhow!("{WORD}: HOME and PORT are wanted")) };
    let home = Home::at(Path::new(home));
    let port: u16 = port.to_str().and_then(|port| port.parse().ok()).context("PORT is no port")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = listener.with_context(|| format!("listen on 127.0.0.1:{port}"))?;
    let busy = Arc::new(AtomicUsize::new(0));
    for client in listener.incoming() {
        let Ok(client) = client else { continue };
        if busy.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
            busy.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (home, counted) = (home.clone(), Arc::clone(&busy));
        let answering = thread::Builder::new().spawn(move || {
            // If the client has left, the answer is dropped.
            let _ = answer(&home, client, port);
            counted.fetch_sub(1, Ordering::Relaxed);
        });
        if answering.is_err() {
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
    Ok(Outcome::Done)
}

fn answer(home: &Home, mut client: TcpStream, port: u16) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut bytes = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        // No time left is no timeout to the socket, but an error.
        client.set_read_timeout(Some(deadline.saturating_duration_since(Instant::now())))?;
        let read = client.read(&mut bytes)?;
        if read == 0 || head.len() > HEAD {
            return Ok(());
        }
        head.extend_from_slice(&bytes[..read]);
    }
    let (status, body) = match judge(&String::from_utf8_lossy(&head), port) {
        Ok(()) => ("200 OK", described(home)?),
        Err(status) => (status, json!({"err": &status[..3]}).to_string()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())?;
    Ok(())
}

/// Whether a request is one that is answered; else the status that says why not.
fn judge(head: &str, port: u16) -> Result<(), &'static str> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim().to_owned())
    });
    let named = host.as_deref().map(|host| host.strip_suffix(&format!(":{port}")).unwrap_or(host));
    if !matches!(named, Some("localhost" | "127.0.0.1" | "[::1]")) {
        return Err("403 Forbidden");
    }
    match (method, path) {
        ("GET", "/") => Ok(()),
        ("GET", _) => Err("404 Not Found"),
        _ => Err("405 Method Not Allowed"),
    }
}

fn described(home: &Home) -> Result<String> {
    let book = Book::read(home)?;
    let rows = row::rows(home, &book)?;
    let processes: Vec<Ordered> = rows.iter().map(|row| listed(row, Environment::Left)).collect();
    let plain = |name: &str, value| (name.to_owned(), Element::Plain(value));
    let mut json = serde_json::to_string(&Ordered(vec![
        plain("system_info", machine::system()),
        plain("monit", machine::monit()),
    ]))?;
    json.pop();
    Ok(format!("{json},\"processes\":{}}}", serde_json::to_string(&processes)?))
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn only_the_page_is_shown_and_only_to_those_who_name_this_machine() {
        let asked = |line: &str, host: &str| judge(&format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 9615);
        for host in ["localhost:9615", "127.0.0.1:9615", "[::1]:9615", "localhost"] {
            assert_eq!(asked("GET /", host), Ok(()), "{host}");
        }
        for host in ["evil.example:9615", "localhost.evil.example", "localhost:80", ""] {
            assert_eq!(asked("GET /", host), Err("403 Forbidden"), "{host}");
        }
        assert_eq!(judge("GET / HTTP/1.0\r\n\r\n", 9615), Err("403 Forbidden"));
        assert_eq!(asked("GET /x", "localhost"), Err("404 Not Found"));
        assert_eq!(asked("POST /", "localhost"), Err("405 Method Not Allowed"));
    }
}
