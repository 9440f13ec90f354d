//! The messages between Node's primary and its workers, as Node 0.12 to 26 send them, and as 0.10 did: one JSON value a line. Messages of
//! the cluster are objects whose `cmd` begins with `NODE_`; all others belong to the app.
//! docs/decisions/node-cluster.md describes the protocol.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use rustix::io::Errno;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::place::{Place, Port};

/// A flag of libuv: an IPv6 address accepts no IPv4.
const V6_ONLY: u64 = 1;
/// A flag of libuv for datagrams: other sockets may use the port as well.
const REUSE_ADDRESS: u64 = 4;
/// The prefix of `cmd` in the messages of Node 0.10.
const OLD: &str = "NODE_CLUSTER_";
/// The most bytes of data that workers share, such as the keys of TLS tickets; more is an error.
const LONGEST_DATA: usize = 4096;

/// A message of a worker.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// It asks to listen.
    Query(Query),
    /// It listens.
    Listening,
    /// It does not listen any more at the place with this key.
    Close { key: String },
    /// Whether it has taken a connection.
    Answer { to: u64, accepted: bool },
    /// It will disconnect by itself, and waits for an answer.
    Leaves(Asked),
    /// The descriptor of the last message has arrived.
    HandleTaken,
    /// The descriptor has not arrived, because the worker has none left.
    HandleMissed,
    /// A message of the app, sent with a descriptor.
    Carried(Value),
    /// A message of the app.
    App,
    /// A message of Node's that needs no answer.
    Other,
    /// A line that is not JSON.
    Garbage,
}

/// The identification of a question, which its answer repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The number of the question.
    Number(u64),
    /// The word that Node 0.10 sends with a question.
    Word(String),
}

/// A request to listen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) asked: Asked,
    /// The place, or the reason why it is not possible to listen there.
    pub(crate) place: Result<Place, Errno>,
    pub(crate) backlog: i32,
    /// Data that the workers at one place share.
    pub(crate) data: Value,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    cmd: Option<&'a str>,
}

/// Parses one line.
pub(crate) fn read(line: &[u8]) -> Said {
    let head = serde_json::from_slice::<Head<'_>>(line).ok().and_then(|head| head.cmd);
    let Some(cmd) = head.filter(|cmd| cmd.starts_with("NODE_")) else {
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
        return if is_json { Said::App } else { Said::Garbage };
    };
    // An array whose first element is such a word would be parsed as a header too, so a map is required.
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(line) else { return Said::App };
    match cmd {
        "NODE_CLUSTER" => of_cluster(&fields),
        "NODE_HANDLE" => Said::Carried(fields.get("msg").cloned().unwrap_or_default()),
        "NODE_HANDLE_ACK" => Said::HandleTaken,
        "NODE_HANDLE_NACK" => Said::HandleMissed,
        _ => match cmd.strip_prefix(OLD) {
            Some(act) => of_old_cluster(act, &fields),
            None => Said::Other,
        },
    }
}

/// A message of a worker of Node 0.10: the act is part of `cmd`, and a question has a word in place of a number.
fn of_old_cluster(act: &str, fields: &Map<String, Value>) -> Said {
    let asked = fields.get("_requestEcho").and_then(Value::as_str).map(|word| Asked::Word(word.to_owned()));
    match (act, asked) {
        ("queryServer", Some(asked)) => Said::Query(query(fields, asked)),
        ("suicide", Some(asked)) => Said::Leaves(asked),
        ("listening", _) => Said::Listening,
        _ => Said::Other,
    }
}

fn of_cluster(fields: &Map<String, Value>) -> Said {
    let number = |name: &str| fields.get(name).and_then(Value::as_u64);
    let act = fields.get("act").and_then(Value::as_str);
    match (act, number("seq"), number("ack")) {
        (Some("queryServer"), Some(seq), _) => Said::Query(query(fields, Asked::Number(seq))),
        // Node before version 6 calls it suicide.
        (Some("exitedAfterDisconnect" | "suicide"), Some(seq), _) => Said::Leaves(Asked::Number(seq)),
        (Some("listening"), _, _) => Said::Listening,
        (Some("close"), _, _) => {
            let key = fields.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
            Said::Close { key }
        }
        (None, _, Some(to)) => Said::Answer { to, accepted: fields.get("accepted") == Some(&true.into()) },
        _ => Said::Other,
    }
}

fn query(fields: &Map<String, Value>, asked: Asked) -> Query {
    let backlog = fields.get("backlog").and_then(Value::as_i64).and_then(|size| i32::try_from(size).ok());
    let data = fields.get("data").cloned().unwrap_or_default();
    let data = if data.to_string().len() > LONGEST_DATA { Value::Null } else { data };
    Query { asked, place: place(fields), backlog: backlog.unwrap_or_default(), data }
}

fn place(fields: &Map<String, Value>) -> Result<Place, Errno> {
    let number = |name: &str| fields.get(name).and_then(Value::as_i64);
    if number("fd").is_some_and(|fd| fd >= 0) {
        // A descriptor of the primary would be meant, and a worker knows none of them.
        return Err(Errno::BADF);
    }
    let address = fields.get("address").and_then(Value::as_str).filter(|address| !address.is_empty());
    let port = number("port").unwrap_or_default();
    if port < 0 {
        let path = address.map(PathBuf::from).filter(|path| path.is_absolute());
        return path.map(Place::Path).ok_or(Errno::INVAL);
    }
    let flags = fields.get("flags").and_then(Value::as_u64).unwrap_or_default();
    let kind = fields.get("addressType");
    let udp = kind.and_then(Value::as_str);
    let (address, scope) = address.map(internet).transpose()?.unzip();
    let number = u16::try_from(port).map_err(|_| Errno::INVAL)?;
    let index = fields.get("index").and_then(Value::as_u64).unwrap_or_default();
    let port = Port {
        // If no address is given, Node binds both families, except for datagrams, whose family is always given.
        is_v6: address.map_or(udp != Some("udp4"), |address| address.is_ipv6()),
        address,
        scope: scope.unwrap_or_default(),
        number,
        is_v6_only: flags & V6_ONLY != 0,
        index: if number == 0 { index } else { 0 },
        reuses: udp.is_some() && flags & REUSE_ADDRESS != 0,
    };
    Ok(if udp.is_some() { Place::Udp(port) } else { Place::Tcp(port) })
}

/// An IP address, and the number of the interface that follows it (`fe80::1%eth0`).
fn internet(text: &str) -> Result<(IpAddr, u32), Errno> {
    let (address, interface) = text.split_once('%').map_or((text, None), |(ip, name)| (ip, Some(name)));
    let address = address.parse().map_err(|_| Errno::INVAL)?;
    let scope = match interface {
        None => 0,
        Some(name) => match name.parse() {
            Ok(number) => number,
            Err(_) => interface_number(name)?,
        },
    };
    Ok((address, scope))
}

fn interface_number(name: &str) -> Result<u32, Errno> {
    let socket =
        rustix::net::socket(rustix::net::AddressFamily::INET6, rustix::net::SocketType::DGRAM, None)?;
    rustix::net::netdevice::name_to_index(&socket, name)
}

/// The answer to a worker that may listen.
pub(crate) fn may_listen(asked: &Asked, key: &str, data: &Value, name: Option<SocketAddr>) -> Value {
    let Asked::Number(seq) = asked else { return heard(asked) };
    let name = name.map(|name| {
        let family = if name.is_ipv4() { "IPv4" } else { "IPv6" };
        json!({"address": name.ip().to_string(), "family": family, "port": name.port()})
    });
    let mut answer = json!({"cmd": "NODE_CLUSTER", "ack": seq, "key": key, "errno": null, "data": data});
    if let Some(name) = name {
        answer["sockname"] = name;
    }
    answer
}

/// The answer to a worker that may not listen.
pub(crate) fn may_not_listen(asked: &Asked, why: Errno) -> Value {
    // The protocol of Node 0.10 has no errors: the answer comes without a socket.
    let Asked::Number(seq) = asked else { return heard(asked) };
    json!({"cmd": "NODE_CLUSTER", "ack": seq, "errno": -why.raw_os_error(), "data": null})
}

/// The message with a connection for the place with this key.
pub(crate) fn connection(seq: u64, key: &str) -> Value {
    json!({"cmd": "NODE_CLUSTER", "act": "newconn", "key": key, "seq": seq})
}

/// The answer to a question that needs no other data.
pub(crate) fn heard(asked: &Asked) -> Value {
    match asked {
        Asked::Number(seq) => json!({"cmd": "NODE_CLUSTER", "ack": seq}),
        Asked::Word(word) => json!({"cmd": OLD, "_queryEcho": word}),
    }
}

/// The message that tells a worker to stop listening, and to disconnect when its last connection has ended. `is_old`: the worker is of
/// Node 0.10.
pub(crate) fn disconnect(is_old: bool) -> Value {
    if is_old {
        return json!({"cmd": format!("{OLD}disconnect")});
    }
    json!({"cmd": "NODE_CLUSTER", "act": "disconnect"})
}

/// The message that contains another one and comes with a descriptor.
pub(crate) fn with_handle(kind: Handle, message: &Value) -> Value {
    let kind = match kind {
        Handle::Stream => "net.Native",
        Handle::Datagrams => "dgram.Native",
    };
    json!({"cmd": "NODE_HANDLE", "type": kind, "msg": message})
}

/// The answer to a message that came with a descriptor.
pub(crate) fn handle_arrived(has_arrived: bool) -> Value {
    json!({"cmd": if has_arrived { "NODE_HANDLE_ACK" } else { "NODE_HANDLE_NACK" }})
}

/// The kind of a descriptor for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handle {
    /// A connection, or a socket that accepts connections.
    Stream,
    /// A socket for datagrams.
    Datagrams,
}

#[cfg(test)]
mod tests;
