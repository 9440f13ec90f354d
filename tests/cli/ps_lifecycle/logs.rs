//! `logs`: told apart by slot, and followed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use serde_json::Value;

use crate::home::{Home, eventually};
use crate::program::Running;

#[test]
fn logs_are_told_apart_by_slot_and_followed_as_they_come() {
    let procfile = "web: faultapp --say from-web --tick 0.2\nworker: faultapp --say from-worker --log-stderr --tick 60\n";
    let home = Home::running("chat", procfile, &["--scale", "worker=1"]);
    let all = home.does(&["ps-lifecycle", "logs", "chat"]);
    assert!(all.contains("web.1 | from-web\n") && all.contains("worker.1 | from-worker\n"), "{all}");
    let web = home.does(&["ps-lifecycle", "logs", "chat", "web", "-n", "50"]);
    assert!(web.contains("web.1 | from-web\n") && !web.contains("worker"), "{web}");
    assert_eq!(home.does(&["ps-lifecycle", "logs", "chat", "worker.1", "-n", "0"]), "");
    let mut following = home.start(&["ps-lifecycle", "logs", "chat", "web", "-n", "0", "-f"]);
    let next = web.matches("tick").count() + 5;
    following.until_stdout_says(&format!("web.1 | web.1: tick {next}\n"));
}

#[test]
fn logs_are_followed_through_a_rotation() {
    let home = Home::running("turn", "web: faultapp --tick 0.5\n", &[]);
    let log = home.log_file("turn", "web.1");
    let followed = home.path("followed");
    let mut command = home.command(&["ps-lifecycle", "logs", "turn", "-f"]);
    let mut following = command.stdout(File::create(&followed).expect("made")).spawn().expect("it starts");
    let await_ticks = |last: usize| {
        eventually("each tick is told once", || {
            let text = fs::read_to_string(&followed).unwrap_or_default();
            let ticks = text.lines().filter_map(|line| line.strip_prefix("web.1 | web.1: tick "));
            let ticks: Vec<usize> = ticks.filter_map(|tick| tick.parse().ok()).collect();
            let is_right = ticks.len() >= last && ticks.iter().copied().eq(1..=ticks.len());
            if is_right { Ok(ticks.len()) } else { Err(text) }
        })
    };
    let seen = await_ticks(2);
    fs::rename(&log, log.with_file_name("stdout.1")).expect("it can be renamed");
    // What is cut before it was read is gone: it is cut just after a tick was read.
    await_ticks(seen + 2);
    let seen = await_ticks(seen + 3);
    File::create(&log).expect("it can be cut");
    await_ticks(seen + 2);
    following.kill().and_then(|()| following.wait()).expect("it is ours");
}

/// A release that numbers its lines; told to end, it says so last.
fn counting(release: &str) -> String {
    let told = format!("trap 'echo {release} $$ last; exit 0' TERM");
    format!("web: {told}; i=0; while :; do i=$((i+1)); echo {release} $$ $i; sleep 0.02; done\n")
}

/// Each process that wrote these rows: its release and pid, and the run and the lines of it.
fn by_writer(rows: &[Value]) -> BTreeMap<String, (u64, Vec<String>)> {
    let mut writers: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
    // The shell says on stderr what the signal does to its `sleep`.
    for row in rows.iter().filter(|row| row["stream"] == "stdout") {
        let (writer, line) = row["line"].as_str().expect("text").rsplit_once(' ').expect("a number");
        let run = row["run"].as_u64().expect("a run");
        let (known, lines) = writers.entry(writer.to_owned()).or_insert((run, Vec::new()));
        assert_eq!(*known, run, "{writer}");
        lines.push(line.to_owned());
    }
    writers
}

#[test]
fn logs_are_followed_across_a_deploy_each_line_once_with_its_run() {
    thread::scope(|scope| {
        for strategy in ["overlap", "one-by-one", "stop-first"] {
            scope.spawn(move || a_deploy_is_followed(strategy));
        }
    });
}

fn a_deploy_is_followed(strategy: &str) {
    let home = Home::new();
    let formation = format!(r#"{{"formation": {{"web": {{"quantity": 1, "strategy": "{strategy}"}}}}}}"#);
    home.write("shop/app.json", &formation);
    let source = home.source("shop", &counting("first"));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let followed = home.path("followed");
    let mut command = home.command(&["ps-lifecycle", "logs", "shop", "-f", "-n", "5", "--json"]);
    let mut following = command.stdout(File::create(&followed).expect("made")).spawn().expect("it starts");
    let rows = || {
        let text = fs::read_to_string(&followed).expect("it is there");
        let whole = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        whole.collect::<Vec<Value>>()
    };
    eventually("it follows", || if rows().len() > 5 { Ok(()) } else { Err(format!("{:?}", rows())) });
    home.source("shop", &counting("second"));
    home.does(&["ps-lifecycle", "deploy", "shop"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let all = home.run(&["ps-lifecycle", "logs", "shop", "-n", "100000", "--json"]).rows();
    let all = by_writer(&all);
    let seen = eventually("everything was followed", || {
        let seen = by_writer(&rows());
        let are_over = seen.len() == all.len()
            && seen.values().all(|(_, lines)| lines.last().is_some_and(|line| line == "last"));
        if are_over { Ok(seen) } else { Err(format!("{seen:?}")) }
    });
    for (writer, (run, lines)) in &seen {
        let (run_of_all, of_all) = &all[writer];
        assert!(of_all.ends_with(lines) && run == run_of_all, "{strategy}: {writer} {lines:?}");
        let is_whole = writer.starts_with("first") || of_all == lines;
        assert!(is_whole, "{strategy}: {writer} began with {:?}", lines.first());
    }
    let runs: Vec<u64> = seen.values().map(|(run, _)| *run).collect();
    assert!(runs.len() >= 2 && runs.iter().all(|run| *run > 0), "{strategy}: {runs:?}");
    following.kill().and_then(|()| following.wait()).expect("it is ours");
}

#[test]
fn logs_of_a_range_of_time_are_those_lines_alone_and_their_last_ones() {
    let home = Home::running("chat", "web: faultapp --tick 0.25\n", &[]);
    let moment = |home: &Home, ticks: usize| {
        eventually("so many ticks", || {
            let text = home.does(&["ps-lifecycle", "logs", "chat"]);
            if text.matches("tick").count() >= ticks { Ok(()) } else { Err(text) }
        });
        let output =
            std::process::Command::new("date").args(["-u", "+%FT%T.%NZ"]).output().expect("date runs");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let numbers = |text: &str| -> Vec<usize> {
        text.lines()
            .map(|line| line.rsplit(' ').next().and_then(|word| word.parse().ok()).expect("a tick"))
            .collect()
    };
    let since = moment(&home, 12);
    let until = moment(&home, 24);
    moment(&home, 34);
    let logs = |words: &[&str]| numbers(&home.does(&[&["ps-lifecycle", "logs", "chat"], words].concat()));
    let range = logs(&["--since", &since, "--until", &until]);
    let (first, last) = (range[0], *range.last().expect("ticks"));
    assert!(range.iter().copied().eq(first..=last), "{range:?}");
    // Times are known to the second, which is four ticks.
    assert!((8..=14).contains(&first) && (20..=32).contains(&last), "{range:?}");
    assert_eq!(logs(&["--since", &since, "--until", &until, "-n", "3"]), [last - 2, last - 1, last]);
    assert_eq!(logs(&["--until", &until])[0], 1);
    assert!(logs(&["--since", "1h"]).len() >= 34);
    assert_eq!(logs(&["--until", "1h"]), Vec::<usize>::new());
    let followed = home.does(&["ps-lifecycle", "logs", "chat", "-f", "--since", &since, "--until", &until]);
    assert_eq!(numbers(&followed), range, "the range is over: nobody waits");
    for (words, says) in [
        (&["--since", "yesterday"][..], "5m, 2h or 1d"),
        (&["--since", "2100-01-01T00:00:00Z"], "future"),
        (&["--since", "1h", "--until", "2h"], "later than --until"),
    ] {
        home.run(&[&["ps-lifecycle", "logs", "chat"], words].concat()).is_refused(2, &[says]);
    }
}

/// Follows an app; what is read lies in the file.
fn follow(home: &Home, name: &str) -> (Running, PathBuf) {
    let read = home.path(name);
    let mut command = home.command(&["ps-lifecycle", "logs", "shop", "-f"]);
    command.process_group(0).stdout(File::create(&read).expect("made")).stderr(Stdio::piped());
    (Running::begin(command), read)
}

fn until_it_reads(read: &Path, times: usize, line: &str) {
    eventually("it reads the line", || {
        let text = fs::read_to_string(read).unwrap_or_default();
        if text.matches(line).count() == times { Ok(()) } else { Err(text) }
    });
}

#[test]
fn who_follows_an_app_that_is_destroyed_reads_all_of_it_and_is_told() {
    let home = Home::running("shop", "web: echo hello; exec sleep 600\n", &[]);
    let (mut following, read) = follow(&home, "first");
    until_it_reads(&read, 1, "web.1 | hello\n");
    home.does(&["ps-lifecycle", "stop", "shop"]);
    home.does(&["ps-lifecycle", "start", "shop"]);
    until_it_reads(&read, 2, "web.1 | hello\n");
    assert!(following.is_running(), "a stop is not the end");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    let ended = following.ended();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("shop was destroyed"), "{ended:?}");
    // Another app of that name is another app.
    let source = home.source("again", "web: echo anew; exec sleep 600\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let (following, read) = follow(&home, "second");
    until_it_reads(&read, 1, "anew");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let ended = following.ended();
    assert_eq!(ended.status, Some(0), "{ended:?}");
}
