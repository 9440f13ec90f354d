//! What the files and properties of an app ask for is done, or named in one line, or refused with its place.

use std::fs;
use std::os::unix::fs::symlink;

use crate::home::{Home, eventually};
use crate::program::Ran;

const PROCFILE: &str = "web: exec sleep 1000\nworker: exec sleep 1000\n";

fn deploy(home: &Home, app: &str) -> Ran {
    let source = home.path(app);
    home.run(&["ps-lifecycle", "deploy", app, "--dir", source.to_str().expect("text")])
}

/// The warnings of a deploy that worked.
fn warnings(home: &Home, app: &str) -> Vec<String> {
    let ran = deploy(home, app);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    ran.stderr.lines().filter_map(|line| line.strip_prefix(" !     ")).map(str::to_owned).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// The words of the process in a slot.
fn command(home: &Home, app: &str, slot: &str) -> String {
    let pid = home.pids(app)[slot];
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned()
}

fn runs(home: &Home, app: &str, slot: &str, expected: &str) {
    eventually(&format!("{slot} runs {expected}"), || {
        let found = command(home, app, slot);
        if found == expected { Ok(()) } else { Err(found) }
    });
}

// ---- app.json, DOKKU_SCALE, Procfile.

#[test]
fn a_value_of_app_json_that_makes_no_sense_is_refused_in_one_line_with_its_place() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    for (text, says) in [
        (r#"{"formation": [{"web": 2}]}"#, "app.json: formation: an object is wanted, not an array"),
        (
            r#"{"formation": {"web": {"quantity": "2"}}}"#,
            "app.json: formation.web.quantity: a whole number is wanted, not \"2\"",
        ),
        (
            r#"{"formation": {"web": {"quantity": 2.5}}}"#,
            "app.json: formation.web.quantity: a whole number is wanted, not 2.5",
        ),
        (
            r#"{"formation": {"web": {"quantity": -1}}}"#,
            "app.json: formation.web.quantity: a whole number from 0 to 10,000 is wanted, not -1",
        ),
        (r#"{"formation": {"web+": {"quantity": 1}}}"#, "app.json: formation.\"web+\": "),
        (r#"{"healthchecks": {"web": {}}}"#, "app.json: healthchecks.web: an array is wanted"),
        (
            r#"{"healthchecks": {"web": [{"type": "startup", "timeout": -1}]}}"#,
            "app.json: healthchecks.web[0].timeout: whole seconds, 0 to 86,400, is wanted, not -1",
        ),
        ("{\n  \"formation\": {}\n}\n}", "app.json: line 4, column 1: "),
        ("{\n  formation: {}\n}", "app.json: line 2, column 3: "),
    ] {
        home.write("shop/app.json", text);
        home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &source], 1, &[says]);
    }
}

#[test]
fn what_dokkus_decoder_takes_is_taken_byte_order_mark_comments_and_all() {
    let home = Home::new();
    home.source("shop", &format!("\u{feff}{PROCFILE}"));
    let text = "\u{feff}{ // ours\r\n \"Formation\": { \"worker\": { \"quantity\": 2, }, \"web\": null }, \"cron\": null }\r\n";
    home.write("shop/app.json", text);
    let said = warnings(&home, "shop");
    assert_eq!(said, ["web goes from 1 to 0: app.json asks for none"]);
    assert_eq!(home.pids("shop").into_keys().collect::<Vec<_>>(), ["worker.1", "worker.2"]);
}

#[test]
fn what_a_file_asks_for_and_nobody_does_is_named_in_one_line_each() {
    let home = Home::new();
    home.source("shop", PROCFILE);
    home.write("shop/CHECKS", "/ ok\n");
    home.write(
        "shop/app.json",
        r#"{
            "name": "shop", "env": {"A": "1"},
            "scripts": {"dokku": {"predeploy": "true", "pre-deploy": "b"}, "predeploy": "c", "postdeploy": "true"},
            "formation": {"web": {"quantitty": 2}, "wreb": {"strategy": "overlap"}},
            "healthchecks": {
                "web": [{"type": "startup", "uptime": 1}, {"type": "startup", "command": ["true"]}],
                "wbe": [{"type": "startup"}]
            }
        }"#,
    );
    let said = warnings(&home, "shop");
    for part in [
        "app.json: env is not heeded here: ",
        "app.json: scripts.dokku.pre-deploy is not known: did you mean predeploy?",
        "app.json: scripts.predeploy is not heeded here: Dokku looks for it in scripts.dokku",
        "app.json: formation.web.quantitty is not known: did you mean quantity?",
        "app.json: formation for \"wreb\", which the Procfile does not have",
        "app.json: healthchecks for \"wbe\", which the Procfile does not have",
        "CHECKS is not read: ",
    ] {
        let found = said.iter().filter(|line| line.starts_with(part)).count();
        assert_eq!(found, 1, "{part}: {said:#?}");
    }
    assert_eq!(said.len(), 7, "{said:#?}");
}

#[test]
fn a_dokku_scale_file_beside_a_formation_of_app_json_is_said_not_to_count() {
    let home = Home::new();
    home.source("shop", PROCFILE);
    home.write("shop/app.json", r#"{"formation": {"web": {"quantity": 1}}}"#);
    home.write("shop/DOKKU_SCALE", "web=2\n");
    let said = warnings(&home, "shop");
    assert_eq!(said, ["DOKKU_SCALE is not heeded: app.json has a formation, which takes its place"]);
    assert_eq!(home.pids("shop").into_keys().collect::<Vec<_>>(), ["web.1"]);
}

#[test]
fn a_file_in_utf_16_says_so() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    for (name, text) in [("app.json", "{}"), ("DOKKU_SCALE", "web=1\n"), ("Procfile", PROCFILE)] {
        fs::write(home.path("shop").join(name), utf16(text)).expect("a file");
        let says = [name, "UTF-16", "save it as UTF-8"];
        home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &source], 1, &says);
        fs::remove_file(home.path("shop").join(name)).expect("it was there");
    }
}

#[test]
fn a_file_whose_name_is_nearly_right_is_named() {
    let home = Home::new();
    for (name, says) in [
        ("procfile", "no Procfile in"),
        ("PROCFILE", "but PROCFILE: call it Procfile"),
        ("Procfile.txt", "but Procfile.txt: call it Procfile"),
        ("Procfile.dev", "but Procfile.dev)"),
    ] {
        home.write(&format!("{name}-app/{name}"), PROCFILE);
        let source = home.path(&format!("{name}-app"));
        let words = ["ps-lifecycle", "deploy", "shop", "--dir", source.to_str().expect("text")];
        home.refuses(&words, 1, &[name, says, "--command"]);
    }
    home.source("shop", PROCFILE);
    home.write("shop/App.json", r#"{"formation": {"worker": {"quantity": 2}}}"#);
    home.write("shop/dokku_scale", "worker=2\n");
    let said = warnings(&home, "shop");
    assert_eq!(
        said,
        [
            "App.json is not read: if it is meant, call it app.json",
            "dokku_scale is not read: if it is meant, call it DOKKU_SCALE"
        ]
    );
}

#[test]
fn a_command_that_is_cut_or_does_not_go_on_is_named_with_its_line() {
    let home = Home::new();
    for (procfile, line) in [
        ("# a\nweb: sh -c \"echo joined #general; sleep 99\"\n", "line 2"),
        ("web: sleep 98 \\\nworker: sleep 97\n", "line 1"),
        ("web: sleep 98\nworker: sh -c 'sleep 97 // 3; sleep 96'\n", "line 2"),
    ] {
        home.source("shop", procfile);
        // The cut command may be one that no shell takes, so the deploy may fail; it is told before.
        let ran = deploy(&home, "shop");
        let said: Vec<&str> =
            ran.stderr.lines().filter(|said| said.starts_with(" !     Procfile: ")).collect();
        assert!(said.len() == 1 && said[0].contains(line), "{procfile:?}: {ran:?}");
    }
    home.source(
        "shop",
        "web: exec sleep 1000 # a comment, \"quoted\"\nworker: sh -c 'exec sleep 99' # it's\n",
    );
    assert_eq!(warnings(&home, "shop"), [""; 0]);
}

#[test]
fn a_command_that_a_comment_would_cut_is_refused_and_one_that_its_shell_cuts_too_is_not() {
    let home = Home::new();
    home.write("here/README", "");
    let here = home.path("here");
    let deploy = |command: &str| {
        ["ps-lifecycle", "deploy", "cut", "--dir", here.to_str().expect("text"), "--command", command]
            .map(str::to_owned)
    };
    for command in ["sh -c \"echo joined #general; sleep 99\"", "sleep 99 // 3", "sh -c 'a // b'"] {
        let words = deploy(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        home.refuses(&words, 1, &["--command", "would be a comment"]);
    }
    let words = deploy("exec sleep 99 # as long as that");
    home.does(&words.iter().map(String::as_str).collect::<Vec<_>>());
    runs(&home, "cut", "web.1", "sleep 99");
}

#[test]
fn a_link_that_leads_nowhere_is_named() {
    let home = Home::new();
    home.source("shop", PROCFILE);
    symlink("shared/app.json", home.path("shop/app.json")).expect("a link");
    assert_eq!(warnings(&home, "shop"), ["app.json is not read: it is a link that leads nowhere"]);
}

// ---- Properties.

#[test]
fn the_start_command_takes_the_place_of_webs_and_of_no_others() {
    let home = Home::running("shop", PROCFILE, &["--scale", "worker=1"]);
    home.does(&["ps-set", "shop", "start-cmd", "exec", "sleep", "999"]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    runs(&home, "shop", "web.1", "sleep 999");
    runs(&home, "shop", "worker.1", "sleep 1000");
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    runs(&home, "shop", "web.1", "sleep 999");
    home.does(&["ps-set", "shop", "start-cmd"]);
    home.does(&["ps-lifecycle", "rebuild", "shop"]);
    runs(&home, "shop", "web.1", "sleep 1000");
}

#[test]
fn a_property_that_has_no_effect_is_refused_or_named() {
    let home = Home::running("jobs", "worker: exec sleep 1000\n", &["--scale", "worker=1"]);
    let refused = home.run(&["ps-set", "jobs", "skip-deploy", "true"]);
    assert!(
        refused.status == Some(1) && refused.stderr.contains("skip-deploy cannot be true here"),
        "{refused:?}"
    );
    let refused = home.run(&["ps-set", "--global", "skip-deploy", "true"]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    home.does(&["ps-set", "jobs", "skip-deploy", "false"]);
    let hinted = home.run(&["ps-set", "jobs", "dockerfile-start-cmd", "sleep 1"]);
    assert!(hinted.status == Some(0) && hinted.stderr.contains("natively"), "{hinted:?}");
    home.does(&["ps-set", "jobs", "start-cmd", "sleep 1"]);
    // As a Dokku left it.
    home.write("lib/config/ps/jobs/skip-deploy", "true");
    let said = warnings(&home, "jobs");
    for name in ["skip-deploy has no effect", "dockerfile-start-cmd has no effect", "start-cmd has no effect"]
    {
        assert_eq!(said.iter().filter(|line| line.starts_with(name)).count(), 1, "{name}: {said:#?}");
    }
    assert_eq!(said.len(), 3, "{said:#?}");
    runs(&home, "jobs", "worker.1", "sleep 1000");
}
