//! Answers to clients if no backend answers.

use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::http::body::Body;

/// Seconds after which a client may try again.
const RETRY: HeaderValue = HeaderValue::from_static("5");

/// Why a request is not answered by a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request contradicts itself.
    Bad,
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
            Self::Bad | Self::Connect => false,
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Bad => StatusCode::BAD_REQUEST,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::Broken => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Bad => "The request contradicts itself.",
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
