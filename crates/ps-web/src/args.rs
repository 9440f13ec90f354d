//! The arguments of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use balance_tls::Source;
use clap::Parser;
use ps_cli::exit::Refusal;

/// Serves a web page that shows the apps of this machine, and the same as JSON and metrics.
/// By default it serves a Unix socket that only its owner can use; from another machine: ssh -L 8080:/path/of/socket machine, then
/// http://localhost:8080. With --listen it serves an address, to clients that have the token. Without clients, schedulers are asked only
/// once a minute, for the graphs.
#[derive(Debug, Parser)]
#[command(name = "ps-web", version = ps_cli::VERSION, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The Unix socket, in place of data/formation-web/socket below the library directory; systemd can hand one over instead
    #[arg(long, value_name = "PATH", conflicts_with = "textfile")]
    pub(crate) socket: Option<PathBuf>,

    /// Serve this address; needs --token-file
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with_all = ["socket", "textfile"])]
    pub(crate) listen: Option<SocketAddr>,

    /// The file (0600) with the token that clients of an address must send: 32 characters or more
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Speak TLS with this certificate and this key, both in PEM
    #[arg(long, value_name = "CERT,KEY", value_delimiter = ',', num_args = 1, conflicts_with = "insecure")]
    pub(crate) tls: Vec<PathBuf>,

    /// Serve an address that other machines can reach without TLS
    #[arg(long)]
    pub(crate) insecure: bool,

    /// A host name that requests may use, beside localhost and the address; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,

    /// Allow requests that restart, stop and scale apps
    #[arg(long)]
    pub(crate) allow_writes: bool,

    /// Write the metrics to formation.prom in this directory, as node_exporter reads it, and end
    #[arg(long, value_name = "DIR")]
    pub(crate) textfile: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Paths: / the page, /api/status, /api/apps/<app>/{logs,events,explain,usage}, /api/openapi.json,
/events (server-sent events), /metrics (OpenMetrics), /compat/pm2.

Exit status: 0 told to end; 1 failed; 2 wrong usage.

Examples:
  ps-web
  curl --unix-socket /var/lib/formation/lib/data/formation-web/socket http://localhost/api/status
  ps-web --listen 127.0.0.1:9616 --token-file /etc/formation/token
  ps-web --listen 0.0.0.0:9616 --token-file token --tls web.crt,web.key --host web.example.org
  ps-web --textfile /var/lib/prometheus/node-exporter";

impl Args {
    /// The certificate, if TLS is used.
    pub(crate) fn certificate(&self) -> Result<Option<Source>> {
        match &self.tls[..] {
            [] => Ok(None),
            [certificate, key] => Ok(Some(Source { certificate: certificate.clone(), key: key.clone() })),
            _ => Err(Refusal::usage("--tls takes two files: --tls CERT,KEY")),
        }
    }

    /// Refuses options that cannot be combined.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(address) = self.listen else {
            if self.insecure {
                return Err(Refusal::usage("--insecure is for an address: give --listen ADDRESS:PORT"));
            }
            return Ok(());
        };
        if self.token_file.is_none() {
            return Err(Refusal::usage(
                "an address is open to everybody who reaches it: give --token-file FILE, or leave --listen out for a Unix socket",
            ));
        }
        if !address.ip().is_loopback() && self.tls.is_empty() && !self.insecure {
            return Err(Refusal::usage(format!(
                "other machines reach {address}, and their data could be read on the way: give --tls CERT,KEY, or --insecure"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &[&str]) -> Option<String> {
        let args = Args::try_parse_from([&["ps-web"], words].concat()).expect("words that clap takes");
        args.check().and_then(|()| args.certificate()).err().map(|error| error.to_string())
    }

    #[test]
    fn an_address_needs_a_token_and_beyond_this_machine_tls() {
        for (words, says) in [
            (&["--listen", "127.0.0.1:1"][..], Some("--token-file")),
            (&["--listen", "127.0.0.1:1", "--token-file", "t"], None),
            (&["--listen", "0.0.0.0:1", "--token-file", "t"], Some("--tls CERT,KEY, or --insecure")),
            (&["--listen", "0.0.0.0:1", "--token-file", "t", "--insecure"], None),
            (&["--listen", "0.0.0.0:1", "--token-file", "t", "--tls", "c,k"], None),
            (&["--listen", "0.0.0.0:1", "--token-file", "t", "--tls", "c"], Some("two files")),
            (&["--insecure"], Some("--listen")),
            (&[], None),
        ] {
            let refused = refused(words);
            match says {
                Some(says) => {
                    let is_said = refused.as_ref().is_some_and(|why| why.contains(says));
                    assert!(is_said, "{words:?}: {refused:?}");
                }
                None => assert_eq!(refused, None, "{words:?}"),
            }
        }
    }
}
