//! The host and path of a request. A request that could be understood in different ways is refused.

use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::{Method, Request, Version};

use crate::http::answer::Refusal;

/// Refuses what backends could understand in different ways.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let authority = request.uri().authority().map(|it| it.as_str().as_bytes());
    // A name and a password before the host are for programs, not for the wire (RFC 9110, 4.2.4).
    if authority.is_some_and(|it| it.contains(&b'@')) {
        return Err(Refusal::Bad);
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, further) = (hosts.next(), hosts.next());
    let is_clear = match request.version() {
        Version::HTTP_11 => host.is_some(),
        // Both may say it, if they say the same (RFC 9113, 8.3.1).
        Version::HTTP_2 => match (authority, host) {
            (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host.as_bytes()),
            (authority, host) => authority.is_some() || host.is_some(),
        },
        _ => true,
    };
    if is_clear && further.is_none() { Ok(()) } else { Err(Refusal::Bad) }
}

/// Makes the target one for a server: a path.
pub(crate) fn direct(parts: &mut Parts) -> Result<(), Refusal> {
    if let Some(authority) = parts.uri.authority() {
        // The host in the request target takes precedence over the field Host (RFC 9112, 3.2.2).
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::Bad)?;
        parts.headers.insert(HOST, host);
    }
    let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    parts.uri = Uri::from(path);
    parts.version = Version::HTTP_11;
    Ok(())
}
