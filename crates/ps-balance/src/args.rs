//! The command line and the meaning of its arguments. No socket is opened here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use balance::wire::{Set, State, Wanted};
use balance::{Cookie, Options, ProxyVersion};
use balance_tls::Source;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, ValueHint};
use ipnet::IpNet;
use ps_cli::exit::Refusal;

use crate::listen::Inherited;

/// Hands the connections of one address to the ready instances of one app
///
/// Each connection goes to the backend with the fewest connections in relation to its weight. A
/// backend that refuses, or does not accept within 250 ms, is skipped, and the client does not notice
/// as long as another one is ready. Bytes are passed on unchanged in both directions, until each side
/// has ended its own.
///
/// With --http it forwards single requests: connections are kept open on both sides, backends learn
/// the client's address, and clients get an error page when no backend is ready.
///
/// With --tls-listen clients speak TLS with ps-balance, and backends get the decrypted bytes. With
/// --http that is https, by HTTP/2 or HTTP/1.1. Certificates are read again when their files change.
///
/// The supervisor of an app with an address starts it, and passes on the listening sockets and the
/// list of backends. It can also be used alone, in front of any servers, with --listen and --backend.
/// Listening sockets can also be inherited in the way of systemd (LISTEN_FDS, LISTEN_FDNAMES; clients
/// of a socket that is called tls speak TLS).
///
/// On SIGUSR2 it executes the program that is installed at its path now, without closing a connection.
/// SIGTERM ends it: it accepts no more, and ends with the last connection, or when the drain limit
/// has passed. A second SIGTERM ends it at once.
///
/// Examples:
///   ps-balance --listen 8080 --backend 3001 --backend 3002
///   ps-balance --listen 0.0.0.0:80 --backend 10.0.0.5:3000=95 --backend 10.0.0.6:3000=5
///   ps-balance --listen 8080 --backend 3001 --backend 3002 --http --sticky instance
///   ps-balance --listen 8080 --tls-listen 8443 --tls-dir tls --http --redirect-https --backend 3001
///   ps-balance --listen 8080 --control /run/shop.balance
#[derive(Debug, Parser)]
#[command(name = "ps-balance", version = ps_cli::VERSION, verbatim_doc_comment)]
pub(crate) struct Args {
    /// Where it listens; a PORT alone means 127.0.0.1; can be repeated
    #[arg(long, value_name = "ADDRESS:PORT|PORT")]
    pub(crate) listen: Vec<Address>,

    /// Where a server listens, and its share of the connections in proportion to the others [default weight: 100]
    #[arg(long, value_name = "ADDRESS:PORT[=WEIGHT]")]
    pub(crate) backend: Vec<Weighted>,

    /// The same for clients that speak TLS; can be repeated
    #[arg(long, value_name = "ADDRESS:PORT|PORT")]
    pub(crate) tls_listen: Vec<Address>,

    /// For TLS: a certificate in PEM, followed by the intermediate certificates; can be repeated
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    tls_cert: Vec<PathBuf>,

    /// The private key of each --tls-cert, in the same order
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    tls_key: Vec<PathBuf>,

    /// For TLS: a directory with server.crt and server.key, such as that of an app in Dokku; can be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    tls_dir: Vec<PathBuf>,

    /// A Unix socket for requests of this user, such as other backends
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) control: Option<PathBuf>,

    /// How long a connection waits for a backend when none is ready [default: 30]
    #[arg(long, value_name = "SECONDS")]
    hold: Option<u32>,

    /// How long open connections may continue after their backend was withdrawn, or the program was told to end
    /// [default: 30]
    #[arg(long, value_name = "SECONDS")]
    drain_limit: Option<u32>,

    /// How long a connection may be silent in both directions; 0: for ever [default: 3600]
    #[arg(long, value_name = "SECONDS")]
    idle_limit: Option<u32>,

    /// Forward single requests: keep-alive on both sides, X-Forwarded-For and the like, an error page when no backend
    /// is ready
    #[arg(long)]
    http: bool,

    /// With --http: proxies, such as 10.0.0.0/8, whose X-Forwarded-* and Forwarded are trusted
    #[arg(long, value_name = "CIDR", value_parser = balance::network, requires = "http")]
    trust_proxy: Vec<IpNet>,

    /// With --http: a cookie of this name sends a client to the same backend again
    #[arg(long, value_name = "COOKIE", requires = "http")]
    sticky: Option<Cookie>,

    /// With --http: redirect clients without TLS to the same URL by https [default port: 443]
    #[arg(
        long,
        value_name = "PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "443",
        value_parser = clap::value_parser!(u16).range(1..),
        requires = "http"
    )]
    redirect_https: Option<u16>,

    /// Proxies, such as 10.0.0.0/8, whose connections begin with a PROXY protocol header (version 1 or 2)
    #[arg(long, value_name = "CIDR", value_parser = balance::network)]
    proxy_from: Vec<IpNet>,

    /// Send backends a PROXY protocol header, which names the client
    #[arg(long, value_name = "VERSION", value_parser = proxy_version())]
    proxy_out: Option<ProxyVersion>,

    /// After how long without a connection it asks its supervisor whether it may end
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    quiet: u32,

    /// Switch to this user once it listens; a name or a number [default: the user who starts it]
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// With --user: the group, a name or a number [default: the user's]
    #[arg(long, value_name = "GROUP", requires = "user")]
    pub(crate) group: Option<String>,

    /// Take over from the program that has replaced itself by this one
    #[arg(long, hide = true)]
    pub(crate) take_over: bool,

    /// Say by the exit status whether this program can take over from one that leaves this format
    #[arg(long, hide = true, value_name = "FORMAT")]
    pub(crate) understands: Option<u32>,
}

impl Args {
    /// Refuses what could never serve anybody.
    pub(crate) fn check(&self, inherited: &Inherited) -> Result<()> {
        if self.take_over {
            return Ok(());
        }
        let has_tls = !self.tls_listen.is_empty() || !inherited.tls.is_empty();
        if self.listen.is_empty() && inherited.listeners.is_empty() && !has_tls {
            let ignored = inherited.ignored.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            return Err(Refusal::usage(format!(
                "no address to listen on: give --listen ADDRESS:PORT, or listening sockets in LISTEN_FDS{ignored}"
            )));
        }
        if self.backend.is_empty() && self.control.is_none() && inherited.supervisor.is_none() {
            return Err(Refusal::usage(
                "no backend: give --backend ADDRESS:PORT, or --control PATH to be told of them",
            ));
        }
        self.check_tls(has_tls, inherited.supervisor.is_some())
    }

    fn check_tls(&self, has_tls: bool, is_supervised: bool) -> Result<()> {
        let sources = self.sources();
        if self.tls_cert.len() != self.tls_key.len() {
            let (certificates, keys) = (self.tls_cert.len(), self.tls_key.len());
            return Err(Refusal::usage(format!(
                "{certificates} certificates and {keys} keys: give a --tls-key for each --tls-cert, in the same order"
            )));
        }
        if has_tls && sources.is_empty() {
            return Err(Refusal::usage(
                "no certificate for TLS: give --tls-cert PATH and --tls-key PATH, or --tls-dir DIR",
            ));
        }
        if is_supervised {
            // It may be told of such clients later.
            return Ok(());
        }
        if !has_tls && !sources.is_empty() {
            return Err(Refusal::usage("nobody is shown the certificate: give --tls-listen ADDRESS:PORT"));
        }
        if !has_tls && self.redirect_https.is_some() {
            return Err(Refusal::usage("nobody speaks TLS here: give --tls-listen ADDRESS:PORT"));
        }
        Ok(())
    }

    /// Where certificates lie.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let pair = |(certificate, key): (&PathBuf, &PathBuf)| Source {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        let pairs = self.tls_cert.iter().zip(&self.tls_key).map(pair);
        pairs.chain(self.tls_dir.iter().map(|directory| Source::of_directory(directory))).collect()
    }

    /// How connections are handed on.
    pub(crate) fn options(&self) -> Options {
        Options {
            pass_socket: false,
            http: self.http,
            trust_proxy: self.trust_proxy.clone(),
            sticky: self.sticky.clone(),
            redirect_https: self.redirect_https,
            proxy_from: self.proxy_from.clone(),
            proxy_out: self.proxy_out,
            hold: self.hold,
            drain_limit: self.drain_limit,
            idle_limit: self.idle_limit,
        }
    }

    /// After how long without a connection it asks whether it may end.
    pub(crate) fn quiet(&self) -> Duration {
        Duration::from_secs(self.quiet.into())
    }

    /// The backends of the command line as a list.
    pub(crate) fn set(&self) -> Set {
        let wanted = |it: &Weighted| Wanted {
            id: it.address.to_string(),
            address: it.address,
            weight: it.weight,
            state: State::Ready,
            release: None,
        };
        Set { backends: self.backend.iter().map(wanted).collect(), ..Set::default() }
    }
}

/// `v1` and `v2`, which help, man pages and completions list.
fn proxy_version() -> impl TypedValueParser<Value = ProxyVersion> {
    PossibleValuesParser::new(["v1", "v2"]).try_map(|word| word.parse::<ProxyVersion>())
}

/// An address to listen on or to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) SocketAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(port) = text.parse::<u16>() {
            return Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        let wrong = || format!("{text} is no address: write 127.0.0.1:5000, [::1]:5000, or a port alone");
        text.parse().map(Self).map_err(|_| wrong())
    }
}

/// A backend of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weighted {
    address: SocketAddr,
    weight: u32,
}

impl FromStr for Weighted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, weight) = text.split_once('=').unwrap_or((text, "100"));
        let Address(address) = address.parse()?;
        if address.port() == 0 {
            return Err(format!("{address} has no port to connect to"));
        }
        let weight = weight.parse().ok().filter(|weight| *weight <= 1_000_000);
        let weight =
            weight.ok_or_else(|| format!("the weight of {address} is a number from 0 to 1000000"))?;
        Ok(Self { address, weight })
    }
}
