//! One POST of JSON to the webhook, repeated if that may help. No error message contains the address.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ps_alerts::Webhook;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Error};

/// How long a try may take, from the name of the host to the last byte of the answer's head.
const DEADLINE: Duration = Duration::from_secs(5);
/// The pause before each try but the first.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

const UNTRUSTED: &str = "its certificate or its TLS is not accepted";

/// Sends alerts to one address.
pub(crate) struct Client {
    agent: Agent,
    webhook: Webhook,
}

/// Why a try has failed.
struct Failure {
    reason: String,
    /// Whether another try may succeed.
    may_pass: bool,
}

impl Client {
    /// A client for this address.
    pub(crate) fn new(webhook: Webhook) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(DEADLINE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("ps-notify/", env!("CARGO_PKG_VERSION")));
        let is_encrypted = webhook.address().starts_with("https:");
        let config = if is_encrypted { config.tls_config(tls()) } else { config };
        Self { agent: config.build().into(), webhook }
    }

    /// Sends an alert. The error says in one sentence why it did not arrive.
    pub(crate) fn send(&self, json: &str) -> Result<(), String> {
        let mut pauses = PAUSES.iter();
        let mut tries = 1;
        loop {
            let Err(failure) = self.post(json) else { return Ok(()) };
            let Some(pause) = pauses.next().filter(|_| failure.may_pass) else {
                let times = if tries == 1 { "once".to_owned() } else { format!("{tries} times") };
                return Err(format!("the webhook, tried {times}: {}", failure.reason));
            };
            thread::sleep(*pause);
            tries += 1;
        }
    }

    fn post(&self, json: &str) -> Result<(), Failure> {
        let request = self.agent.post(self.webhook.address()).header("content-type", "application/json");
        let status = request.send(json).map_err(|error| failure(&error))?.status();
        if status.is_success() {
            return Ok(());
        }
        let may_pass = status.is_server_error() || [408, 429].contains(&status.as_u16());
        // The place to which it leads may be a secret too, and an alert is not sent where nobody has set it to be sent.
        let advice = if status.is_redirection() {
            ", which leads elsewhere: set the address that it leads to"
        } else {
            ""
        };
        Err(Failure { reason: format!("it answered with status {}{advice}", status.as_u16()), may_pass })
    }
}

/// Certificates are verified against those that the machine trusts.
fn tls() -> TlsConfig {
    let trusted = rustls_native_certs::load_native_certs().certs;
    let roots: RootCerts =
        trusted.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build()
}

/// Why there is no answer, in words of this program, because the texts of the libraries may contain the address.
fn failure(error: &Error) -> Failure {
    match error {
        Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(refused) => Failure { reason: untrusted(refused).to_owned(), may_pass: false },
            None => Failure { reason: of_io(error), may_pass: true },
        },
        Error::Rustls(refused) => Failure { reason: untrusted(refused).to_owned(), may_pass: false },
        Error::Tls(_) => Failure { reason: UNTRUSTED.to_owned(), may_pass: false },
        other => Failure { reason: reason(other), may_pass: true },
    }
}

fn of_io(error: &std::io::Error) -> String {
    if error.raw_os_error().is_some() { error.to_string() } else { error.kind().to_string() }
}

fn reason(error: &Error) -> String {
    match error {
        Error::Timeout(_) => format!("no answer within {} s", DEADLINE.as_secs()),
        Error::HostNotFound => "the name of its host is not known".to_owned(),
        Error::ConnectionFailed => "there was no connection".to_owned(),
        Error::Protocol(_) => "what it answers is not HTTP".to_owned(),
        _ => "it cannot be sent there".to_owned(),
    }
}

/// What is wrong with a certificate. None of that passes within seconds.
fn untrusted(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Why;
    let rustls::Error::InvalidCertificate(why) = error else { return UNTRUSTED };
    match why {
        Why::Expired | Why::ExpiredContext { .. } => "its certificate has expired",
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            "its certificate is not valid yet: compare the clock of this machine"
        }
        Why::NotValidForName | Why::NotValidForNameContext { .. } => "its certificate is for another name",
        Why::UnknownIssuer => {
            "this machine does not trust whoever issued its certificate (SSL_CERT_FILE names other authorities)"
        }
        _ => UNTRUSTED,
    }
}
