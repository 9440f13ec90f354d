//! How it answers: for people, for scripts, of the past.

use std::process::Stdio;

use jiff::Timestamp;

use crate::home::{Home, eventually};
use crate::world::{breakable, broken, explained, kill};

#[test]
fn it_says_one_paragraph_with_the_cause_first_and_what_to_do_last() {
    let home = broken("echo 'Error: Cannot find module express' >&2; exit 1");
    let text = home.does(&["ps-explain", "shop"]);
    assert!(text.starts_with("web.1 of shop is down, and given up (crashed)"), "{text}");
    let (cause, cure) =
        (text.find("not installed").expect("the cause"), text.find("What to do: ").expect("a cure"));
    let count = text.find("given up after ending 3 times in a row").expect("how often");
    assert!(cause < count && count < cure, "{text}");
    assert!(text.contains("stderr.") && text.contains("byte "), "{text}");
}

#[test]
fn it_is_content_where_nobody_reads_its_answer() {
    let home = breakable("on-failure:2");
    let mut command = home.command(&["ps-explain", "shop"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = command.stdout(Stdio::from(writer)).status().expect("it runs");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_cpu_that_is_kept_busy_is_told_of_an_app_that_is_well() {
    let home = Home::running(
        "shop",
        "web: while :; do :; done\nidle: exec sleep 3600\n",
        &["--scale", "web=1", "idle=1"],
    );
    let busy = eventually("it has computed for a while", || {
        let row = explained(&home, &["shop"]);
        let reasons = row["reasons"].as_array().expect("a list").clone();
        reasons.into_iter().find(|reason| reason["cause"] == "busy").ok_or_else(|| row.to_string())
    });
    assert!(
        busy["says"].as_str().is_some_and(|says| says.starts_with("a CPU is kept busy by web.1: ")),
        "{busy:#}"
    );
    let row = explained(&home, &["shop"]);
    assert_eq!(row["cause"], "healthy", "it is no cause: {row:#}");
    let idle = explained(&home, &["shop", "idle.1"]);
    assert_eq!(idle["reasons"].as_array().map(Vec::len), Some(1), "another one is not busy: {idle:#}");
}

#[test]
fn it_tells_of_the_past_by_the_journal() {
    let home = breakable("on-failure:9");
    let before = Timestamp::now();
    home.write("shop/bad", "[ -f worse ] && exit 5; touch worse; exit 6");
    kill(&home);
    eventually("it has ended thrice", || {
        let row = home.status("shop").remove(0);
        if row["last_exit"]["code"] == 5 { Ok(()) } else { Err(row.to_string()) }
    });
    let row = explained(&home, &["shop", "--at", &before.to_string()]);
    assert_eq!(row["cause"], "healthy", "{row:#}");
    let events = home.run(&["ps-lifecycle", "events", "shop", "--json"]).rows();
    let ended = events.iter().find(|event| event["exit"]["code"] == 6).expect("it stands there");
    let row = explained(&home, &["shop", "--at", ended["at"].as_str().expect("a time")]);
    assert_eq!(row["cause"], "exit-status", "{row:#}");
    assert!(row["reasons"][0]["says"].as_str().is_some_and(|says| says.contains("exit status 6")), "{row:#}");
    let ran = home.run(&["ps-explain", "shop", "--at", "2999-01-01T00:00:00Z"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
}
