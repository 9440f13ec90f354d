//! Checks each request before it is handled. A page of another site can have the browser of its visitor send requests
//! here, also under a name of its own that resolves to this machine (DNS rebinding). So the requested host name must
//! be one of this server, the origin must be this site, and the token must be valid.

use std::net::IpAddr;

use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};

use crate::access::Access;
use crate::client::Client;

/// The path of the page. Other sites may link to it.
const PAGE: &str = "/";
/// The path to which a browser sends the token.
pub(crate) const LOGIN: &str = "/login";
/// The paths that clients without a token may request. They show nothing of the apps.
const OPEN: [&str; 3] = ["/login", "/page.css", "/icon.svg"];

/// The rules for requests.
#[derive(Debug)]
pub(crate) struct Guard {
    /// The host names of this server, in lower case.
    pub(crate) names: Vec<String>,
    /// `None` if everybody who can use the socket may send requests.
    pub(crate) access: Option<Access>,
    pub(crate) allows_writes: bool,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    /// The reason, for people.
    pub(crate) why: &'static str,
}

fn refused<T>(status: StatusCode, why: &'static str) -> Result<T, Refused> {
    Err(Refused { status, why })
}

impl Guard {
    /// The host names of this server: those that mean this machine, the address, and the given ones.
    pub(crate) fn names(address: Option<IpAddr>, given: &[String]) -> Vec<String> {
        let own = ["localhost", "127.0.0.1", "[::1]"].into_iter().map(str::to_owned);
        let address = address.filter(|address| !address.is_unspecified()).map(|address| match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
        own.chain(address).chain(given.iter().map(|name| name.to_ascii_lowercase())).collect()
    }

    /// Decides whether a request may be answered.
    pub(crate) fn judge(
        &self,
        client: &Client,
        (method, uri, headers): (&Method, &Uri, &HeaderMap),
    ) -> Result<(), Refused> {
        let host = self.host(uri, headers)?;
        same_site(host.as_str(), (method, uri, headers))?;
        let is_open = OPEN.contains(&uri.path());
        if let (Client::Remote(_), Some(access)) = (client, &self.access)
            && !is_open
            && !access.is_granted(headers)
        {
            return refused(StatusCode::UNAUTHORIZED, "the token is wanted: Authorization: Bearer TOKEN");
        }
        match *method {
            Method::GET | Method::HEAD => Ok(()),
            Method::POST if uri.path() == LOGIN => Ok(()),
            Method::POST if !self.allows_writes => {
                refused(StatusCode::FORBIDDEN, "it takes no orders: ps-web --allow-writes does")
            }
            Method::POST => is_json(headers),
            _ => refused(StatusCode::METHOD_NOT_ALLOWED, "only GET, HEAD and POST are known here"),
        }
    }

    /// The host of the request, if it is one of this server.
    fn host(&self, uri: &Uri, headers: &HeaderMap) -> Result<Authority, Refused> {
        let mut named = headers.get_all(HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return refused(StatusCode::BAD_REQUEST, "one header Host is wanted");
        };
        let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
        let Some(host) = host.filter(|host| !host.as_str().contains('@')) else {
            return refused(StatusCode::BAD_REQUEST, "the header Host names no host");
        };
        let is_ours = |host: &Authority| self.names.contains(&host.host().to_ascii_lowercase());
        let others = uri.authority().filter(|named| !is_ours(named));
        if !is_ours(&host) || others.is_some() {
            return refused(
                StatusCode::MISDIRECTED_REQUEST,
                "it is not asked by this name: ps-web --host NAME adds one",
            );
        }
        Ok(host)
    }
}

/// Refuses requests from pages of other sites.
fn same_site(host: &str, (method, uri, headers): (&Method, &Uri, &HeaderMap)) -> Result<(), Refused> {
    let is_page = *method == Method::GET && uri.path() == PAGE;
    let mut origins = headers.get_all(ORIGIN).iter();
    if let Some(origin) = origins.next() {
        let origin = origin.to_str().unwrap_or_default();
        let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !named.is_some_and(|named| named.eq_ignore_ascii_case(host)) || origins.next().is_some() {
            return refused(StatusCode::FORBIDDEN, "another site asks");
        }
    }
    for site in headers.get_all("sec-fetch-site") {
        // A link of another site may lead to the page, which no other site can put in a frame or read.
        if !matches!(site.as_bytes(), b"same-origin" | b"none") && !is_page {
            return refused(StatusCode::FORBIDDEN, "another site asks");
        }
    }
    Ok(())
}

/// Whether the body is JSON, a type that a form of another site cannot send.
fn is_json(headers: &HeaderMap) -> Result<(), Refused> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "an order is JSON: Content-Type: application/json",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: (&str, &str) = ("content-type", "application/json");

    fn asked(method: &Method, path: &str, lines: &[(&str, &str)]) -> u16 {
        let guard = Guard {
            names: Guard::names(Some("192.0.2.7".parse().expect("an address")), &["Web.Example".to_owned()]),
            access: None,
            allows_writes: true,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: axum::http::HeaderName = name.parse().expect("a name");
            headers.append(name, value.parse().expect("a value"));
        }
        let uri: Uri = path.parse().expect("a path");
        let judged = guard.judge(&Client::Local(None), (method, &uri, &headers));
        judged.map_or_else(|refused| refused.status.as_u16(), |()| 200)
    }

    #[test]
    fn it_is_asked_by_its_names_alone() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:9616", "[::1]:1", "192.0.2.7", "web.example:443"]
        {
            assert_eq!(asked(&Method::GET, "/", &[("host", host)]), 200, "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.8", "0.0.0.0"]
        {
            assert_eq!(asked(&Method::GET, "/", &[("host", host)]), 421, "{host}");
        }
        for host in ["", "a@localhost", "localhost/", "local host"] {
            assert_eq!(asked(&Method::GET, "/", &[("host", host)]), 400, "{host}");
        }
        assert_eq!(asked(&Method::GET, "/", &[]), 400);
        assert_eq!(asked(&Method::GET, "/", &[("host", "localhost"), ("host", "localhost")]), 400);
        assert_eq!(asked(&Method::GET, "http://evil.example/", &[("host", "localhost")]), 421);
        // A proxy's header about the original host name is not trusted.
        assert_eq!(
            asked(&Method::GET, "/", &[("host", "evil.example"), ("x-forwarded-host", "localhost")]),
            421
        );
    }

    #[test]
    fn no_other_site_gets_anything_but_a_link_to_the_page() {
        let host = ("host", "localhost:9616");
        for origin in ["http://localhost:9616", "https://LOCALHOST:9616"] {
            assert_eq!(asked(&Method::POST, "/x", &[host, ("origin", origin), ORDER]), 200, "{origin}");
        }
        for origin in
            ["null", "http://evil.example", "http://localhost:80", "http://localhost:9616.evil.example", ""]
        {
            for (method, path) in [(&Method::POST, "/x"), (&Method::GET, "/events"), (&Method::GET, "/")] {
                assert_eq!(asked(method, path, &[host, ("origin", origin), ORDER]), 403, "{origin}");
            }
        }
        for site in ["cross-site", "same-site", ""] {
            assert_eq!(asked(&Method::GET, "/api/status", &[host, ("sec-fetch-site", site)]), 403, "{site}");
            assert_eq!(asked(&Method::POST, "/", &[host, ("sec-fetch-site", site), ORDER]), 403, "{site}");
            assert_eq!(asked(&Method::GET, "/", &[host, ("sec-fetch-site", site)]), 200, "{site}");
        }
        assert_eq!(asked(&Method::GET, "/events", &[host, ("sec-fetch-site", "same-origin")]), 200);
    }

    #[test]
    fn an_order_is_a_post_of_json() {
        let host = ("host", "localhost");
        assert_eq!(asked(&Method::POST, "/x", &[host, ORDER]), 200);
        assert_eq!(
            asked(&Method::POST, "/x", &[host, ("content-type", "application/json; charset=utf-8")]),
            200
        );
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            assert_eq!(asked(&Method::POST, "/x", &[host, ("content-type", kind)]), 415, "{kind}");
        }
        for method in [Method::PUT, Method::DELETE, Method::OPTIONS, Method::CONNECT, Method::PATCH] {
            assert_eq!(asked(&method, "/x", &[host, ORDER]), 405);
        }
    }
}
