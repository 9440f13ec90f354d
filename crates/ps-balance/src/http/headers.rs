//! Header fields. Hop-by-hop fields are not passed on, and fields that name the client are replaced by ours.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use hyper::header::{
    CONNECTION, COOKIE, EXPECT, FORWARDED, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, Request, Version};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const AT_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const AT_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What backends are told about the client. Values that are the same for many of its requests are made once.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) client: IpAddr,
    /// What it connected to.
    pub(crate) server: Option<SocketAddr>,
    /// Whether it speaks TLS.
    pub(crate) is_secure: bool,
    /// Whether what it says itself about clients is believed.
    is_trusted: bool,
    /// Its address, and the port that it connected to.
    address: HeaderValue,
    port: Option<HeaderValue>,
    hop: Mutex<Option<Hop>>,
}

/// What `Forwarded` says of requests to one host.
#[derive(Clone, Debug)]
struct Hop {
    host: Option<HeaderValue>,
    value: HeaderValue,
}

impl Sender {
    pub(crate) fn new(client: IpAddr, server: Option<SocketAddr>, is_trusted: bool, is_secure: bool) -> Self {
        let address = client.to_canonical().to_string();
        let address = HeaderValue::try_from(address).expect("an address is a value");
        let port = server.map(|server| HeaderValue::from(server.port()));
        Self { client, server, is_secure, is_trusted, address, port, hop: Mutex::default() }
    }

    fn scheme(&self) -> HeaderValue {
        HeaderValue::from_static(if self.is_secure { "https" } else { "http" })
    }

    /// The hop from this client to here, for a request to this host.
    fn hop(&self, host: Option<&HeaderValue>) -> HeaderValue {
        let mut last = self.hop.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.host.as_ref() == host) {
            return last.value.clone();
        }
        let value = self.name_hop(host.and_then(|host| host.to_str().ok()));
        // A copy: the one of the request would keep all of the head that it is a part of.
        let host = host.and_then(|host| HeaderValue::from_bytes(host.as_bytes()).ok());
        *last = Some(Hop { host, value: value.clone() });
        value
    }

    fn name_hop(&self, host: Option<&str>) -> HeaderValue {
        let client = self.client.to_canonical();
        let node = if client.is_ipv6() { format!("\"[{client}]\"") } else { client.to_string() };
        let quotable = host.filter(|host| !host.contains(['"', '\\']));
        let at = quotable.map(|host| format!(";host=\"{host}\"")).unwrap_or_default();
        let proto = if self.is_secure { "https" } else { "http" };
        let hop = format!("for={node}{at};proto={proto}");
        HeaderValue::try_from(hop).expect("what came in as a value can go out as one")
    }
}

/// Removes what is about this connection alone (RFC 9110, 7.6.1). With `keeps_upgrade` the wish for another protocol stays.
fn remove_hop_by_hop(headers: &mut HeaderMap, keeps_upgrade: bool) {
    let upgrade = if keeps_upgrade { headers.get(UPGRADE).cloned() } else { None };
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // A client may not have the fields removed by which requests are framed and directed.
        .filter(|name: &HeaderName| *name != HOST && *name != hyper::header::CONTENT_LENGTH)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade);
    }
}

/// Makes the fields of an answer those that a client is to get. A length beside chunks says nothing (RFC 9112, 6.3), and
/// is dropped: the client would take it for the length of the body.
pub(crate) fn give_back(headers: &mut HeaderMap, keeps_upgrade: bool) {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(hyper::header::CONTENT_LENGTH);
    }
    remove_hop_by_hop(headers, keeps_upgrade);
}

/// Whether a request asks for another protocol, such as a websocket. It is always false with HTTP/2. An upgrade to another version of HTTP
/// does not count, because only its first request would be checked and get its headers here.
pub(crate) fn wants_upgrade<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut words = values.flat_map(|value| value.split(','));
    let protocols = headers.get_all(UPGRADE).iter().map(HeaderValue::as_bytes);
    let mut protocols = protocols.flat_map(|value| value.split(|byte| *byte == b','));
    let is_http = |name: &[u8]| {
        let name = name.trim_ascii().to_ascii_lowercase();
        name == b"h2c" || name.starts_with(b"http")
    };
    request.version() == Version::HTTP_11
        && headers.contains_key(UPGRADE)
        && !protocols.any(is_http)
        && words.any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
}

/// Whether a field says who a client is. Servers that make variables of fields (CGI, WSGI) do not tell `_` from `-`.
fn is_about_clients(name: &HeaderName) -> bool {
    let is_same = |(byte, of): (u8, &u8)| byte == *of || (byte == b'_' && *of == b'-');
    let name = name.as_str().as_bytes();
    let begins_with = |of: &[u8]| name.len() >= of.len() && name.iter().copied().zip(of).all(is_same);
    let is = |of: &[u8]| name.len() == of.len() && begins_with(of);
    begins_with(b"x-forwarded-") || is(b"forwarded") || is(b"x-real-ip")
}

/// Makes the fields of a request those that a backend is to get.
pub(crate) fn forward(headers: &mut HeaderMap, sender: &Sender, keeps_upgrade: bool) {
    remove_hop_by_hop(headers, keeps_upgrade);
    // The client has been told to continue by the time that its body is read.
    headers.remove(EXPECT);
    headers.remove(TRAILER);
    join_cookies(headers);
    if !sender.is_trusted {
        let theirs: Vec<HeaderName> = headers.keys().filter(|name| is_about_clients(name)).cloned().collect();
        for name in theirs {
            headers.remove(name);
        }
    }
    let chain = appended(headers, &FOR, &sender.address);
    headers.insert(FOR, chain);
    let host = headers.get(HOST).cloned();
    let hop = appended(headers, &FORWARDED, &sender.hop(host.as_ref()));
    headers.insert(FORWARDED, hop);
    if !headers.contains_key(PROTO) {
        headers.insert(PROTO, sender.scheme());
    }
    if let Some(host) = host.filter(|host| host.to_str().is_ok() && !headers.contains_key(AT_HOST)) {
        headers.insert(AT_HOST, host);
    }
    if let Some(port) = sender.port.as_ref().filter(|_| !headers.contains_key(AT_PORT)) {
        headers.insert(AT_PORT, port.clone());
    }
}

/// Clients of HTTP/2 may send each cookie in a field of its own; HTTP/1.1 has one field for all (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let cookies: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(all) = HeaderValue::from_bytes(&cookies.join(b"; ".as_slice())) {
        headers.insert(COOKIE, all);
    }
}

/// The values of a field with one more at their end.
fn appended(headers: &HeaderMap, name: &HeaderName, last: &HeaderValue) -> HeaderValue {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let mut values: Vec<String> = headers.get_all(name).iter().filter_map(text).collect();
    if values.is_empty() {
        return last.clone();
    }
    values.extend(text(last));
    HeaderValue::try_from(values.join(", ")).expect("what came in as values can go out as one")
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::{HeaderName, HeaderValue};

    use super::{Sender, forward};

    fn of(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    fn forwarded(fields: &[(&'static str, &'static str)], is_trusted: bool) -> HeaderMap {
        let mut headers = of(fields);
        let client = "192.0.2.7".parse().expect("an address");
        let server = Some("127.0.0.1:5000".parse().expect("an address"));
        forward(&mut headers, &Sender::new(client, server, is_trusted, false), false);
        headers
    }

    #[test]
    fn what_a_stranger_says_about_clients_is_dropped_however_it_is_written() {
        let headers = forwarded(
            &[
                ("host", "shop.example"),
                ("x-forwarded-for", "10.0.0.1"),
                ("x_forwarded_for", "10.0.0.1"),
                ("x-forwarded_proto", "https"),
                ("x-forwarded-user", "root"),
                ("forwarded", "for=10.0.0.1"),
                ("x-real-ip", "10.0.0.1"),
            ],
            false,
        );
        assert_eq!(
            headers,
            of(&[
                ("host", "shop.example"),
                ("x-forwarded-for", "192.0.2.7"),
                ("forwarded", "for=192.0.2.7;host=\"shop.example\";proto=http"),
                ("x-forwarded-proto", "http"),
                ("x-forwarded-host", "shop.example"),
                ("x-forwarded-port", "5000"),
            ])
        );
    }

    #[test]
    fn what_a_proxy_that_is_trusted_says_stays_and_it_is_added_to_the_chain() {
        let headers = forwarded(
            &[
                ("host", "shop.example"),
                ("x-forwarded-for", "198.51.100.9"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=198.51.100.9"),
            ],
            true,
        );
        assert_eq!(headers["x-forwarded-for"], "198.51.100.9, 192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["forwarded"], "for=198.51.100.9, for=192.0.2.7;host=\"shop.example\";proto=http");
    }

    #[test]
    fn fields_of_the_connection_stay_behind_but_no_client_can_name_host_or_length_among_them() {
        let headers = forwarded(
            &[
                ("host", "shop.example"),
                ("content-length", "3"),
                ("connection", "close, x-secret, host, content-length"),
                ("x-secret", "1"),
                ("keep-alive", "timeout=5"),
                ("te", "trailers"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "websocket"),
            ],
            false,
        );
        let left: Vec<_> =
            headers.keys().map(HeaderName::as_str).filter(|name| !name.contains("forwarded")).collect();
        assert_eq!(left, ["host", "content-length"]);
    }
}
