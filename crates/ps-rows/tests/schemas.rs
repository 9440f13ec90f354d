//! Each row conforms to its JSON Schema, and each schema describes only what its row has.

use std::collections::{BTreeMap, BTreeSet};

use balance::{Before, Latencies, OfRelease, Receipt};
use formation::{Exit, OutOfMemory, RestartReason, Restarts, State, Stream};
use jiff::Timestamp;
use ps_apps::{KeptRelease, SourceRecord, StoredEntry};
use ps_rollout::{Role, Side, Tally, Verdict};
use ps_rows::{
    AddressRow, CanaryRow, EventRow, EvidenceRow, ExplanationRow, FindingRow, LogRow, Phase, ProcessRow,
    ReasonRow, ReleaseRow, StatusRow, VerbRow,
};
use ps_scheduler::{AppStatus, Instance, Limits, LogLine, OsProcess, Reached};
use serde::Serialize;
use serde_json::Value;

#[path = "../../../tests/cli/support/schema.rs"]
mod schema;

const STATES: [State; 12] = [
    State::Waiting,
    State::Starting,
    State::Running,
    State::Unready,
    State::Unhealthy,
    State::Stopping,
    State::Backoff,
    State::Scheduled,
    State::Stopped,
    State::Crashed,
    State::Missing,
    State::Unknown,
];

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn status_schema() -> Value {
    parsed(include_str!("../../../docs/schemas/ps-lifecycle-status.json"))
}

/// The keys of a row in its schema. `world` is not one of them: `--all-worlds` adds it to the output of each program.
fn own_keys(schema: &Value) -> BTreeSet<&str> {
    let mut keys = keys(&schema["properties"]);
    keys.remove("world");
    keys
}

/// The row as it is printed, after a check against its schema. If any required key is removed, the schema must refuse
/// it.
fn held_to(schema: &Value, row: &impl Serialize) -> Value {
    let mut printed = Vec::new();
    ps_rows::json_lines(&mut printed, std::slice::from_ref(row)).expect("memory takes what is written");
    let row = parsed(str::from_utf8(&printed).expect("UTF-8"));
    assert_eq!(schema::complaints(schema, &row), [""; 0]);
    for key in schema["required"].as_array().expect("a list").iter().filter_map(Value::as_str) {
        let mut without = row.clone();
        without.as_object_mut().expect("an object").remove(key);
        assert!(!schema::complaints(schema, &without).is_empty(), "a row without {key} is taken");
    }
    row
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn restarted(reasons: &[RestartReason]) -> Restarts {
    let mut restarts = Restarts::default();
    for reason in reasons {
        restarts.count(*reason);
    }
    restarts
}

/// An instance with a value in every field.
fn known(state: State, exit: Exit) -> Instance {
    Instance {
        run: Some(17),
        release: Some(3),
        role: Some(Role::Incoming),
        compared: Some(Side::Control),
        pid: Some(4711),
        container_id: Some("50f05446".to_owned()),
        address: Some("127.0.0.1:5000".to_owned()),
        port: Some(5000),
        has_socket: true,
        connections: Some(2),
        since: Some(Timestamp::UNIX_EPOCH),
        restarts: Some(3),
        restarts_by_reason: Some(restarted(&[RestartReason::Crash, RestartReason::OutOfMemory])),
        oom_kills: Some(1),
        log_dropped_bytes: Some(512),
        cpu_percent: Some(12.5),
        cpu_seconds: Some(0.25),
        memory_bytes: Some(1 << 20),
        last_exit: Some(exit),
        out_of_memory: Some(OutOfMemory { limit_bytes: Some(64 << 20), main: true }),
        limits: Some(Limits {
            memory_max: Some(64 << 20),
            cpu_max: Some(0.5),
            pids_max: Some(9),
            memory_restart: Some(1 << 20),
            lacking: Some("cpu-max 0.5 does not hold: no cgroup can be made here".to_owned()),
        }),
        directory: Some("/srv/releases/7".into()),
        node: Some("one".into()),
        task: Some("x1".into()),
        typed_directory: Some("/srv/current".into()),
        next: Some(Timestamp::UNIX_EPOCH),
        note: Some("its port was taken".to_owned()),
        last_lines: vec!["out of paper".to_owned()],
        ..Instance::new("web.2".parse().expect("a legal slot"), state)
    }
}

#[test]
fn a_row_of_status_is_what_its_schema_says_in_every_state() {
    let schema = status_schema();
    for state in STATES {
        for exit in [Exit::Code(1), Exit::Signal(9)] {
            let listen = "5000".parse().expect("an address");
            let app = AppStatus::of("shop".parse().expect("a legal name"), vec![known(state, exit)]);
            let rows = StatusRow::of_app("native", AppStatus { listen, ..app });
            let row = held_to(&schema, &rows[0]);
            assert_eq!(keys(&row), own_keys(&schema));
            assert_eq!(row["listen"], serde_json::json!(["127.0.0.1:5000"]));
        }
        let unknown = Instance::new("web.2".parse().expect("a legal slot"), state);
        held_to(&schema, &StatusRow::of("k3s", "shop", unknown));
    }
    let words: Vec<Value> = STATES.iter().map(|state| state.as_str().into()).collect();
    assert_eq!(
        schema["properties"]["state"]["enum"],
        Value::from(words),
        "the schema knows the states that there are"
    );
}

#[test]
fn a_row_of_status_in_csv_has_the_keys_that_are_always_there_in_their_order() {
    let mut printed = Vec::new();
    let rows = [StatusRow::of("native", "shop", known(State::Running, Exit::Signal(9)))];
    ps_rows::status_csv(&mut printed, &rows).expect("memory takes what is written");
    let text = String::from_utf8(printed).expect("UTF-8");
    let schema = status_schema();
    let required = schema["required"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(required.collect::<Vec<_>>().join(",").as_str()));
    let row = "shop,web,2,running,4711,50f05446,127.0.0.1:5000,5000,1970-01-01T00:00:00Z,3,12.5,1048576,signal 9,native,17,3,incoming";
    assert_eq!(lines.next(), Some(row));
}

#[test]
fn a_row_of_logs_is_what_its_schema_says_for_both_streams_and_any_bytes() {
    let schema = parsed(include_str!("../../../docs/schemas/ps-lifecycle-logs.json"));
    for stream in [Stream::Stdout, Stream::Stderr] {
        let slot = "worker.1".parse().expect("a legal slot");
        let bytes = b"a\xff\x1b[31m".to_vec();
        let at = Some(std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_500));
        let line = LogLine { slot, run: Some(17), stream, at, bytes, shown: 0, is_begun: false };
        let row = held_to(&schema, &LogRow::of("shop", &line));
        assert_eq!(keys(&row), own_keys(&schema));
        assert_eq!(row["at"], "1970-01-01T00:00:01.5Z");
        assert_eq!(row["line"], "a\u{fffd}\u{1b}[31m");
    }
}

#[test]
fn a_row_of_processes_is_what_its_schema_says() {
    let schema = parsed(include_str!("../../../docs/schemas/ps-lifecycle-processes.json"));
    let process = OsProcess {
        slot: "web.1".parse().expect("a legal slot"),
        pid: 4711,
        user: "shop".to_owned(),
        cpu_percent: 0.5,
        memory_bytes: 4096,
        elapsed: "01:02".to_owned(),
        command: "node web.js".to_owned(),
    };
    let row = ProcessRow::of("shop", &process);
    let printed = held_to(&schema, &row);
    assert_eq!(keys(&printed), own_keys(&schema));
    let mut csv = Vec::new();
    ps_rows::processes_csv(&mut csv, &[row]).expect("memory takes what is written");
    let wanted = "app,process_type,index,pid,user,cpu_percent,memory_bytes,elapsed,command\nshop,web,1,4711,shop,0.5,4096,01:02,node web.js\n";
    assert_eq!(String::from_utf8_lossy(&csv), wanted);
}

#[test]
fn a_row_of_proxy_is_what_its_schema_says_and_each_option_has_one() {
    let schema = parsed(include_str!("../../../docs/schemas/ps-lifecycle-proxy.json"));
    let mut in_force = Reached { listen: "80".parse().expect("an address"), ..Reached::default() };
    in_force.frontend.options.set("hold", "5").expect("seconds");
    let rows = AddressRow::of("shop", &BTreeMap::from([("http", "true".to_owned())]), &in_force);
    let names = rows.iter().map(|row| held_to(&schema, row)["option"].clone());
    let named: Vec<Value> = names.collect();
    assert_eq!(named, *schema["properties"]["option"]["enum"].as_array().expect("a list"));
    let mut csv = Vec::new();
    ps_rows::address_csv(&mut csv, &rows).expect("memory takes what is written");
    let csv = String::from_utf8_lossy(&csv);
    let wanted = ["app,option,set,in_force", "shop,listen,,127.0.0.1:80", "shop,hold,,5", "shop,http,true,"];
    assert!(wanted.iter().all(|line| csv.lines().any(|there| there == *line)), "{csv}");
}

#[test]
fn a_row_of_releases_is_what_its_schema_says_of_a_directory_and_of_an_image() {
    let schema = parsed(include_str!("../../../docs/schemas/ps-lifecycle-releases.json"));
    let directory = KeptRelease {
        format: 1,
        number: 7,
        at: Timestamp::UNIX_EPOCH,
        kind: "directory".to_owned(),
        place: "/srv/current".to_owned(),
        directory: Some("/srv/releases/7".to_owned()),
        content: Some("sha256:0a".to_owned()),
        source: SourceRecord::default(),
        digest: None,
        image: None,
        restores: Some(3),
        scheduler: "native".to_owned(),
        procfile: None,
        app_json: None,
        formation: vec![StoredEntry { name: "web".to_owned(), count: 2 }],
    };
    let image = KeptRelease {
        kind: "docker-image".to_owned(),
        directory: None,
        content: None,
        image: Some("sha256:0b".to_owned()),
        restores: None,
        ..directory.clone()
    };
    for kept in [directory, image] {
        let row = held_to(&schema, &ReleaseRow::of("shop", kept, true));
        assert_eq!(keys(&row), own_keys(&schema));
        assert_eq!(row["formation"]["web"], 2);
    }
}

#[test]
fn a_finding_is_what_its_schema_says_with_a_cure_and_without() {
    let schema = parsed(include_str!("../../../docs/schemas/ps-lifecycle-doctor.json"));
    for finding in [
        FindingRow::pass("kernel", "it is new"),
        FindingRow::warn("boot", "the apps do not come back", "ps-lifecycle boot enable"),
        FindingRow::fail("disk", "/var has 0 MiB left", "make room"),
    ] {
        let row = held_to(&schema, &finding);
        assert_eq!(keys(&row), own_keys(&schema));
    }
}

#[test]
fn an_explanation_is_what_its_schema_says() {
    let schema = parsed(include_str!("../../../docs/schemas/ps-explain.json"));
    let at = Timestamp::UNIX_EPOCH;
    let line = EvidenceRow {
        source: "output",
        file: Some("stderr.17.0".to_owned()),
        offset: Some(12),
        at: Some(at),
    };
    let entry = EvidenceRow { source: "journal", file: None, offset: None, at: Some(at) };
    let reason =
        ReasonRow { cause: "port-taken", says: "it is taken".to_owned(), evidence: vec![line, entry] };
    let row = ExplanationRow {
        app: "shop".to_owned(),
        instance: Some("web.1".to_owned()),
        state: Some("crashed"),
        at,
        cause: "port-taken",
        situation: "web.1 of shop is down".to_owned(),
        reasons: vec![reason],
        cure: Some("end that process".to_owned()),
    };
    let printed = held_to(&schema, &row);
    assert_eq!(keys(&printed), own_keys(&schema));
    held_to(&schema, &ExplanationRow { instance: None, state: None, cure: None, ..row });
}

#[test]
fn a_row_of_a_verb_for_all_apps_is_what_its_schema_says() {
    let schema = parsed(include_str!("../../../docs/schemas/ps-lifecycle-all.json"));
    for outcome in ["done", "failed", "stopped"] {
        let error = (outcome == "failed").then(|| "worker.1 is crashed".to_owned());
        let row = VerbRow {
            app: "shop",
            verb: "restore",
            outcome,
            took_ms: 12,
            error,
            up: Some(1),
            wanted: Some(2),
        };
        assert_eq!(keys(&held_to(&schema, &row)), own_keys(&schema));
    }
}

#[test]
fn an_event_is_what_its_schema_says_in_every_phase_and_with_every_outcome() {
    let schema = parsed(include_str!("../../../docs/schemas/events.json"));
    let mut phases = Vec::new();
    let mut words: Vec<Value> = Vec::new();
    for phase in Phase::ALL {
        let outcomes = phase.outcomes().iter().map(|word| Some(*word));
        let outcomes: Vec<_> = if phase.outcomes().is_empty() { vec![None] } else { outcomes.collect() };
        for outcome in outcomes {
            let row = EventRow {
                verb: "deploy",
                phase,
                app: Some("shop"),
                instance: Some("web.1".to_owned()),
                run: Some(17),
                outcome,
                duration_ms: 12,
                reason: Some("no instance of it was there".to_owned()),
                receipt: Some(Receipt {
                    before: 3,
                    releases: vec![OfRelease { release: 7, connections: 3 }],
                    latency: Some(Latencies {
                        worst_us: 1200,
                        before: Some(Before { p99_us: 100, worst_us: 900 }),
                    }),
                    ..Receipt::default()
                }),
                canary: Some(CanaryRow {
                    verdict: Verdict::Good,
                    canary: Tally::default(),
                    control: Tally::default(),
                }),
                exit_status: Some(0),
            };
            let full = held_to(&schema, &row);
            assert_eq!(keys(&full), own_keys(&schema));
            phases.push(full["phase"].clone());
            words.push(full["outcome"].clone());
            let nothing = EventRow {
                app: None,
                instance: None,
                run: None,
                reason: None,
                receipt: None,
                canary: None,
                exit_status: None,
                ..row
            };
            assert!(held_to(&schema, &nothing).get("exit_status").is_none());
        }
    }
    phases.dedup();
    assert_eq!(schema["properties"]["phase"]["enum"], Value::from(phases), "the schema knows the phases");
    let said = schema["properties"]["outcome"]["enum"].as_array().expect("a list");
    assert!(said.iter().all(|word| words.contains(word)) && words.iter().all(|word| said.contains(word)));
}
