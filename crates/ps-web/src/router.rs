//! The paths, and the steps before and after each answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Form, Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::client::Client;
use crate::failed::failed;
use crate::guard::LOGIN;
use crate::server::Server;
use crate::{api, events, metrics, openapi, orders, page, pm2, sample};

/// The largest body of a request, in bytes.
const BODY: usize = 16 << 10;
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// The content security policy: a page may only use resources of this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/icon.svg", get(page::icon))
        .route(LOGIN, post(login))
        .route("/events", get(events::events))
        .route("/metrics", get(metrics::metrics))
        .route("/compat/pm2", get(pm2::processes))
        .route("/api/openapi.json", get(openapi::description))
        .route("/api/status", get(api::status))
        .route("/api/apps/{app}/logs", get(api::logs))
        .route("/api/apps/{app}/events", get(api::journal))
        .route("/api/apps/{app}/explain", get(api::explain))
        .route("/api/apps/{app}/usage", get(sample::usage))
        .route("/api/apps/{app}/restart", post(orders::restart))
        .route("/api/apps/{app}/stop", post(orders::stop))
        .route("/api/apps/{app}/scale", post(orders::scale))
        .fallback(async || failed(StatusCode::NOT_FOUND, "there is nothing here"))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&server), judged))
        .with_state(server)
}

/// Checks a request, and has it answered if it is permitted.
async fn judged(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    request: Request,
    next: Next,
) -> Response {
    let judged = server.guard.judge(&client, (request.method(), request.uri(), request.headers()));
    let mut response = match judged {
        Ok(()) => next.run(request).await,
        Err(refused) if refused.status == StatusCode::UNAUTHORIZED && wants_page(request.headers()) => {
            (refused.status, Html(page::LOGIN)).into_response()
        }
        Err(refused) => failed(refused.status, refused.why).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With a stricter policy, a browser would send `Origin: null` with the form that contains the token.
        (REFERRER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).is_some_and(|kinds| kinds.as_bytes().windows(9).any(|kind| kind == b"text/html"))
}

#[derive(Deserialize)]
struct Shown {
    token: String,
}

/// Begins a session for a browser that sends the token.
async fn login(State(server): State<Arc<Server>>, Form(shown): Form<Shown>) -> Response {
    let access = server.guard.access.as_ref();
    let Some(access) = access.filter(|access| access.is_token(shown.token.trim())) else {
        return (StatusCode::UNAUTHORIZED, Html(page::LOGIN)).into_response();
    };
    match access.begin(server.is_tls) {
        Ok(cookie) => {
            (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, "/".to_owned())]).into_response()
        }
        Err(error) => failed(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
