//! `/metrics`: OpenMetrics if the client accepts it, otherwise Prometheus' older text format.
//!
//! While a slot has two runs, because one replaces the other, the one that serves clients is counted.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::State as Extracted;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use formation::{RestartReason, State};
use jiff::Timestamp;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use ps_apps::World;
use ps_rows::{ExitRow, StatusRow};

use crate::balanced::{self, Balanced, Counted};
use crate::deploys::{Deploys, Results};
use crate::failed::failed;
use crate::labels::{OfApp, OfInstance, OfMemory, OfReason, OfResult, OfState, OfType};
use crate::server::Server;
use crate::snapshot::Snapshot;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

type Float = Gauge<f64, AtomicU64>;
type Seconds = Counter<f64, AtomicU64>;

/// All metrics.
#[derive(Default)]
struct Metrics {
    state: Family<OfState, Gauge>,
    restarts: Family<OfReason, Counter>,
    oom_kills: Family<OfInstance, Counter>,
    start_time: Family<OfInstance, Float>,
    cpu: Family<OfInstance, Seconds>,
    memory: Family<OfMemory, Gauge>,
    last_exit: Family<OfInstance, Gauge>,
    open_files: Family<OfInstance, Gauge>,
    connections: Family<OfInstance, Gauge>,
    of_apps: AppGauges,
    deploys: Family<OfResult, Counter>,
    log_dropped: Family<OfInstance, Counter>,
    balanced: Balanced,
}

/// How many instances are wanted, by app and type; an app whose formation cannot be read is left out.
type Desired = BTreeMap<(String, String), i64>;

/// Facts about apps that are not in the rows of their instances.
#[derive(Debug, Default)]
pub(crate) struct OfApps {
    desired: Desired,
    deploys: BTreeMap<String, Results>,
    counted: Counted,
}

impl OfApps {
    /// Reads the facts from the files of the apps in a snapshot, and asks each `ps-balance`.
    pub(crate) fn read(world: &World, snapshot: &Snapshot, deploys: &Deploys) -> Self {
        Self {
            desired: desired(world, snapshot),
            deploys: deploys.of(world, snapshot.apps.keys()),
            counted: balanced::counted(world, snapshot),
        }
    }
}

pub(crate) async fn metrics(Extracted(server): Extracted<Arc<Server>>, headers: HeaderMap) -> Response {
    let snapshot = server.collector.fresh().await;
    let known = Arc::clone(&snapshot);
    let of_apps = move || OfApps::read(&server.world, &snapshot, &server.deploys);
    let written = tokio::task::spawn_blocking(move || written(&known, &of_apps())).await;
    let Ok(Ok(written)) = written else {
        return failed(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written").into_response();
    };
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/openmetrics-text") {
        ([(CONTENT_TYPE, OPENMETRICS)], written).into_response()
    } else {
        ([(CONTENT_TYPE, PLAIN)], as_plain_text(&written)).into_response()
    }
}

fn desired(world: &World, snapshot: &Snapshot) -> Desired {
    let mut desired = Desired::new();
    for app in snapshot.apps.keys() {
        let Ok(formation) = world.formation(app) else { continue };
        for entry in formation.scale {
            desired.insert((app.to_string(), entry.name), entry.count.max(0));
        }
    }
    desired
}

/// All metrics as OpenMetrics.
pub(crate) fn written(snapshot: &Snapshot, of_apps: &OfApps) -> Result<String, fmt::Error> {
    let mut metrics = Metrics::default();
    for rows in snapshot.apps.values() {
        for slot in
            rows.chunk_by(|row, next| (&row.process_type, row.index) == (&next.process_type, next.index))
        {
            let serves = slot.iter().find(|row| row.role.is_none_or(|role| role == "current"));
            if let Some(row) = serves.or(slot.first()) {
                metrics.take(row);
            }
        }
    }
    for ((app, process_type), count) in &of_apps.desired {
        let of = OfType { app: app.clone(), process_type: process_type.clone() };
        metrics.of_apps.desired.get_or_create(&of).set(*count);
        metrics.of_apps.running.get_or_create(&of).inc_by(0);
    }
    for (app, Results { done, failed }) in &of_apps.deploys {
        for (result, count) in [("done", *done), ("failed", *failed)] {
            metrics.deploys.get_or_create(&OfResult { app: app.clone(), result }).inc_by(count);
        }
    }
    for (app, numbers) in &of_apps.counted {
        let scheduler =
            snapshot.apps.get(app).and_then(|rows| rows.first()).map(|row| row.scheduler.as_str());
        metrics.balanced.take(app, scheduler.unwrap_or_default(), numbers);
    }
    for silence in &snapshot.silent {
        let gauge = if silence.is_known { &metrics.of_apps.trouble } else { &metrics.of_apps.unknown };
        for app in &silence.apps {
            gauge.get_or_create(&OfApp { app: app.clone() }).set(1);
        }
    }
    let mut out = String::new();
    text::encode(&mut out, &metrics.registry())?;
    Ok(in_order(&out))
}

/// Sorts the series of each metric by their labels, so that two answers can be compared. Those of a histogram are sorted already, by
/// app and then by bucket.
fn in_order(openmetrics: &str) -> String {
    let mut lines: Vec<&str> = openmetrics.lines().collect();
    for series in lines.chunk_by_mut(|line, next| line.starts_with('#') == next.starts_with('#')) {
        let is_histogram = series.iter().any(|line| line.contains("_bucket{"));
        if !is_histogram && series.iter().all(|line| !line.starts_with('#')) {
            series.sort_unstable();
        }
    }
    lines.join("\n") + "\n"
}

impl Metrics {
    fn take(&self, row: &StatusRow) {
        let of = OfInstance::of(row);
        let OfInstance { app, process_type, index, scheduler } = of.clone();
        for state in State::ALL.map(State::as_str) {
            let (app, process_type, scheduler) = (app.clone(), process_type.clone(), scheduler.clone());
            let of = OfState { app, process_type, index, scheduler, state };
            self.state.get_or_create(&of).set(i64::from(row.state == state));
        }
        let is_up = matches!(row.state, "running" | "unready" | "unhealthy");
        let of_type = OfType { app: app.clone(), process_type: process_type.clone() };
        self.of_apps.running.get_or_create(&of_type).inc_by(i64::from(is_up));
        self.take_restarts(row, &of);
        let since = row.since.as_ref().and_then(|since| since.parse::<Timestamp>().ok());
        if let Some(since) = since.filter(|_| is_up) {
            self.start_time.get_or_create(&of).set(since.as_duration().as_secs_f64());
        }
        if let Some(seconds) = row.cpu_seconds {
            self.cpu.get_or_create(&of).inc_by(seconds);
        }
        if let Some(bytes) = row.memory_bytes {
            let of = OfMemory { app, process_type, index, scheduler, kind: "resident" };
            self.memory.get_or_create(&of).set(signed(bytes));
        }
        if let Some(exit) = row.last_exit {
            // The exit status as a shell reports it.
            let code = match exit {
                ExitRow::Code(code) => code,
                ExitRow::Signal(signal) => 128 + signal,
            };
            self.last_exit.get_or_create(&of).set(code.into());
        }
        let open_files = row.pid.filter(|_| is_up).and_then(os_process::open_files);
        if let Some(count) = open_files {
            self.open_files.get_or_create(&of).set(signed(count));
        }
        if let Some(connections) = row.connections {
            self.connections.get_or_create(&of).set(signed(connections));
        }
    }

    /// Adds restarts by reason. If a scheduler counts restarts without a reason, they count as unknown.
    fn take_restarts(&self, row: &StatusRow, of: &OfInstance) {
        let counted = row.restarts_by_reason.map(|counted| counted.0.iter().collect());
        let unknown = || row.restarts.map(|restarts| vec![(RestartReason::Unknown, restarts)]);
        let OfInstance { app, process_type, index, scheduler } = of;
        for (reason, count) in counted.or_else(unknown).unwrap_or_default() {
            let of = OfReason {
                app: app.clone(),
                process_type: process_type.clone(),
                index: *index,
                scheduler: scheduler.clone(),
                reason: reason.as_str(),
            };
            self.restarts.get_or_create(&of).inc_by(count.into());
        }
        if let Some(kills) = row.oom_kills {
            self.oom_kills.get_or_create(of).inc_by(kills);
        }
        if let Some(bytes) = row.log_dropped_bytes {
            self.log_dropped.get_or_create(of).inc_by(bytes);
        }
    }

    fn registry(self) -> Registry {
        let mut registry = Registry::with_prefix("formation");
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of ps-web", version);
        registry.register("instance_state", "1 for the state that the instance is in", self.state);
        registry.register(
            "instance_restarts",
            "How often the instance was restarted, by reason",
            self.restarts,
        );
        registry.register(
            "instance_oom_kills",
            "How many processes of the instance the kernel has killed because memory had run out",
            self.oom_kills,
        );
        registry.register_with_unit(
            "instance_start_time",
            "The time since which the instance has been up",
            Unit::Seconds,
            self.start_time,
        );
        registry.register_with_unit(
            "instance_cpu",
            "CPU time that the main process of the instance has used",
            Unit::Seconds,
            self.cpu,
        );
        registry.register("instance_memory_bytes", "Memory of the main process of the instance", self.memory);
        registry.register(
            "instance_last_exit_code",
            "How the instance last ended: its exit status, or 128 plus the signal",
            self.last_exit,
        );
        registry.register(
            "instance_open_fds",
            "Open descriptors of the main process of the instance",
            self.open_files,
        );
        registry.register(
            "balance_current_connections",
            "Connections of the app's address that the instance has",
            self.connections,
        );
        self.of_apps.register(&mut registry);
        registry.register(
            "log_dropped_bytes",
            "How many bytes of output of the instance were dropped because the log could not be written",
            self.log_dropped,
        );
        registry.register("deploys", "Deploys, by result, as far as the journal reaches back", self.deploys);
        self.balanced.register(&mut registry);
        registry
    }
}

/// What there is of an app beside its instances.
#[derive(Default)]
struct AppGauges {
    desired: Family<OfType, Gauge>,
    running: Family<OfType, Gauge>,
    unknown: Family<OfApp, Gauge>,
    trouble: Family<OfApp, Gauge>,
}

impl AppGauges {
    fn register(self, registry: &mut Registry) {
        registry.register("app_instances_desired", "How many instances are wanted", self.desired);
        registry.register("app_instances_running", "How many instances are up", self.running);
        registry.register(
            "app_unknown",
            "1 if the scheduler of the app does not answer, or the app cannot be read",
            self.unknown,
        );
        registry.register(
            "app_trouble",
            "1 if something is wrong with the app beside its instances, as ps-lifecycle status says in a line",
            self.trouble,
        );
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Converts OpenMetrics to the older text format, version 0.0.4: a counter is declared by the name of its samples, and there are fewer
/// types.
pub(crate) fn as_plain_text(openmetrics: &str) -> String {
    let mut counters: Vec<&str> = Vec::new();
    for line in openmetrics.lines() {
        if let Some((name, "counter")) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            counters.push(name);
        }
    }
    let mut plain = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines() {
        let declared = line.strip_prefix("# ").and_then(|line| line.split_once(' '));
        let Some((word @ ("HELP" | "TYPE"), rest)) = declared else {
            if !line.starts_with("# ") {
                plain.push_str(line);
                plain.push('\n');
            }
            continue;
        };
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (suffix, rest) = match (counters.contains(&name), word, rest) {
            (true, ..) => ("_total", rest),
            (false, "TYPE", "info") => ("_info", "gauge"),
            (false, "HELP", _) if openmetrics.contains(&format!("# TYPE {name} info\n")) => ("_info", rest),
            (false, "TYPE", "unknown") => ("", "untyped"),
            (false, ..) => ("", rest),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(plain, "# {word} {name}{suffix} {rest}");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Silence;

    #[test]
    fn an_app_with_a_trouble_is_not_one_that_nothing_is_known_of() {
        let silent = vec![
            Silence::of(vec!["blog".to_owned()], "no answer".to_owned()),
            Silence::trouble("shop", "web.1 waits for its limit of starts".to_owned()),
        ];
        let text = written(&Snapshot { silent, ..Snapshot::empty() }, &OfApps::default()).expect("written");
        let samples: Vec<&str> = text.lines().filter(|line| line.starts_with("formation_app_")).collect();
        assert_eq!(
            samples,
            [r#"formation_app_unknown{app="blog"} 1"#, r#"formation_app_trouble{app="shop"} 1"#]
        );
    }
}
