//! Which lines are printed, and in which order.

use std::time::SystemTime;

use serde_json::Value;

use crate::home::{Home, eventually};
use crate::refused;

/// Two apps whose instances write at certain times: `one` at 0 s and 4 s, `two` at 2 s and 6 s.
fn two_apps() -> Home {
    let home = Home::new();
    for (app, procfile) in [
        ("one", "web: echo 1; sleep 4; echo 3; exec sleep 600\n"),
        ("two", "web: sleep 2; echo 2; sleep 4; echo 4 >&2; exec sleep 600\n"),
    ] {
        let source = home.source(app, procfile);
        home.does(&["ps-lifecycle", "deploy", app, "--dir", &source, "--quiet"]);
    }
    home
}

fn texts(printed: &str) -> Vec<&str> {
    printed.lines().map(|line| line.rsplit_once("| ").expect("a prefix").1).collect()
}

/// A line of this text is in the log of `app`.
fn until_it_wrote(home: &Home, app: &str, text: &str) {
    eventually("it has written", || {
        let printed = home.does(&["ps-logs", app]);
        if texts(&printed).contains(&text) { Ok(()) } else { Err(printed) }
    });
}

#[test]
fn lines_of_all_apps_come_in_the_order_of_their_times_each_with_its_app() {
    let home = two_apps();
    until_it_wrote(&home, "two", "4");
    let printed = home.does(&["ps-logs", "--utc"]);
    assert_eq!(texts(&printed), ["1", "2", "3", "4"], "{printed}");
    let first = printed.lines().next().expect("a line");
    let (time, rest) = first.split_once(' ').expect("a time");
    assert_eq!(rest, "one/web.1 | 1");
    assert!(time.len() == "2026-11-27T14:03:07.123+00:00".len() && time.ends_with("+00:00"), "{time}");
    let rows = home.run(&["ps-logs", "two", "one", "--json"]).rows();
    let seen: Vec<String> =
        rows.iter().map(|row| format!("{} {} {}", row["app"], row["stream"], row["line"])).collect();
    let expected =
        [r#""one" "stdout" "1""#, r#""two" "stdout" "2""#, r#""one" "stdout" "3""#, r#""two" "stderr" "4""#];
    assert_eq!(seen, expected);
    assert!(rows.iter().all(|row| row["at"].is_string()), "{rows:?}");
    assert_eq!(texts(&home.does(&["ps-logs", "one", "two", "web", "--stream", "err"])), ["4"]);
    assert_eq!(texts(&home.does(&["ps-logs", "one", "two", "-n", "1"])), ["2", "3", "4"]);
    assert_eq!(texts(&home.does(&["ps-logs", "--grep", "[14]"])), ["1", "4"]);
    assert_eq!(texts(&home.does(&["ps-logs", "--grep", "[14]", "--exclude", "4"])), ["1"]);
    assert_eq!(texts(&home.does(&["ps-logs", "one", "--grep", ".", "-n", "1"])), ["3"]);
    assert_eq!(home.does(&["ps-logs", "one", "--no-prefix"]), "1\n3\n");
    assert_eq!(home.does(&["ps-logs", "--raw"]), "1\n2\n3\n4\n");
    refused(&home, &["ps-logs", "none"], 20, "app none does not exist");
    refused(&home, &["ps-logs", "one", "web.7"], 1, "web.7");
    refused(&home, &["ps-logs", "one", "none", "two"], 20, "app none does not exist");
    refused(&home, &["ps-logs", "one", "--grep", "("], 2, "unclosed group");
    refused(&home, &["ps-logs", "one", "--since", "noon"], 2, "14:03");
    refused(&home, &["ps-logs", "one", "--deploy", "7"], 1, "no release 7");
}

#[test]
fn what_was_written_before_the_present_run_is_told_from_what_came_since() {
    let home = Home::new();
    // Each life ends by itself, until the directory has the file.
    let procfile = "web: echo life $$; if [ -e stay ]; then exec sleep 600; fi; sleep 3; exit 3\n";
    let source = home.source("shop", procfile);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--quiet"]);
    eventually("it has died twice", || {
        let printed = home.does(&["ps-logs", "shop", "--no-prefix"]);
        if printed.lines().count() >= 3 { Ok(()) } else { Err(printed) }
    });
    home.write("shop/stay", "");
    let now = eventually("one stays", || {
        let rows = home.status("shop");
        let since = rows[0]["since"].as_str().and_then(|since| since.parse::<jiff::Timestamp>().ok());
        let age = since.and_then(|since| SystemTime::now().duration_since(since.into()).ok());
        let pid = rows[0]["pid"].as_u64().filter(|_| age.is_some_and(|age| age.as_secs() >= 2));
        pid.ok_or_else(|| format!("{rows:?}"))
    });
    let all = home.does(&["ps-logs", "shop", "--no-prefix"]);
    let previous = home.does(&["ps-logs", "shop", "--no-prefix", "--previous"]);
    let last = format!("life {now}\n");
    assert!(all.ends_with(&last), "{all}, {now}");
    assert_eq!(format!("{previous}{last}"), all, "everything but the last life");
    assert_eq!(
        home.does(&["ps-logs", "shop", "web", "--no-prefix", "--previous", "-n", "1"]).lines().count(),
        1
    );
}

#[test]
fn the_lines_of_a_deploy_are_those_between_it_and_the_next_one() {
    let home = Home::running("shop", "web: echo first; exec sleep 600\n", &[]);
    until_it_wrote(&home, "shop", "first");
    // Times are known to the second.
    let rows = || home.run(&["ps-lifecycle", "releases", "shop", "--json"]).rows();
    let is_older = |row: &Value| {
        let at: Option<jiff::Timestamp> = row["at"].as_str().and_then(|at| at.parse().ok());
        let age = at.and_then(|at| SystemTime::now().duration_since(at.into()).ok());
        age.is_some_and(|age| age.as_secs() >= 2)
    };
    eventually("the deploy is two seconds old", || {
        if rows().iter().all(is_older) { Ok(()) } else { Err(format!("{:?}", rows())) }
    });
    home.source("shop", "web: echo second; exec sleep 600\n");
    home.does(&["ps-lifecycle", "deploy", "shop"]);
    until_it_wrote(&home, "shop", "second");
    assert_eq!(texts(&home.does(&["ps-logs", "shop", "--deploy", "1"])), ["first"]);
    let second = home.does(&["ps-logs", "shop", "--deploy", "current"]);
    assert!(texts(&second).iter().all(|text| *text == "second") && !second.is_empty(), "{second}");
    assert_eq!(home.does(&["ps-logs", "shop", "--deploy", "2"]), second);
}
