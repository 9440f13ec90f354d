//! Input that was cut off, changed, or built to hurt: the answer is an error or a document that is sanitised in full,
//! the same every time, and in linear time. `FORMATION_TEST_LONG=1` makes a million changes and takes strings of 10 MB, the plain run 4,000 and
//! half a megabyte.

#[expect(dead_code, reason = "the ledger uses the rest")]
mod random;

use std::time::Duration;

use random::Random;
use redact::{Layout, Policy, Style, sanitize};
use serde_json::Value;

const CONTAINER: &str = include_str!("documents/container.json");
const NETWORK: &str = include_str!("documents/network.json");
/// Cannot stand at a place that shows names: whatever happens to the document, it must not come out.
const CANARY: &str = "Zq7=Kx9!Wm4";

fn long() -> bool {
    std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1")
}

fn output(input: &[u8], policy: Policy) -> Option<String> {
    let mut safe = sanitize(input, policy).ok()?;
    let mut text = String::new();
    safe.write(Layout::Pretty, &mut text).expect("a string takes all text");
    Some(text)
}

fn policies() -> [Policy; 6] {
    let plain = Policy::default();
    [
        plain,
        Policy { style: Style::Dokku, ..plain },
        Policy { style: Style::Bare, ..plain },
        Policy { show_commands: true, ..plain },
        Policy { hide_names: true, ..plain },
        Policy { pii: true, explain: true, ..plain },
    ]
}

/// The document with the canary in some of its strings.
fn planted(random: &mut Random) -> Vec<u8> {
    let text = if random.below(2) == 0 { CONTAINER } else { NETWORK };
    let value: Value = serde_json::from_str(text).expect("the document is JSON");
    let mut bytes = value.to_string().into_bytes();
    for _ in 0..3 {
        let ends: Vec<usize> =
            bytes.windows(2).enumerate().filter(|(_, pair)| pair == b":\"").map(|(at, _)| at + 2).collect();
        let at = *random.pick(&ends);
        bytes.splice(at..at, CANARY.bytes());
    }
    bytes
}

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = planted(random);
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(7) {
            0 => bytes.truncate(at),
            1 => bytes[at] = u8::try_from(random.below(256)).expect("a byte is below 256"),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.insert(at, *random.pick(b"{}[]\",:\\0ntf \x00\xff")),
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            5 => bytes.swap(at, end.saturating_sub(1)),
            _ => {
                let texts = ["\\ud800", "\\u202e", "\\u0000", "1e999", "\"\"", "null"];
                bytes.splice(at..at, random.pick(&texts).bytes());
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Numbers that no machine can hold are JSON all the same.
fn is_json(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(_) => true,
        Err(error) => error.to_string().starts_with("number out of range"),
    }
}

#[test]
fn changed_input_is_refused_or_sanitised_in_full() {
    const THREADS: u64 = 4;
    let rounds = if long() { 1_000_000 } else { 4_000 } / THREADS;
    let workers: Vec<_> = (0..THREADS).map(|seed| std::thread::spawn(move || change(seed, rounds))).collect();
    for worker in workers {
        let (refused, shown) = worker.join().expect("no change shows anything");
        assert!(refused > 0 && shown > 0, "both must happen: {refused} refused, {shown} shown");
    }
}

/// Changes documents so many times. (how many were refused, how many shown)
fn change(seed: u64, rounds: u64) -> (u64, u64) {
    let mut random = Random::new(11 + seed);
    let mut refused = 0;
    for _ in 0..rounds {
        let input = mutated(&mut random);
        match output(&input, Policy::default()) {
            None => refused += 1,
            Some(text) => {
                assert!(!text.contains(CANARY), "{}", String::from_utf8_lossy(&input));
                assert!(text.is_ascii() && is_json(&text), "{text}");
            }
        }
    }
    (refused, rounds - refused)
}

#[test]
fn a_document_cut_off_anywhere_is_refused() {
    let value: Value = serde_json::from_str(NETWORK).expect("the document is JSON");
    let text = value.to_string();
    let shown = (0..text.len()).filter(|&at| {
        text.is_char_boundary(at) && output(&text.as_bytes()[..at], Policy::default()).is_some()
    });
    assert_eq!(shown.count(), 0);
}

#[test]
fn the_output_is_its_own_output_whatever_was_asked_for() {
    let mut random = Random::new(5);
    for _ in 0..40 {
        let input = planted(&mut random);
        for policy in policies() {
            let once = output(&input, policy).expect("the document is one");
            assert_eq!(output(&input, policy).as_ref(), Some(&once), "the same input gives the same output");
            assert_eq!(output(once.as_bytes(), policy), Some(once), "{policy:?}");
        }
    }
}

/// The document without its strings; keys stay.
fn skeleton(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::String(String::new()),
        Value::Array(items) => items.iter().map(skeleton).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), skeleton(value))).collect(),
        other => other.clone(),
    }
}

#[test]
fn types_lengths_and_keys_stay() {
    for policy in policies().into_iter().filter(|policy| !policy.hide_names) {
        for text in [CONTAINER, NETWORK] {
            let before: Value = serde_json::from_str(text).expect("the document is JSON");
            let after: Value = serde_json::from_str(&output(text.as_bytes(), policy).expect("it is one"))
                .expect("so is this");
            assert_eq!(skeleton(&before), skeleton(&after));
        }
    }
}

#[test]
fn the_order_of_keys_and_of_containers_shows_nothing_more() {
    let secret = r#"{"Config":{"Env":["PASSWORD=tavomuri7x"]}}"#;
    let name = r#"{"Name":"/web-tavomuri7x-1"}"#;
    for input in [
        format!("[{secret},{name}]"),
        format!("[{name},{secret}]"),
        format!("{secret}{name}"),
        format!("{name}\n{secret}"),
    ] {
        let text = output(input.as_bytes(), Policy::default()).expect("the document is one");
        assert!(!text.contains("tavomuri7x"), "{text}");
    }
}

#[test]
fn keys_that_give_something_away_are_replaced_and_stay_distinct() {
    let labels = r#"{"ghp_abcdefghijklmnopqrstuvwxyz0123456789":"a","sk_live_abcdefgh12345678":"b","app.name":"c","\ud800":"d","key-7":"e"}"#;
    let text = output(format!(r#"{{"Config":{{"Labels":{labels}}}}}"#).as_bytes(), Policy::default())
        .expect("it is a document");
    let value: Value = serde_json::from_str(&text).expect("the output is JSON");
    let keys = value["Config"]["Labels"].as_object().expect("labels are an object");
    assert_eq!(keys.len(), 5);
    assert!(
        keys.contains_key("app.name")
            && keys.contains_key("key-7")
            && !text.contains("ghp_")
            && !text.contains("sk_live_")
    );
    assert_eq!(output(text.as_bytes(), Policy::default()), Some(text));
}

#[test]
fn depth_is_capped_and_the_cap_is_reached() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(output(nested(redact::MAX_DEPTH).as_bytes(), Policy::default()).is_some());
    assert_eq!(output(nested(redact::MAX_DEPTH + 1).as_bytes(), Policy::default()), None);
}

/// How many times as large the larger input is.
const FACTOR: usize = 8;
/// Work that grows with the input takes [`FACTOR`] times as long, work that grows with its square 64 times. Between the two
/// there is room for what other programs do to the caches.
const TOO_MUCH: f64 = 24.0;

/// How much more processor time a [`FACTOR`] times larger input takes. Where it seems too much it is measured again, because
/// others use the machine.
fn growth(make: impl Fn(usize) -> String) -> f64 {
    let time = |size: usize| {
        let input = make(size);
        let run = || {
            let started = processor_time();
            drop(output(input.as_bytes(), Policy::default()));
            processor_time().saturating_sub(started)
        };
        (0..if long() { 1 } else { 3 }).map(|_| run()).min().unwrap_or(Duration::MAX).as_secs_f64()
    };
    let size = if long() { 5 << 18 } else { 1 << 16 };
    let ratio = || time(FACTOR * size) / time(size);
    let first = ratio();
    if first < TOO_MUCH { first } else { ratio().min(ratio()) }
}

/// What this thread used.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Makes text of a size in bytes.
type Make = fn(usize) -> String;

#[test]
fn strings_built_to_hurt_cost_linear_time() {
    let at = |place: &str, text: String| place.replace('@', &text);
    let shapes: [(&str, Make); 7] = [
        ("one long word", |size| format!("{}!", "a".repeat(size))),
        ("many equals signs", |size| "a=".repeat(size / 2)),
        ("many schemes", |size| "a://b:c@d/".repeat(size / 10)),
        ("many percent signs", |size| "%2525".repeat(size / 5)),
        ("nested base64", |size| "YWFhYWFhYWFh".repeat(size / 12)),
        ("many quotes", |size| "'\\\" ".repeat(size / 5)),
        ("many prefixes", |size| "eyJeyJ.ghp_AKIA--".repeat(size / 17)),
    ];
    let places = [
        r#"{"Name":"@"}"#,
        r#"{"Config":{"Env":["A=@"]}}"#,
        r#"{"Args":["@"]}"#,
        r#"{"Config":{"Labels":{"@":"@"}}}"#,
        r#"{"Config":{"Healthcheck":{"Test":["CMD-SHELL","@"]}},"Name":"aaaa"}"#,
    ];
    for (what, make) in shapes {
        for place in places {
            let ratio = growth(|size| at(place, make(size)));
            assert!(
                ratio < TOO_MUCH,
                "{what} at {place}: {FACTOR} times the input took {ratio:.1} times as long"
            );
        }
    }
}

#[test]
fn many_values_that_begin_alike_cost_linear_time() {
    let many = |size: usize| {
        let values: Vec<String> =
            (0..size / 40).map(|n| format!("\"V{n}=https://aaaaaaaa/{n:08}\"")).collect();
        let names: Vec<String> =
            (0..size / 40).map(|n| format!("{{\"Name\":\"https-aaaaaaaa-{n}\"}}")).collect();
        format!("[{{\"Config\":{{\"Env\":[{}]}}}},{}]", values.join(","), names.join(","))
    };
    let ratio = growth(many);
    assert!(ratio < TOO_MUCH, "{FACTOR} times the input took {ratio:.1} times as long");
}
