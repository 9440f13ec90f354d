//! The messages between a supervisor and `ps-balance`, version 1. Each message is one JSON object on one line, with one
//! key that names it. A field that a later version adds is ignored; an unknown request is answered by `refused`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::faults::Faults;
use crate::latency::Latency;
use crate::options::Options;

/// The version of these messages.
pub const VERSION: u32 = 1;

/// A request of a supervisor, or of a client of the control socket, to `ps-balance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Introduces the client. From then on it gets all reports.
    Hello(Greeting),
    /// The backends from now on; answered by `applied`.
    Set(Set),
    /// Answered by the numbers.
    Numbers {},
    /// Accept no more connections, and end when the present ones have ended or the drain limit has passed.
    Leave {},
    /// Answered by `listeners`, which carries the listening sockets.
    Listeners {},
    /// Listen on these sockets, which are sent with this line (`SCM_RIGHTS`) in this order, and on no others, and use these settings
    /// for connections that arrive from then on; answered by `reached`. Earlier connections are not affected.
    Reach(Reach),
    /// Execute the program again, without closing a connection. The new program says `hello`.
    Upgrade {},
}

/// The first message of a supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// [`VERSION`].
    pub version: u32,
    /// The app whose address it is.
    #[serde(default)]
    pub app: Option<String>,
}

/// A list of backends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// A number that the answer repeats.
    pub revision: u64,
    /// While this is not null, new connections are held until a list without it comes, for that many seconds at most.
    #[serde(default)]
    pub pause_seconds: Option<u32>,
    /// How long a backend that is being drained keeps its connections, from this list on. Unchanged where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_seconds: Option<u32>,
    /// By what new connections are shared out among the backends.
    #[serde(default, skip_serializing_if = "Share::is_usual")]
    pub share: Share,
    /// Backends that are left out get no new connection.
    pub backends: Vec<Wanted>,
}

/// By what new connections are shared out. In both cases weights say how much each backend gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// By how many connections each backend has: one that keeps them for longer gets fewer.
    #[default]
    Load,
    /// By how many it has got: one that keeps them for longer gets as many as the others.
    Count,
}

impl Share {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
    fn is_usual(&self) -> bool {
        *self == Self::Load
    }
}

/// One backend in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name, which is unique in the list.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its part of the new connections, in proportion to the others; a backend with 0 gets none.
    #[serde(default = "usual_weight")]
    pub weight: u32,
    /// Whether it gets new connections.
    pub state: State,
    /// The release that it runs, for the numbers.
    #[serde(default)]
    pub release: Option<u64>,
}

impl Wanted {
    /// The same, to be drained.
    #[must_use]
    pub fn draining(self) -> Self {
        Self { state: State::Drain, ..self }
    }
}

fn usual_weight() -> u32 {
    100
}

/// Whether a backend gets new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does.
    Ready,
    /// It does not; those that it has go on until the drain limit.
    Drain,
}

/// From `ps-balance` to a supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Its first message.
    Hello(Introduction),
    /// The list of this revision holds: every connection that is accepted from now on follows it.
    Applied {
        /// As in the list.
        revision: u64,
    },
    /// A request that was not carried out, and why.
    Refused {
        /// The reason.
        reason: String,
    },
    /// A backend that is being drained or was forgotten has no connection any more. Told once.
    Drained(Drained),
    /// There was no connection for so long. A supervisor that can start it again may answer `leave`.
    Idle {
        /// For how long.
        seconds: u64,
    },
    /// What was counted.
    Numbers(Numbers),
    /// The files of a certificate have changed, or were read for the first time.
    Certificate {
        /// Whether it is used from now on. If not, the earlier certificate stays in use.
        taken: bool,
        /// Whether it is used and ends within 14 days.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ends_soon: bool,
        /// The file, and what is in it or what is wrong with it, for people.
        text: String,
    },
    /// It listens as `reach` has asked, or does not, and goes on as before.
    Reached {
        /// Why it does not.
        refused: Option<String>,
    },
    /// The listening sockets, which come with this line (`SCM_RIGHTS`) in this order.
    Listeners {
        /// The address of each.
        addresses: Vec<SocketAddr>,
    },
}

/// The first message of `ps-balance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// [`VERSION`].
    pub version: u32,
    /// How it hands on what arrives.
    pub mode: Mode,
    /// The same, and on what it listens; absent in a version that is not asked to [`Request::Reach`].
    #[serde(default)]
    pub reach: Option<Reach>,
}

/// On what it listens, and how it hands on what arrives there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The sockets.
    pub listeners: Vec<Listening>,
    /// How connections are handed on.
    #[serde(default)]
    pub options: Options,
}

/// A listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Its address.
    pub address: SocketAddr,
    /// Whether its clients speak TLS, which `ps-balance` ends.
    #[serde(default)]
    pub tls: bool,
}

/// How connections are handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Byte for byte.
    Tcp,
    /// Request by request.
    Http,
}

/// What became of a backend that was drained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// The backend.
    pub id: String,
    /// How many connections it had in all.
    pub connections: u64,
    /// How many of them were open when it was withdrawn, and have since ended by themselves.
    #[serde(default)]
    pub drained: u64,
    /// How many of them were still open when the drain limit passed.
    pub cut: u64,
    /// The release that it ran.
    #[serde(default)]
    pub release: Option<u64>,
    /// How it has failed clients; absent if it has not.
    #[serde(default, flatten, skip_serializing_if = "Faults::are_none")]
    pub faults: Faults,
}

/// The counts since the start. They continue after an upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Connections of clients.
    pub accepted: u64,
    /// Those of them that are open.
    pub open: u64,
    /// Those that no backend took.
    pub refused: u64,
    /// Those of clients that were to speak TLS, and did not get as far as that.
    #[serde(default)]
    pub unsecured: u64,
    /// Bytes from clients to backends.
    pub bytes_in: u64,
    /// Bytes from backends to clients.
    pub bytes_out: u64,
    /// How long clients have waited: for a backend to take their connection; in HTTP for the head of the answer to their request.
    #[serde(default)]
    pub latency: Latency,
    /// The backends of the list, and those that still have connections.
    pub backends: Vec<BackendNumbers>,
}

/// What was counted of one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendNumbers {
    /// The backend.
    pub id: String,
    /// The release that it runs.
    #[serde(default)]
    pub release: Option<u64>,
    /// Whether it is being drained: it gets no new connection.
    #[serde(default)]
    pub draining: bool,
    /// Connections in all.
    pub connections: u64,
    /// Those that are open or being opened.
    pub open: u64,
    /// Connects that were refused or not answered in time.
    pub failed: u64,
    /// Connections that were still open when the drain limit passed.
    #[serde(default)]
    pub cut: u64,
    /// How it has failed clients.
    #[serde(default, flatten)]
    pub faults: Faults,
    /// Half of the connects took at most that many microseconds.
    pub connect_p50_us: Option<u64>,
    /// 99 of 100 connects took at most that many microseconds.
    pub connect_p99_us: Option<u64>,
}
