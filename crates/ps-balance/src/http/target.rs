//! The host and path of a request. A request that could be understood in different ways is refused.

use hyper::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::http::uri::{PathAndQuery, Scheme, Uri};
use hyper::{HeaderMap, Method, Request, Version};

use crate::http::answer::Refusal;
use crate::http::life::LONGEST_HEAD;

/// What may stand in a host with its port beside letters and digits (RFC 3986, 3.2.2).
const OF_HOSTS: &[u8] = b"-._~%!$&'()*+,;=:[]";

/// Refuses what backends could understand in different ways, and what they could not understand after it was passed on.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    // hyper's limit is that of its buffer, which may hold a little more.
    if length(request) > LONGEST_HEAD {
        return Err(Refusal::Long);
    }
    check_host(request)?;
    if request.version() == Version::HTTP_2 {
        return Ok(());
    }
    check_form(request)?;
    check_coding(request.headers())
}

/// About how many bytes the head has.
fn length<B>(request: &Request<B>) -> usize {
    let fields =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    target + fields.sum::<usize>()
}

fn check_host<B>(request: &Request<B>) -> Result<(), Refusal> {
    let authority = request.uri().authority().map(|it| it.as_str().as_bytes());
    let mut hosts = request.headers().get_all(HOST).iter().map(HeaderValue::as_bytes);
    let (host, further) = (hosts.next(), hosts.next());
    let is_clear = match request.version() {
        Version::HTTP_11 => host.is_some(),
        // Both may say it, if they say the same (RFC 9113, 8.3.1).
        Version::HTTP_2 => match (authority, host) {
            (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
            (authority, host) => authority.is_some() || host.is_some(),
        },
        _ => true,
    };
    // A name and a password before the host are for programs, not for the wire (RFC 9110, 4.2.4). What is no host is refused, and not passed
    // on (RFC 9112, 3.2).
    let is_host = |it: &[u8]| it.iter().all(|byte| byte.is_ascii_alphanumeric() || OF_HOSTS.contains(byte));
    let are_hosts = authority.into_iter().chain(host).all(is_host);
    if is_clear && are_hosts && further.is_none() { Ok(()) } else { Err(Refusal::Host) }
}

/// A target is a path, a URL of http, or `*` for `OPTIONS` (RFC 9112, 3.2). A host alone is for CONNECT.
fn check_form<B>(request: &Request<B>) -> Result<(), Refusal> {
    let uri = request.uri();
    let is_url = || uri.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    let is_form = match (uri.authority(), uri.path()) {
        (Some(_), _) => is_url(),
        (None, "*") => request.method() == Method::OPTIONS,
        (None, path) => path.starts_with('/'),
    };
    if is_form { Ok(()) } else { Err(Refusal::Target) }
}

/// The field is not passed on, so a body in any other coding would reach the backend without a word that it is coded. Of two
/// codings of chunks one would be left (RFC 9112, 6.1).
fn check_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    if is_coded_in(headers, &[b"chunked"]) { Ok(()) } else { Err(Refusal::Coding) }
}

/// The same of an answer and its client. Old servers say `identity` of a body that is not coded and ends with the connection.
pub(crate) fn check_answer(headers: &HeaderMap) -> Result<(), Refusal> {
    if is_coded_in(headers, &[b"chunked", b"identity"]) { Ok(()) } else { Err(Refusal::Broken) }
}

/// Whether a body is not coded, or in one of these codings alone.
fn is_coded_in(headers: &HeaderMap, known: &[&[u8]]) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes);
    let (coding, further) = (codings.next(), codings.next());
    let is_known = |coding: &[u8]| known.iter().any(|known| coding.eq_ignore_ascii_case(known));
    coding.is_none_or(is_known) && further.is_none()
}

/// Makes the target one for a server: a path.
pub(crate) fn direct(parts: &mut Parts) -> Result<(), Refusal> {
    if let Some(authority) = parts.uri.authority() {
        // The host in the request target takes precedence over the field Host (RFC 9112, 3.2.2).
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::Host)?;
        parts.headers.insert(HOST, host);
    }
    let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    parts.uri = Uri::from(path);
    parts.version = Version::HTTP_11;
    Ok(())
}
