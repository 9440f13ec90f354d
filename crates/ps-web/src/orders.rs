//! The requests that change something: restart, stop and scale. Each is carried out by `ps-lifecycle` or `ps-scale`,
//! which records the client in the app's journal, and continues if the client disconnects.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use formation::{Quantity, Which};
use serde::Deserialize;
use serde_json::json;

use crate::client::Client;
use crate::failed::{Failed, failed, status_of};
use crate::server::Server;
use crate::sister;

/// `{"process": "web.1"}`, or `{}` for the whole app.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meant {
    process: Option<String>,
}

pub(crate) async fn restart(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Path(app): Path<String>,
    meant: Result<Json<Meant>, JsonRejection>,
) -> Result<Response, Failed> {
    verb("restart", server, &client, &app, meant).await
}

pub(crate) async fn stop(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Path(app): Path<String>,
    meant: Result<Json<Meant>, JsonRejection>,
) -> Result<Response, Failed> {
    verb("stop", server, &client, &app, meant).await
}

async fn verb(
    verb: &str,
    server: Arc<Server>,
    client: &Client,
    app: &str,
    meant: Result<Json<Meant>, JsonRejection>,
) -> Result<Response, Failed> {
    let Json(Meant { process }) =
        meant.map_err(|error| rejected(&error, r#"{"process": "web.1"}, or {} for the whole app"#))?;
    let app = server.app(app)?;
    if process.as_ref().is_some_and(|which| sister::named(which).is_none()) {
        return Err(refused("process: a type or an instance is wanted: web, web.1"));
    }
    let words = [verb.to_owned(), app].into_iter().chain(process).collect();
    carry_out("ps-lifecycle", words, server, client).await
}

/// `{"web": 2}`
pub(crate) async fn scale(
    State(server): State<Arc<Server>>,
    Extension(client): Extension<Client>,
    Path(app): Path<String>,
    wanted: Result<Json<BTreeMap<String, u32>>, JsonRejection>,
) -> Result<Response, Failed> {
    let Json(wanted) = wanted.map_err(|error| rejected(&error, r#"{"web": 2}"#))?;
    let app = server.app(&app)?;
    if wanted.is_empty() {
        return Err(refused("a count for a type is wanted: {\"web\": 2}"));
    }
    let mut words = vec![app];
    for (name, count) in wanted {
        let Some(Which::Type(name)) = sister::named(&name) else {
            return Err(refused("a name is that of no process type"));
        };
        let count: Quantity = count.to_string().parse().map_err(|_| refused("a count is too large"))?;
        words.push(format!("{name}={count}"));
    }
    carry_out("ps-scale", words, server, &client).await
}

fn refused(why: &str) -> Failed {
    failed(StatusCode::BAD_REQUEST, why)
}

/// The answer for a body that is too large or has another form than this one.
fn rejected(error: &JsonRejection, wanted: &str) -> Failed {
    let status = error.status();
    let status = if status == StatusCode::PAYLOAD_TOO_LARGE { status } else { StatusCode::BAD_REQUEST };
    let text = error.body_text();
    // The first words tell of types of ours.
    let why = text.split_once(": ").map_or(&*text, |(_, why)| why);
    failed(status, format!("the body has to be a JSON object such as {wanted}: {why}"))
}

async fn carry_out(
    program: &'static str,
    words: Vec<String>,
    server: Arc<Server>,
    client: &Client,
) -> Result<Response, Failed> {
    let asker = client.name();
    let ordered = tokio::spawn(async move {
        let _place = server.programs.acquire().await.expect("nobody closes it");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        sister::order(program, &words, &asker).await
    });
    let ran = ordered.await.unwrap_or_else(|panic| Err(panic.to_string()));
    let ran = ran.map_err(|why| failed(StatusCode::BAD_GATEWAY, why))?;
    let said = if ran.err.trim().is_empty() { ran.out } else { ran.err };
    let answer = json!({"exit_status": ran.status, "said": said.trim()});
    Ok((status_of(ran.status), Json(answer)).into_response())
}
