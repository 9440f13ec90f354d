//! `/compat/pm2`: the JSON of pm2's web interface, for tools that read it. It contains no variable of any app.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use ps_rows::{StatusRow, machine};
use serde_json::{Value, json};

use crate::server::Server;

pub(crate) async fn processes(State(server): State<Arc<Server>>) -> Json<Value> {
    let snapshot = server.collector.fresh().await;
    let processes: Vec<Value> = snapshot.rows().enumerate().map(|(id, row)| process(id, row)).collect();
    Json(json!({"system_info": machine::system(), "monit": machine::monit(), "processes": processes}))
}

/// An instance as an element of pm2's list. Its `pm_id` is its position in the list, since instances have no numbers
/// here.
fn process(id: usize, row: &StatusRow) -> Value {
    let since = row.since.as_ref().and_then(|since| since.parse::<Timestamp>().ok());
    let since = since.map_or(0, Timestamp::as_millisecond);
    let is_online = status(row.state) == "online";
    json!({
        "pid": row.pid.unwrap_or(0),
        "name": row.app,
        "pm2_env": {
            "name": row.app,
            "env": {},
            "exec_mode": "fork_mode",
            "pm_id": id,
            "restart_time": row.restarts.unwrap_or(0),
            "unstable_restarts": 0,
            "pm_uptime": since,
            "status": status(row.state),
            "process_type": row.process_type,
            "instance": row.index,
        },
        "pm_id": id,
        "monit": {
            "memory": row.memory_bytes.filter(|_| is_online).unwrap_or(0),
            "cpu": row.cpu_percent.filter(|_| is_online).unwrap_or(0.0).round(),
        },
    })
}

/// pm2's word for a state.
fn status(state: &str) -> &'static str {
    match state {
        "running" | "unready" | "unhealthy" => "online",
        "starting" | "waiting" | "backoff" => "launching",
        "stopping" => "stopping",
        "stopped" | "scheduled" => "stopped",
        _ => "errored",
    }
}
