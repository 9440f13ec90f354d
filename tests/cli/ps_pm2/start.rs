use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use crate::home::Home;

#[test]
fn a_script_is_launched_and_writes_where_scripts_look_for_it() {
    let home = Home::new();
    let out = home.done(&["start", "tick.js"]);
    assert!(out.starts_with("PM2 Process launched\n┌"), "{out}");
    let one = home.one(0);
    let pid = one["pid"].as_u64().expect("a number");
    let program = fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("it lives");
    assert!(program.ends_with(&format!("node\0{}\0", home.app("tick.js").display())), "{program:?}");
    home.log("tick-out-0.log", |text| text.contains("tick"));
    assert_eq!(fs::read_to_string(home.pm2("pids/tick.pid0.pid")).expect("a pid"), pid.to_string());
    for (path, mode) in [("", 0o700), ("logs", 0o700), ("logs/tick-out-0.log", 0o600), ("pm2.log", 0o600)] {
        let found = fs::metadata(home.pm2(path)).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
}

#[test]
fn a_truncated_log_goes_on_at_its_beginning() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    home.log("tick-out-0.log", |text| text.lines().count() > 2);
    fs::write(home.pm2("logs/tick-out-0.log"), "").expect("it is ours");
    let text = home.log("tick-out-0.log", |text| !text.is_empty());
    assert!(text.starts_with("tick"), "{text:?}");
}

#[test]
fn an_app_gets_its_arguments_and_the_variables_of_its_caller_as_they_are() {
    let home = Home::new();
    let mut command = home.command(&["start", "say.sh", "--name", "seen", "--", "-a", "b c", "it's $HOME"]);
    assert!(command.env("SHELLVAR", "a '$b").output().expect("it runs").status.success());
    let text = home.log("seen-out-0.log", |text| text.contains("pm_id=0"));
    assert!(text.starts_with("args: -a b c it's $HOME\n"), "{text}");
    for line in ["SHELLVAR=a '$b\n", "name=seen\n", "NODE_APP_INSTANCE=0\n", "exec_mode=fork_mode\n"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("PORT="), "{text}");
}

#[test]
fn the_same_script_is_refused_while_it_runs_and_started_again_once_it_is_stopped() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    let refused = home.say(&["start", "tick.js", "--name", "other"]);
    let words = "PM2 [ERROR] Script already launched, add -f option to force re execution\n";
    assert_eq!((refused.status, &*refused.stdout, &*refused.stderr), (1, "", words));
    home.done(&["start", "tick.js", "-f", "-i", "2"]);
    assert_eq!(home.list().len(), 3);
    home.done(&["stop", "all"]);
    let again = home.done(&["start", "tick.js"]);
    assert!(again.starts_with("PM2 Process successfully started\n"), "{again}");
    assert!(home.list().iter().all(|one| one["pm2_env"]["status"] == "online"));
    // As in pm2, -f starts what is stopped too: it makes another app only beside one that runs.
    home.done(&["stop", "all"]);
    let again = home.done(&["start", "tick.js", "-f"]);
    assert!(again.starts_with("PM2 Process successfully started\n"), "{again}");
    assert_eq!(home.list().len(), 3);
    assert!(home.list().iter().all(|one| one["pm2_env"]["status"] == "online"));
}

#[test]
fn what_cannot_be_started_is_refused_and_leaves_nothing() {
    let home = Home::new();
    for (words, says) in [
        (&["start", "nope.js"][..], "script not found : "),
        (&["start", "tick.js", "-i", "lots"], "Instance option must be an integer or the \"max\" string"),
        (&["start", "tick.js", "-i", "0"], "Instance option must be"),
        (&["start", "say.sh", "--interpreter", "nosuch"], "the interpreter nosuch is not there"),
        (&["start", "tick.js", "-o", "say.sh/out.log"], "no log can be written there"),
        (&["start", "tick.js", "--name", "a/b"], "may have no /"),
        (&["start", "tick.js", "-c", "nonsense here"], "Cron pattern is not valid !"),
        (&["start", "broken.json"], "broken.json is no JSON"),
        (&["start", "missing.json"], "missing.json"),
    ] {
        let ran = home.say(words);
        assert_eq!(ran.status, 1, "{words:?}: {ran:?}");
        assert!(ran.stderr.starts_with("PM2 [ERROR] ") && ran.stderr.contains(says), "{words:?}: {ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{words:?}: {ran:?}");
    }
    assert!(home.list().is_empty());
    let empty = crate::support::run(home.command(&["start", "-"]).write_stdin(""));
    assert!(empty.status == 1 && empty.stderr.contains("stdin is empty"), "{empty:?}");
}

#[test]
fn a_file_starts_each_of_its_apps_and_starts_none_twice() {
    let home = Home::new();
    let out = home.done(&["start", "two.json"]);
    assert!(out.starts_with("PM2 Process launched\nPM2 Process launched\n"), "{out}");
    let text = home.log("other-out-2.log", |text| text.contains("pm_id=2"));
    assert!(text.starts_with("args: -a b -c\n") && text.contains("COLOUR=blue\n"), "{text}");
    let again = home.say(&["start", "two.json"]);
    assert!(again.status == 0 && again.stderr.contains("one is already launched"), "{again:?}");
    home.done(&["stop", "two.json"]);
    assert!(home.list().iter().all(|one| one["pm2_env"]["status"] == "stopped"));
    home.done(&["start", "two.json"]);
    assert_eq!(home.list().len(), 3);
    let stdin = fs::read_to_string(home.app("two.json")).expect("a file");
    assert_eq!(crate::support::run(home.command(&["delete", "-"]).write_stdin(stdin)).status, 0);
    assert!(home.list().is_empty());
}

#[test]
fn two_first_commands_at_once_both_start_their_app() {
    let home = Home::new();
    thread::scope(|scope| {
        scope.spawn(|| home.done(&["start", "tick.js"]));
        scope.spawn(|| home.done(&["start", "say.sh"]));
    });
    let mut ids: Vec<u64> = home.list().iter().filter_map(|one| one["pm_id"].as_u64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1]);
}
