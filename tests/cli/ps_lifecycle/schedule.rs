//! Types that run by a schedule: when they are due, what is done where the run before still runs, and what is known of each run
//! afterwards. A minute is the shortest that a schedule has, so that a few of these tests take one or two.

use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::home::{Home, eventually};

/// The longest that something which comes every minute may take.
const MINUTE: Duration = Duration::from_secs(120);
/// A schedule that no test lives to see.
const NEVER_HERE: &str = "0 0 29 2 *";

/// An app with these types, each with a line of app.json.
fn deployed(procfile: &str, formation: &str) -> Home {
    let home = Home::new();
    let source = home.source("shop", procfile);
    home.write("shop/app.json", &format!("{{\"formation\": {{{formation}}}}}"));
    let types: Vec<String> =
        procfile.lines().filter_map(|line| Some(format!("{}=1", line.split_once(':')?.0))).collect();
    let mut words = vec!["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale"];
    words.extend(types.iter().map(String::as_str));
    home.does(&words);
    home
}

fn row(home: &Home, slot: &str) -> Value {
    let is_it = |row: &Value| crate::home::slot(row) == slot;
    home.status("shop").into_iter().find(is_it).unwrap_or_else(|| panic!("no {slot}"))
}

fn state(home: &Home, slot: &str) -> String {
    row(home, slot)["state"].as_str().unwrap_or_default().to_owned()
}

/// Waits for something that comes with the next minute.
fn within_a_minute<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let until = Instant::now() + MINUTE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() > until => panic!("{what}: {seen}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn logged(home: &Home, process_type: &str) -> String {
    home.does(&["ps-lifecycle", "logs", "shop", process_type])
}

fn happened(home: &Home) -> Vec<Value> {
    let text = fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("a journal");
    let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    entries.filter(|entry| entry["event"] == "happened").collect()
}

#[test]
fn what_has_a_schedule_waits_for_its_time_and_a_deploy_does_not_run_it() {
    let home = deployed(
        "web: exec sleep 600\nreport: echo reported\n",
        &format!(
            r#""web": {{}}, "report": {{"schedule": "{NEVER_HERE}", "schedule_zone": "Europe/Berlin"}}"#
        ),
    );
    let row = row(&home, "report.1");
    assert_eq!((row["state"].as_str(), row["pid"].as_u64()), (Some("scheduled"), None), "{row}");
    // Midnight in Berlin, in winter.
    assert!(row["next"].as_str().is_some_and(|next| next.ends_with("-02-28T23:00:00Z")), "{row}");
    let text = home.does(&["ps-lifecycle", "status", "shop"]);
    assert!(text.lines().next().is_some_and(|line| line.ends_with("NEXT")), "{text}");
    assert_eq!(logged(&home, "report"), "");
    for words in [["restart", "shop"], ["converge", "shop"], ["rebuild", "shop"]] {
        home.does(&["ps-lifecycle", words[0], words[1]]);
        assert_eq!(
            (state(&home, "report.1"), logged(&home, "report")),
            ("scheduled".to_owned(), String::new())
        );
    }
    let report = home.run(&["ps-report", "shop", "--json"]);
    assert!(report.stdout.contains("\"running\":\"true\"") && report.stderr.is_empty(), "{report:?}");
}

#[test]
fn a_restart_that_a_scheduled_task_asks_for_is_counted_as_that_and_one_by_a_person_is_not() {
    let home = Home::new();
    // An app is given nothing of the environment of who deploys it.
    let (root, lib) = (home.path("home"), home.path("lib"));
    let restart = format!(
        "DOKKU_ROOT={} DOKKU_LIB_ROOT={} exec {}/ps-lifecycle restart shop web",
        root.display(),
        lib.display(),
        crate::home::programs().display()
    );
    let source = home.source("shop", &format!("web: exec sleep 600\ntick: {restart}\n"));
    let formation = r#"{"formation": {"web": {"ready": "alive"}, "tick": {"schedule": "* * * * *"}}}"#;
    home.write("shop/app.json", formation);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=1", "tick=1"]);
    home.does(&["ps-lifecycle", "restart", "shop", "web"]);
    let reasons = |row: &Value| row["restarts_by_reason"].as_object().expect("it is native").clone();
    assert!(reasons(&row(&home, "web.1")).values().all(|count| *count == 0));
    within_a_minute("it restarts web", || match row(&home, "web.1") {
        row if reasons(&row)["schedule"] == 0 => Err(row.to_string()),
        _ => Ok(()),
    });
}

#[test]
fn a_person_runs_it_once_now_and_what_it_did_is_known() {
    let home = deployed(
        "report: echo run $PS; exit $(cat status)\n",
        &format!(r#""report": {{"schedule": "{NEVER_HERE}"}}"#),
    );
    home.write("shop/status", "0");
    home.does(&["ps-lifecycle", "start", "shop", "report"]);
    eventually("it has run", || match row(&home, "report.1") {
        row if row["state"] == "scheduled" && row["last_exit"]["code"] == 0 => Ok(()),
        row => Err(row.to_string()),
    });
    home.write("shop/status", "3");
    home.run(&["ps-lifecycle", "start", "shop", "report.1"]).is_refused(1, &["report.1", "exit status 3"]);
    let row = row(&home, "report.1");
    assert_eq!(
        (row["state"].as_str(), row["last_exit"]["code"].as_i64()),
        (Some("scheduled"), Some(3)),
        "{row}"
    );
    assert_eq!(row["last_lines"][0], "run report.1", "{row}");
    assert!(row["restarts"] == 0 && row["run"].as_u64().is_some_and(|run| run >= 2), "{row}");
    assert_eq!(logged(&home, "report").matches("run report.1").count(), 2, "each run wrote once");
    let happened = eventually("it stands in the journal", || match happened(&home) {
        happened if happened.is_empty() => Err("nothing".to_owned()),
        happened => Ok(happened),
    });
    assert_eq!(happened.len(), 1, "a run that does its work is no news: {happened:?}");
    assert_eq!(
        (happened[0]["origin"].as_str(), happened[0]["outcome"].as_str()),
        (Some("schedule"), Some("failed"))
    );
    assert_eq!((&happened[0]["run"], &happened[0]["slots"][0]), (&row["run"], &"report.1".into()));
    assert!(happened[0]["what"].as_str().is_some_and(|what| what.contains("exit status 3")), "{happened:?}");
}

#[test]
fn a_run_that_takes_too_long_is_ended_and_that_is_its_reason() {
    let home = deployed(
        "report: echo began; exec sleep 600\njob: exec sleep 600\n",
        &format!(
            r#""report": {{"schedule": "{NEVER_HERE}", "run_timeout": "2s"}},
               "job": {{"run_timeout": "3s", "restart_policy": "no"}}"#
        ),
    );
    home.does(&["ps-lifecycle", "start", "shop", "report"]);
    for (slot, state, limit) in [("report.1", "scheduled", "2s"), ("job.1", "crashed", "3s")] {
        let row = eventually("it is ended", || match row(&home, slot) {
            row if row["state"] == state && row["last_exit"]["signal"] == 15 => Ok(row),
            row => Err(row.to_string()),
        });
        let reason = format!("run-timeout: it took longer than {limit}");
        assert_eq!(row["note"].as_str(), Some(reason.as_str()), "{row}");
    }
    assert_eq!(state(&home, "report.1"), "scheduled", "the next one comes");
    assert!(happened(&home).iter().any(|entry| entry.to_string().contains("it took longer than 2s")));
}

#[test]
fn a_run_that_fails_is_tried_again_where_its_policy_says_so() {
    let home = deployed(
        "report: echo tried; exit 1\n",
        &format!(
            r#""report": {{"schedule": "{NEVER_HERE}", "restart_policy": "on-failure:2", "restart_delay": "10ms"}}"#
        ),
    );
    home.run(&["ps-lifecycle", "start", "shop", "report"]);
    eventually("it waits for its time", || match row(&home, "report.1") {
        row if row["state"] == "scheduled" && row["last_exit"]["code"] == 1 => Ok(()),
        row => Err(row.to_string()),
    });
    assert_eq!(logged(&home, "report").matches("tried").count(), 3);
    assert_eq!(happened(&home).len(), 1, "it failed once, for good");
}

#[test]
fn every_minute_it_is_run_beside_or_in_place_of_the_one_before_or_not_at_all() {
    let home = deployed(
        "tick: date +ticked-%H:%M\nlong: echo began; exec sleep 600\nbeside: echo began; exec sleep 600\nanew: echo began; exec sleep 600\n",
        r#""tick": {"schedule": "* * * * *"},
           "long": {"schedule": "* * * * *"},
           "beside": {"schedule": "* * * * *", "schedule_overlap": "allow"},
           "anew": {"schedule": "* * * * *", "schedule_overlap": "replace"}"#,
    );
    for name in ["long", "beside", "anew"] {
        home.does(&["ps-lifecycle", "start", "shop", name]);
    }
    let before = home.pids("shop");
    within_a_minute("each is due", || {
        let rows = home.status("shop");
        let is_there =
            |slot: &str| rows.iter().any(|row| crate::home::slot(row) == slot && row["pid"].is_u64());
        let ticks = logged(&home, "tick").matches("ticked").count();
        let note = row(&home, "long.1")["note"].as_str().unwrap_or_default().to_owned();
        let is_anew = home.pids("shop").get("anew.1").is_some_and(|pid| *pid != before["anew.1"]);
        if ticks >= 1 && is_there("beside.2") && is_anew && note.contains("left out") {
            Ok(())
        } else {
            Err(format!("{ticks} {note:?} {is_anew} {rows:?}"))
        }
    });
    let now = home.pids("shop");
    assert_eq!((now["long.1"], now["beside.1"]), (before["long.1"], before["beside.1"]), "they run on");
    let ticks = logged(&home, "tick");
    let minutes: Vec<&str> = ticks.lines().filter_map(|line| Some(line.split_once("ticked-")?.1)).collect();
    assert!(minutes.windows(2).all(|pair| pair[0] != pair[1]), "a minute twice: {minutes:?}");
    // A change of something else ends none of them, and a stop ends all.
    home.does(&["ps-scale", "shop", "tick=2"]);
    assert_eq!(home.pids("shop")["beside.2"], now["beside.2"]);
    home.does(&["ps-lifecycle", "stop", "shop", "beside"]);
    let left: Vec<String> = home.pids("shop").into_keys().filter(|slot| slot.starts_with("beside")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_supervisor_that_is_killed_over_and_over_loses_no_run_and_doubles_none() {
    let home = deployed("tick: date +%H:%M\n", r#""tick": {"schedule": "* * * * *"}"#);
    let minutes: usize = if std::env::var_os("FORMATION_TEST_LONG").is_some() { 10 } else { 1 };
    // So many minutes begin, the first of them not at once, and after each there is time for what it brings.
    let since_minute = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs() % 60;
    let first = if since_minute < 50 { 60 - since_minute } else { 120 - since_minute };
    let until = Instant::now() + Duration::from_secs(first + 60 * (minutes as u64 - 1) + 5);
    let mut kills = 0;
    while Instant::now() < until {
        for supervisor in home.supervisors() {
            kills += usize::from(kill_process(supervisor, Signal::KILL).is_ok());
        }
        std::thread::sleep(Duration::from_millis(350));
    }
    assert!(kills > 5 + 20 * (minutes - 1), "{kills}");
    let lines = eventually("what it wrote last can be read", || {
        let lines: Vec<String> = logged(&home, "tick").lines().map(str::to_owned).collect();
        if lines.len() >= minutes { Ok(lines) } else { Err(format!("{lines:?}")) }
    });
    let times: Vec<&str> = lines.iter().map(|line| &line[line.len().saturating_sub(5)..]).collect();
    let mut once = times.clone();
    once.dedup();
    assert_eq!(times, once, "a minute twice");
    assert!((minutes..=minutes + 1).contains(&times.len()), "{times:?}");
}

#[test]
fn what_was_stopped_is_not_due_until_it_is_started_and_a_count_turns_it_off_and_on() {
    let home = deployed(
        "web: exec sleep 600\nreport: echo ran\n",
        &format!(r#""report": {{"schedule": "{NEVER_HERE}"}}"#),
    );
    let stopped = home.run(&["ps-lifecycle", "stop", "shop", "report"]).stderr;
    assert!(stopped.contains("report.1 did not run, and is not started any more\n"), "{stopped}");
    assert!(!stopped.contains("ended"), "{stopped}");
    assert_eq!((state(&home, "report.1"), row(&home, "report.1").get("next")), ("stopped".to_owned(), None));
    home.does(&["ps-lifecycle", "converge", "shop"]);
    assert_eq!(state(&home, "report.1"), "stopped");
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!((state(&home, "report.1"), logged(&home, "report")), ("scheduled".to_owned(), String::new()));
    let stopped = home.run(&["ps-lifecycle", "stop", "shop"]).stderr;
    assert!(stopped.contains("report.1 did not run, and is not started any more\n"), "{stopped}");
    assert!(stopped.contains("web.1 ended (signal 15)") && !stopped.contains("report.1 ended"), "{stopped}");
    home.does(&["ps-lifecycle", "start", "shop"]);
    home.does(&["ps-scale", "shop", "report=0"]);
    assert!(home.status("shop").iter().all(|row| row["process_type"] != "report"));
    home.does(&["ps-scale", "shop", "report=1"]);
    assert_eq!(state(&home, "report.1"), "scheduled");
}

#[test]
fn a_time_that_was_missed_is_said_and_made_up_for_once_where_that_was_asked_for() {
    let home = deployed(
        "late: echo ran\nskipped: echo ran\n",
        &format!(
            r#""late": {{"schedule": "{NEVER_HERE}", "schedule_missed": "run-once"}}, "skipped": {{"schedule": "{NEVER_HERE}"}}"#
        ),
    );
    home.without_root();
    for supervisor in home.supervisors() {
        kill_process(supervisor, Signal::KILL).expect("it is ours");
    }
    let next = row(&home, "late.1")["next"].as_str().expect("a time").to_owned();
    // As if this time had come while nobody lived.
    let service = home.path("lib/data/scheduler-native/shop");
    fs::remove_file(service.join("state")).expect("it was there");
    for slot in ["late.1", "skipped.1"] {
        let path = service.join(slot).join("status.json");
        let status = fs::read_to_string(&path).expect("a status");
        fs::write(&path, status.replace(&next, "2026-02-01T03:00:00Z")).expect("written");
    }
    home.does(&["ps-lifecycle", "start", "shop"]);
    let ran = eventually("one has run", || match row(&home, "late.1") {
        row if row["last_exit"]["code"] == 0 && row["state"] == "scheduled" => Ok(row),
        row => Err(row.to_string()),
    });
    assert_eq!(ran["next"].as_str(), Some(next.as_str()));
    let skipped = row(&home, "skipped.1");
    assert_eq!((&skipped["state"], &skipped["last_exit"]), (&"scheduled".into(), &Value::Null), "{skipped}");
    assert!(
        skipped["note"].as_str().is_some_and(|note| note.starts_with("2026-02-01T03:00:00Z was missed")),
        "{skipped}"
    );
    assert_eq!((logged(&home, "late").matches("ran").count(), logged(&home, "skipped")), (1, String::new()));
    assert_eq!(happened(&home).len(), 2);
}

#[test]
fn a_service_that_gets_a_schedule_ends_and_one_that_loses_it_runs() {
    let home = deployed("job: exec sleep 600\n", r#""job": {}"#);
    let service = home.pids("shop")["job.1"];
    home.does(&["ps-set", "shop", "job.schedule", NEVER_HERE]);
    home.does(&["ps-lifecycle", "converge", "shop"]);
    eventually("it waits for its time", || {
        if state(&home, "job.1") == "scheduled" { Ok(()) } else { Err(state(&home, "job.1")) }
    });
    assert!(fs::metadata(format!("/proc/{service}")).is_err(), "the service has ended");
    home.does(&["ps-lifecycle", "start", "shop", "job"]);
    let run = home.pids("shop")["job.1"];
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    assert_eq!(home.pids("shop")["job.1"], run, "a run by schedule survives a deploy");
    home.does(&["ps-set", "shop", "job.schedule", ""]);
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    let row = row(&home, "job.1");
    assert!(row["state"] == "running" && row.get("next").is_none(), "{row}");
}

#[test]
fn a_bad_schedule_is_refused_with_its_place_before_anything_is_touched() {
    let home = deployed("web: exec sleep 600\nreport: exec sleep 600\n", r#""web": {}"#);
    let before = home.pids("shop");
    for (of_report, says) in [
        (
            r#""schedule": "61 * * * *""#,
            &["app.json: formation.report.schedule", "minute \"61\": 61 is not from 0 to 59"][..],
        ),
        (r#""schedule": "0 3 * *""#, &["formation.report.schedule", "five fields are wanted"]),
        (r#""schedule": "0 0 30 2 *""#, &["formation.report.schedule", "it never comes"]),
        (r#""schedule": ["0 3 * * *"]"#, &["formation.report.schedule", "not an array"]),
        (
            r#""schedule": "@daily", "schedule_overlap": "queue""#,
            &["formation.report.schedule_overlap", "\"queue\""],
        ),
        (
            r#""schedule": "@daily", "schedule_zone": "Europe/Brelin""#,
            &["report.1", "schedule-zone Europe/Brelin", "what ran runs on"],
        ),
    ] {
        home.write("shop/app.json", &format!("{{\"formation\": {{\"web\": {{\"quantity\": 1}}, \"report\": {{\"quantity\": 1, {of_report}}}}}}}"));
        home.refuses(&["ps-lifecycle", "rebuild", "shop"], 1, says);
        assert_eq!(home.pids("shop"), before, "{of_report}");
    }
    for (setting, value, says) in [
        ("report.schedule", "* 24 * * *", "hour \"24\": 24 is not from 0 to 23"),
        ("report.schedule-zone", "/etc/passwd", "time zone"),
    ] {
        let refused = home.run(&["ps-set", "shop", setting, value]);
        assert!(refused.status == Some(1) && refused.stderr.contains(says), "{refused:?}");
    }
}

#[test]
fn the_tasks_of_app_json_run_by_their_schedules_and_each_is_called_by_its_number() {
    let home = Home::new();
    let source = home.source("shop", "web: exec sleep 600\n");
    let cron = |entries: &str| home.write("shop/app.json", &format!("{{\"cron\": [{entries}]}}"));
    cron(&format!(
        r#"{{"command": "echo tidied", "schedule": "{NEVER_HERE}"}}, {{"command": "echo off", "schedule": "@daily", "maintenance": true}},
           {{"command": "echo third", "schedule": "@weekly", "concurrency_policy": "replace"}}"#
    ));
    let deployed = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(deployed.status, Some(0), "{deployed:?}");
    assert!(!deployed.stderr.contains("cron is not heeded"), "{deployed:?}");
    let states =
        crate::home::table(&[("cron-1.1", "scheduled"), ("cron-3.1", "scheduled"), ("web.1", "running")]);
    assert_eq!(home.states("shop"), states);
    home.does(&["ps-lifecycle", "start", "shop", "cron-1"]);
    eventually("it has run", || match row(&home, "cron-1.1") {
        row if row["last_exit"]["code"] == 0 && row["state"] == "scheduled" => Ok(()),
        row => Err(row.to_string()),
    });
    assert!(logged(&home, "cron-1").contains("tidied"));
    home.does(&["ps-scale", "shop", "web=2"]);
    home.does(&["ps-lifecycle", "stop", "shop", "cron-3"]);
    assert_eq!(
        (state(&home, "cron-1.1"), state(&home, "cron-3.1")),
        ("scheduled".to_owned(), "stopped".to_owned())
    );
    for (wrong, says) in [
        (
            r#"{"command": "a", "schedule": "* 24 * * *"}"#,
            "cron[0].schedule: hour \"24\": 24 is not from 0 to 23",
        ),
        (r#"{"command": "a"}"#, "cron[0]: a command and a schedule are wanted"),
        (
            r#"{"command": "a", "schedule": "@daily", "concurrency_policy": "queue"}"#,
            "cron[0].concurrency_policy",
        ),
    ] {
        cron(wrong);
        home.refuses(&["ps-lifecycle", "rebuild", "shop"], 1, &["app.json", says]);
    }
    cron("");
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    assert_eq!(home.states("shop"), crate::home::table(&[("web.1", "running"), ("web.2", "running")]));
}
