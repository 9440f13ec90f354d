//! How the connections of an address are handed on: what a person chooses, as one value. It goes from the app's properties to its
//! supervisor and from there to `ps-balance`, as words of its command line and as a message.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// How connections are handed on. What is absent is as `ps-balance` usually does it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Request by request, not byte for byte.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub http: bool,
    /// With `http`: networks whose `X-Forwarded-*` and `Forwarded` are believed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust_proxy: Vec<IpNet>,
    /// With `http`: the name of the cookie that leads a client back to its backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Cookie>,
    /// With `http`: the port to which clients that do not speak TLS are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_https: Option<u16>,
    /// Networks whose connections begin with who the client is (the PROXY protocol).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxy_from: Vec<IpNet>,
    /// How backends are told who the client is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_out: Option<ProxyVersion>,
    /// How many seconds a connection waits for a backend when none is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<u32>,
    /// How many seconds connections go on once their backend is to be drained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_limit: Option<u32>,
    /// How many seconds a connection may be silent in both directions; 0: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_limit: Option<u32>,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// The name of a cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cookie(String);

/// A word that says nothing of how connections are handed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOption {
    /// Neither a network nor an address.
    #[error("{0:?} is no network: write 10.0.0.0/8 or 10.0.0.1")]
    Network(String),
    /// Not a name that every client sends back.
    #[error("{0:?} is no name of a cookie: letters, digits, - _ .")]
    Cookie(String),
    /// No version of the PROXY protocol.
    #[error("{0:?} is no version of the PROXY protocol: v1 or v2")]
    Version(String),
}

impl Options {
    /// Whether connections are handed on as usual.
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The same, as words of the command line of `ps-balance`. What is only heeded with `--http` is left out without it.
    pub fn words(&self) -> Vec<String> {
        let word = |name: &str, value: &dyn fmt::Display| format!("--{name}={value}");
        let of_http = |name, values: &[IpNet]| -> Vec<String> {
            values.iter().map(|network| word(name, network)).collect()
        };
        let mut words = Vec::new();
        if self.http {
            words.push("--http".to_owned());
            words.extend(of_http("trust-proxy", &self.trust_proxy));
            words.extend(self.sticky.as_ref().map(|cookie| word("sticky", cookie)));
            words.extend(self.redirect_https.map(|port| word("redirect-https", &port)));
        }
        words.extend(of_http("proxy-from", &self.proxy_from));
        words.extend(self.proxy_out.map(|version| word("proxy-out", &version)));
        let seconds =
            [("hold", self.hold), ("drain-limit", self.drain_limit), ("idle-limit", self.idle_limit)];
        words.extend(seconds.into_iter().filter_map(|(name, value)| Some(word(name, &value?))));
        words
    }
}

/// A network, or a single address: `10.0.0.0/8`, `10.0.0.1`.
///
/// # Errors
/// It is neither.
pub fn network(word: &str) -> Result<IpNet, InvalidOption> {
    let single = || word.parse::<IpAddr>().map(IpNet::from);
    word.parse().or_else(|_| single()).map_err(|_| InvalidOption::Network(shown(word)))
}

impl FromStr for ProxyVersion {
    type Err = InvalidOption;

    fn from_str(word: &str) -> Result<Self, InvalidOption> {
        match word {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            word => Err(InvalidOption::Version(shown(word))),
        }
    }
}

impl fmt::Display for ProxyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

impl Cookie {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Cookie {
    type Err = InvalidOption;

    fn from_str(word: &str) -> Result<Self, InvalidOption> {
        let is_of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_name = !word.is_empty() && word.bytes().all(is_of_a_name);
        is_name.then(|| Self(word.to_owned())).ok_or_else(|| InvalidOption::Cookie(shown(word)))
    }
}

impl TryFrom<String> for Cookie {
    type Error = InvalidOption;

    fn try_from(word: String) -> Result<Self, InvalidOption> {
        word.parse()
    }
}

impl From<Cookie> for String {
    fn from(cookie: Cookie) -> Self {
        cookie.0
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn shown(word: &str) -> String {
    word.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_command_line_and_what_needs_http_waits_for_it() {
        let options = Options {
            trust_proxy: vec![network("10.0.0.0/8").expect("a network")],
            sticky: Some("seen".parse().expect("a name")),
            redirect_https: Some(8443),
            proxy_from: vec![network("10.0.0.1").expect("an address")],
            proxy_out: Some(ProxyVersion::V2),
            hold: Some(5),
            drain_limit: Some(0),
            ..Options::default()
        };
        let others = ["--proxy-from=10.0.0.1/32", "--proxy-out=v2", "--hold=5", "--drain-limit=0"];
        assert_eq!(options.words(), others);
        let with = Options { http: true, ..options.clone() }.words();
        let of_http = ["--http", "--trust-proxy=10.0.0.0/8", "--sticky=seen", "--redirect-https=8443"];
        assert_eq!(with, [&of_http[..], &others].concat());
        let json = serde_json::to_string(&options).expect("plain data");
        assert_eq!(serde_json::from_str::<Options>(&json).expect("its own"), options);
        assert_eq!((Options::default().words().len(), Options::default().are_usual()), (0, true));
    }

    #[test]
    fn what_is_no_network_cookie_or_version_is_refused() {
        for word in ["", "10.0.0.0/33", "example.org", "10.0.0.1:80"] {
            assert!(network(word).is_err(), "{word}");
        }
        for word in ["", "a b", "a;b", "é"] {
            assert!(word.parse::<Cookie>().is_err(), "{word}");
        }
        assert!("v3".parse::<ProxyVersion>().is_err());
        assert!(serde_json::from_str::<Options>(r#"{"sticky":"a b"}"#).is_err());
    }
}
