use crate::home::Home;

#[test]
fn without_apps_each_list_is_empty_in_its_own_way() {
    let home = Home::new();
    assert_eq!(home.done(&["jlist"]), "[]\n");
    assert_eq!(home.done(&["prettylist"]), "[]\n");
    assert_eq!(home.done(&["list", "-m"]), "");
    let table = home.done(&["list"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(
        table.contains(
            "│ App Name │ id │ mode │ PID │ status │ port │ Restarted │ Uptime │ memory │ err logs │"
        )
    );
    assert_eq!(home.done(&["list", "-s"]), "");
}

#[test]
fn the_lists_say_what_scripts_count_in_them() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-i", "2"]);
    home.done(&["start", "say.sh"]);
    home.done(&["stop", "say.sh"]);
    let json = home.done(&["jlist"]);
    assert_eq!((json.lines().count(), json.matches("\"restart_time\":0").count()), (1, 3), "{json}");
    let mode = json.find("\"exec_mode\"").expect("it is there");
    assert!(mode < json.find("\"pm_exec_path\"").expect("it is there"), "{json}");
    let pretty = home.done(&["prettylist"]);
    for (words, count) in
        [("restart_time", 3), ("online", 2), ("stopped", 1), ("fork", 1), ("env: [Object]", 3)]
    {
        assert_eq!(pretty.matches(words).count(), count, "{words} in {pretty}");
    }
    assert_eq!(pretty.matches("pm_id: 0,").count(), 2, "{pretty}");
    let blocks = home.done(&["-m", "list"]);
    assert!(
        blocks
            .contains("+--- say.sh\npid : 0\npm2 id : 2\nstatus : stopped\nmode : fork\nport : undefined\n")
    );
    assert_eq!(blocks.matches("PID file : ").count(), 3);
}

#[test]
fn what_is_no_command_or_option_is_refused_as_pm2_refuses_it() {
    let home = Home::new();
    let ran = home.say(&["nonsense"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stdout.starts_with("PM2 \nCommand not found\n") && ran.stdout.contains("Usage: "), "{ran:?}");
    let ran = home.say(&["list", "--zzz"]);
    assert_eq!((ran.status, &*ran.stderr), (1, "\n  error: unknown option `--zzz'\n\n"));
    for words in [&["stop", "-1"][..], &["stop", "0", "-1"], &["scale", "-1"], &["scale", "api", "1", "-1"]] {
        let ran = home.say(words);
        assert_eq!((ran.status, &*ran.stderr), (1, "\n  error: unknown option `-1'\n\n"), "{words:?}");
    }
    let ran = home.say(&["start", "tick.js", "--name"]);
    assert_eq!((ran.status, &*ran.stderr), (1, "\n  error: option `-n --name <name>' argument missing\n\n"));
    assert_eq!(home.say(&[]).status, 1);
    for version in ["--version", "-V", "-v"] {
        assert_eq!(home.done(&[version]), "0.7.2\n");
    }
    assert_eq!(home.done(&["ping"]), "{ msg: 'pong' }\n");
}
