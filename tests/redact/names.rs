//! Names stay readable whatever a CI writes into labels and whatever directories variables name; what could be a secret all
//! the same does not.

mod documents;

use redact::{Layout, Policy, Style, sanitize};
use serde_json::{Value, json};

use documents::{Site, sites};

const TOKEN: &str = "glpat-aBcDeF0123456789xyzQ";

fn sanitized(value: &Value) -> Value {
    let policy = Policy { style: Style::Bare, ..Policy::default() };
    let input = value.to_string();
    let mut safe = sanitize(input.as_bytes(), policy).expect("it is a document");
    let mut text = String::new();
    safe.write(Layout::Pretty, &mut text).expect("a string takes all text");
    serde_json::from_str(&text).expect("the output is JSON")
}

/// Words of command lines: there a label's words are searched for, too.
fn is_command(path: &str) -> bool {
    let ends = [
        "Path",
        "Args[]",
        "Cmd[]",
        "Entrypoint[]",
        "OnBuild[]",
        "Shell[]",
        "Test[]",
        "Command[]",
        "arguments[]",
    ];
    ends.iter().any(|end| path.ends_with(end))
        || path.contains("CreateCommand")
        || path.ends_with("entrypoint")
}

/// Labels as a CI makes them, all with this name in them.
fn labels_about(name: &str, at: usize) -> Vec<(String, String)> {
    let label = |key: &str, value: String| (format!("ci.example.{key}{at}"), value);
    let stem = name.trim_start_matches('/');
    vec![
        label("name", name.to_owned()),
        label("branch", format!("feature/PAY-1432-{stem}_retry")),
        label("message", format!("Fix the login of {name}: see {stem}, and PAY-1432 (#77)")),
        label(
            "source",
            format!(
                "https://oauth2:{TOKEN}@gitlab.example.com/acme/{}.git",
                stem.replace(['@', ':', '/'], "-")
            ),
        ),
        label("ref", format!("refs/heads/{stem}")),
        label("build", "48213".to_owned()),
    ]
}

/// The labels of a document, wherever it has them.
fn labels_of(value: &mut Value) -> &mut serde_json::Map<String, Value> {
    let document = if value.is_array() { &mut value[0] } else { value };
    let document = document.as_object_mut().expect("a document is an object");
    let holder =
        match ["Config", "Spec"].into_iter().find(|key| document.get(*key).is_some_and(Value::is_object)) {
            Some(key) => document[key].as_object_mut().expect("it is an object"),
            None => document,
        };
    let labels = holder.entry("Labels").or_insert_with(|| json!({}));
    if !labels.is_object() {
        *labels = json!({});
    }
    labels.as_object_mut().expect("it is an object")
}

#[test]
fn labels_of_a_ci_mask_no_name_of_any_kind_of_object() {
    let mut compared = 0;
    for document in documents::all() {
        let before = sanitized(&document.value);
        let shown = |site: &&Site| {
            let text = document.value.pointer(&site.pointer).and_then(Value::as_str).unwrap_or_default();
            !is_command(&site.path)
                && !site.path.contains("Labels")
                && !text.is_empty()
                && before.pointer(&site.pointer) == document.value.pointer(&site.pointer)
        };
        let all = sites(&document.value);
        let kept: Vec<&Site> = all.iter().filter(shown).collect();
        let mut value = document.value.clone();
        let text = |site: &Site| {
            document.value.pointer(&site.pointer).and_then(Value::as_str).expect("a text").to_owned()
        };
        for (at, site) in kept.iter().enumerate() {
            let name = text(site);
            // Labels speak of names, not of ids, times and the engine's own paths.
            let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '/') && name.len() < 64;
            if is_name && !name.contains(['=', ' ']) {
                labels_of(&mut value).extend(
                    labels_about(&name, at).into_iter().map(|(key, text)| (key, Value::String(text))),
                );
            }
        }
        let after = sanitized(&value);
        assert!(!after.to_string().contains(&TOKEN[6..]), "{}: the token of a URL is shown", document.name);
        for site in kept {
            let (is, was) = (after.pointer(&site.pointer), before.pointer(&site.pointer));
            assert_eq!(is, was, "{} of {}", site.path, document.name);
            compared += 1;
        }
    }
    assert!(compared > 200, "only {compared} places were compared");
}

/// A container whose names all speak of one app.
fn container(env: &[&str], labels: &Value) -> Value {
    json!([{
        "Name": "/payments-web-2",
        "Config": {
            "Hostname": "payments-web-2", "User": "payments", "WorkingDir": "/srv/payments", "Env": env, "Labels": labels,
            "Image": "registry.example.com/acme/payments:48213"
        },
        "HostConfig": {
            "NetworkMode": "payments_default", "Links": ["/payments-db:/payments-web-2/db"], "VolumesFrom": ["payments-data"],
            "Binds": ["/home/jane/payments/data:/srv/payments/data:rw"]
        },
        "Mounts": [{"Type": "bind", "Source": "/home/jane/payments/data", "Destination": "/srv/payments/data"}],
        "NetworkSettings": {"Networks": {"payments_default": {
            "Aliases": ["payments-db"], "DNSNames": ["payments-web-2"], "Links": ["payments-db:db"]
        }}}
    }])
}

/// Pointers to the names of that container.
const NAMES: [&str; 10] = [
    "/0/Name",
    "/0/Config/Hostname",
    "/0/Config/User",
    "/0/Config/WorkingDir",
    "/0/Config/Image",
    "/0/HostConfig/NetworkMode",
    "/0/HostConfig/Links/0",
    "/0/HostConfig/VolumesFrom/0",
    "/0/Mounts/0/Destination",
    "/0/NetworkSettings/Networks/payments_default/Aliases/0",
];

#[test]
fn a_directory_or_a_host_that_a_variable_names_masks_no_name() {
    let env = [
        "HOME=/srv/payments",
        "PWD=/srv/payments",
        "APP_ROOT=/srv/payments",
        "ANYTHING=/srv/payments/data",
        "PYTHONPATH=/srv/payments/lib",
        "DB_HOST=payments-db",
        "NETWORK=payments_default",
        "OTEL_SERVICE_NAME=payments-web-2",
        "IMAGE_TAG=48213",
        "PATH=/srv/payments/bin:/usr/local/bin:/bin",
    ];
    let before = container(&env, &json!({}));
    let after = sanitized(&before);
    for name in NAMES {
        assert_eq!(after.pointer(name), before.pointer(name), "{name}");
    }
    assert_eq!(sanitized(&after), after, "the output is its own output");
    let path = after.pointer("/0/Config/Env/9").and_then(Value::as_str);
    assert_eq!(path, Some("PATH=[redacted]:/usr/local/bin:/bin"));
}

#[test]
fn what_could_be_a_secret_is_masked_everywhere_all_the_same() {
    let secret = |env: &str, labels: Value| {
        let mut value = container(&[env], &labels);
        value[0]["Name"] = json!("/tavomurikel");
        value[0]["Config"]["WorkingDir"] = json!("/tavomurikel/pelokarim");
        value[0]["HostConfig"]["NetworkMode"] = json!("net-tavomurikel");
        value[0]["NetworkSettings"]["Networks"] = json!({"net-tavomurikel": {"Aliases": ["tavomurikel"]}});
        sanitized(&value).to_string()
    };
    for text in [
        secret("SECOND=tavomurikel", json!({})),
        secret("DB_PASSWORD=tavomurikel", json!({})),
        secret("SECRET_NAME=tavomurikel", json!({})),
        secret("DB_USER=tavomurikel", json!({})),
        secret("X=https://tavomurikel:y@h/z", json!({})),
        secret("X=/srv/app:tavomurikel", json!({})),
        secret("A=b", json!({"deploy.password": "tavomurikel"})),
        secret("A=b", json!({"ci.source": "https://x:tavomurikel@h/y"})),
        secret("A=b", json!({"ci.note": "password=tavomurikel"})),
    ] {
        assert!(!text.contains("tavomurikel"), "{text}");
    }
    let text = secret("SECOND=/tavomurikel/pelokarim", json!({}));
    assert!(!text.contains("pelokarim"), "{text}");
    // Letters mixed with digits may be a password, wherever they stand.
    let mut value = container(&["A=b"], &json!({"ci.note": "q7w2e9r4t1"}));
    value[0]["Name"] = json!("/web-q7w2e9r4t1");
    assert!(!sanitized(&value).to_string().contains("q7w2e9r4t1"));
}

#[test]
fn a_network_has_one_fate_wherever_it_is_named() {
    for (env, shown) in [("A=b", true), ("SECOND=payments_default", false), ("X=54321", true)] {
        let after = sanitized(&container(&[env], &json!({})));
        let mode = after.pointer("/0/HostConfig/NetworkMode") == Some(&json!("payments_default"));
        let key = after["0"]["x"].is_null()
            && after.pointer("/0/NetworkSettings/Networks/payments_default").is_some();
        assert_eq!((mode, key), (shown, shown), "{env}");
    }
    let mut value = container(&["DB_PORT_X=54321"], &json!({}));
    value[0]["HostConfig"]["NetworkMode"] = json!("net-54321");
    value[0]["NetworkSettings"]["Networks"] = json!({"net-54321": {}});
    let text = sanitized(&value).to_string();
    assert!(!text.contains("54321"), "{text}");
}

#[test]
fn hidden_names_hide_networks_and_not_the_modes_of_the_engine() {
    let hidden = |mode: &str| {
        let value = json!([{"HostConfig": {"NetworkMode": mode}, "Image": format!("sha256:{}", "5f8a2a57".repeat(8))}]);
        let mut text = String::new();
        let policy = Policy { hide_names: true, ..Policy::default() };
        sanitize(value.to_string().as_bytes(), policy)
            .expect("a document")
            .write(Layout::Lines, &mut text)
            .expect("text");
        text
    };
    assert!(hidden("bridge").contains("bridge") && hidden("host").contains("sha256:5f8a"));
    assert!(!hidden("payments_default").contains("payments"));
}

#[test]
fn a_byte_order_mark_is_skipped_and_utf_16_is_said() {
    let document = br#"[{"Name": "/web"}]"#;
    let with_mark = [&b"\xef\xbb\xbf"[..], document].concat();
    let written = |input: &[u8]| {
        let mut text = String::new();
        sanitize(input, Policy::default())
            .expect("a document")
            .write(Layout::Lines, &mut text)
            .expect("text");
        text
    };
    assert_eq!(written(&with_mark), written(document));
    let error = |input: &[u8]| sanitize(input, Policy::default()).err().expect("refused").to_string();
    let wide = |big: bool| document.iter().flat_map(move |byte| if big { [0, *byte] } else { [*byte, 0] });
    for input in [
        wide(false).collect::<Vec<u8>>(),
        wide(true).collect(),
        [0xff, 0xfe].into_iter().chain(wide(false)).collect(),
        [0xfe, 0xff].into_iter().chain(wide(true)).collect(),
    ] {
        assert!(error(&input).contains("UTF-16: save the document as UTF-8"), "{}", error(&input));
    }
    assert!(error(b"\xef\xbb\xbf").contains("no JSON"));
    assert!(error(b"\xef\xbb\xbf[1,]").contains("byte 6"), "{}", error(b"\xef\xbb\xbf[1,]"));
}
