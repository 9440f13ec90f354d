//! docker-local, with a real engine; and what is said where there is none, or one that never answers.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::dry_run::actions;
use crate::home::{self, Home, table};
use crate::program::Ran;

pub(crate) const IMAGE: &str = "formation-test/busybox:latest";
/// One look at an engine may take ten seconds. A busy machine needs more for the rest, and a second look would take longer than this.
const ENGINE_DEADLINE: Duration = Duration::from_secs(19);

/// Whether an engine has the image; if not, the test is skipped.
pub(crate) fn has_engine() -> bool {
    static HAS_ENGINE: OnceLock<bool> = OnceLock::new();
    let has_engine = *HAS_ENGINE.get_or_init(|| {
        let mut docker = Command::new("docker");
        docker.args(["image", "inspect", IMAGE]).stdout(Stdio::null()).stderr(Stdio::null());
        docker.status().is_ok_and(|status| status.success())
    });
    if !has_engine {
        skipped::skip(format_args!("no engine has {IMAGE}: scripts/setup makes it"));
    }
    has_engine
}

/// Containers are found by the app's name: one of this run, and nobody else's.
pub(crate) fn name(stem: &str) -> String {
    format!("{stem}-{}", std::process::id())
}

/// A Dockerfile that lays a directory over the image. No other app's build shares a step with it, whose image might be removed meanwhile.
pub(crate) fn dockerfile(app: &str) -> String {
    format!("FROM {IMAGE}\nENV BUILT_FOR={app}\nWORKDIR /app\nCOPY . ./\n")
}

pub(crate) fn containers(app: &str, format: &str) -> Vec<String> {
    let label = format!("label=com.dokku.app-name={app}");
    let listed = Command::new("docker")
        .args(["ps", "-a", "--no-trunc", "--filter", &label, "--format", format])
        .output();
    let listed = String::from_utf8(listed.expect("docker runs").stdout).expect("text");
    listed.lines().map(str::to_owned).collect()
}

pub(crate) fn inspect(home: &Home, app: &str) -> Value {
    serde_json::from_str(&home.does(&["ps-lifecycle", "inspect", app])).expect("JSON")
}

#[test]
fn a_box_is_deployed_scaled_inspected_restarted_and_destroyed() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("box"));
    let deploy =
        ["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--scheduler", "docker-local", "--scale", "web=2"];
    home.does(&deploy);
    let running = table(&[("web.1", "running"), ("web.2", "running")]);
    assert_eq!(home.states(&app), running);
    let rows = home.status(&app);
    assert!(
        rows.iter().all(|row| row["scheduler"] == "docker-local" && row["container_id"].is_string()),
        "{rows:?}"
    );
    assert_eq!(inspect(&home, &app).as_array().map(Vec::len), Some(2));
    assert_eq!(home.does(&["ps-report", &app, "--running"]), "true\n");
    home.does(&["ps-scale", &app, "web=1"]);
    assert_eq!(home.status(&app)[0]["container_id"], rows[0]["container_id"], "what stays is left alone");
    assert_eq!(containers(&app, "{{.State}}"), ["running"]);
    home.does(&["ps-set", &app, "restart-policy", "on-failure:20"]);
    home.does(&["ps-lifecycle", "restart", &app]);
    let policy = json!({"Name": "on-failure", "MaximumRetryCount": 20});
    assert_eq!(inspect(&home, &app)[0]["HostConfig"]["RestartPolicy"], policy);
    home.does(&["ps-lifecycle", "stop", &app]);
    assert_eq!(home.states(&app), table(&[("web.1", "stopped")]));
    home.does(&["ps-lifecycle", "start", &app]);
    assert_eq!(home.states(&app), table(&[("web.1", "running")]));
    home.does(&["ps-lifecycle", "logs", &app, "-n", "5"]);
    home.does(&["ps-lifecycle", "logs", &app, "--since", "1h"]);
    assert_eq!(home.does(&["ps-lifecycle", "logs", &app, "--until", "1h", "-n", "5"]), "");
    home.does(&["ps-lifecycle", "retire", &app]);
    home.does(&["ps-lifecycle", "destroy", &app]);
    assert_eq!(containers(&app, "{{.ID}}"), Vec::<String>::new());
    assert_eq!(home.state().into_keys().collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_is_set_for_a_type_is_that_of_its_containers_and_what_cannot_be_is_named() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("tuned"));
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--scale", "web=1", "worker=1"]);
    for (property, value) in [
        ("web.stop-signal", "SIGUSR1"),
        ("web.stop-timeout-seconds", "7"),
        ("web.restart-policy", "on-failure:3"),
        ("web.nice", "5"),
        ("limit-nofile", "4096"),
        ("umask", "077"),
    ] {
        home.does(&["ps-set", &app, property, value]);
    }
    let ran = home.run(&["ps-lifecycle", "deploy", &app, "--image", IMAGE]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let said: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("is not heeded")).collect();
    let [umask, nice] = &said[..] else { panic!("{said:?}") };
    assert!(umask.ends_with("umask is not heeded in docker-local"), "{umask}");
    assert!(nice.ends_with("web.nice is not heeded in docker-local"), "{nice}");
    let inspected = inspect(&home, &app);
    let of = |slot: &str| {
        let all = inspected.as_array().expect("containers").iter();
        let is_meant = |container: &&Value| container["Config"]["Labels"]["com.dokku.dyno"] == slot;
        all.clone().find(is_meant).expect("its container").clone()
    };
    let (web, worker) = (of("web.1"), of("worker.1"));
    assert_eq!((&web["Config"]["StopSignal"], &web["Config"]["StopTimeout"]), (&json!("SIGUSR1"), &json!(7)));
    assert_eq!(web["HostConfig"]["RestartPolicy"], json!({"Name": "on-failure", "MaximumRetryCount": 3}));
    assert_eq!(worker["HostConfig"]["RestartPolicy"]["MaximumRetryCount"], 10);
    for container in [web, worker] {
        assert_eq!(
            container["HostConfig"]["Ulimits"],
            json!([{"Name": "nofile", "Hard": 4096, "Soft": 4096}])
        );
    }
}

#[test]
fn what_inspect_prints_is_free_of_secrets_after_the_filter() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("secret"));
    let env = home.write("env", "API_TOKEN=do-not-show-me\n");
    let env = env.to_str().expect("text");
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--env-file", env]);
    let raw = home.does(&["ps-lifecycle", "inspect", &app]);
    assert!(raw.contains("do-not-show-me"), "the container has it");
    let raw = home.write("raw.json", &raw);
    let filtered = home.does(&["ps-inspect-sanitize", raw.to_str().expect("text")]);
    assert!(filtered.contains("API_TOKEN") && !filtered.contains("do-not-show-me"), "{filtered}");
}

#[test]
fn an_image_that_is_not_there_is_named_and_nothing_is_left() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("absent"));
    home.refuses(
        &["ps-lifecycle", "deploy", &app, "--image", "formation-test/absent:1"],
        1,
        &["formation-test/absent:1"],
    );
    assert_eq!(containers(&app, "{{.ID}}"), Vec::<String>::new());
}

#[test]
fn a_container_that_cannot_start_fails_the_deploy_and_the_old_one_runs_on() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("ends"));
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE]);
    let before = containers(&app, "{{.ID}}");
    let environment = home.write("env", "PATH=/nowhere\n");
    let environment = environment.to_str().expect("text");
    home.refuses(
        &["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--env-file", environment],
        1,
        &["web.1", &app],
    );
    assert_eq!(containers(&app, "{{.ID}}"), before);
    assert_eq!(home.states(&app), table(&[("web.1", "running")]));
}

#[test]
fn an_app_that_changes_its_scheduler_leaves_nothing_with_the_earlier_one() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("moves"));
    let source = home.source("moves", "web: faultapp --tick 60\n");
    home.does(&["ps-lifecycle", "deploy", &app, "--dir", &source]);
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--scheduler", "docker-local"]);
    home.is_silent();
    assert_eq!(containers(&app, "{{.State}}"), ["running"]);
    home.does(&["ps-lifecycle", "deploy", &app, "--dir", &source, "--scheduler", "native"]);
    assert_eq!(containers(&app, "{{.ID}}"), Vec::<String>::new());
    assert_eq!(home.pids(&app).len(), 1);
}

// ---- No engine.

/// What somebody has on disk who deployed while there was an engine. Its app must be forgotten by hand: no engine knows it.
fn deployed(app: &str) -> Home {
    let home = Home::new();
    home.write(&format!("home/{app}/CONTAINER.web.1"), &"a".repeat(64));
    for (property, value) in [
        ("scheduler/{}/selected", "docker-local"),
        ("common/{}/deployed", "true"),
        ("apps/{}/deploy-source", "docker-image"),
        ("apps/{}/deploy-source-metadata", IMAGE),
        ("ps/{}/scale", "web=1\n"),
        ("ps/{}/scale.old", ""),
    ] {
        home.write(&format!("lib/config/{}", property.replace("{}", app)), value);
    }
    home
}

fn forget(home: &Home) {
    for directory in ["home", "lib"] {
        fs::remove_dir_all(home.path(directory)).expect("it was there");
    }
}

fn with_engine(home: &Home, host: &str, words: &[&str]) -> Ran {
    let mut command = home.command(words);
    command.env("DOCKER_HOST", host);
    crate::program::run(command)
}

/// Each needs an engine for the app, or for a new one.
const TO_DO: [&[&str]; 8] = [
    &["deploy", "APP"],
    &["deploy", "fresh-APP", "--image", IMAGE],
    &["start", "APP"],
    &["stop", "APP"],
    &["restart", "APP"],
    &["retire", "APP"],
    &["destroy", "APP"],
    &["inspect", "APP"],
];

fn to_do(app: &str) -> Vec<Vec<String>> {
    let words = |words: &&[&str]| {
        let words = words.iter().map(|word| word.replace("APP", app));
        ["ps-lifecycle".to_owned()].into_iter().chain(words).collect()
    };
    TO_DO.iter().map(words).collect()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn without_an_engine_every_verb_names_the_socket_and_changes_nothing() {
    let app = name("lost");
    let home = deployed(&app);
    let file = home.write("regular-file", "not a socket");
    let before = home.state();
    for socket in ["/nonexistent/docker.sock", file.to_str().expect("text")] {
        let host = format!("unix://{socket}");
        for words in to_do(&app) {
            with_engine(&home, &host, &borrowed(&words)).is_refused(1, &[socket]);
            home.is_as(&before);
        }
        let status = with_engine(&home, &host, &["ps-lifecycle", "status", &app, "--json"]);
        assert!(status.status == Some(1) && status.stderr.contains(socket), "{status:?}");
    }
    forget(&home);
}

#[test]
fn an_engine_that_never_answers_costs_its_deadline_and_changes_nothing() {
    let app = name("mute");
    thread::scope(|scope| {
        for words in to_do(&app) {
            let app = &app;
            scope.spawn(move || {
                let home = deployed(app);
                let before = home.state();
                let path = home.path("mute.sock");
                let _listener = UnixListener::bind(&path).expect("a socket");
                let ran = with_engine(&home, &format!("unix://{}", path.display()), &borrowed(&words));
                ran.is_refused(1, &["mute.sock"]);
                assert!(ran.took < ENGINE_DEADLINE, "{words:?}: {ran:?}");
                home.is_as(&before);
                forget(&home);
            });
        }
    });
}

#[test]
fn an_image_runs_start_cmd_then_dockerfile_start_cmd_then_what_it_runs_by_itself() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("cmd"));
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--scale", "worker=1"]);
    let commands = |home: &Home| {
        let rows = inspect(home, &app);
        let command = |row: &Value| row["Config"]["Cmd"].as_array().and_then(|words| words.last().cloned());
        rows.as_array().expect("instances").iter().map(command).collect::<Vec<_>>()
    };
    let images = commands(&home);
    for (property, value, web) in [
        ("dockerfile-start-cmd", "sleep 998", Some(json!("exec sleep 998"))),
        ("start-cmd", "sleep 999", Some(json!("exec sleep 999"))),
        ("start-cmd", "", Some(json!("exec sleep 998"))),
        ("dockerfile-start-cmd", "", images[0].clone()),
    ] {
        home.does(&["ps-set", &app, property, value]);
        home.does(&["ps-lifecycle", "restart", &app]);
        assert_eq!(commands(&home), [web, images[1].clone()], "{property} {value}");
    }
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn a_dry_run_asks_the_engine_and_a_container_that_ended_does_not_count_as_running() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("dry"));
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--scale", "web=2", "worker=1"]);
    let end = |slot: &str| {
        let id = home.status(&app).iter().find(|row| home::slot(row) == slot).expect("a row")["container_id"]
            .clone();
        let id = id.as_str().expect("an id").to_owned();
        let ended = Command::new("docker").args(["rm", "--force", &id]).stdout(Stdio::null()).status();
        assert!(ended.expect("docker runs").success());
    };
    end("web.2");
    let dry_run = |words: &[&str]| home.run(&[&["ps-scale", &app, "--dry-run", "--json"], words].concat());
    let plan = dry_run(&["web=3"]);
    let expected = [("web.1", "keep"), ("web.2", "start"), ("web.3", "start"), ("worker.1", "keep")];
    assert_eq!((plan.status, actions(&plan)), (Some(0), table(&expected)), "{plan:?}");
    // Inside Dokku a type whose count changes is deployed whole, and no other is touched.
    end("worker.1");
    let mut inside = home.command(&["ps-scale", &app, "--dry-run", "--json", "web=3"]);
    inside.env("PLUGIN_PATH", home.path("lib/plugins")).env("DOKKU_SYSTEM_USER", "dokku");
    let plan = crate::program::run(inside);
    let expected = [("web.1", "replace"), ("web.2", "start"), ("web.3", "start"), ("worker.1", "keep")];
    assert_eq!((plan.status, actions(&plan)), (Some(0), table(&expected)), "{plan:?}");
    // Nobody answers: nothing is guessed.
    let unknown = [("web.1", "unknown"), ("web.2", "unknown"), ("web.3", "unknown"), ("worker.1", "unknown")];
    let plan =
        with_engine(&home, "unix:///nonexistent.sock", &["ps-scale", &app, "--dry-run", "--json", "web=3"]);
    assert_eq!((plan.status, actions(&plan)), (Some(1), table(&unknown)), "{plan:?}");
    assert!(plan.stderr.contains("/nonexistent.sock"), "{plan:?}");
    home.does(&["ps-scale", &app, "web=3"]);
    assert_eq!(home.states(&app).into_values().collect::<Vec<_>>(), ["running"; 4]);
    home.does(&["ps-lifecycle", "destroy", &app]);
}

/// What somebody has stopped is written down in the file that also has the numbers of the runs.
#[test]
fn counts_start_no_container_that_may_have_been_stopped_by_hand_and_name_the_file() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("doubt"));
    let scheduler = ["--scheduler", "docker-local", "--listen", "none"];
    let deploy = ["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--scale", "web=2"];
    home.does(&[&deploy[..], &scheduler].concat());
    home.does(&["ps-lifecycle", "stop", &app, "web.2"]);
    let file = home.path("lib/data/scheduler-docker-local").join(&app).join("rollout.json");
    let text = fs::read_to_string(&file).expect("it is there").replace("\"format\":1", "\"format\":2");
    fs::write(&file, &text).expect("written");
    let said = [&*format!("web.2 of {app} cannot start"), "rollout.json", "leaves it stopped"];
    for words in [
        &["ps-scale", &app, "web=3"][..],
        &["ps-scale", &app, "web=2"],
        &["ps-lifecycle", "converge", &app],
        &["ps-lifecycle", "restore", &app],
    ] {
        home.run(words).is_refused(1, &said);
        assert_eq!(inspect(&home, &app).as_array().map(Vec::len), Some(2), "{words:?}");
        let rows = home.run(&["ps-lifecycle", "status", &app, "--json"]).rows();
        let running = rows.iter().filter(|row| row["state"] == "running").map(crate::home::slot);
        assert_eq!(running.collect::<Vec<_>>(), ["web.1"], "{words:?}: {rows:?}");
    }
    assert!(home.run(&["ps-lifecycle", "status", &app]).stderr.contains("rollout.json"));
    home.does(&["ps-lifecycle", "start", &app, "web.2"]);
    home.does(&["ps-lifecycle", "stop", &app, "web.2"]);
    home.does(&["ps-scale", &app, "web=2"]);
    assert_eq!(home.states(&app)["web.1"], "running");
    assert_ne!(home.states(&app)["web.2"], "running", "it is known again that it was stopped");
    home.does(&["ps-lifecycle", "destroy", &app]);
}
