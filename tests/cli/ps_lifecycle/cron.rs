//! `watch` and what runs by a schedule in docker-local. A minute is the shortest that a schedule has. So most of these tests write down that
//! a time has come, as a watch does that is killed in that moment, and start the next one.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::engine::{containers, dockerfile, has_engine, name};
use crate::home::{Home, slot};
use crate::program::Running;
use crate::registry::docker;

/// A minute until something is due, and what a busy machine needs for the rest.
const PATIENCE: Duration = Duration::from_secs(120);

/// An app of which nothing runs but by its schedules.
fn deployed(stem: &str, cron: &Value) -> (Home, String) {
    let (home, app) = (Home::new(), name(stem));
    home.write("src/Dockerfile", &dockerfile(&app));
    home.write("src/Procfile", "web: exec sleep 1000\n");
    home.write("src/app.json", &json!({"cron": cron, "formation": {"web": {"quantity": 0}}}).to_string());
    home.write(&format!("lib/config/ps/{app}/stop-timeout-seconds"), "1");
    deploy(&home, &app);
    (home, app)
}

fn deploy(home: &Home, app: &str) -> String {
    let source = home.path("src");
    let source = source.to_str().expect("text");
    let ran = home.run(&["ps-lifecycle", "deploy", app, "--dir", source, "--scheduler", "docker-local"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    ran.stderr
}

/// Starts a watch of all apps of this home, and waits until it is there.
fn watch(home: &Home) -> Running {
    let mut command = home.command(&["ps-lifecycle", "watch", "--all"]);
    let log = fs::File::create(home.path("watch.log")).expect("a file");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdout(Stdio::null()).stderr(log);
    let watch = Running::begin(command);
    within("it watches", || told(said(home).contains("Watching the containers of"), || said(home)));
    watch
}

fn said(home: &Home) -> String {
    fs::read_to_string(home.path("watch.log")).unwrap_or_default()
}

fn end(mut watch: Running) {
    watch.signal(Signal::KILL);
    watch.ended();
}

fn within(what: &str, look: impl Fn() -> Result<(), String>) {
    let begin = Instant::now();
    while let Err(seen) = look() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}: {seen}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn told(is_so: bool, seen: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(seen()) }
}

fn file(home: &Home, app: &str) -> PathBuf {
    home.path(&format!("lib/data/scheduler-docker-local/{app}/schedule.json"))
}

/// The file that the watch goes on from is what docs/schemas says of it.
fn is_as_its_schema_says(home: &Home, app: &str) {
    let text = fs::read_to_string(file(home, app)).expect("the schedules");
    let schema = serde_json::from_str(include_str!("../../../docs/schemas/schedule.json")).expect("JSON");
    let schedules = serde_json::from_str(&text).expect("JSON");
    assert_eq!(crate::schema::complaints(&schema, &schedules), [""; 0], "{text}");
}

/// That this time, in seconds since 1970, is due, and nobody has seen to it.
fn is_due_at(home: &Home, app: &str, seconds: u64) {
    let text = fs::read_to_string(file(home, app)).expect("the schedules");
    let mut schedules: Value = serde_json::from_str(&text).expect("JSON");
    let date = Command::new("date").args(["-u", "+%FT%TZ", "-d", &format!("@{seconds}")]).output();
    let date = String::from_utf8(date.expect("date runs").stdout).expect("text");
    schedules["types"]["cron-1"]["course"]["owed"] = json!(date.trim());
    fs::write(file(home, app), schedules.to_string()).expect("written");
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs()
}

/// The row of the first entry.
fn row(home: &Home, app: &str) -> Value {
    let rows = home.status(app);
    rows.iter().find(|row| slot(row) == "cron-1.1").cloned().unwrap_or_default()
}

/// The containers by a schedule: their names, and what they do.
fn runs(app: &str) -> Vec<String> {
    let all = containers(app, "{{.Label \"com.dokku.container-type\"}} {{.Names}} {{.State}}");
    all.iter().filter_map(|line| line.strip_prefix("cron ").map(str::to_owned)).collect()
}

fn running(app: &str) -> Vec<String> {
    runs(app).iter().filter_map(|run| run.strip_suffix(" running").map(str::to_owned)).collect()
}

#[test]
fn an_entry_runs_when_its_minute_comes_and_what_became_of_it_is_known() {
    if !has_engine() {
        return;
    }
    let cron = json!([
        {"command": "echo $DYNO has run; exit 3", "schedule": "* * * * *"},
        {"command": "exit 4", "schedule": "* * * * *", "maintenance": true}
    ]);
    let (home, app) = deployed("minutes", &cron);
    let warned = deploy(&home, &app);
    assert!(
        warned.contains("ps-lifecycle watch does not run, so cron-1 is not started when it is due"),
        "{warned}"
    );
    assert!(!warned.contains("cron is not heeded"), "{warned}");
    is_as_its_schema_says(&home, &app);
    let before = row(&home, &app);
    assert!(before["state"] == "scheduled" && before["next"].is_string(), "{before}");
    let mut watch = watch(&home);
    assert!(!deploy(&home, &app).contains("does not run"));
    within("its run is over", || {
        let row = row(&home, &app);
        told(row["last_exit"] == json!({"code": 3}), || format!("{row} {}", said(&home)))
    });
    is_as_its_schema_says(&home, &app);
    let after = row(&home, &app);
    assert_eq!(
        (&after["state"], &after["note"]),
        (&json!("scheduled"), &json!("its run failed: exit status 3"))
    );
    assert_ne!(after["next"], before["next"]);
    let [run] = &runs(&app)[..] else { panic!("{:?}", runs(&app)) };
    let due: u64 = run
        .split(['.', '-'])
        .find_map(|part| part.parse().ok().filter(|at| *at > 1_000_000_000))
        .expect("a time");
    assert_eq!(due % 60, 0, "{run}");
    assert!(home.does(&["ps-lifecycle", "logs", &app, "cron-1"]).contains("cron-1.1 has run"));
    let journal =
        fs::read_to_string(home.path(&format!("lib/data/formation/{app}/journal"))).expect("a journal");
    assert!(journal.contains("its run failed: exit status 3"), "{journal}");
    // An entry that is there no more.
    home.write("src/app.json", r#"{"formation": {"web": {"quantity": 1}}}"#);
    deploy(&home, &app);
    within("its row is gone", || told(row(&home, &app).is_null(), || row(&home, &app).to_string()));
    watch.signal(Signal::TERM);
    assert_eq!(watch.ended().status, Some(0));
    home.does(&["ps-lifecycle", "destroy", &app]);
    assert_eq!(containers(&app, "{{.Names}}"), Vec::<String>::new());
}

#[test]
fn who_follows_the_logs_sees_the_lines_of_each_run_as_it_happens() {
    if !has_engine() {
        return;
    }
    let (home, app) =
        deployed("followed", &json!([{"command": "echo $DYNO has run", "schedule": "@yearly"}]));
    let followed = home.path("followed");
    let mut command = home.command(&["ps-lifecycle", "logs", &app, "-f"]);
    command.stdout(fs::File::create(&followed).expect("a file"));
    let _follower = Running::begin(command);
    let text = || fs::read_to_string(&followed).expect("it is there");
    let mut at = 0;
    for turn in 1..=2 {
        at = now().max(at + 1);
        is_due_at(&home, &app, at);
        let watch = watch(&home);
        let line = "cron-1.1 | cron-1.1 has run\n";
        within("its line is there", || {
            told(text() == line.repeat(turn), || format!("{} {}", text(), said(&home)))
        });
        within("it is over", || told(running(&app).is_empty(), || said(&home)));
        end(watch);
    }
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn a_watch_that_is_killed_loses_no_run_and_doubles_none() {
    if !has_engine() {
        return;
    }
    let (home, app) = deployed("killed", &json!([{"command": "exec sleep 1000", "schedule": "@yearly"}]));
    let at = now();
    is_due_at(&home, &app, at);
    let first = watch(&home);
    within("it runs", || told(running(&app).len() == 1, || format!("{:?} {}", runs(&app), said(&home))));
    assert_eq!(row(&home, &app)["state"], "running");
    let before = runs(&app);
    end(first);
    // Killed before it could write down that the run was begun: the next one finds its container.
    is_due_at(&home, &app, at);
    let second = watch(&home);
    within("it has seen to it", || {
        let text = fs::read_to_string(file(&home, &app)).expect("the schedules");
        told(!text.contains("owed"), || text)
    });
    assert_eq!(runs(&app), before);
    end(second);
    // What runs when another time comes is left alone, and that is said.
    is_due_at(&home, &app, now().max(at + 1));
    let third = watch(&home);
    within("it is said", || {
        let note = row(&home, &app)["note"].to_string();
        told(note.contains("left out, because the one before still ran"), || note)
    });
    assert_eq!(runs(&app), before);
    // A deploy leaves it alone, and a stop of the app does not.
    deploy(&home, &app);
    assert_eq!(runs(&app), before);
    home.does(&["ps-lifecycle", "stop", &app]);
    assert_eq!(running(&app), Vec::<String>::new());
    assert_eq!(row(&home, &app)["state"], "stopped");
    end(third);
    is_due_at(&home, &app, now());
    let fourth = watch(&home);
    within("it has seen to it", || {
        let text = fs::read_to_string(file(&home, &app)).expect("the schedules");
        told(!text.contains("owed"), || text)
    });
    assert_eq!(running(&app), Vec::<String>::new(), "what was stopped is not due");
    end(fourth);
    home.does(&["ps-lifecycle", "destroy", &app]);
    assert_eq!(containers(&app, "{{.Names}}"), Vec::<String>::new());
}

#[test]
fn a_run_that_takes_too_long_is_ended_and_one_that_is_replaced_ends_first() {
    if !has_engine() {
        return;
    }
    let cron =
        json!([{"command": "exec sleep 1000", "schedule": "@yearly", "concurrency_policy": "replace"}]);
    let (home, app) = deployed("replaced", &cron);
    let first_due = now();
    is_due_at(&home, &app, first_due);
    let first = watch(&home);
    within("it runs", || told(running(&app).len() == 1, || format!("{:?} {}", runs(&app), said(&home))));
    let before = running(&app);
    end(first);
    // What was due a minute ago or longer would count as missed.
    let second_due = now().max(first_due + 1);
    is_due_at(&home, &app, second_due);
    let second = watch(&home);
    within("another one runs", || {
        let now = running(&app);
        told(now.len() == 1 && now != before, || format!("{now:?} {}", said(&home)))
    });
    assert!(!said(&home).contains("failed"), "{}", said(&home));
    end(second);
    home.does(&["ps-set", &app, "cron-1.run-timeout", "1s"]);
    is_due_at(&home, &app, now().max(second_due + 1));
    let third = watch(&home);
    within("it was ended", || {
        let row = row(&home, &app);
        let note = row["note"].to_string();
        told(note.contains("run-timeout: it took longer than 1s"), || format!("{row} {}", said(&home)))
    });
    within("nothing runs", || told(running(&app).is_empty(), || format!("{:?}", runs(&app))));
    end(third);
    home.does(&["ps-lifecycle", "destroy", &app]);
}

/// A watch that nobody tells anything looks at the clock once a minute: it must wake for a run whose time is over before that.
#[test]
fn a_run_is_ended_when_its_time_is_over_though_nothing_else_happens_meanwhile() {
    if !has_engine() {
        return;
    }
    let (home, app) = deployed("overdue", &json!([{"command": "exec sleep 1000", "schedule": "@yearly"}]));
    home.does(&["ps-set", &app, "cron-1.run-timeout", "1s"]);
    is_due_at(&home, &app, now());
    let watch = watch(&home);
    within("it was ended", || {
        let ended = runs(&app).iter().any(|run| run.ends_with(" exited"));
        told(ended, || format!("{:?} {}", runs(&app), said(&home)))
    });
    let [run] = &runs(&app)[..] else { panic!("{:?}", runs(&app)) };
    let run = run.strip_suffix(" exited").expect("it has ended");
    let times = docker(&["inspect", "--format", "{{.State.StartedAt}} {{.State.FinishedAt}}", run]);
    let times: Vec<Timestamp> =
        times.split_whitespace().map(|time| time.parse().expect("the engine's time")).collect();
    let ran = times[1].duration_since(times[0]);
    assert!(ran < SignedDuration::from_secs(50), "{ran:?}");
    end(watch);
    home.does(&["ps-lifecycle", "destroy", &app]);
}

#[test]
fn a_time_zone_that_nobody_knows_is_refused_before_anything_is_touched() {
    if !has_engine() {
        return;
    }
    let (home, app) = deployed("zones", &json!([{"command": "true", "schedule": "@daily"}]));
    home.does(&["ps-set", &app, "cron-1.schedule-zone", "Europe/Brelin"]);
    let source = home.path("src");
    let deploy = [
        "ps-lifecycle",
        "deploy",
        &app,
        "--dir",
        source.to_str().expect("text"),
        "--scheduler",
        "docker-local",
    ];
    home.run(&deploy).is_refused(1, &["cron-1", "schedule-zone Europe/Brelin"]);
    home.does(&["ps-lifecycle", "destroy", &app]);
}
