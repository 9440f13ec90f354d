//! The options about an app's address, and about how its clients are served there.

use std::collections::BTreeMap;

use anyhow::Result;
use balance::{InvalidOption, Options};
use clap::ValueHint;
use formation::Addresses;
use ps_apps::{LISTEN, TLS};
use ps_cli::exit::Refusal;

// The options about an app's address. An option that is not given leaves its property as it is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct AddressArgs {
    /// The address of the app from now on: 5000 is 127.0.0.1:5000; none: no address, clients use the ports of
    /// its instances
    #[arg(long, value_name = "ADDR", num_args = 1.., value_parser = str::parse::<Addresses>)]
    listen: Vec<Addresses>,
    /// Addresses whose clients speak TLS; without a value: all addresses of the app; none: no TLS. The
    /// certificate is server.crt and server.key in the directory tls of the app
    #[arg(long, value_name = "ADDR", num_args = 0.., value_parser = str::parse::<Addresses>)]
    tls: Option<Vec<Addresses>>,
    /// Forward single requests: X-Forwarded-For and the like, an error page when no instance is ready; --http=false:
    /// pass on bytes
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = of("http"))]
    http: Option<String>,
    /// Give the instances the listening sockets (LISTEN_FDS), so that they accept their clients themselves and ps-balance has
    /// no part in it; --pass-socket=false: ps-balance accepts
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = of("pass-socket"))]
    pass_socket: Option<String>,
    /// With --http: proxies, such as 10.0.0.0/8, whose X-Forwarded-* and Forwarded are trusted, or none
    #[arg(long, value_name = "CIDR", num_args = 1.., value_parser = of("trust-proxy"))]
    trust_proxy: Vec<String>,
    /// With --http: a cookie of this name sends a client to the same instance again, or none
    #[arg(long, value_name = "COOKIE", value_parser = of("sticky"))]
    sticky: Option<String>,
    /// With --http and --tls: redirect clients without TLS to the same URL by https [default port: 443], or none
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "443", value_parser = of("redirect-https"))]
    redirect_https: Option<String>,
    /// Proxies whose connections begin with a PROXY protocol header, which names the client, or none
    #[arg(long, value_name = "CIDR", num_args = 1.., value_parser = of("proxy-from"))]
    proxy_from: Vec<String>,
    /// Send instances a PROXY protocol header, which names the client: v1, v2 or none
    #[arg(long, value_name = "VERSION", value_hint = ValueHint::Other, value_parser = of("proxy-out"))]
    proxy_out: Option<String>,
    /// How many seconds a connection waits when no instance is ready
    #[arg(long, value_name = "SECONDS", value_parser = of("hold"))]
    hold: Option<String>,
    /// How many seconds open connections may continue after their instance was told to leave
    #[arg(long, value_name = "SECONDS", value_parser = of("drain-limit"))]
    drain_limit: Option<String>,
    /// How many seconds a connection may be silent in both directions; 0: for ever
    #[arg(long, value_name = "SECONDS", value_parser = of("idle-limit"))]
    idle_limit: Option<String>,
}

/// A parser that accepts the values of this option.
fn of(name: &'static str) -> impl Fn(&str) -> Result<String, InvalidOption> + Clone {
    move |word| Options::default().set(name, word).map(|()| word.to_owned())
}

impl AddressArgs {
    /// `--listen none`.
    pub(crate) fn none() -> Self {
        Self { listen: vec![Addresses::default()], ..Self::default() }
    }

    /// The properties that these options set, with their values. `--tls` without an address is left out.
    ///
    /// # Errors
    /// Several values of one option contradict each other.
    pub(crate) fn properties(&self) -> Result<BTreeMap<String, String>> {
        let listed = |words: &[String]| (!words.is_empty()).then(|| words.join(" "));
        let addresses = |all: &[Addresses]| -> Result<Option<String>> {
            let words: Vec<String> = all.iter().map(Addresses::to_string).collect();
            let parsed = (!words.is_empty()).then(|| words.join(" ").parse::<Addresses>()).transpose()?;
            Ok(parsed.map(|addresses| addresses.to_string()))
        };
        let all = [
            (LISTEN, addresses(&self.listen)?),
            (TLS, addresses(self.tls.as_deref().unwrap_or_default())?),
            ("http", self.http.clone()),
            ("pass-socket", self.pass_socket.clone()),
            ("trust-proxy", listed(&self.trust_proxy)),
            ("sticky", self.sticky.clone()),
            ("redirect-https", self.redirect_https.clone()),
            ("proxy-from", listed(&self.proxy_from)),
            ("proxy-out", self.proxy_out.clone()),
            ("hold", self.hold.clone()),
            ("drain-limit", self.drain_limit.clone()),
            ("idle-limit", self.idle_limit.clone()),
        ];
        let said = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let said: BTreeMap<String, String> = said.collect();
        for (name, value) in &said {
            Options::default().set(name, value).map_err(|error| Refusal::usage(error.to_string()))?;
        }
        Ok(said)
    }

    /// Whether any option was given.
    pub(crate) fn is_given(&self) -> Result<bool> {
        Ok(self.is_all_tls() || !self.properties()?.is_empty())
    }

    /// Whether `--tls` was given without an address, which means every address of the app.
    pub(crate) fn is_all_tls(&self) -> bool {
        self.tls.as_ref().is_some_and(Vec::is_empty)
    }
}
