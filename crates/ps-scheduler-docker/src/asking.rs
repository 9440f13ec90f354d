//! One attempt of a check: the request to a container, and its result. When a check is made, and what follows from the
//! result, is decided elsewhere.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use formation::Slot;
use ps_engine::{Engine, Executed, Fault};
use ps_probe::{Channel, Probe, Standing};
use ps_release::{Ask, Check, Get, Scheme, in_container};
use rustix::event::PollFlags;
use serde_json::Value;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::app::App;
use crate::label;

/// The pause between two attempts to connect to a port on which no process listens yet.
const AGAIN: Duration = Duration::from_millis(100);
/// How much of the output of a command is shown, in lines.
const LAST_LINES: usize = 5;

/// A container to which checks are made.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// Its id.
    pub(crate) id: String,
    /// The port that its type usually listens on.
    pub(crate) port: Option<u16>,
    /// Whether clients reach the container through a proxy that ends TLS. Some apps must be told that, so that they do not redirect.
    pub(crate) is_behind_tls: bool,
}

impl Subject {
    /// A container of an app. Dokku keeps the app's certificate beside its records.
    pub(crate) fn of(app: &App<'_>, slot: &Slot, id: String) -> Self {
        let tls = app.world.app_dir(app.name).join("tls");
        let is_behind_tls = ["server.crt", "server.key"].iter().all(|name| tls.join(name).is_file());
        Self { id, port: in_container::port(&slot.process_type), is_behind_tls }
    }

    /// A GET request with the headers that a proxy would add.
    fn proxied(&self, get: &Get) -> Get {
        let name = "X-Forwarded-Proto";
        let is_said = get.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let mut get = get.clone();
        if self.is_behind_tls && !is_said {
            get.headers.push((name.to_owned(), "https".to_owned()));
        }
        get
    }
}

/// Why a check does not hold, as a phrase for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// The check was made and failed.
    Fails(String),
    /// The engine did not permit the check, which says nothing about the container.
    Unasked(String),
}

impl Miss {
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Fails(reason) | Self::Unasked(reason) => reason,
        }
    }

    fn of(fault: &Fault) -> Self {
        let reason = fault.reason().to_owned();
        // A refusal may be the container's own fault, for example if a program is not in the image. That the container does not run, or
        // is gone, is not a result of the check.
        let is_its = matches!(fault, Fault::Refused { .. }) && !fault.is_gone() && !fault.is_conflict();
        if is_its { Self::Fails(reason) } else { Self::Unasked(reason) }
    }
}

/// One attempt of a check.
pub(crate) async fn attempt(engine: &Engine, subject: &Subject, check: &Check) -> Result<(), Miss> {
    match &check.ask {
        Ask::Run(words) => run(engine, &subject.id, words, check.timeout).await,
        Ask::Live(_) => lives(engine, &subject.id).await,
        Ask::Listen => listens(address(engine, subject, check).await?, check.timeout).await,
        Ask::Get(get) => {
            let address = address(engine, subject, check).await?;
            answers(&subject.proxied(get), address, check.timeout).await
        }
    }
}

async fn run(engine: &Engine, id: &str, words: &[String], limit: Duration) -> Result<(), Miss> {
    match engine.execute(id, words, limit).await {
        Ok(Executed::Ended { exit: Some(exit), .. }) if exit.is_success() => Ok(()),
        Ok(Executed::Ended { exit, output }) => {
            let how = exit.map_or_else(|| "its exit status is not known".to_owned(), |exit| exit.to_string());
            let lines: Vec<&str> = output.lines().rev().take(LAST_LINES).collect();
            let wrote = lines.into_iter().rev().collect::<Vec<_>>().join(" / ");
            Err(Miss::Fails(if wrote.is_empty() { how } else { format!("{how}: {wrote}") }))
        }
        Ok(Executed::Late) => Err(Miss::Fails(format!("it took longer than {} s", limit.as_secs_f64()))),
        Err(fault) => Err(Miss::of(&fault)),
    }
}

/// Fails if the container does not run, or if the engine has restarted it.
async fn lives(engine: &Engine, id: &str) -> Result<(), Miss> {
    let inspected = engine.inspect(id).await.map_err(|fault| Miss::of(&fault))?;
    match (&inspected["State"]["Running"], inspected["RestartCount"].as_u64()) {
        (Value::Bool(true), None | Some(0)) => Ok(()),
        (Value::Bool(true), Some(times)) => {
            Err(Miss::Fails(format!("it was started again, {times} times in all")))
        }
        _ => Err(Miss::Fails("it does not run".to_owned())),
    }
}

/// The address for a check. The address of a container may change whenever it starts, so it is looked up for each attempt. The port is
/// that of the check, else that of its service in a Compose file, else the usual one of its type.
async fn address(engine: &Engine, subject: &Subject, check: &Check) -> Result<SocketAddr, Miss> {
    let lacks = |what: &str| Miss::Fails(format!("it has no {what}"));
    let inspected = engine.inspect(&subject.id).await.map_err(|fault| Miss::of(&fault))?;
    let port = check.port.or_else(|| service_port(&inspected)).or(subject.port);
    let port = port.ok_or_else(|| lacks("port"))?;
    let ip = ip(&inspected).ok_or_else(|| lacks("address"))?;
    Ok(SocketAddr::new(ip, port))
}

fn service_port(inspected: &Value) -> Option<u16> {
    inspected["Config"]["Labels"][label::PORT].as_str()?.parse().ok()
}

fn ip(inspected: &Value) -> Option<IpAddr> {
    if inspected["HostConfig"]["NetworkMode"] == "host" {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    let networks = inspected["NetworkSettings"]["Networks"].as_object()?;
    let own = inspected["HostConfig"]["NetworkMode"].as_str().and_then(|own| networks.get(own));
    own.into_iter().chain(networks.values()).find_map(|network| network["IPAddress"].as_str()?.parse().ok())
}

/// Whether a process listens on a port within this time.
async fn listens(address: SocketAddr, patience: Duration) -> Result<(), Miss> {
    let begin = Instant::now();
    loop {
        let left = patience.saturating_sub(begin.elapsed());
        let why = match tokio::time::timeout(left, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => unconnected(address, &error),
            Err(_) => {
                let seconds = patience.as_secs_f64();
                return Err(Miss::Fails(format!("{address} did not accept within {seconds} s")));
            }
        };
        if begin.elapsed() + AGAIN >= patience {
            return Err(Miss::Fails(why));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn unconnected(address: SocketAddr, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::ConnectionRefused {
        format!("nobody listens on {address}")
    } else {
        format!("{address}: {error}")
    }
}

/// Whether a GET is answered as it should be. The port may take as long to open as the attempt lasts.
async fn answers(get: &Get, address: SocketAddr, timeout: Duration) -> Result<(), Miss> {
    let begin = Instant::now();
    listens(address, timeout).await?;
    let left = timeout.saturating_sub(begin.elapsed());
    match get.scheme {
        Scheme::Http => follow(Probe::begin(get, address, left, Instant::now())).await,
        Scheme::Https => follow(tls_probe::begin(get, address, left, Instant::now())).await,
    }
}

/// Runs a probe until it is over.
async fn follow<C: Channel>(mut probe: Probe<C>) -> Result<(), Miss> {
    loop {
        match probe.advance(Instant::now()) {
            Standing::Pending => wait(&probe).await,
            Standing::Holds => return Ok(()),
            Standing::DoesNotHold(reason) => return Err(Miss::Fails(reason)),
        }
    }
}

/// Waits until a probe has work to do, or its time is over.
async fn wait<C: Channel>(probe: &Probe<C>) {
    let now = Instant::now();
    let left = probe.due(now).saturating_duration_since(now);
    // A duplicate of the descriptor has the same readiness, and tokio owns it.
    let watched = probe.waits_for().and_then(|(descriptor, events)| {
        let is_for_writing = events.contains(PollFlags::OUT);
        let interest = if is_for_writing { Interest::WRITABLE } else { Interest::READABLE };
        let stream = std::net::TcpStream::from(descriptor.try_clone_to_owned().ok()?);
        Some((TcpStream::from_std(stream).ok()?, interest))
    });
    match watched {
        Some((stream, interest)) => {
            let _ = tokio::time::timeout(left, stream.ready(interest)).await;
        }
        None => tokio::time::sleep(left.min(AGAIN)).await,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_is_asked_where_the_engine_says_it_is() {
        let at = |inspected: &Value| ip(inspected).map(|ip| ip.to_string());
        let bridge = json!({"NetworkSettings": {"Networks": {"a": {"IPAddress": ""}, "b": {"IPAddress": "10.0.0.7"}}}});
        assert_eq!(at(&bridge).as_deref(), Some("10.0.0.7"));
        let host = json!({"HostConfig": {"NetworkMode": "host"}, "NetworkSettings": {"Networks": {"host": {"IPAddress": ""}}}});
        assert_eq!(at(&host).as_deref(), Some("127.0.0.1"));
        assert_eq!(at(&json!({"NetworkSettings": {"Networks": {"none": {"IPAddress": ""}}}})), None);
        assert_eq!(at(&json!({})), None);
        let service = json!({"Config": {"Labels": {"com.formation.port": "8000"}}});
        assert_eq!((service_port(&service), service_port(&bridge)), (Some(8000), None));
    }
}
