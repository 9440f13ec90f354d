//! `deploy` of a Compose file alone: its services are the process types.

use std::collections::BTreeMap;
use std::net::TcpListener;

use serde_json::Value;

use crate::engine::{IMAGE, containers, has_engine, inspect, name};
use crate::home::{Home, eventually};
use crate::registry::docker;

fn source(home: &Home) -> String {
    home.path("src").to_str().expect("text").to_owned()
}

/// The descriptions of its containers, by slot.
fn by_slot(home: &Home, app: &str) -> BTreeMap<String, Value> {
    let all = inspect(home, app);
    let slot = |one: &Value| one["Config"]["Labels"]["com.dokku.dyno"].as_str().expect("a slot").to_owned();
    all.as_array().expect("containers").iter().map(|one| (slot(one), one.clone())).collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn warnings(stderr: &str) -> Vec<&str> {
    stderr.lines().filter_map(|line| line.trim_start_matches(['!', ' ']).strip_prefix("services.")).collect()
}

/// A blog as its makers would write it: a page that is built, a worker of the same image, and a database with a volume.
#[test]
#[expect(clippy::too_many_lines, reason = "one deploy, and all that is true of it")]
fn a_web_a_worker_and_a_database_deploy_from_their_file_alone() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("blog"));
    let port = free_port();
    home.write("src/Dockerfile", &format!("FROM {IMAGE}\nARG GREETING=none\nENV GREETING=$GREETING\nWORKDIR /srv\nCOPY index.html .\nCMD [\"/bin/httpd\", \"-f\", \"-p\", \"8000\", \"-h\", \"/srv\"]\n"));
    home.write("src/index.html", "the front page\n");
    home.write("src/.env", "TAG=latest\n");
    home.write("src/common.env", "LOG_LEVEL=info\nDATABASE_URL=postgres://blog:secret@db:5432/blog\n");
    home.write(
        "src/compose.yaml",
        &format!(
            r#"
x-app: &app
  build:
    context: .
    args: {{GREETING: hello}}
  env_file: common.env
  restart: unless-stopped
  init: true
services:
  web:
    <<: *app
    ports: ["127.0.0.1:{port}:8000"]
    depends_on:
      db: {{condition: service_healthy}}
      migrate: {{condition: service_completed_successfully}}
    privileged: true
    deploy: {{replicas: 1, resources: {{limits: {{memory: 64M, cpus: "0.5"}}}}}}
  worker:
    <<: *app
    command: sh -c 'while :; do wget -q -O- http://web:8000/ && sleep 1; done'
    environment: {{QUEUE: mail}}
    depends_on: [web]
    scale: 2
    stop_grace_period: 1m30s
  migrate:
    <<: *app
    restart: "no"
    command: echo migrated
    depends_on: {{db: {{condition: service_started}}}}
  db:
    image: formation-test/busybox:${{TAG:-none}}
    command: ["sh", "-c", "touch /data/up; exec sleep 1000"]
    init: true
    volumes: ["data:/data", "./index.html:/etc/page:ro"]
    healthcheck: {{test: test -e /data/up, interval: 1s, retries: 10}}
    networks: [back]
    stop_signal: SIGINT
  debug:
    image: formation-test/busybox
    profiles: [debug]
volumes: {{data: }}
networks: {{back: }}
"#
        ),
    );
    let ran = home.run(&["ps-lifecycle", "deploy", &app, "--dir", &source(&home)]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for said in [
        "web: not carried over: privileged",
        "db: not carried over: networks",
        "debug: left out: only a profile",
    ] {
        assert!(warnings(&ran.stderr).iter().any(|line| line.starts_with(said)), "{said}: {ran:?}");
    }
    let states = home.states(&app);
    for (slot, state) in
        [("web.1", "running"), ("worker.1", "running"), ("worker.2", "running"), ("db.1", "running")]
    {
        assert_eq!(states.get(slot).map(String::as_str), Some(state), "{states:?}");
    }
    assert!(matches!(states["migrate.1"].as_str(), "stopped" | "finished"), "{states:?}");
    let containers_of = by_slot(&home, &app);
    let (web, worker, db) = (&containers_of["web.1"], &containers_of["worker.1"], &containers_of["db.1"]);
    assert_eq!(web["Image"], worker["Image"], "what is built alike is built once");
    let environment = worker["Config"]["Env"].to_string();
    for variable in ["QUEUE=mail", "LOG_LEVEL=info", "GREETING=hello", "DYNO=worker.1"] {
        assert!(environment.contains(variable), "{variable}: {environment}");
    }
    assert_eq!(web["HostConfig"]["Memory"], 64 << 20);
    assert_eq!(web["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
    assert_eq!(
        (&db["Config"]["StopSignal"], &worker["Config"]["StopTimeout"]),
        (&"SIGINT".into(), &90.into())
    );
    assert!(db["HostConfig"]["Binds"].to_string().contains(&format!("{app}_data:/data")), "{db}");
    let page = docker(&["exec", db["Id"].as_str().expect("text"), "cat", "/etc/page"]);
    assert_eq!(page, "the front page\n");
    eventually("a worker finds web by its name", || {
        let logs = home.does(&["ps-lifecycle", "logs", &app, "worker"]);
        if logs.contains("the front page") { Ok(()) } else { Err(logs) }
    });
    let front = || {
        let address = format!("http://127.0.0.1:{port}/");
        let got = std::process::Command::new("curl").args(["-s", "--max-time", "5", &address]).output();
        String::from_utf8_lossy(&got.expect("curl runs").stdout).into_owned()
    };
    eventually("its port is published", || if front() == "the front page\n" { Ok(()) } else { Err(front()) });

    // What is recorded is enough for every other verb.
    home.does(&["ps-scale", &app, "worker=1"]);
    assert_eq!(home.run(&["ps-scale", &app, "nobody=1"]).status, Some(1));
    home.does(&["ps-lifecycle", "restart", &app, "web"]);
    eventually("its port is published again", || {
        if front() == "the front page\n" { Ok(()) } else { Err(front()) }
    });
    home.write("src/index.html", "another page\n");
    home.does(&["ps-lifecycle", "rebuild", &app]);
    eventually(
        "what was changed is built",
        || if front() == "another page\n" { Ok(()) } else { Err(front()) },
    );
    assert_eq!(home.states(&app).len(), 4, "counts are those that were set by hand: {:?}", home.states(&app));

    home.does(&["ps-lifecycle", "destroy", &app]);
    assert_eq!(containers(&app, "{{.ID}}"), Vec::<String>::new());
    assert!(!docker(&["network", "ls", "--format", "{{.Name}}"]).contains(&app));
    docker(&["volume", "rm", &format!("{app}_data")]);
}

/// Images alone, in the long spelling of everything.
#[test]
fn a_file_without_a_build_and_in_long_words_deploys_too() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("long"));
    home.write("src/config/app.conf", "setting = 1\n");
    home.write("src/password.txt", "swordfish");
    home.write("mine.conf", "of the one who deploys\n");
    home.write(
        "src/docker-compose.yml",
        &format!(
            r#"
version: "3.8"
services:
  api:
    image: {IMAGE}
    entrypoint: ["/bin/sh", "-c"]
    command: ["cat /run/secrets/password /etc/app.conf /etc/mine.conf; id -u; pwd; hostname; exec sleep 1000"]
    user: "1000:1000"
    working_dir: /tmp
    hostname: api-host
    read_only: true
    tmpfs: /scratch
    init: true
    expose: ["9000"]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    ulimits: {{nofile: {{soft: 1024, hard: 2048}}}}
    extra_hosts: ["db.example:10.0.0.9"]
    labels: {{"com.example.team": "shop"}}
    logging: {{driver: json-file, options: {{max-size: 1m}}}}
    secrets: [password]
    volumes:
      - {{type: bind, source: ./config/app.conf, target: /etc/app.conf, read_only: true}}
      - ~/mine.conf:/etc/mine.conf:ro
      - {{type: tmpfs, target: /cache}}
    environment:
      - PORT=9000
      - MODE
    network_mode: bridge
    container_name: the-api
secrets:
  password: {{file: ./password.txt}}
"#
        ),
    );
    let ran = home.run(&["ps-lifecycle", "deploy", &app, "--dir", &source(&home)]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(
        warnings(&ran.stderr)
            .iter()
            .any(|line| line.contains("network_mode") && line.contains("container_name")),
        "{ran:?}"
    );
    let api = &by_slot(&home, &app)["api.1"];
    let host = &api["HostConfig"];
    assert_eq!((&host["ReadonlyRootfs"], &host["Init"]), (&true.into(), &true.into()));
    assert!(host["SecurityOpt"].to_string().contains("no-new-privileges"), "{host}");
    assert_eq!(api["Config"]["Labels"]["com.example.team"], "shop");
    assert!(api["Config"]["Env"].to_string().contains("\"PORT=9000\""), "{api}");
    let logs = eventually("it writes", || {
        let logs = home.does(&["ps-lifecycle", "logs", &app]);
        if logs.contains("api-host") { Ok(logs) } else { Err(logs) }
    });
    for line in ["swordfish", "setting = 1", "of the one who deploys", "| 1000", "| /tmp"] {
        assert!(logs.contains(line), "{line}: {logs}");
    }
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn a_file_that_would_run_something_else_is_refused_and_nothing_is_left() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("refused"));
    let source = source(&home);
    for (services, says) in [
        ("{web: {image: 'x:${TAG:?name one}'}}", "TAG must be set (name one)"),
        ("{web: {build: 'https://example.com/x.git'}}", "is not on this machine"),
        ("{web: {command: x}}", "neither an image nor a build"),
        ("{web: {extends: {service: base}}, base: {image: x}}", "services.web.extends"),
        ("{web: {image: x, volumes: ['data:/x']}}", "no volume called data"),
        ("{web: {image: x, volumes: ['~other/x:/x']}}", "only ~/ is known"),
        ("{web: {image: x, ports: ['8080:http']}}", "is no port"),
        ("{web: {image: x, mem_limit: lots}}", "is no size"),
        ("{web: {image: x, cpus: many}}", "no value of cpu-max"),
        ("{web: {image: x, env_file: absent.env}}", "absent.env"),
        ("{web.1: {image: x}}", "no name of a process type"),
        ("{}", "no service"),
        ("[", "Compose file"),
    ] {
        home.write("src/compose.yaml", &format!("services: {services}\n"));
        home.refuses(&["ps-lifecycle", "deploy", &app, "--dir", &source], 1, &[says]);
    }
    home.write(
        "src/compose.yaml",
        &format!("services: {{db: {{image: '{IMAGE}', command: sleep 9}}, web: {{build: .}}}}\n"),
    );
    home.write("src/Dockerfile", &format!("FROM {IMAGE}\nRUN echo {app}; exit 3\n"));
    home.refuses(&["ps-lifecycle", "deploy", &app, "--dir", &source], 1, &["the service web", "step 2/3"]);
    assert_eq!(containers(&app, "{{.ID}}"), Vec::<String>::new());
    assert!(!docker(&["network", "ls", "--format", "{{.Name}}"]).contains(&app));
    assert_eq!(home.state().into_keys().collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_service_that_has_done_its_work_is_not_run_again_by_a_change_of_counts() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("once"));
    home.write(
        "src/compose.yaml",
        &format!(
            r#"
services:
  migrate: {{image: "{IMAGE}", command: echo migrated}}
  import: {{image: "{IMAGE}", command: sleep 2, restart: "no"}}
  worker:
    image: "{IMAGE}"
    command: sleep 1000
    init: true
    depends_on: {{migrate: {{condition: service_completed_successfully}}}}
"#
        ),
    );
    // An app.json beside the Compose file changes nothing about which types there are.
    home.write("src/app.json", r#"{"healthchecks": {}}"#);
    let deploy = ["ps-lifecycle", "deploy", &app, "--dir", &source(&home)];
    home.does(&deploy);
    let says = "worked is not in compose.yaml, which has import, migrate, worker: did you mean worker?";
    let scaled = home.run(&["ps-scale", &app, "worked=1"]);
    assert_eq!((scaled.status, &*scaled.stderr), (Some(1), &*format!("ps-scale: {says}\n")));
    home.refuses(&[&deploy[..], &["--scale", "worked=1"]].concat(), 1, &[says]);
    eventually("import has done its work", || {
        let states = home.states(&app);
        if states["import.1"] == "stopped" { Ok(()) } else { Err(format!("{states:?}")) }
    });
    let once = || ["migrate.1", "import.1"].map(|slot| by_slot(&home, &app)[slot]["Id"].clone());
    let done = once();
    for words in [
        &["ps-scale", &app, "worker=2"][..],
        &["ps-scale", &app, "worker=1"],
        &["ps-lifecycle", "restart", &app, "worker"],
        &["ps-lifecycle", "converge", &app],
        &["ps-lifecycle", "restore", &app],
    ] {
        home.does(words);
        assert_eq!(once(), done, "{words:?}");
    }
    let ran = home.run(&["ps-scale", &app, "nobody=1"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("which has import, migrate, worker"), "{ran:?}");
    assert!(!home.does(&["ps-scale", &app]).contains("nobody"));
    home.does(&["ps-lifecycle", "rebuild", &app]);
    let again = once();
    assert!(again[0] != done[0] && again[1] != done[1], "a deploy runs them anew");
    home.does(&["ps-lifecycle", "destroy", &app]);
}

/// `apply` of a Compose file: what has not changed keeps its container.
#[test]
fn a_file_that_is_applied_again_touches_only_the_services_that_have_changed() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("applied"));
    let file = |command: &str, more: &str| {
        let text = format!(
            "services:\n  web:\n    image: {IMAGE}\n    command: {command}\n    stop_grace_period: 1s\n  worker:\n    \
             image: {IMAGE}\n    command: sleep 1000\n    stop_grace_period: 1s\n    scale: 2\n{more}"
        );
        home.write("src/compose.yaml", &text).to_str().expect("text").to_owned()
    };
    let ids = || -> BTreeMap<String, String> {
        let of = |(slot, one): (String, Value)| (slot, one["Id"].as_str().expect("an id").to_owned());
        by_slot(&home, &app).into_iter().map(of).collect()
    };
    let path = file("sleep 1000", "");
    let apply = |more: &[&str]| home.run(&[&["ps-lifecycle", "apply", &path, "--app", &app], more].concat());
    let first = apply(&[]);
    assert_eq!(first.status, Some(0), "{first:?}");
    let before = ids();
    assert_eq!(before.keys().collect::<Vec<_>>(), ["web.1", "worker.1", "worker.2"]);
    let again = apply(&[]);
    assert!(again.status == Some(0) && again.stderr.contains("is as declared"), "{again:?}");
    assert_eq!(ids(), before, "nothing was touched");
    file("sleep 1001", "");
    let shown = apply(&["--diff"]);
    assert!(shown.status == Some(1) && shown.stdout.contains("~ web: container: Cmd"), "{shown:?}");
    assert_eq!(apply(&[]).status, Some(0));
    let now = ids();
    assert!(now["web.1"] != before["web.1"] && now["worker.1"] == before["worker.1"], "{before:?} {now:?}");
    file("sleep 1001", "    privileged: true\n    privilegd: true\n");
    let strict = apply(&["--strict"]);
    assert!(strict.status == Some(1) && strict.stderr.contains("did you mean privileged?"), "{strict:?}");
    home.write(
        "src/compose.yaml",
        &format!(
            "services:\n  web:\n    image: {IMAGE}\n    command: sleep 1001\n    stop_grace_period: 1s\n"
        ),
    );
    let kept = apply(&[]);
    assert!(kept.status == Some(1) && kept.stderr.contains("--prune ends it"), "{kept:?}");
    assert_eq!(ids(), now);
    assert_eq!(apply(&["--prune"]).status, Some(0));
    assert_eq!(ids().into_iter().collect::<Vec<_>>(), [("web.1".to_owned(), now["web.1"].clone())]);
    home.does(&["ps-lifecycle", "destroy", &app]);
}
