//! Answers to clients if no backend answers.

use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::http::body::Body;

/// Seconds after which a client may try again.
const RETRY: HeaderValue = HeaderValue::from_static("5");

/// Why a request is not answered by a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request names no host, more than one, or something that is no host.
    Host,
    /// The target of the request is neither a path nor the URL of a page.
    Target,
    /// The body of the request is not sent as it is or in chunks alone.
    Coding,
    /// What came as the body of the request is no body.
    Body,
    /// The head of the request is too long.
    Long,
    /// It wants a tunnel through a proxy, which this is not.
    Connect,
    /// The backend broke the connection, or its answer is no HTTP.
    Broken,
    /// No backend is ready.
    Unavailable,
}

impl Refusal {
    /// Whether the client was not to blame.
    pub(crate) fn is_for_want_of_a_backend(self) -> bool {
        match self {
            Self::Broken | Self::Unavailable => true,
            Self::Host | Self::Target | Self::Coding | Self::Body | Self::Long | Self::Connect => false,
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::Target | Self::Coding | Self::Body => StatusCode::BAD_REQUEST,
            Self::Long => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::Broken => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Host => "The request must name one host, in its field Host.",
            Self::Target => {
                "The target of the request must be a path, or a URL that begins with http:// or https://."
            }
            Self::Coding => {
                "The body of the request must be sent as it is, or in chunks (Transfer-Encoding: chunked)."
            }
            Self::Body => {
                "The body of the request is broken: a chunk is not as long as it says, or the body ended too early."
            }
            Self::Long => "The head of the request is too long: it may have 64 KiB.",
            Self::Connect => "This is no proxy for clients.",
            Self::Broken => "The application broke off before it had answered.",
            Self::Unavailable => {
                "The application is not available at the moment. Please try again in a few seconds."
            }
        }
    }

    /// The page.
    pub(crate) fn page(self) -> Response<Body> {
        let (status, words) = (self.status(), self.words());
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{status}</title></head>\n\
             <body><h1>{status}</h1><p>{words}</p></body></html>\n"
        );
        let mut response = Response::new(Body::page(page));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if self == Self::Unavailable {
            headers.insert(RETRY_AFTER, RETRY);
        }
        response
    }
}
