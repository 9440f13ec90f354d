//! What is set for a process type, in the containers that a real engine makes: what the engine says of them is what was set, and where
//! that differs by now it is told.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::engine::{IMAGE, has_engine, inspect, name};
use crate::home::Home;
use crate::registry::docker;

/// A network of this run, gone with it.
struct Network(String);

impl Network {
    fn new(stem: &str) -> Self {
        let network = name(stem);
        docker(&["network", "create", &network]);
        Self(network)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Whoever is in it goes with the app; what is left then is for the engine to tell.
        let _ = Command::new("docker").args(["network", "rm", &self.0]).output();
    }
}

/// The descriptions of its containers, by slot.
fn by_slot(home: &Home, app: &str) -> BTreeMap<String, Value> {
    let all = inspect(home, app);
    let slot = |one: &Value| one["Config"]["Labels"]["com.dokku.dyno"].as_str().expect("a slot").to_owned();
    all.as_array().expect("containers").iter().map(|one| (slot(one), one.clone())).collect()
}

/// The rows of the report of what is set.
fn rows(home: &Home, app: &str) -> Vec<Value> {
    let told = home.does(&["ps-report", app, "--settings", "--json"]);
    told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn row<'a>(rows: &'a [Value], process_type: &str, setting: &str) -> &'a Value {
    let is_meant = |row: &&Value| row["process_type"] == process_type && row["setting"] == setting;
    rows.iter().find(is_meant).expect("each setting has a row")
}

/// Every row of which a running instance has another value.
fn drifts(rows: &[Value]) -> Vec<&str> {
    let has_drift = |row: &&Value| row["drift"].as_array().is_some_and(|drift| !drift.is_empty());
    rows.iter().filter(has_drift).filter_map(|row| row["setting"].as_str()).collect()
}

#[test]
fn the_engine_says_of_a_container_what_app_json_and_properties_set_for_its_type_and_the_report_who_did() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("rich"));
    let (front, back) = (Network::new("front"), Network::new("back"));
    let files = home.write("files/x", "").parent().expect("a directory").to_str().expect("text").to_owned();
    home.write("src/Procfile", "web: sleep 600\nworker: sleep 600\n");
    let app_json = json!({"formation": {
        "web": {
            "quantity": 1, "memory_max": "64MiB", "cpu_max": 0.5, "pids_max": 99, "stop_signal": "SIGQUIT", "stop_timeout_seconds": 1, "init": false,
            "ulimits": {"nofile": "1024:2048", "core": 0},
            "mounts": [format!("{files}:/files:ro"), format!("{app}-data:/data")],
            "networks": [front.0, back.0],
            "extra_hosts": {"db": "10.0.0.7", "host": "host-gateway"},
            "labels": {"team": "shop", "rule": "a,b"},
            "engine_options": {"cap_drop": ["NET_RAW"], "shm_size": "32m", "read_only": true, "sysctl": {"net.core.somaxconn": 99}},
        },
        "worker": {"quantity": 1, "memory_max": "96m"},
    }});
    home.write("src/app.json", &app_json.to_string());
    let source = home.path("src");
    let source = source.to_str().expect("text");
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", source, "--base", IMAGE];
    home.does(&deploy);
    home.does(&["ps-set", &app, "web.pids-max", "77"]);
    home.does(&deploy);
    let containers = by_slot(&home, &app);
    let (web, worker) = (&containers["web.1"], &containers["worker.1"]);
    let host = &web["HostConfig"];
    for (key, value) in [
        ("Memory", json!(64 << 20)),
        ("NanoCpus", json!(500_000_000)),
        ("PidsLimit", json!(77)),
        ("Init", json!(false)),
        (
            "Ulimits",
            json!([{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": 1024, "Hard": 2048}]),
        ),
        ("Binds", json!([format!("{files}:/files:ro"), format!("{app}-data:/data")])),
        ("NetworkMode", json!(front.0)),
        ("ExtraHosts", json!(["db:10.0.0.7", "host:host-gateway"])),
        ("CapDrop", json!(["NET_RAW"])),
        ("ShmSize", json!(32 << 20)),
        ("ReadonlyRootfs", json!(true)),
    ] {
        assert_eq!(host[key], value, "{key}");
    }
    assert_eq!(host["Sysctls"]["net.core.somaxconn"], "99");
    assert_eq!(web["Config"]["StopSignal"], "SIGQUIT");
    assert_eq!(
        (&web["Config"]["Labels"]["team"], &web["Config"]["Labels"]["rule"]),
        (&json!("shop"), &json!("a,b"))
    );
    let networks = web["NetworkSettings"]["Networks"].as_object().expect("networks");
    for network in [&front.0, &back.0] {
        let aliases = networks[network]["Aliases"].as_array().expect("aliases");
        assert!(aliases.contains(&json!(format!("{app}.web"))), "{network}: {aliases:?}");
    }
    assert_eq!(networks.len(), 2);
    // Clients find it in the first network.
    let ip = networks[&front.0]["IPAddress"].as_str().expect("an address");
    let address = home.status(&app)[0]["address"].clone();
    assert_eq!(address, json!(format!("{ip}:5000")));
    let host = &worker["HostConfig"];
    assert_eq!(
        (&host["Memory"], &host["Init"], &host["Binds"]),
        (&json!(96 << 20), &json!(true), &Value::Null)
    );

    let told = rows(&home, &app);
    for (process_type, setting, value, source) in [
        ("web", "memory-max", "64MiB", "app.json"),
        ("web", "pids-max", "77", "type"),
        ("worker", "memory-max", "96m", "app.json"),
        ("web", "labels", r"rule=a\,b,team=shop", "app.json"),
    ] {
        let row = row(&told, process_type, setting);
        assert_eq!(
            (&row["value"], &row["source"]),
            (&json!(value), &json!(source)),
            "{process_type}.{setting}"
        );
    }
    assert_eq!(drifts(&told), [""; 0], "nothing has changed since");

    // A one-off has the same limits and mounts, and nothing by which clients would be led to it.
    home.does(&["ps-lifecycle", "run", &app, "web", "--detach"]);
    let label = format!("label=com.dokku.app-name={app}");
    let listed = docker(&["ps", "-q", "--filter", &label, "--filter", "label=com.dokku.container-type=run"]);
    let one_off: Value = serde_json::from_str(&docker(&["inspect", listed.trim()])).expect("JSON");
    let one_off = &one_off[0];
    assert_eq!(
        (&one_off["HostConfig"]["Memory"], &one_off["HostConfig"]["Binds"]),
        (&json!(64 << 20), &web["HostConfig"]["Binds"])
    );
    assert_eq!(one_off["Config"]["Labels"]["team"], Value::Null);
    let networks = one_off["NetworkSettings"]["Networks"].as_object().expect("networks");
    assert_eq!(networks.len(), 2);
    assert!(!networks[&back.0]["Aliases"].to_string().contains(&app), "{networks:?}");
    docker(&["rm", "-f", listed.trim()]);
    home.does(&["ps-lifecycle", "destroy", &app]);
    docker(&["volume", "rm", &format!("{app}-data")]);
}

#[test]
fn where_a_running_container_has_another_value_it_is_told_by_slot_and_key_until_the_next_deploy() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("adrift"));
    let network = Network::new("adrift");
    let deploy = ["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--scale", "web=2", "worker=1"];
    home.does(&deploy);
    for (property, value) in [
        ("web.memory-max", "64m"),
        ("web.stop-signal", "SIGQUIT"),
        ("web.labels", "team=shop,tier=front"),
        ("web.ulimits", "nofile=999"),
        ("web.engine-options", "shm-size=1m,cap-drop=NET_RAW"),
    ] {
        home.does(&["ps-set", &app, property, value]);
    }
    home.does(&deploy);
    assert_eq!(drifts(&rows(&home, &app)), [""; 0]);
    for (property, value) in [
        ("web.memory-max", "128MiB"),
        ("web.stop-signal", ""),
        ("web.labels", "team=sales-secret"),
        ("web.ulimits", ""),
        ("web.engine-options", "shm-size=2m,cap-drop=NET_RAW"),
        ("worker.networks", &*network.0),
        ("restart-policy", "always"),
    ] {
        home.does(&["ps-set", &app, property, value]);
    }
    // Somebody changes a container by hand.
    let worker = by_slot(&home, &app)["worker.1"]["Id"].as_str().expect("an id").to_owned();
    docker(&["update", "--cpus", "0.5", &worker]);
    let told = home.does(&["ps-report", &app, "--settings"]);
    for line in [
        "web.1 memory-max: runs with 64m, set is 128m; takes effect at the next deploy or restart",
        "web.2 memory-max: runs with 64m, set is 128m; takes effect at the next deploy or restart",
        "web.1 stop-signal: runs with SIGQUIT, set is none;",
        r"web.1 labels: runs with team of another value,tier, set is team;",
        "web.1 ulimits: runs with nofile=999, set is none;",
        "web.1 engine-options: runs with shm-size=1m, set is shm-size=2m;",
        "web.1 restart-policy: runs with on-failure:10, set is always;",
        "worker.1 cpu-max: runs with 0.5, set is none;",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    let of_worker = format!("worker.1 networks: runs with bridge, set is {};", network.0);
    assert!(told.contains(&of_worker), "{told}");
    let drift = told.lines().skip_while(|line| !line.contains(": runs with ")).collect::<Vec<_>>().join("\n");
    assert!(!drift.contains("sales-secret") && !drift.contains("=shop"), "{drift}");
    let told = rows(&home, &app);
    let drift = &row(&told, "web", "memory-max")["drift"];
    assert_eq!(drift[1], json!({"instance": "web.2", "runs_with": "64m", "set": "128m"}));
    home.does(&["ps-lifecycle", "restart", &app]);
    assert_eq!(drifts(&rows(&home, &app)), [""; 0]);
    // Where no engine answers, what is set is told all the same.
    let mut command = home.command(&["ps-report", &app, "--settings"]);
    command.env("DOCKER_HOST", format!("unix://{}", home.path("no.sock").display()));
    let ran = crate::program::run(command);
    assert!(ran.status == Some(1) && ran.stdout.contains("web.memory-max:"), "{ran:?}");
    assert!(ran.stderr.contains("what runs cannot be compared"), "{ran:?}");
    // What is stopped runs with nothing.
    home.does(&["ps-set", &app, "web.memory-max", "32m"]);
    home.does(&["ps-lifecycle", "stop", &app]);
    assert_eq!(drifts(&rows(&home, &app)), [""; 0]);
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn what_could_not_be_had_is_refused_with_its_key_before_anything_is_touched() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("greedy"));
    let deploy = ["ps-lifecycle", "deploy", &app, "--image", IMAGE];
    home.does(&deploy);
    let ids = || by_slot(&home, &app).into_values().map(|one| one["Id"].clone()).collect::<Vec<_>>();
    let before = ids();
    let lost = home.path("not/there");
    for (key, value, says) in [
        (
            "networks",
            "no-such-network",
            &["web.networks has no-such-network", "docker network create no-such-network"][..],
        ),
        ("mounts", &*format!("{}:/data", lost.display()), &["web.mounts has", "not/there", "mkdir -p"]),
        ("memory-max", "1m", &["web.memory-max is 1m", "no container less than 6m"]),
        ("cpu-max", "1000", &["web.cpu-max is 1000", "CPUs"]),
        ("engine-options", "device=/dev/no-such-device", &["the device /dev/no-such-device"]),
    ] {
        let key = format!("web.{key}");
        home.does(&["ps-set", &app, &key, value]);
        for verb in [&deploy[..], &["ps-lifecycle", "restart", &app], &["ps-lifecycle", "rebuild", &app]] {
            home.run(verb).is_refused(1, says);
        }
        assert_eq!(ids(), before, "{key}");
        home.does(&["ps-set", &app, &key, ""]);
    }
    for (key, value, says) in [
        ("engine-options", "privileged=true", &["engine-options cannot be", "\"privileged\"", "cap-add"][..]),
        ("mounts", "./data:/data", &["mounts cannot be", "\"./data\" is relative"]),
        ("ulimits", "nofile=2:1", &["ulimits cannot be", "nofile=2:1"]),
        ("memory-max", "lots", &["memory-max cannot be", "\"lots\"", "64MiB"]),
        ("memory", "64m", &["\"memory\"", "did you mean memory-max?"]),
    ] {
        let key = format!("web.{key}");
        let ran = home.run(&["ps-set", &app, &key, value]);
        let is_said = says.iter().all(|word| ran.stderr.contains(word));
        assert!(ran.status == Some(1) && is_said && ran.stderr.starts_with("ps-set: "), "{ran:?}");
    }
    home.does(&["ps-lifecycle", "destroy", &app]);
}

/// A database with a volume, that runs this.
fn compose(command: &[&str]) -> String {
    format!(
        "services:\n  db:\n    image: {IMAGE}\n    command: {command:?}\n    mem_limit: 64m\n    cpus: '0.50'\n    init: true\n    volumes: ['data:/data', 'cache:/cache']\n    ulimits: {{nofile: {{soft: 1005, hard: 1009}}, core: 0}}\n    labels: {{team: file, tier: back}}\n    extra_hosts: ['a:10.0.0.1']\n    shm_size: 1m\nvolumes: {{data: {{}}, cache: {{}}}}\n"
    )
}

#[test]
fn what_is_set_comes_over_what_a_compose_file_says_element_by_element() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("laid"));
    let network = Network::new("laid");
    home.write("src/compose.yaml", &compose(&["sleep", "600"]));
    let directory = home.write("other/x", "").parent().expect("a directory").display().to_string();
    home.write("src/app.json", r#"{"formation": {"db": {"memory_max": "96m", "labels": {"team": "json"}}}}"#);
    let source = home.path("src");
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", source.to_str().expect("text")];
    home.does(&deploy);
    for (property, value) in [
        ("db.mounts", &*format!("{directory}:/cache,{directory}:/more:ro")),
        ("db.ulimits", "core=1"),
        ("db.networks", &*network.0),
        ("db.engine-options", "shm-size=2m"),
    ] {
        home.does(&["ps-set", &app, property, value]);
    }
    home.does(&deploy);
    let containers = by_slot(&home, &app);
    let db = &containers["db.1"];
    let host = &db["HostConfig"];
    assert_eq!((&host["Memory"], &host["NanoCpus"]), (&json!(96 << 20), &json!(500_000_000)));
    assert_eq!((&host["Init"], &host["ShmSize"]), (&json!(true), &json!(2 << 20)));
    let binds = [format!("{app}_data:/data"), format!("{directory}:/cache"), format!("{directory}:/more:ro")];
    assert_eq!(host["Binds"], json!(binds));
    let limits =
        json!([{"Name": "nofile", "Soft": 1005, "Hard": 1009}, {"Name": "core", "Soft": 1, "Hard": 1}]);
    assert_eq!(host["Ulimits"], limits);
    let labels = &db["Config"]["Labels"];
    assert_eq!((&labels["team"], &labels["tier"]), (&json!("json"), &json!("back")));
    let networks = db["NetworkSettings"]["Networks"].as_object().expect("networks");
    let own =
        networks.iter().find(|(name, _)| name.starts_with("formation-")).expect("the app's own network").1;
    assert!(own["Aliases"].as_array().expect("aliases").contains(&json!("db")), "{own}");
    assert!(networks.contains_key(&network.0) && networks.len() == 2, "{networks:?}");
    let told = rows(&home, &app);
    for (setting, value, source) in [
        ("cpu-max", "0.50", "compose"),
        ("memory-max", "96m", "app.json"),
        ("extra-hosts", "a:10.0.0.1", "compose"),
        ("ulimits", "nofile=1005:1009,core=1", "type"),
        ("labels", "tier=back,team=json", "app.json"),
    ] {
        let row = row(&told, "db", setting);
        assert_eq!((&row["value"], &row["source"]), (&json!(value), &json!(source)), "{setting}");
    }
    assert_eq!(drifts(&told), [""; 0]);
    // Its volume lets only one of it be there. Where the next one does not come up, it is put back, and found by its names again.
    home.write("src/compose.yaml", &compose(&["false"]));
    let ran = home.run(&deploy);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let put_back = by_slot(&home, &app).remove("db.1").expect("it runs");
    assert_ne!(put_back["Id"], db["Id"]);
    let networks = put_back["NetworkSettings"]["Networks"].as_object().expect("networks");
    let own =
        networks.iter().find(|(name, _)| name.starts_with("formation-")).expect("the app's own network").1;
    assert!(own["Aliases"].as_array().expect("aliases").contains(&json!("db")), "{own}");
    assert!(networks.contains_key(&network.0), "{networks:?}");
    home.does(&["ps-lifecycle", "destroy", &app]);
    for volume in ["data", "cache"] {
        let _ = Command::new("docker").args(["volume", "rm", &format!("{app}_{volume}")]).output();
    }
}
