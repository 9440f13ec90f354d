//! `/metrics` and `--textfile`, read by the parsers of prometheus-client for Python, which are not ours.

use std::io::Write;
use std::process::{Command, Stdio};

use formation::RestartReason;
use serde_json::Value;

use crate::served::{Served, TOKEN, shop};

/// Prints each sample as `[name, labels, value]` in one line of JSON.
const READER: &str = r"
import json, sys
kind = sys.argv[1]
if kind == 'openmetrics':
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
else:
    from prometheus_client.parser import text_string_to_metric_families as read
for family in read(sys.stdin.read()):
    for sample in family.samples:
        print(json.dumps([sample.name, sample.labels, sample.value, family.type]))
";

/// The samples that a parser finds; `None`: it is not installed, which is noted.
pub(crate) fn samples(kind: &str, text: &str) -> Option<Vec<Value>> {
    // Debian's own Python has Debian's packages.
    let python = |words: &[&str]| {
        let mut python = Command::new("/usr/bin/python3");
        python.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        python
    };
    let has = python(&["-c", "import prometheus_client"]).stderr(Stdio::null()).output();
    if !has.is_ok_and(|ran| ran.status.success()) {
        skipped::skip(format_args!("python3-prometheus-client is not installed"));
        return None;
    }
    let mut reader = python(&["-c", READER, kind]).spawn().expect("python runs");
    reader.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let read = reader.wait_with_output().expect("it ends");
    assert!(read.status.success(), "{kind} is not understood:\n{text}");
    let lines = String::from_utf8(read.stdout).expect("text");
    Some(lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

/// The value, without a fraction that is none, of the sample with this name and these labels among others.
pub(crate) fn value(samples: &[Value], name: &str, labels: &[(&str, &str)]) -> String {
    let is_meant =
        |sample: &&Value| sample[0] == name && labels.iter().all(|(label, value)| sample[1][label] == *value);
    let found: Vec<&Value> = samples.iter().filter(is_meant).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
    found[0][2].to_string().trim_end_matches(".0").to_owned()
}

fn is_complete(samples: &[Value]) {
    let web = [("app", "shop"), ("process_type", "web"), ("index", "2"), ("scheduler", "native")];
    let of_web = |name: &str, label: &[(&str, &str)]| {
        value(samples, &format!("formation_{name}"), &[&web, label].concat())
    };
    let number = |value: String| value.parse::<f64>().expect("a number");
    assert_eq!(of_web("instance_state", &[("state", "running")]), "1");
    assert_eq!(of_web("instance_state", &[("state", "crashed")]), "0");
    for reason in RestartReason::ALL.map(RestartReason::as_str) {
        assert_eq!(of_web("instance_restarts_total", &[("reason", reason)]), "0");
    }
    assert_eq!(of_web("instance_oom_kills_total", &[]), "0");
    assert_eq!(of_web("log_dropped_bytes_total", &[]), "0");
    assert!(number(of_web("instance_memory_bytes", &[("kind", "resident")])) > 4096.0);
    assert!(number(of_web("instance_start_time_seconds", &[])) > 1e9);
    assert!(number(of_web("instance_cpu_seconds_total", &[])) >= 0.0);
    assert!(number(of_web("instance_open_fds", &[])) >= 3.0);
    let of_type = [("app", "shop"), ("process_type", "web")];
    assert_eq!(value(samples, "formation_app_instances_desired", &of_type), "2");
    assert_eq!(value(samples, "formation_app_instances_running", &of_type), "2");
    let deploys = |result| value(samples, "formation_deploys_total", &[("app", "shop"), ("result", result)]);
    assert_eq!((deploys("done"), deploys("failed")), ("1".to_owned(), "0".to_owned()));
    assert_eq!(value(samples, "formation_build_info", &[]), "1");
}

#[test]
fn the_metrics_are_understood_by_a_parser_that_is_not_ours() {
    let home = shop();
    let served = Served::address(&home, &[]);
    let accept = "Accept: application/openmetrics-text; version=1.0.0";
    let answer = served.asks("GET", "/metrics", &[&format!("Authorization: Bearer {TOKEN}"), accept], "");
    assert!(answer.head.contains("content-type: application/openmetrics-text"), "{answer:?}");
    let Some(read) = samples("openmetrics", &answer.body) else { return };
    is_complete(&read);
    let series = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("formation_instance_state{")).map(str::to_owned).collect()
    };
    assert!(series(&answer.body).is_sorted() && series(&answer.body).len() > 2, "{}", answer.body);
    let plain = served.gets("/metrics");
    assert!(plain.head.contains("content-type: text/plain; version=0.0.4"), "{plain:?}");
    is_complete(&samples("text", &plain.body).expect("it is installed"));
}

#[test]
fn a_text_file_has_them_without_a_server() {
    let home = shop();
    let directory = home.path("collected");
    std::fs::create_dir(&directory).expect("a directory");
    home.does(&["ps-web", "--textfile", directory.to_str().expect("text")]);
    let names: Vec<_> =
        std::fs::read_dir(&directory).expect("it is there").flatten().map(|file| file.file_name()).collect();
    assert_eq!(names, ["formation.prom"]);
    let text = std::fs::read_to_string(directory.join("formation.prom")).expect("a file");
    let Some(read) = samples("text", &text) else { return };
    is_complete(&read);
    let ran = home.run(&["ps-web", "--textfile", "/not/there"]);
    assert!(ran.status == Some(1) && ran.stderr.contains("/not/there/formation.prom"), "{ran:?}");
}
