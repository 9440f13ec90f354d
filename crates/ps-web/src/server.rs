//! The state from which requests are answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ps_apps::World;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::collect::Collector;
use crate::deploys::Deploys;
use crate::failed::{Failed, failed, status_of};
use crate::guard::Guard;
use crate::ring::Ring;
use crate::samples::Samples;
use crate::sister;

/// The most sister programs at the same time.
pub(crate) const PROGRAMS: usize = 4;
/// How long a sister program may take to answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// The state from which requests are answered.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) world: World,
    pub(crate) guard: Guard,
    pub(crate) collector: Arc<Collector>,
    pub(crate) ring: Ring,
    pub(crate) deploys: Deploys,
    /// `None` if no samples are recorded.
    pub(crate) samples: Option<Samples>,
    /// Permits for clients that read events.
    pub(crate) streams: Arc<Semaphore>,
    /// Permits for sister programs.
    pub(crate) programs: Semaphore,
    pub(crate) is_tls: bool,
}

impl Server {
    /// The name of an existing app.
    pub(crate) fn app(&self, word: &str) -> Result<String, Failed> {
        let app = self.world.app(word).map_err(|error| failed(StatusCode::NOT_FOUND, error.to_string()))?;
        Ok(app.name.to_string())
    }

    /// The output of a sister program, one object per line, as `rows`.
    pub(crate) async fn rows(&self, program: &str, words: &[&str]) -> Result<Response, Failed> {
        let _place = self.programs.acquire().await.expect("nobody closes it");
        let ran = sister::ask(program, words, DEADLINE).await;
        let ran = ran.map_err(|why| failed(StatusCode::BAD_GATEWAY, why))?;
        if ran.status != Some(0) {
            return Err(failed(status_of(ran.status), ran.err.trim()));
        }
        // An incomplete last line is no JSON object and is left out.
        let rows: Vec<Value> = ran.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Json(BTreeMap::from([("rows", rows)])).into_response())
    }
}
