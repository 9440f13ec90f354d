//! What a pm2 0.7.2 that was run beside this one has said and done, where no recorded case asks for it.

use std::fs;

use crate::home::Home;

#[test]
fn an_option_without_its_value_is_named_as_pm2_names_it() {
    let home = Home::new();
    let shown = [
        ("-i", "-i --instances <number>"),
        ("-o", "-o --output <path>"),
        ("--error", "-e --error <path>"),
        ("-c", "-c --cron <cron_pattern>"),
        ("-u", "-u --user <username>"),
        ("-n", "-n --name <name>"),
        ("--interpreter", "--interpreter <interpreter>"),
    ];
    for (option, shown) in shown {
        let ran = home.say(&["start", "tick.js", option]);
        let wanted = format!("\n  error: option `{shown}' argument missing\n\n");
        assert_eq!((ran.status, ran.stderr), (1, wanted), "{option}");
    }
    let missing = [
        ("start", "script|json_file|stdin(-)"),
        ("delete", "name|id|script|all|json_file"),
        ("sendSignal", "signal"),
    ];
    for (verb, what) in missing {
        let wanted = format!("\n  error: missing required argument `{what}'\n\n");
        let ran = home.say(&[verb]);
        assert_eq!((ran.status, ran.stderr), (1, wanted), "{verb}");
    }
}

#[test]
fn a_signal_goes_to_what_runs_of_a_name_and_what_is_no_signal_is_told_after_what_was_asked_for() {
    let home = Home::new();
    home.done(&["start", "signal.js", "-i", "2"]);
    for word in ["USR2", "SIGFOO", "12"] {
        let ran = home.say(&["sendSignal", word, "signal"]);
        assert_eq!(ran.status, 1, "{word}: {ran:?}");
        assert_eq!(ran.stdout, "Processing......\nPM2 Sending signal to process name signal\n");
        assert!(ran.stderr.starts_with("PM2 [ERROR] ") && ran.stderr.contains(word), "{ran:?}");
    }
    home.log("signal-out-1.log", |text| text.contains("up"));
    home.done(&["stop", "0"]);
    let ran = home.say(&["sendSignal", "SIGUSR2", "signal"]);
    assert!(ran.status == 0 && ran.stdout.contains("Succesfully sent signal SIGUSR2"), "{ran:?}");
    assert_eq!(ran.stderr, "PM2 [WARN] signal (0) does not run, so nothing was sent\n");
    home.log("signal-out-1.log", |text| text.contains("USR2"));
    home.done(&["stop", "all"]);
    assert_eq!(home.say(&["sendSignal", "SIGUSR2", "signal"]).status, 0, "nothing of it runs");
    assert_eq!(home.say(&["sendSignal", "SIGUSR2", "1"]).status, 1, "this one does not run");
}

#[test]
fn a_restart_by_a_file_says_the_file_before_the_apps_that_it_has_restarted() {
    let home = Home::new();
    fs::write(home.app("x.json"), r#"{"name":"x","script":"tick.js"}"#).expect("a file");
    home.done(&["start", "x.json"]);
    let out = home.done(&["restart", "x.json"]);
    let said = "Processing......\nPM2 Restarting process by name x.json\nPM2 Process x.json restarted\nPM2 Stopping process by name x\n";
    assert!(out.starts_with(said), "{out}");
}

#[test]
fn two_entries_of_one_name_in_a_file_are_two_apps_and_the_file_starts_them_once() {
    let home = Home::new();
    let two = r#"[{"name":"d","script":"tick.js"},{"name":"d","script":"say.sh"}]"#;
    fs::write(home.app("two-d.json"), two).expect("a file");
    let out = home.done(&["start", "two-d.json"]);
    assert!(out.starts_with("PM2 Process launched\nPM2 Process launched\n"), "{out}");
    let scripts: Vec<_> = home.list().iter().map(|one| one["pm2_env"]["pm_exec_path"].to_string()).collect();
    assert!(
        scripts.len() == 2 && scripts[0].contains("tick.js") && scripts[1].contains("say.sh"),
        "{scripts:?}"
    );
    let again = home.say(&["start", "two-d.json"]);
    assert!(again.status == 0 && again.stderr.contains("d is already launched"), "{again:?}");
    assert_eq!(home.list().len(), 2);
}

#[test]
fn ids_are_written_in_one_way_and_an_empty_name_is_none() {
    let home = Home::new();
    let out = home.done(&["start", "tick.js", "--name", ""]);
    assert!(out.contains("tick-err-0.log") && home.one(0)["name"] == "tick", "{out}");
    for word in ["00", " 0", "0x0"] {
        let ran = home.say(&["stop", word]);
        let wanted = format!("PM2 [ERROR] {word} : pm2 id not found\n");
        assert_eq!((ran.status, ran.stderr), (1, wanted), "{word}");
    }
    assert_eq!(home.status(0), "online");
}

#[test]
fn what_w_and_generate_write_is_what_pm2_writes_and_can_be_started() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-w", "-i", "2", "--name", "w"]);
    let written = fs::read_to_string(home.app("tick-pm2.json")).expect("written");
    let start = r#"{"script":"tick.js","name":"w","instances":"2","exec_mode":"cluster_mode","exec_interpreter":"node""#;
    assert!(written.starts_with(start), "{written}");
    home.done(&["delete", "w"]);
    home.done(&["start", "tick-pm2.json"]);
    assert_eq!(home.list().len(), 2);

    let sample = "{\n  \"name\" : \"tick\",\n  \"script\" : \"tick.js\",\n  \"options\": [\"\"]\n}\n";
    fs::remove_file(home.app("tick-pm2.json")).expect("it was there");
    for _ in 0..2 {
        let out = home.done(&["generate", "tick"]);
        assert_eq!(out, format!("Sample generated on current folder\ntick-pm2.json :\n\n{sample}\n"));
        assert_eq!(fs::read_to_string(home.app("tick-pm2.json")).expect("written"), sample);
    }
    fs::write(home.app("tick-pm2.json"), "mine\n").expect("written");
    let ran = home.say(&["generate", "tick"]);
    assert!(ran.status == 1 && ran.stderr.contains("tick-pm2.json"), "{ran:?}");
    assert_eq!(fs::read_to_string(home.app("tick-pm2.json")).expect("there"), "mine\n");
}

#[test]
fn a_directory_or_nothing_is_no_script() {
    let home = Home::new();
    let ran = home.say(&["start", "."]);
    assert!(ran.status == 1 && ran.stderr.contains("which is a directory: name the script in it"), "{ran:?}");
    let ran = home.say(&["start", ""]);
    assert!(ran.status == 1 && ran.stderr.contains("missing required argument"), "{ran:?}");
    assert_eq!(home.done(&["jlist"]), "[]\n");
}

#[test]
fn a_home_that_was_moved_while_apps_ran_can_be_ended() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-i", "2"]);
    let pids = [home.pid(0), home.pid(1)];
    let moved = home.path().join("moved");
    fs::rename(home.pm2(""), &moved).expect("moved");
    let stopped = home.command(&["stop", "0"]).env("PM2_HOME", &moved).output().expect("it runs");
    let told = String::from_utf8_lossy(&stopped.stderr);
    let advice = format!("was moved to {}", moved.display());
    assert!(!stopped.status.success() && told.contains(&advice) && !told.contains("make room"), "{told}");
    let killed = home.command(&["kill"]).env("PM2_HOME", &moved).output().expect("it runs");
    assert!(killed.status.success(), "{killed:?}");
    assert!(pids.iter().all(|pid| !crate::home::lives(*pid)));
    let left = home.command(&["jlist"]).env("PM2_HOME", &moved).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "[]\n");
}
