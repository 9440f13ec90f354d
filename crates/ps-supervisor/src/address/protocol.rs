//! What a supervisor and its `ps-balance` say to each other: one JSON object a line, in both directions.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The version of the protocol.
pub(crate) const VERSION: u32 = 1;

/// What the supervisor says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Say<'a> {
    /// Who it is.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// The app.
        app: &'a str,
    },
    /// Which instances there are, in place of those that it was told of before.
    Set {
        /// A number that comes back in [`Said::Applied`].
        revision: u64,
        /// For how long connections are held while none is ready; `ps-balance` knows itself.
        pause_seconds: Option<u64>,
        /// The instances.
        backends: &'a [Backend],
    },
    /// What have you counted?
    Numbers {},
    /// Take no more connections, and end when those that there are have ended.
    Leave {},
    /// Send copies of the sockets that you listen on.
    Listeners {},
}

/// One instance, or one that is leaving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Backend {
    /// Its run.
    pub(crate) id: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its share of the connections, against the others'.
    pub(crate) weight: u32,
    /// Whether it gets new ones.
    pub(crate) state: Condition,
    /// The revision that it was started from.
    pub(crate) release: u64,
}

/// Whether an instance gets new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Condition {
    /// It does.
    Ready,
    /// It keeps those that it has.
    Drain,
}

/// What `ps-balance` says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// It understands.
    Hello {},
    /// New connections go by this table.
    Applied {
        /// Its number.
        revision: u64,
    },
    /// The last connection of an instance has ended that is to get no new ones.
    Drained {
        /// The run.
        id: String,
        /// How many connections it has had.
        connections: u64,
        /// How many of them were cut.
        cut: u64,
    },
    /// There was no connection for a while.
    Idle {},
    /// What it has counted since it began.
    Numbers(Numbers),
}

/// What `ps-balance` has counted since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Numbers {
    /// Connections that no instance took.
    pub(crate) refused: u64,
    /// By instance.
    pub(crate) backends: Vec<OfBackend>,
}

/// The same for one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct OfBackend {
    /// Its run.
    pub(crate) id: String,
    /// How many connections it has had.
    pub(crate) connections: u64,
    /// How many it has.
    pub(crate) open: u64,
}

impl Said {
    /// What a line says; `None` for what only a later version knows.
    pub(crate) fn of(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_written_and_read_as_the_page_of_ps_balance_says() {
        let backend = Backend {
            id: "web.1@3".to_owned(),
            address: "127.0.0.1:20001".parse().expect("an address"),
            weight: 100,
            state: Condition::Drain,
            release: 4,
        };
        let said = |say: &Say<'_>| serde_json::to_string(say).expect("plain data");
        let set = Say::Set { revision: 7, pause_seconds: None, backends: &[backend] };
        assert_eq!(
            said(&set),
            concat!(
                r#"{"set":{"revision":7,"pause_seconds":null,"backends":[{"id":"web.1@3","#,
                r#""address":"127.0.0.1:20001","weight":100,"state":"drain","release":4}]}}"#
            )
        );
        assert_eq!(
            [said(&Say::Hello { version: 1, app: "shop" }), said(&Say::Leave {}), said(&Say::Numbers {})],
            [r#"{"hello":{"version":1,"app":"shop"}}"#, r#"{"leave":{}}"#, r#"{"numbers":{}}"#]
        );
        let heard = |line: &str| Said::of(line.as_bytes());
        assert!(matches!(heard(r#"{"hello":{"version":1,"mode":"tcp"}}"#), Some(Said::Hello {})));
        assert!(matches!(heard(r#"{"applied":{"revision":7}}"#), Some(Said::Applied { revision: 7 })));
        assert!(matches!(heard(r#"{"idle":{"seconds":60}}"#), Some(Said::Idle {})));
        assert!(matches!(
            heard(r#"{"drained":{"id":"web.1@2","connections":120,"cut":0}}"#),
            Some(Said::Drained { connections: 120, cut: 0, .. })
        ));
        let numbers = concat!(
            r#"{"numbers":{"accepted":9,"open":1,"refused":2,"bytes_in":1,"bytes_out":2,"backends":"#,
            r#"[{"id":"web.1@2","release":3,"connections":7,"open":1,"failed":0,"connect_p50_us":1}]}}"#
        );
        let of_one = OfBackend { id: "web.1@2".to_owned(), connections: 7, open: 1 };
        assert!(matches!(heard(numbers), Some(Said::Numbers(heard))
            if heard == Numbers { refused: 2, backends: vec![of_one] }));
        assert!(heard(r#"{"sings":{}}"#).is_none() && heard("{").is_none());
    }
}
