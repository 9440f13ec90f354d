use crate::home::{Home, lives};

#[test]
fn what_is_stopped_stays_in_the_list_and_what_is_deleted_does_not() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-i", "3"]);
    let (zero, two) = (home.pid(0), home.pid(2));
    let out = home.done(&["stop", "1"]);
    let said = "Processing......\nPM2 Stopping process by id 1\nPM2  Process stopped\n";
    assert!(out.starts_with(said), "{out}");
    assert_eq!((home.status(1).as_str(), home.pid(1)), ("stopped", 0));
    home.done(&["delete", "1"]);
    assert_eq!(home.list().len(), 2);
    assert_eq!((home.pid(0), home.pid(2)), (zero, two), "the others run on");
    home.done(&["start", "say.sh"]);
    assert_eq!(home.one(3)["name"], "say.sh", "ids are never used again");
    home.done(&["restart", "tick"]);
    assert_eq!(home.list().len(), 3, "what was deleted does not come back");
    home.done(&["delete", "./somewhere/tick.js"]);
    assert!(!lives(zero) && !lives(two));
    assert_eq!(home.list().len(), 1);
}

#[test]
fn unknown_ids_are_refused_and_unknown_names_are_only_warned_of() {
    let home = Home::new();
    for verb in ["stop", "restart", "delete"] {
        let ran = home.say(&[verb, "42"]);
        assert_eq!((ran.status, &*ran.stderr), (1, "PM2 [ERROR] 42 : pm2 id not found\n"), "{verb}: {ran:?}");
        let ran = home.say(&[verb, "0abc"]);
        assert_eq!(ran.status, 1, "{verb}: {ran:?}");
        let ran = home.say(&[verb, "nobody"]);
        assert_eq!(
            (ran.status, &*ran.stderr),
            (0, "PM2 [WARN] no app is called nobody, so nothing was done: ps-pm2 list shows the names\n"),
            "{verb}: {ran:?}"
        );
        let ran = home.say(&[verb]);
        let what = if verb == "delete" {
            "name|id|script|all|json_file"
        } else {
            "pm2_id|name|all|json_file|stdin(-)"
        };
        let missing = format!("\n  error: missing required argument `{what}'\n\n");
        assert_eq!((ran.status, ran.stderr), (1, missing), "{verb}: {:?}", ran.stdout);
    }
}

#[test]
fn what_ignores_the_stop_signal_is_killed() {
    let home = Home::new();
    home.done(&["start", "deaf.sh", "--kill-timeout", "1000"]);
    home.log("deaf.sh-out-0.log", |text| text.contains("deaf"));
    let pid = home.pid(0);
    home.done(&["stop", "deaf.sh"]);
    assert!(!lives(pid));
    assert_eq!(home.status(0), "stopped");
}

#[test]
fn kill_ends_everything_and_a_second_one_has_nothing_to_do() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-i", "2"]);
    let pids = [home.pid(0), home.pid(1)];
    assert_eq!(home.done(&["kill"]), "Daemon killed\n");
    assert!(pids.iter().all(|pid| !lives(*pid)));
    assert!(home.pm2("pm2.pid").is_file(), "scripts look for it");
    assert_eq!(home.done(&["kill"]), "Daemon killed\n");
    assert_eq!(home.done(&["jlist"]), "[]\n");
}
