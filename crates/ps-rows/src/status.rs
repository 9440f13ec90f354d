//! The row of `status`.

use std::io::{self, Write};
use std::net::SocketAddr;

use ps_rollout::{Role, Side};
use ps_scheduler::{AppStatus, Instance};
use serde::Serialize;

use crate::exit::{ExitRow, OutOfMemoryRow};
use crate::failure;
use crate::limits::LimitsRow;
use crate::restarts::RestartsRow;

/// The columns of CSV: the fields that every row has, in the order of the JSON.
const COLUMNS: [&str; 17] = [
    "app",
    "process_type",
    "index",
    "state",
    "pid",
    "container_id",
    "address",
    "port",
    "since",
    "restarts",
    "cpu_percent",
    "memory_bytes",
    "last_exit",
    "scheduler",
    "run",
    "release",
    "role",
];

/// One instance. Values that its scheduler cannot know are `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusRow {
    /// The app.
    pub app: String,
    /// The process type.
    pub process_type: String,
    /// The number of the instance, from 1.
    pub index: u16,
    /// The state of the instance, a name of [`formation::State`].
    pub state: &'static str,
    /// Its main process.
    pub pid: Option<u32>,
    /// Its container, the full id.
    pub container_id: Option<String>,
    /// The address of the instance, `127.0.0.1:5000`.
    pub address: Option<String>,
    /// Its `PORT`.
    pub port: Option<u16>,
    /// The addresses of the app, whose clients reach this instance and others: `["127.0.0.1:5000"]`. Only if the app has an address. Not
    /// in CSV, like the next field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listen: Vec<String>,
    /// Whether the instance was given the sockets of these addresses, and accepts clients there itself. Only then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_socket: bool,
    /// How many connections of that address the instance has. Only while connections are passed on there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// When the present state began: RFC 3339, UTC.
    pub since: Option<String>,
    /// How often its scheduler has restarted it.
    pub restarts: Option<u32>,
    /// How often the slot was restarted, by reason, since its counts were last reset. Only if the scheduler counts that. Not in CSV, like
    /// the next field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts_by_reason: Option<RestartsRow>,
    /// How many processes of the slot the kernel has killed because memory had run out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kills: Option<u64>,
    /// How many bytes of its output were dropped because its log could not be written, since the log was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_dropped_bytes: Option<u64>,
    /// CPU time used per wall time since it started, in percent of one CPU.
    pub cpu_percent: Option<f64>,
    /// CPU time used since it started, in seconds. Only if it is known, and not in CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Resident memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// How its last process ended.
    pub last_exit: Option<ExitRow>,
    /// Set if the kernel ended that process because memory had run out. Only in that case, and not in CSV, like the next field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_memory: Option<OutOfMemoryRow>,
    /// The limits of the instance. Only if a limit was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsRow>,
    /// The scheduler of the app.
    pub scheduler: String,
    /// The number of its run, which no other run of the app has had.
    pub run: Option<u64>,
    /// The number of the release that it was started from.
    pub release: Option<u64>,
    /// Its role in its slot, a name of [`ps_rollout::Role`]. While an instance is being replaced, its slot has two rows.
    pub role: Option<&'static str>,
    /// The side on which it is compared while a canary is judged, a name of [`ps_rollout::Side`]: `canary` runs the new release,
    /// `control` the earlier one, and is no instance of the app. Only then, and not in CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<&'static str>,
    /// The node of a swarm that it runs on. This field and the next one exist only on a swarm, and not in CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The id of its task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The directory in which its process runs. This field and the next one exist only if they differ from each other,
    /// and not in CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The path that was typed in the deploy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typed_directory: Option<String>,
    /// When it is due next: RFC 3339, UTC. Only for a scheduled instance, and not in CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// A message for people about its last start or end. Only if there is one, and not in CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The last lines of its output. Only if it was given up, or its last scheduled run failed, and not in CSV.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
}

impl StatusRow {
    /// The row of an app's instance.
    pub fn of(scheduler: &str, app: &str, instance: Instance) -> Self {
        Self {
            app: app.to_owned(),
            process_type: instance.slot.process_type.to_string(),
            index: instance.slot.index,
            state: instance.state.as_str(),
            pid: instance.program.or(instance.pid),
            container_id: instance.container_id,
            address: instance.address,
            port: instance.port,
            listen: Vec::new(),
            has_socket: instance.has_socket,
            connections: instance.connections,
            since: instance.since.map(|since| since.to_string()),
            restarts: instance.restarts,
            restarts_by_reason: instance.restarts_by_reason.map(RestartsRow),
            oom_kills: instance.oom_kills,
            log_dropped_bytes: instance.log_dropped_bytes,
            cpu_percent: instance.cpu_percent,
            cpu_seconds: instance.cpu_seconds,
            memory_bytes: instance.memory_bytes,
            last_exit: instance.last_exit.map(ExitRow::from),
            out_of_memory: instance.out_of_memory.map(OutOfMemoryRow::from),
            limits: instance.limits.map(LimitsRow::from),
            scheduler: scheduler.to_owned(),
            run: instance.run,
            release: instance.release,
            role: instance.role.map(Role::as_str),
            compared: instance.compared.map(Side::as_str),
            node: instance.node,
            task: instance.task,
            // If both are the same, the app runs where it was deployed from, and both fields are left out.
            directory: instance
                .directory
                .filter(|_| instance.typed_directory.is_some())
                .map(|path| path.display().to_string()),
            typed_directory: instance.typed_directory.map(|path| path.display().to_string()),
            next: instance.next.map(|next| next.to_string()),
            note: instance.note,
            last_lines: instance.last_lines,
        }
    }

    /// The rows of all instances of an app.
    pub fn of_app(scheduler: &str, mut status: AppStatus) -> Vec<Self> {
        let listen: Vec<String> = status.listen.as_slice().iter().map(SocketAddr::to_string).collect();
        let instances = std::mem::take(&mut status.instances);
        let row = |instance: Instance| {
            let listen = if status.leads_to(&instance) { listen.clone() } else { Vec::new() };
            Self { listen, ..Self::of(scheduler, status.app.as_str(), instance) }
        };
        instances.into_iter().map(row).collect()
    }

    fn record(&self) -> [String; COLUMNS.len()] {
        [
            self.app.clone(),
            self.process_type.clone(),
            self.index.to_string(),
            self.state.to_owned(),
            or_empty(self.pid),
            or_empty(self.container_id.as_ref()),
            or_empty(self.address.as_ref()),
            or_empty(self.port),
            or_empty(self.since.as_ref()),
            or_empty(self.restarts),
            or_empty(self.cpu_percent),
            or_empty(self.memory_bytes),
            or_empty(self.last_exit),
            self.scheduler.clone(),
            or_empty(self.run),
            or_empty(self.release),
            or_empty(self.role),
        ]
    }
}

/// Writes a header, then a row for each instance; values that are null in JSON are empty.
pub fn status_csv(out: impl Write, rows: &[StatusRow]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS).map_err(failure::of_csv)?;
    rows.iter().try_for_each(|row| writer.write_record(row.record())).map_err(failure::of_csv)?;
    writer.flush()
}

fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
