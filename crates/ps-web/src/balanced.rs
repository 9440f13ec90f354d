//! The metrics of the addresses of apps, which `ps-balance` has counted. `ps-balance` is only asked when metrics are read.
//!
//! A `ps-balance` counts from its start. It ends when there was no connection for a while, and its series end with it. Those of the next one
//! begin at 0, as after any restart of a program that counts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;

use balance::Latency;
use balance::wire::{BackendNumbers, Numbers};
use formation::AppName;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use ps_apps::World;
use ps_service::{Service, slot_of_backend};

use crate::labels::{OfApp, OfBackend, OfDirection, OfQuantile};
use crate::snapshot::Snapshot;

/// The upper ends of the histogram's buckets are these powers of two, in microseconds: from 64 µs to 34 s.
const BUCKETS: std::ops::RangeInclusive<u32> = 6..=25;

/// The answers of each running `ps-balance`.
pub(crate) type Counted = BTreeMap<AppName, Numbers>;

/// Asks for the numbers of each app in the snapshot that has an address.
pub(crate) fn counted(world: &World, snapshot: &Snapshot) -> Counted {
    let has_address = |app: &AppName| snapshot.apps[app].iter().any(|row| !row.listen.is_empty());
    let apps = snapshot.apps.keys().filter(|app| has_address(app));
    apps.filter_map(|app| Some((app.clone(), Service::of(world, app, None).balance_numbers()?))).collect()
}

/// The metrics of addresses.
#[derive(Debug, Default)]
pub(crate) struct Balanced {
    accepted: Family<OfApp, Counter>,
    refused: Family<OfApp, Counter>,
    unsecured: Family<OfApp, Counter>,
    bytes: Family<OfDirection, Counter>,
    draining: Family<OfApp, Gauge>,
    waits: Waits,
    connections: Family<OfBackend, Counter>,
    connect_errors: Family<OfBackend, Counter>,
    broken: Family<OfBackend, Counter>,
    cut: Family<OfBackend, Counter>,
    connect: Family<OfQuantile, Gauge<f64, AtomicU64>>,
}

/// How long clients of each app have waited.
#[derive(Debug, Default)]
struct Waits(BTreeMap<String, Latency>);

impl EncodeMetric for Waits {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (app, latency) in &self.0 {
            let of = OfApp { app: app.clone() };
            let sum = latency.total().as_secs_f64();
            encoder.encode_family(&of)?.encode_histogram::<OfApp>(
                sum,
                latency.count(),
                &buckets(latency),
                None,
            )?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// For each bucket its upper end in seconds, and the number of values in this bucket alone.
fn buckets(latency: &Latency) -> Vec<(f64, u64)> {
    let mut below = 0;
    let mut alone = |within: u64| within - std::mem::replace(&mut below, within);
    let ends = BUCKETS.map(|power| {
        let within = latency.within(1 << power);
        (f64::from(1_u32 << power) / 1e6, alone(within))
    });
    let mut buckets: Vec<(f64, u64)> = ends.collect();
    buckets.push((f64::INFINITY, alone(latency.count())));
    buckets
}

impl Balanced {
    /// Adds the numbers of one app; `scheduler` is the scheduler of its instances.
    pub(crate) fn take(&mut self, app: &AppName, scheduler: &str, numbers: &Numbers) {
        let of = OfApp { app: app.to_string() };
        self.accepted.get_or_create(&of).inc_by(numbers.accepted);
        self.refused.get_or_create(&of).inc_by(numbers.refused);
        self.unsecured.get_or_create(&of).inc_by(numbers.unsecured);
        for (direction, bytes) in [("in", numbers.bytes_in), ("out", numbers.bytes_out)] {
            let of = OfDirection { app: app.to_string(), direction };
            self.bytes.get_or_create(&of).inc_by(bytes);
        }
        let draining = numbers.backends.iter().filter(|backend| backend.draining);
        let open = draining.map(|backend| backend.open).sum::<u64>();
        self.draining.get_or_create(&of).set(i64::try_from(open).unwrap_or(i64::MAX));
        self.waits.0.insert(app.to_string(), numbers.latency.clone());
        for backend in &numbers.backends {
            self.take_backend(app, scheduler, backend);
        }
    }

    /// Two runs of a slot that have the same release, because one replaces the other, are counted together.
    fn take_backend(&self, app: &AppName, scheduler: &str, backend: &BackendNumbers) {
        let Some(slot) = slot_of_backend(&backend.id) else { return };
        let of = OfBackend {
            app: app.to_string(),
            process_type: slot.process_type.to_string(),
            index: u32::from(slot.index),
            scheduler: scheduler.to_owned(),
            release: backend.release,
        };
        self.connections.get_or_create(&of).inc_by(backend.connections);
        self.connect_errors.get_or_create(&of).inc_by(backend.failed);
        self.broken.get_or_create(&of).inc_by(backend.faults.broken);
        self.cut.get_or_create(&of).inc_by(backend.cut);
        for (quantile, micros) in [("0.5", backend.connect_p50_us), ("0.99", backend.connect_p99_us)] {
            let Some(micros) = micros else { continue };
            let seconds = std::time::Duration::from_micros(micros).as_secs_f64();
            let gauge = self.connect.get_or_create_owned(&of.clone().at(quantile));
            gauge.set(gauge.get().max(seconds));
        }
    }

    /// Registers all metrics, in a registry that has the prefix of the project.
    pub(crate) fn register(self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("balance");
        registry.register("accepted", "Connections of clients of the app's address", self.accepted);
        registry.register("refused", "Connections of clients that no instance took", self.refused);
        registry.register(
            "unsecured",
            "Connections of clients that did not complete the TLS handshake",
            self.unsecured,
        );
        registry.register("bytes", "Bytes from clients (in) and to clients (out)", self.bytes);
        registry.register(
            "draining_connections",
            "Open connections of instances that get no new ones",
            self.draining,
        );
        registry.register_with_unit(
            "request_duration",
            "How long clients have waited until an instance had their connection; with HTTP, until the head of the answer",
            Unit::Seconds,
            self.waits,
        );
        registry.register(
            "connections",
            "Connections that the instance has got; with HTTP, requests",
            self.connections,
        );
        registry.register(
            "connect_errors",
            "Connects that the instance has refused, or not answered in time",
            self.connect_errors,
        );
        registry.register(
            "errors",
            "Connections that the instance has reset; with HTTP, requests that it broke off or answered with a status from 500 on",
            self.broken,
        );
        registry.register("cut_connections", "Connections that were still open at the drain limit", self.cut);
        registry.register_with_unit(
            "connect",
            "The time within which half and 99 of 100 connects to the instance were answered",
            Unit::Seconds,
            self.connect,
        );
    }
}
