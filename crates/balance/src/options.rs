//! The options of an address: how its connections are handed on. They are stored as properties of the app, and go
//! through its supervisor to `ps-balance`, on its command line or in a message.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
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
    /// Not at all: the instances get the listening sockets and accept their clients themselves, and `ps-balance` has nothing to do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pass_socket: bool,
    /// With `http`: networks whose `X-Forwarded-*` and `Forwarded` are believed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust_proxy: Vec<IpNet>,
    /// With `http`: the name of the cookie that leads a client back to its backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Cookie>,
    /// With `http`: the port to which clients that do not speak TLS are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_https: Option<u16>,
    /// Proxies whose connections begin with a PROXY protocol header, which names the client.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxy_from: Vec<IpNet>,
    /// The version of the PROXY protocol header that backends get, which names the client.
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

/// An invalid option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOption {
    /// Neither a network nor an address.
    #[error("{0:?} is no network: write 10.0.0.0/8 or 10.0.0.1")]
    Network(String),
    /// Not a name that every client sends back.
    #[error("{0:?} is no name of a cookie: letters, digits, - _ .")]
    Cookie(String),
    /// No version of the PROXY protocol.
    #[error("{0:?} is no version of the PROXY protocol: v1, v2 or none")]
    Version(String),
    /// Neither yes nor no.
    #[error("{0:?} is neither true nor false")]
    Switch(String),
    /// Not a port to which a client can be redirected.
    #[error("{0:?} is no port: a whole number from 1 to 65535, or none")]
    Port(String),
    /// No number of seconds.
    #[error("{0:?} is no number of seconds: a whole number from 0 to 86400")]
    Seconds(String),
}

/// How an app's address takes its clients in: which of its sockets speak TLS, and how connections are handed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontend {
    /// The addresses, among all of the app, whose clients speak TLS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tls: Vec<SocketAddr>,
    /// How connections are handed on.
    #[serde(default, skip_serializing_if = "Options::are_usual")]
    pub options: Options,
}

impl Frontend {
    /// Whether all options have their defaults.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The name of an option that is in use and that only `ps-balance` could carry out, if there is one. It contradicts
    /// [`Options::pass_socket`], with which no `ps-balance` is between clients and instances.
    pub fn needs_balance(&self) -> Option<&'static str> {
        let options = &self.options;
        let uses = [
            ("tls", !self.tls.is_empty()),
            ("http", options.http),
            ("proxy-from", !options.proxy_from.is_empty()),
            ("proxy-out", options.proxy_out.is_some()),
        ];
        uses.into_iter().find(|(_, is_used)| *is_used).map(|(name, _)| name)
    }
}

/// The options that can be set, by their names.
pub const OPTIONS: [&str; 10] = [
    "drain-limit",
    "hold",
    "http",
    "idle-limit",
    PASS_SOCKET,
    "proxy-from",
    "proxy-out",
    "redirect-https",
    "sticky",
    "trust-proxy",
];
/// The option with which instances accept their clients themselves.
pub const PASS_SOCKET: &str = "pass-socket";
/// The options that have an effect only with `http`.
pub const OF_HTTP: [&str; 3] = ["redirect-https", "sticky", "trust-proxy"];
/// The word for an option that is not used.
const NONE: &str = "none";
/// A whole day: more is taken for a mistake.
const MOST_SECONDS: u32 = 86_400;

impl Options {
    /// Sets one of [`OPTIONS`] from text. Several networks are separated by spaces or commas; `none` is an empty list. An unknown name
    /// changes nothing.
    ///
    /// # Errors
    /// What the option does not accept. Nothing has changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidOption> {
        match name {
            "http" => self.http = switch(value)?,
            PASS_SOCKET => self.pass_socket = switch(value)?,
            "trust-proxy" => self.trust_proxy = networks(value)?,
            "proxy-from" => self.proxy_from = networks(value)?,
            "sticky" => self.sticky = unless_none(value, str::parse)?,
            "proxy-out" => self.proxy_out = unless_none(value, str::parse)?,
            "redirect-https" => self.redirect_https = unless_none(value, port)?,
            "hold" => self.hold = Some(seconds(value)?),
            "drain-limit" => self.drain_limit = Some(seconds(value)?),
            "idle-limit" => self.idle_limit = Some(seconds(value)?),
            _ => (),
        }
        Ok(())
    }

    /// The value of one of [`OPTIONS`], as text that [`Options::set`] accepts; `None`: the default.
    pub fn value(&self, name: &str) -> Option<String> {
        let listed = |all: &[IpNet]| {
            let words: Vec<String> = all.iter().map(IpNet::to_string).collect();
            (!words.is_empty()).then(|| words.join(" "))
        };
        let number = |value: Option<u32>| value.map(|value| value.to_string());
        match name {
            "http" => self.http.then(|| true.to_string()),
            PASS_SOCKET => self.pass_socket.then(|| true.to_string()),
            "trust-proxy" => listed(&self.trust_proxy),
            "proxy-from" => listed(&self.proxy_from),
            "sticky" => self.sticky.as_ref().map(Cookie::to_string),
            "proxy-out" => self.proxy_out.map(|version| version.to_string()),
            "redirect-https" => self.redirect_https.map(|port| port.to_string()),
            "hold" => number(self.hold),
            "drain-limit" => number(self.drain_limit),
            "idle-limit" => number(self.idle_limit),
            _ => None,
        }
    }

    /// Whether connections are handed on as usual.
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The same, as arguments of `ps-balance`. Options that need `--http` are left out without it, and so is [`Options::pass_socket`],
    /// which is not about `ps-balance`.
    pub fn words(&self) -> Vec<String> {
        let word = |name: &str, value: &dyn fmt::Display| format!("--{name}={value}");
        let each = |name, values: &[IpNet]| -> Vec<String> {
            values.iter().map(|network| word(name, network)).collect()
        };
        let mut words = Vec::new();
        if self.http {
            words.push("--http".to_owned());
            words.extend(each("trust-proxy", &self.trust_proxy));
            words.extend(self.sticky.as_ref().map(|cookie| word("sticky", cookie)));
            words.extend(self.redirect_https.map(|port| word("redirect-https", &port)));
        }
        words.extend(each("proxy-from", &self.proxy_from));
        words.extend(self.proxy_out.map(|version| word("proxy-out", &version)));
        let seconds =
            [("hold", self.hold), ("drain-limit", self.drain_limit), ("idle-limit", self.idle_limit)];
        words.extend(seconds.into_iter().filter_map(|(name, value)| Some(word(name, &value?))));
        words
    }
}

fn unless_none<T>(
    value: &str,
    read: impl Fn(&str) -> Result<T, InvalidOption>,
) -> Result<Option<T>, InvalidOption> {
    if value == NONE { Ok(None) } else { read(value).map(Some) }
}

fn switch(value: &str) -> Result<bool, InvalidOption> {
    value.parse().map_err(|_| InvalidOption::Switch(shown(value)))
}

fn networks(value: &str) -> Result<Vec<IpNet>, InvalidOption> {
    if value == NONE {
        return Ok(Vec::new());
    }
    let words: Vec<&str> = value.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        Err(InvalidOption::Network(shown(value)))
    } else {
        words.into_iter().map(network).collect()
    }
}

fn port(value: &str) -> Result<u16, InvalidOption> {
    number(value).filter(|port| *port > 0).ok_or_else(|| InvalidOption::Port(shown(value)))
}

fn seconds(value: &str) -> Result<u32, InvalidOption> {
    number(value).filter(|count| *count <= MOST_SECONDS).ok_or_else(|| InvalidOption::Seconds(shown(value)))
}

fn number<T: FromStr>(value: &str) -> Option<T> {
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
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
    fn each_option_is_set_by_a_word_and_none_is_the_word_for_not_at_all() {
        let rows = [
            ("drain-limit", "10", "--drain-limit=10"),
            ("hold", "0", "--hold=0"),
            ("http", "true", "--http"),
            ("idle-limit", "0", "--idle-limit=0"),
            ("pass-socket", "true", ""),
            ("proxy-from", "10.0.0.0/8, 192.0.2.1", "--proxy-from=10.0.0.0/8 --proxy-from=192.0.2.1/32"),
            ("proxy-out", "v1", "--proxy-out=v1"),
            ("redirect-https", "443", "--redirect-https=443"),
            ("sticky", "seen", "--sticky=seen"),
            ("trust-proxy", "::1", "--trust-proxy=::1/128"),
        ];
        assert_eq!(rows.map(|(name, ..)| name), OPTIONS);
        for (name, value, words) in rows {
            let mut options = Options { http: OF_HTTP.contains(&name), ..Options::default() };
            options.set(name, value).expect(name);
            assert!(options.words().join(" ").ends_with(words), "{name}");
            assert!(!options.are_usual(), "{name}");
            let (mut again, told) = (Options::default(), options.value(name).expect("it is set"));
            again.set(name, &told).expect("its own word");
            assert_eq!(again.value(name), Some(told), "{name}");
            let taken_back = match name {
                "hold" | "drain-limit" | "idle-limit" => continue,
                "http" | "pass-socket" => "false",
                _ => "none",
            };
            options.set(name, taken_back).expect(name);
            assert!(!options.words().contains(&words.to_owned()), "{name}");
        }
        for (name, value) in [
            ("http", "yes"),
            ("hold", "-1"),
            ("hold", "86401"),
            ("redirect-https", "0"),
            ("proxy-from", ","),
            ("sticky", ""),
        ] {
            let mut options = Options::default();
            assert!(options.set(name, value).is_err() && options.are_usual(), "{name} {value}");
        }
    }

    #[test]
    fn what_only_ps_balance_can_do_contradicts_sockets_that_are_passed_on() {
        let with = |name: &str, value: &str| {
            let mut frontend = Frontend::default();
            frontend.options.set(name, value).expect(name);
            frontend.needs_balance()
        };
        assert_eq!(with("http", "true"), Some("http"));
        assert_eq!(with("proxy-out", "v2"), Some("proxy-out"));
        assert_eq!([with("pass-socket", "true"), with("hold", "5")], [None, None]);
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
