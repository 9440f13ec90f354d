//! Redirects clients without TLS to the address with TLS.

use hyper::header::{HOST, HeaderValue, LOCATION};
use hyper::{Request, Response, StatusCode};

use crate::http::body::Body;

/// What an authority for certificates asks for, without TLS: it would be odd to need a certificate in order to get one (RFC 8555, 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// The answer that redirects a client to the same path by https at this port. `None` if the request has to be served without TLS: it is a
/// certificate challenge, or does not name its host.
pub(crate) fn to_https<B>(request: &Request<B>, port: u16) -> Option<Response<Body>> {
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    if path.starts_with(CHALLENGES) {
        return None;
    }
    let host = match request.uri().authority() {
        Some(authority) => authority.clone(),
        None => request.headers().get(HOST)?.to_str().ok()?.parse().ok()?,
    };
    // Without a path: `OPTIONS *`.
    let path = if path.starts_with('/') { path } else { "/" };
    let at = if port == 443 { String::new() } else { format!(":{port}") };
    let location = HeaderValue::from_str(&format!("https://{}{at}{path}", host.host())).ok()?;
    let mut response = Response::new(Body::page(String::new()));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    Some(response)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::to_https;

    fn sent(host: Option<&str>, target: &str, port: u16) -> Option<String> {
        let request = host.into_iter().fold(Request::get(target), |it, host| it.header("host", host));
        let response = to_https(&request.body(()).expect("a request"), port)?;
        Some(response.headers()["location"].to_str().expect("text").to_owned())
    }

    #[test]
    fn a_client_is_sent_to_the_same_place() {
        for (host, target, port, location) in [
            ("shop.test", "/a?b=%20c", 443, "https://shop.test/a?b=%20c"),
            ("shop.test:8080", "/", 443, "https://shop.test/"),
            ("shop.test:8080", "/", 8443, "https://shop.test:8443/"),
            ("[::1]:8080", "/", 443, "https://[::1]/"),
            ("other.test", "http://shop.test/a", 443, "https://shop.test/a"),
            ("shop.test", "//evil.test/a", 443, "https://shop.test//evil.test/a"),
            ("shop.test", "*", 443, "https://shop.test/"),
        ] {
            assert_eq!(sent(Some(host), target, port).as_deref(), Some(location));
        }
    }

    #[test]
    fn a_challenge_and_a_request_without_a_host_are_served() {
        assert_eq!(sent(Some("shop.test"), "/.well-known/acme-challenge/x", 443), None);
        assert_eq!(sent(None, "/", 443), None);
        assert_eq!(sent(Some("no host"), "/", 443), None);
    }
}
