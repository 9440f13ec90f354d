use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::home::{Home, eventually};

#[test]
fn logs_shows_what_was_written_last_and_follows_what_comes() {
    let home = Home::new();
    home.done(&["start", "tick.js", "--name", "api"]);
    home.log("api-out-0.log", |text| text.lines().count() > 3);
    let past = home.done(&["logs", "api", "--lines", "2", "--nostream"]);
    let lines: Vec<&str> = past.lines().collect();
    assert_eq!(lines[0], "########### Starting streaming logs for [api] process");
    assert!(
        lines.len() == 3 && lines[1..] == ["[api-0 (out) -] tick"; 2],
        "what was written before has no time: {past}"
    );
    let json = home.done(&["logs", "--json", "--lines", "1", "--nostream"]);
    let line: Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&line["message"], &line["type"], &line["app_name"]),
        (&"tick".into(), &"out".into(), &"api".into())
    );
    assert_eq!(line["timestamp"], Value::Null);
    let mut follow = Command::new(env!("CARGO_BIN_EXE_ps-pm2"));
    follow.args(["logs", "--raw"]).env("HOME", home.path()).env_remove("PM2_HOME");
    let shown = home.path().join("shown");
    follow.stdout(File::create(&shown).expect("a file"));
    let mut follow = follow.spawn().expect("it runs");
    let shows = |wanted: &str| {
        eventually(|| {
            let text = fs::read_to_string(&shown).expect("text");
            if text.lines().any(|line| line == wanted) { Ok(()) } else { Err(text) }
        });
    };
    shows("tick");
    home.done(&["start", "say.sh"]);
    // An app that comes later is followed too.
    shows("pm_id=1");
    follow.kill().expect("it is ours");
    follow.wait().expect("it is ours");
}

#[test]
fn flush_empties_logs_and_the_apps_write_on() {
    let home = Home::new();
    home.done(&["start", "say.sh"]);
    home.log("say.sh-out-0.log", |text| text.contains("pm_id=0"));
    let (out, err) = (home.pm2("logs/say.sh-out-0.log"), home.pm2("logs/say.sh-err-0.log"));
    let said = format!(
        "PM2 Flushing {}\nPM2 Flushing\nPM2 {}\nPM2 {}\n",
        home.pm2("pm2.log").display(),
        out.display(),
        err.display()
    );
    assert_eq!(home.done(&["flush"]), said);
    assert_eq!(fs::metadata(&out).expect("a log").len(), 0);
    home.done(&["restart", "0"]);
    home.log("say.sh-out-0.log", |text| text.starts_with("args:"));
}

#[test]
fn a_signal_reaches_what_runs_and_harms_nobody_else() {
    let home = Home::new();
    home.done(&["start", "signal.js", "-i", "2"]);
    for id in [0, 1] {
        home.log(&format!("signal-out-{id}.log"), |text| text.contains("up"));
    }
    let out = home.done(&["sendSignal", "SIGUSR2", "signal"]);
    let said = "Processing......\nPM2 Sending signal to process name signal\n\
                PM2 Succesfully sent signal SIGUSR2 to process name signal\n";
    assert!(out.starts_with(said), "{out}");
    for id in [0, 1] {
        home.log(&format!("signal-out-{id}.log"), |text| text.contains("USR2"));
    }
    home.done(&["stop", "0"]);
    let ran = home.say(&["sendSignal", "SIGUSR2", "0"]);
    assert!(ran.status == 1 && ran.stderr.contains("signal (0) does not run"), "{ran:?}");
    assert_eq!(home.status(1), "online");
    for words in
        [["sendSignal", "SIGNONE", "signal"], ["sendSignal", "9", "signal"], ["sendSignal", "SIGUSR2", "42"]]
    {
        assert_eq!(home.say(&words).status, 1, "{words:?}");
    }
    assert_eq!(home.say(&["sendSignal", "SIGUSR2", "nobody"]).status, 0);
}

#[test]
fn help_that_was_asked_for_is_an_answer_and_not_an_error() {
    let home = Home::new();
    for flag in ["--help", "-h"] {
        let ran = home.say(&[flag]);
        assert_eq!((ran.status, &*ran.stderr), (0, ""), "{ran:?}");
        assert!(
            ran.stdout.contains("-i, --instances") && ran.stdout.contains("start app.js -i max"),
            "{ran:?}"
        );
    }
    assert!(!home.path().join(".pm2").exists(), "a question makes nothing");
}

#[test]
fn a_file_is_said_to_be_restarted_before_what_runs_of_it_and_after_the_first_of_what_does_not() {
    let home = Home::new();
    for is_running in [false, true] {
        if is_running {
            home.done(&["start", "two.json"]);
        }
        let said = home.done(&["--silent", "restart", "two.json"]);
        let (file, one) = ("PM2 Process two.json restarted\n", "PM2 Stopping process by name one\n");
        let [first, second] = if is_running { [file, one] } else { [one, file] };
        let wanted = format!(
            "Processing......\nPM2 Restarting process by name two.json\n{first}{second}PM2 Stopping process by name other\n"
        );
        assert_eq!(said, wanted);
    }
}

#[test]
fn a_number_is_an_id_and_the_options_of_logs_are_no_others() {
    let home = Home::new();
    home.done(&["start", "tick.js", "--name", "7"]);
    home.done(&["start", "say.sh", "--name", "3d"]);
    let ran = home.say(&["stop", "7"]);
    assert_eq!((ran.status, ran.stdout.lines().nth(1)), (1, Some("PM2 Stopping process by id 7")));
    assert!(ran.stderr.contains("7 : pm2 id not found") && ran.stderr.contains("has id 0"), "{ran:?}");
    home.done(&["stop", "3d"]);
    assert_eq!((home.status(0).as_str(), home.status(1).as_str()), ("online", "stopped"));
    let ran = home.say(&["list", "--lines", "5"]);
    assert_eq!((ran.status, &*ran.stderr), (1, "\n  error: unknown option `--lines'\n\n"));
    let ran = home.say(&["start", "deaf.sh", "-i=2"]);
    assert!(ran.status == 1 && ran.stderr.contains("integer or the \"max\" string"), "{ran:?}");
    assert_eq!(home.list().len(), 2);
}

#[test]
fn the_first_command_alone_shows_what_is_noted_where_debugging_is_asked_for() {
    let home = Home::new();
    let shown = |words: &[&str]| {
        let ran = home.command(words).env("PM2_DEBUG", "true").output().expect("it runs");
        String::from_utf8_lossy(&ran.stdout).matches(" worker online\n").count()
    };
    assert_eq!(shown(&["start", "tick.js", "-i", "2"]), 2);
    assert_eq!(shown(&["start", "say.sh"]), 0);
    home.done(&["kill"]);
    assert_eq!(shown(&["start", "say.sh"]), 1);
    assert!(home.pm2("custom_options.sh").exists());
}

#[test]
fn a_follower_ends_with_its_reader_though_nothing_more_is_written() {
    let home = Home::new();
    home.done(&["start", "say.sh"]);
    home.log("say.sh-out-0.log", |text| text.contains("pm_id=0"));
    let mut follow = Command::new(env!("CARGO_BIN_EXE_ps-pm2"));
    follow.args(["logs"]).env("HOME", home.path()).env_remove("PM2_HOME").stdout(Stdio::piped());
    let mut follow = follow.spawn().expect("it runs");
    let mut line = String::new();
    let stdout = follow.stdout.take().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("readable");
    assert_eq!(line, "########### Starting streaming logs for [all] process\n");
    let ended = eventually(|| follow.try_wait().expect("it is ours").ok_or_else(|| "it goes on".to_owned()));
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn ps_logs_finds_what_the_apps_have_written_themselves() {
    let home = Home::new();
    home.done(&["start", "tick.js", "--name", "api", "-i", "2"]);
    home.done(&["start", "early.sh", "--name", "early"]);
    for id in 0..2 {
        home.log(&format!("api-out-{id}.log"), |text| text.lines().count() > 3);
    }
    let said = home.other("ps-logs", &["--world", "pm2", "api", "-n", "2"]);
    let of_slot = |slot: &str| said.lines().filter(|line| line.ends_with(&format!("{slot} | tick"))).count();
    assert_eq!((of_slot("web.1"), of_slot("web.2"), said.lines().count()), (2, 2, 4), "{said}");
    // The time of a line that is not the last of its file is not known, and is not made up.
    assert!(said.lines().filter(|line| line.starts_with("- ")).count() >= 2, "{said}");
    let json = home.other("ps-logs", &["--world", "pm2", "api", "web.2", "--json", "-n", "2"]);
    let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((rows.len(), &rows[0]["at"], &rows[0]["index"]), (2, &Value::Null, &2.into()), "{json}");
    assert!(rows[1]["at"].is_string(), "it is the last one: {json}");

    // What comes while it is followed has a time.
    let shown = home.path().join("shown");
    let mut follow = Command::new(beside("ps-logs"));
    follow.args(["--world", "pm2", "api", "-f", "-n", "0"]).env("HOME", home.path()).env_remove("PM2_HOME");
    let mut follow = follow.stdout(File::create(&shown).expect("a file")).spawn().expect("it runs");
    let text = eventually(|| {
        let text = fs::read_to_string(&shown).expect("text");
        if text.lines().count() > 4 { Ok(text) } else { Err(text) }
    });
    follow.kill().expect("it is ours");
    follow.wait().expect("it is ours");
    assert!(text.lines().take(4).all(|line| line.starts_with("20") && line.ends_with("tick")), "{text}");
}

#[test]
fn ps_explain_says_what_an_app_has_written_last_and_where() {
    let home = Home::new();
    let text = "console.error('of before');\nrequire('express');\n";
    fs::write(home.app("lost.js"), text).expect("a script");
    home.done(&["start", "lost.js", "--name", "api"]);
    home.log("api-err-0.log", |text| text.contains("Cannot find module"));
    let said = eventually(|| {
        let ran = Command::new(beside("ps-explain"))
            .args(["--world", "pm2", "api"])
            .env("HOME", home.path())
            .env_remove("PM2_HOME")
            .output()
            .expect("it runs");
        let said = String::from_utf8(ran.stdout).expect("text");
        if said.contains("express") { Ok(said) } else { Err(said) }
    });
    assert!(said.contains(home.pm2("logs/api-err-0.log").to_str().expect("text")), "{said}");
}

/// Another program, which lies beside this one.
fn beside(program: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_ps-pm2")).with_file_name(program)
}

#[test]
fn a_line_that_comes_while_it_is_waited_for_has_the_date_that_the_app_asks_for() {
    let home = Home::new();
    let ran = home.say(&["start", "tick.js", "--log-date-format", "[on] YYYY/MM/DD"]);
    assert!(ran.status == 0 && ran.stderr.contains("and not in the files"), "{ran:?}");
    let shown = home.path().join("shown");
    let mut follow = Command::new(env!("CARGO_BIN_EXE_ps-pm2"));
    follow.args(["logs", "--raw"]).env("HOME", home.path()).env_remove("PM2_HOME");
    let mut follow = follow.stdout(File::create(&shown).expect("a file")).spawn().expect("it runs");
    let line = eventually(|| {
        let text = fs::read_to_string(&shown).expect("text");
        text.lines().next().map(str::to_owned).ok_or(text)
    });
    follow.kill().and_then(|()| follow.wait()).expect("it is ours");
    let digits =
        |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    assert_eq!(digits(&line), "on 0000/00/00: tick");
    assert!(
        home.log("tick-out-0.log", |text| text.contains("tick\n")).starts_with("tick\n"),
        "the file has none"
    );
}
