//! The answer to a request that fails.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ps_cli::exit;
use serde_json::json;

/// The reason for a failed request: the status, and a sentence for people.
#[derive(Debug)]
pub(crate) struct Failed {
    status: StatusCode,
    why: String,
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.why}))).into_response()
    }
}

/// A query that cannot be parsed.
impl From<QueryRejection> for Failed {
    fn from(rejection: QueryRejection) -> Self {
        failed(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

pub(crate) fn failed(status: StatusCode, why: impl Into<String>) -> Failed {
    Failed { status, why: why.into() }
}

/// The HTTP status for the exit status of a program.
pub(crate) fn status_of(status: Option<i32>) -> StatusCode {
    match status.and_then(|status| u8::try_from(status).ok()) {
        Some(exit::DONE) => StatusCode::OK,
        Some(exit::USAGE) => StatusCode::BAD_REQUEST,
        Some(exit::NO_SUCH_APP) => StatusCode::NOT_FOUND,
        Some(exit::BUSY) => StatusCode::CONFLICT,
        _ => StatusCode::BAD_GATEWAY,
    }
}
