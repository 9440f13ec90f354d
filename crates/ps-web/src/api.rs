//! `/api/…`: the rows of the other programs.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::failed::{Failed, failed};
use crate::server::Server;
use crate::sister;
use crate::snapshot::Snapshot;

/// How many lines or events are returned by default, and at most.
const USUAL: u64 = 100;
const MOST: u64 = 1000;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    app: Option<String>,
}

/// The rows of `ps-lifecycle status --json`.
pub(crate) async fn status(
    State(server): State<Arc<Server>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Failed> {
    let Query(wanted) = wanted?;
    let snapshot = server.collector.fresh().await;
    let Snapshot { at, ref silent, number, .. } = *snapshot;
    let is_wanted = |app: &str| wanted.app.as_ref().is_none_or(|wanted| wanted == app);
    let rows: Vec<_> = snapshot.rows().filter(|row| is_wanted(&row.app)).collect();
    let id = server.ring.id(number);
    Ok(Json(json!({"at": format!("{at:.3}"), "id": id, "silent": silent, "rows": rows})).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Many {
    n: Option<u64>,
    process: Option<String>,
}

/// The query, or why it is invalid.
type Asked = Result<Query<Many>, QueryRejection>;

/// The arguments with which a sister program is asked about an app.
struct Words {
    app: String,
    process: Option<String>,
    count: String,
}

impl Words {
    /// Checks the names first, so that an invalid one never reaches another program.
    fn of(server: &Server, app: &str, many: Asked) -> Result<Self, Failed> {
        let Query(many) = many?;
        let app = server.app(app)?;
        let process = many.process;
        if process.as_ref().is_some_and(|which| sister::named(which).is_none()) {
            return Err(failed(
                StatusCode::BAD_REQUEST,
                "process: a type or an instance is wanted: web, web.1",
            ));
        }
        Ok(Self { app, process, count: many.n.unwrap_or(USUAL).min(MOST).to_string() })
    }
}

pub(crate) async fn logs(
    State(server): State<Arc<Server>>,
    Path(app): Path<String>,
    many: Asked,
) -> Result<Response, Failed> {
    let Words { app, process, count } = Words::of(&server, &app, many)?;
    let words = [&[app.as_str()], process.as_deref().as_slice(), &["-n", &count, "--json"]].concat();
    server.rows("ps-logs", &words).await
}

pub(crate) async fn journal(
    State(server): State<Arc<Server>>,
    Path(app): Path<String>,
    many: Asked,
) -> Result<Response, Failed> {
    let Words { app, count, .. } = Words::of(&server, &app, many)?;
    server.rows("ps-lifecycle", &["events", &app, "-n", &count, "--json"]).await
}

pub(crate) async fn explain(
    State(server): State<Arc<Server>>,
    Path(app): Path<String>,
    many: Asked,
) -> Result<Response, Failed> {
    let Words { app, process, .. } = Words::of(&server, &app, many)?;
    let words = [&[app.as_str()], process.as_deref().as_slice(), &["--json"]].concat();
    server.rows("ps-explain", &words).await
}
