//! Records the usage of instances once a minute, and warns about memory that grows steadily.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use formation::Slot;
use jiff::Timestamp;
use ps_cli::say;
use ps_rows::StatusRow;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{self, MissedTickBehavior};
use usage_history::{DAY, Sample};

use crate::failed::{Failed, failed};
use crate::server::Server;
use crate::snapshot::{Silence, Snapshot};

const MINUTE: Duration = Duration::from_secs(60);
/// How many minutes are between two checks for growing memory.
const LOOK: u64 = 10;

/// The state of an instance a minute ago.
struct Earlier {
    run: Option<u64>,
    cpu_seconds: f64,
    at: Timestamp,
}

/// Records samples in an endless loop.
pub(crate) async fn run(server: Arc<Server>) {
    let mut earlier: BTreeMap<String, Earlier> = BTreeMap::new();
    let mut minutes = time::interval(MINUTE);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_lost = false;
    loop {
        minutes.tick().await;
        let snapshot = server.collector.fresh().await;
        let now = minute();
        let samples = samples(&snapshot, &mut earlier);
        let writing = Arc::clone(&server);
        let written = tokio::task::spawn_blocking(move || {
            let Some(kept) = &writing.samples else { return Ok(None) };
            kept.history().write(now, &samples)?;
            if now.is_multiple_of(LOOK) { kept.history().growing(now).map(Some) } else { Ok(None) }
        });
        match written.await {
            Ok(Ok(Some(growing))) => server.collector.remark(growing.iter().map(remark).collect()),
            Ok(Err(error)) if !is_lost => {
                is_lost = true;
                say::warning(&format!("the usage of instances is not recorded: {error}"));
            }
            Ok(Ok(None) | Err(_)) | Err(_) => (),
        }
    }
}

fn remark((name, bytes): &(String, u64)) -> Silence {
    let (app, slot) = name.split_once('/').unwrap_or((name, ""));
    Silence::trouble(app, usage_history::grows(slot, *bytes))
}

fn minute() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0) / MINUTE.as_secs()
}

/// The name of the series, `shop/web.1`: a graph continues over the runs of a slot.
fn name(row: &StatusRow) -> String {
    format!("{}/{}.{}", row.app, row.process_type, row.index)
}

fn samples(snapshot: &Snapshot, earlier: &mut BTreeMap<String, Earlier>) -> BTreeMap<String, Sample> {
    let mut samples = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for row in snapshot.rows().filter(|row| row.role.is_none_or(|role| role == "current")) {
        let name = name(row);
        let before = earlier.get(&name).filter(|before| before.run == row.run);
        let cpu = row.cpu_seconds.zip(before).and_then(|(now, before)| {
            let took = snapshot.at.duration_since(before.at).as_secs_f64();
            (took > 0.0).then(|| tenths((now - before.cpu_seconds) / took * 1000.0))
        });
        let memory_kib = row.memory_bytes.map(|bytes| u32::try_from(bytes >> 10).unwrap_or(u32::MAX - 1));
        if let Some(cpu_seconds) = row.cpu_seconds {
            seen.insert(name.clone(), Earlier { run: row.run, cpu_seconds, at: snapshot.at });
        }
        if cpu.is_some() || memory_kib.is_some() {
            samples.insert(name, Sample { cpu, memory_kib });
        }
    }
    *earlier = seen;
    samples
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast to an integer ends at its limits, and no machine has so many CPUs"
)]
fn tenths(number: f64) -> u32 {
    (number.round() as u32).min(u32::MAX - 1)
}

#[derive(Deserialize)]
pub(crate) struct Of {
    process: String,
}

/// `/api/apps/<app>/usage?process=web.1`: the usage of the last day.
pub(crate) async fn usage(
    State(server): State<Arc<Server>>,
    Path(app): Path<String>,
    of: Result<Query<Of>, QueryRejection>,
) -> Result<Response, Failed> {
    let Query(Of { process }) = of?;
    let app = server.app(&app)?;
    let slot: Slot = process
        .parse()
        .map_err(|_| failed(StatusCode::BAD_REQUEST, "process: an instance is wanted: web.1"))?;
    let now = minute();
    let read = tokio::task::spawn_blocking(move || {
        let Some(kept) = &server.samples else { return Ok(Vec::new()) };
        kept.history().read(&format!("{app}/{slot}"), now, DAY)
    });
    let points = read.await.map_err(io::Error::other).and_then(|read| read);
    let points = points.map_err(|error| failed(StatusCode::BAD_GATEWAY, error.to_string()))?;
    Ok(Json(json!({"points": points, "grows_bytes_per_hour": usage_history::steady(&points, now)}))
        .into_response())
}
