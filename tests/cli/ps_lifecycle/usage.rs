//! Limits of an instance, from the verbs: what does not hold is said or refused, and what came of a limit is shown.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::home::{Home, eventually};

const DEPLOY: [&str; 4] = ["ps-lifecycle", "deploy", "shop", "--dir"];

fn deploy(source: &str) -> Vec<&str> {
    [&DEPLOY[..], &[source]].concat()
}

/// The same program where no cgroup file system is mounted, for it and for what it starts.
pub(crate) fn without_cgroups(home: &Home, words: &[&str]) -> std::process::Output {
    let inner = home.command(words);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "umount -l -a -t cgroup,cgroup2; exec \"$@\"", "sh"]);
    command.arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(directory) = inner.get_current_dir() {
        command.current_dir(directory);
    }
    command.output().expect("unshare runs")
}

#[test]
fn a_limit_that_the_machine_lacks_is_said_in_one_line_and_shown_and_refused_where_it_is_required() {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: only root can take the cgroups away");
        return;
    }
    let home = Home::new();
    let source = home.source("shop", "web: faultapp --tick 60\n");
    home.write(
        "shop/app.json",
        r#"{"formation": {"web": {"memory_max": "64m", "cpu_max": 0.5, "require_limits": true}}}"#,
    );
    let refused = without_cgroups(&home, &deploy(&source));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let place = "app.json: formation.web.memory_max: ";
    assert!(
        said.contains(place) && said.contains("not hold: ") && said.contains("nothing was started"),
        "{said}"
    );
    home.write("shop/app.json", r#"{"formation": {"web": {"memory_max": "64m", "cpu_max": 0.5}}}"#);
    let deployed = without_cgroups(&home, &deploy(&source));
    let said = String::from_utf8_lossy(&[deployed.stdout, deployed.stderr].concat()).into_owned();
    assert!(deployed.status.success(), "{said}");
    assert_eq!(said.lines().filter(|line| line.contains("not hold: ")).count(), 1, "{said}");
    let row = home.status("shop").remove(0);
    let lacking = row["limits"]["lacking"].as_str().expect("it says what does not hold");
    assert!(lacking.contains("memory-max 64m") && row["note"].as_str() == Some(lacking), "{row}");
    assert_eq!(row["limits"]["memory_max"], json!(null));
}

#[test]
fn status_names_the_kernel_and_the_limit_where_memory_ran_out() {
    let home = Home::new();
    let command =
        "test -e once || { echo >once; sleep 2; exec faultapp --alloc 200 --tick 60; }; exec sleep 1000";
    let source = home.source("shop", &format!("web: {command}\n"));
    home.write("shop/app.json", r#"{"formation": {"web": {"memory_max": "64m", "pids_max": 50}}}"#);
    home.does(&deploy(&source));
    let row = home.status("shop").remove(0);
    if row["limits"]["lacking"].is_string() {
        skipped::skip(&row["limits"]["lacking"]);
        return;
    }
    assert_eq!(row["limits"], json!({"memory_max": 64 << 20, "pids_max": 50}));
    let row = eventually("it was killed and started again", || {
        let row = home.status("shop").remove(0);
        if row["out_of_memory"].is_object() && row["pid"].is_number() {
            Ok(row)
        } else {
            Err(row.to_string())
        }
    });
    assert_eq!(row["out_of_memory"], json!({"limit_bytes": 64 << 20, "main": true}));
    assert_eq!(row["last_exit"], json!({"signal": 9}));
    let table = home.does(&["ps-lifecycle", "status", "shop"]);
    assert!(table.contains("killed by the kernel: out of memory (limit 64 MiB)"), "{table}");
    let happened = happened(&home);
    assert_eq!(happened.len(), 1, "{happened:?}");
    let (slots, outcome) = (&happened[0]["slots"], &happened[0]["outcome"]);
    assert_eq!((slots, outcome), (&json!(["web.1"]), &json!("failed")), "{happened:?}");
    let run = happened[0]["run"].as_u64().expect("it is about a run");
    let words = format!("run {run} ended: killed by the kernel: out of memory (limit 64 MiB)");
    assert_eq!(happened[0]["what"], json!(words));
    assert!(row["run"].as_u64() > Some(run), "{row}");
}

/// What the journal says of memory, once it says something.
fn happened(home: &Home) -> Vec<Value> {
    eventually("it stands in the journal", || {
        let text = fs::read_to_string(home.path("lib/data/formation/shop/journal")).expect("a journal");
        let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let of_memory = |entry: &Value| entry["event"] == "happened" && entry["origin"] == "memory";
        let found: Vec<Value> = entries.filter(of_memory).collect();
        if found.is_empty() { Err(text) } else { Ok(found) }
    })
}

/// Whether no group of memory can be made here, which is noted.
fn lacks_groups(home: &Home) -> bool {
    let row = home.status("shop").remove(0);
    let is_lacking = row["limits"]["lacking"].is_string();
    if is_lacking {
        skipped::skip(&row["limits"]["lacking"]);
    }
    is_lacking
}

#[test]
fn the_journal_names_a_process_that_was_killed_beside_the_main_one_once_for_each_run() {
    let home = Home::new();
    let command = "sleep 2; faultapp --alloc 200 --tick 60; sleep 2; faultapp --alloc 200 --tick 60; touch both; sleep 1000";
    let source = home.source("shop", &format!("web: {command}\n"));
    home.write("shop/app.json", r#"{"formation": {"web": {"memory_max": "64m", "ready": "alive"}}}"#);
    home.does(&deploy(&source));
    if lacks_groups(&home) {
        return;
    }
    let first = happened(&home);
    let words = "a process of it was killed by the kernel: out of memory (limit 64 MiB)";
    assert_eq!((&first[0]["what"], first[0]["run"].is_u64()), (&json!(words), true), "{first:?}");
    let both = home.path("shop/both");
    eventually("both were killed", || both.exists().then_some(()).ok_or_else(|| "not yet".to_owned()));
    // The supervisor looks at a kill a second later.
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(happened(&home).len(), 1);
}

#[test]
fn the_journal_says_how_much_was_used_where_another_instance_takes_the_place() {
    let home = Home::new();
    let command = "test -e once || { echo >once; exec faultapp --alloc 100 --tick 60; }; exec sleep 1000";
    let source = home.source("shop", &format!("web: {command}\n"));
    home.write("shop/app.json", r#"{"formation": {"web": {"memory_restart": "50m", "ready": "alive"}}}"#);
    home.does(&deploy(&source));
    if lacks_groups(&home) {
        return;
    }
    let happened = happened(&home);
    let what = happened[0]["what"].as_str().expect("text");
    assert!(
        what.starts_with("started anew: web.1 used ") && what.ends_with("MiB (memory-restart 50 MiB)"),
        "{what}"
    );
    assert_eq!((happened.len(), &happened[0]["outcome"]), (1, &json!("done")), "{happened:?}");
}

#[test]
fn an_app_that_lies_below_tmp_cannot_have_a_private_one() {
    let home = Home::new();
    let source = home.source("shop", "web: faultapp --tick 60\n");
    if !home.path("").starts_with("/tmp") {
        skipped::skip("the worlds of tests do not lie below /tmp");
        return;
    }
    home.write("shop/app.json", r#"{"formation": {"web": {"private_tmp": true}}}"#);
    let says = ["app.json: formation.web.private_tmp: ", "lies below /tmp", "nothing was started"];
    home.run(&deploy(&source)).is_refused(1, &says);
}
