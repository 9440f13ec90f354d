//! HTTP/1.1 as far as a health check, a proxy and curl need it: one request per connection, one thread each.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;

use crate::args::{Args, Port};
use crate::{lasting, say, tls};

const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
pub(crate) const REQUEST_BYTES: u64 = 64 * 1024;

/// Where to listen, and how to behave there.
#[derive(Clone)]
pub(crate) struct Server {
    address: SocketAddr,
    after: Duration,
    manner: Manner,
}

#[derive(Clone)]
enum Manner {
    Serve { status: Option<u16>, after: Duration, tls: Option<Arc<ServerConfig>> },
    KeepAlive,
    Reset,
    Hang,
}

impl Server {
    /// The server that `args` ask for.
    pub(crate) fn from(args: &Args, port: Port) -> io::Result<Self> {
        let port = match port {
            Port::Given(port) => port,
            Port::FromEnvironment => port_from_environment()?,
        };
        let manner = if args.accept_and_hang {
            Manner::Hang
        } else if args.reset {
            Manner::Reset
        } else if args.keep_alive {
            Manner::KeepAlive
        } else {
            let tls = if args.tls { Some(tls::config()?) } else { None };
            Manner::Serve { status: args.answer, after: args.answer_after.unwrap_or_default(), tls }
        };
        let address = SocketAddr::new(args.bind, port);
        Ok(Self { address, after: args.listen_after.unwrap_or_default(), manner })
    }

    /// Opens the port and serves until the process ends.
    pub(crate) fn serve(&self) -> io::Result<()> {
        thread::sleep(self.after);
        let listener = TcpListener::bind(self.address)
            .map_err(|error| say::failed(&format!("listen on {}", self.address), &error))?;
        say::line(&format!("{}: listening on {}", say::name(), listener.local_addr()?))?;
        let mut hung = Vec::new();
        for connection in listener.incoming() {
            let Ok(connection) = connection else { continue };
            match &self.manner {
                Manner::Hang => hung.push(connection),
                // What has come and was not read makes the end a reset.
                Manner::Reset => drop(thread::spawn(move || connection.peek(&mut [0]).ok())),
                Manner::KeepAlive => drop(thread::spawn(move || lasting::serve(connection).ok())),
                Manner::Serve { status, after, tls } => {
                    let (status, after, tls) = (*status, *after, tls.clone());
                    // A client that went away is its own affair.
                    thread::spawn(move || answer(connection, status, after, tls).ok());
                }
            }
        }
        Ok(())
    }
}

fn port_from_environment() -> io::Result<u16> {
    let missing = || io::Error::other("--listen without a port needs one in PORT");
    env::var("PORT").ok().and_then(|port| port.parse().ok()).ok_or_else(missing)
}

fn answer(
    connection: TcpStream,
    forced: Option<u16>,
    after: Duration,
    tls: Option<Arc<ServerConfig>>,
) -> io::Result<()> {
    connection.set_read_timeout(Some(REQUEST_DEADLINE))?;
    match tls {
        None => talk(&connection, forced, after),
        Some(config) => {
            let mut session = tls::session(config, connection)?;
            talk(&mut session, forced, after)?;
            session.conn.send_close_notify();
            session.flush()
        }
    }
}

fn talk(mut stream: impl Read + Write, forced: Option<u16>, after: Duration) -> io::Result<()> {
    let (method, path) = request(&mut stream)?;
    thread::sleep(after);
    let (found, body) = page(&path);
    let status = forced.unwrap_or(found);
    let head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        reason(status),
        body.len()
    );
    let body = if method == "HEAD" { "" } else { &body };
    stream.write_all(format!("{head}{body}").as_bytes())
}

/// Reads a request to the end of its head, and gives its method and path.
fn request(stream: impl Read) -> io::Result<(String, String)> {
    let mut lines = BufReader::new(stream.take(REQUEST_BYTES)).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = first.split(' ').map(str::to_owned);
    Ok((words.next().unwrap_or_default(), words.next().unwrap_or_default()))
}

pub(crate) fn page(path: &str) -> (u16, String) {
    match path.split('?').next().unwrap_or_default() {
        "/" => (200, format!("{}\n", greeting())),
        "/health" => (200, "ok\n".to_owned()),
        "/pid" => (200, format!("{}\n", process::id())),
        _ => (404, "no such page\n".to_owned()),
    }
}

fn greeting() -> String {
    match env::var("GREETING") {
        Ok(greeting) => format!("Hello from {} ({greeting})", say::name()),
        Err(_) => format!("Hello from {}", say::name()),
    }
}

pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "As Asked",
    }
}
