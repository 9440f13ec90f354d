//! Words of today's pm2.

use std::fs;

use crate::home::{Home, eventually};

#[test]
fn scaling_adds_the_next_ids_and_takes_the_last_ones_away() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    home.done(&["start", "say.sh"]);
    let first = home.pid(0);
    home.done(&["scale", "tick", "+2"]);
    assert_eq!(home.done(&["id", "tick"]), "[ 0, 2, 3 ]\n");
    assert_eq!(home.pid(0), first);
    home.done(&["scale", "tick", "2"]);
    assert_eq!(home.done(&["id", "tick"]), "[ 0, 2 ]\n");
    assert_eq!(home.pid(0), first);
    home.done(&["scale", "tick", "-1"]);
    assert_eq!(home.done(&["id", "tick"]), "[ 0 ]\n");
    for number in ["0", "-9", "many"] {
        assert_eq!(home.say(&["scale", "tick", number]).status, 1, "{number}");
    }
}

#[test]
fn an_app_is_described_without_its_variables_and_counted_from_the_beginning() {
    let home = Home::new();
    let mut start = home.command(&["start", "tick.js", "--name", "api"]);
    assert!(start.env("TOKEN", "hidden-value").output().expect("it runs").status.success());
    let said = home.done(&["describe", "api"]);
    assert!(
        said.contains("│ script path ") && said.contains("tick.js") && !said.contains("hidden-value"),
        "{said}"
    );
    assert!(home.done(&["env", "0"]).contains("TOKEN: hidden-value\n"));
    for words in [&["list"][..], &["list", "-m"], &["prettylist"]] {
        assert!(!home.done(words).contains("hidden-value"), "{words:?}");
    }
    assert_eq!(home.done(&["pid", "api"]).trim(), home.pid(0).to_string());
    assert_eq!(home.say(&["describe", "nobody"]).status, 1);
    home.done(&["restart", "api"]);
    home.done(&["reset", "api"]);
    assert_eq!(home.one(0)["pm2_env"]["restart_time"], 0);
}

#[test]
fn an_ecosystem_file_is_read_in_each_spelling_and_run_only_where_that_is_allowed() {
    let home = Home::new();
    let yaml = "apps:\n  - script: ./say.sh\n    name: yaml\n    env:\n      COLOUR: red\n    env_production:\n      COLOUR: green\n";
    fs::write(home.app("process.yml"), yaml).expect("a file");
    home.done(&["start", "process.yml", "--env", "production"]);
    home.log("yaml-out-0.log", |text| text.contains("COLOUR=green\n"));
    let js = "module.exports = {apps: [{name: 'js', script: 'tick.js', exec_mode: 'fork'}, {name: 'other', script: 'say.sh'}]};\n";
    fs::write(home.app("ecosystem.config.js"), js).expect("a file");
    let refused = home.say(&["start", "ecosystem.config.js"]);
    assert!(refused.status == 1 && refused.stderr.contains("--allow-js"), "{refused:?}");
    home.done(&["start", "--allow-js", "--only", "js"]);
    assert_eq!((home.list().len(), home.one(1)["name"].as_str()), (2, Some("js")));
    fs::write(
        home.app("odd.json"),
        "{\"script\":\"say.sh\",\"name\":\"odd\",\"max_restart\":3,\"log_file\":\"all.log\",\"time\":false}",
    )
    .expect("a file");
    let odd = home.say(&["start", "odd.json"]);
    let hint = "PM2 [WARN] log_file is kept and has no effect: it is not done here\n\
                PM2 [WARN] max_restart is kept and has no effect, is max_restarts meant?\n";
    assert_eq!((odd.status, &*odd.stderr), (0, hint));
    let pid = home.pid(2);
    home.done(&["startOrRestart", "odd.json"]);
    assert!(home.list().len() == 3 && home.pid(2) != pid);
}

#[test]
fn a_program_of_the_machine_is_found_by_its_name() {
    let home = Home::new();
    let started = home.done(&["start", "sleep", "--name", "dev", "--", "1000"]);
    assert!(started.starts_with("PM2 Process launched\n"), "{started}");
    fs::write(home.app("dev.json"), "{\"name\": \"declared\", \"script\": \"sleep\", \"args\": \"1001\"}")
        .expect("a file");
    home.done(&["start", "dev.json"]);
    for id in 0..2 {
        let one = home.one(id);
        assert_eq!(
            (&one["pm2_env"]["status"], &one["pm2_env"]["exec_mode"]),
            (&"online".into(), &"fork_mode".into())
        );
        let words = fs::read_to_string(format!("/proc/{}/cmdline", home.pid(id))).expect("it runs");
        assert!(words.ends_with(&format!("sleep\0{}\0", 1000 + id)), "{words:?}");
    }
    // A file of the directory comes first.
    fs::copy(home.app("say.sh"), home.app("sleep")).expect("a script");
    home.done(&["start", "sleep", "--name", "own", "-x", "--interpreter", "sh"]);
    home.log("own-out-2.log", |text| text.contains("args: "));
}

#[test]
fn what_a_file_says_anew_is_taken_over_by_restart_and_reload_of_it() {
    let home = Home::new();
    let declare = |instances: u16, args: &str, colour: &str| {
        let text = format!(
            "[{{\"name\":\"api\",\"script\":\"say.sh\",\"instances\":{instances},\"args\":\"{args}\",\"env\":{{\"COLOUR\":\"{colour}\"}}}}]"
        );
        fs::write(home.app("api.json"), text).expect("a file");
    };
    declare(1, "one", "red");
    let mut start = home.command(&["start", "api.json"]);
    assert!(start.env("OF_CALLER", "then").output().expect("it runs").status.success());
    for (verb, args) in
        [("restart", "two"), ("reload", "three"), ("startOrRestart", "four"), ("startOrReload", "five")]
    {
        declare(2, args, args);
        let ran = home.say(&[verb, "api.json"]);
        assert_eq!((ran.status, &*ran.stderr), (0, ""), "{verb}: {ran:?}");
        for id in 0..2 {
            let log = home.log(&format!("api-out-{id}.log"), |text| {
                text.contains(&format!("args: {args}\n")) && text.contains(&format!("COLOUR={args}\n"))
            });
            assert!(log.contains("OF_CALLER=then\n"), "{verb}: {log}");
        }
    }
    assert_eq!(home.list().len(), 2);
    declare(1, "six", "six");
    home.done(&["reload", "api.json"]);
    assert_eq!(home.done(&["id", "api"]), "[ 0 ]\n");
    fs::write(home.app("api.json"), "{\"name\":\"api\",\"script\":\"say.sh\",\"max_restarts\":3}")
        .expect("a file");
    let ran = home.say(&["reload", "api.json"]);
    assert_eq!((ran.status, &*ran.stderr, &home.one(0)["pm2_env"]["max_restarts"]), (0, "", &3.into()));
    // A version that ends at once is not taken over: what starts later is what runs.
    fs::write(home.app("api.json"), "{\"name\":\"api\",\"script\":\"early.sh\"}").expect("a file");
    let ran = home.say(&["reload", "api.json"]);
    assert!(ran.status == 1 && ran.stderr.contains("runs on as it was"), "{ran:?}");
    home.done(&["restart", "api"]);
    assert_eq!(home.status(0), "online");
    assert!(home.one(0)["pm2_env"]["pm_exec_path"].as_str().is_some_and(|path| path.ends_with("say.sh")));
    fs::write(home.app("api.json"), "{\"name\":\"api\",\"script\":\"gone.sh\"}").expect("a file");
    let pid = home.pid(0);
    let ran = home.say(&["restart", "api.json"]);
    assert!(ran.status == 1 && ran.stderr.contains("script not found : "), "{ran:?}");
    assert_eq!(home.pid(0), pid);
}

#[test]
fn web_tells_what_there_is_and_no_variable() {
    let home = Home::new();
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut start = home.command(&["start", "tick.js"]);
    assert!(start.env("TOKEN", "hidden-value").output().expect("it runs").status.success());
    let mut web = home.command(&["web"]);
    let web = web.env("PM2_API_PORT", port.to_string()).output().expect("it runs");
    assert!(
        String::from_utf8_lossy(&web.stdout)
            .starts_with(&format!("Launching web interface on port {port}\nPM2 Process launched\n"))
    );
    let ask = |host: &str| {
        use std::io::{Read, Write};
        let mut said = String::new();
        let mut client =
            std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
        client
            .write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
            .map_err(|error| error.to_string())?;
        client.read_to_string(&mut said).map_err(|error| error.to_string())?;
        Ok::<String, String>(said)
    };
    let said = eventually(|| ask(&format!("localhost:{port}")));
    let body = said.split_once("\r\n\r\n").expect("a head").1;
    let document: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(document["processes"][0]["name"], "tick");
    assert!(
        document["processes"][1]["pm2_env"]["pm_exec_path"]
            .as_str()
            .is_some_and(|path| path.ends_with("HttpInterface.js"))
    );
    assert!(
        document["monit"]["total_mem"].as_u64() > Some(0) && document["system_info"]["hostname"].is_string()
    );
    assert!(!said.contains("hidden-value") && !said.to_lowercase().contains("access-control"), "{said}");
    assert!(ask("evil.example").expect("an answer").starts_with("HTTP/1.1 403 "));
}

#[test]
fn what_watches_the_apps_says_so_and_what_is_not_offered_says_why() {
    let home = Home::new();
    let ran = home.say(&["monit"]);
    assert_eq!((ran.status, &*ran.stdout), (1, "PM2 No online process to monitor\n"));
    for verb in ["interact", "killInteract", "reloadLogs"] {
        let ran = home.say(&[verb]);
        assert!(ran.status == 1 && ran.stderr.starts_with(&format!("PM2 [ERROR] {verb}: ")), "{ran:?}");
    }
    let ran = home.say(&["startup", "beos"]);
    assert!(ran.status == 1 && ran.stderr.contains("beos is no platform"), "{ran:?}");
}

#[test]
fn an_app_may_be_called_as_a_part_of_ours_is() {
    let home = Home::new();
    for name in ["git", "ps", "all-2"] {
        home.done(&["start", "tick.js", "-f", "--name", name]);
    }
    assert_eq!((home.status(0).as_str(), home.status(1).as_str()), ("online", "online"));
    home.done(&["stop", "git"]);
    assert_eq!((home.status(0).as_str(), home.status(1).as_str()), ("stopped", "online"));
}

#[test]
fn other_programs_see_who_asked_for_what_and_how_ends_are_taken() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    home.done(&["restart", "tick"]);
    home.done(&["stop", "0"]);
    let events = home.other("ps-lifecycle", &["events", "tick", "--world", "pm2", "--json"]);
    for arguments in ["[\"start\",\"tick.js\"]", "[\"restart\",\"tick\"]", "[\"stop\",\"0\"]"] {
        assert_eq!(events.matches(arguments).count(), 1, "{arguments}: {events}");
    }
    let policy = home.other("ps-report", &["tick", "--world", "pm2", "--ps-restart-policy"]);
    assert_eq!(policy, "always\n");
}

#[test]
fn a_name_that_nothing_has_and_a_word_that_is_no_signal_are_said_once() {
    let home = Home::new();
    let ran = home.say(&["logs", "nosuch", "--nostream"]);
    assert_eq!((ran.status, ran.stderr.matches("no app is called nosuch").count()), (0, 1), "{ran:?}");
    home.done(&["start", "tick.js"]);
    let ran = home.say(&["sendSignal", "SIGNOSUCH", "0"]);
    assert_eq!((ran.status, ran.stderr.matches("is no signal").count()), (1, 1), "{ran:?}");
    let ran = home.say(&["logs", "tick", "--nostream"]);
    assert_eq!((ran.status, &*ran.stderr), (0, ""));
}

#[test]
fn an_app_that_is_not_to_start_at_once_is_only_in_the_list() {
    let home = Home::new();
    fs::write(home.app("one.json"), r#"{"name":"declared","script":"tick.js","autostart":false}"#)
        .expect("a file");
    home.done(&["start", "one.json"]);
    home.done(&["start", "say.sh", "--name", "given", "--no-autostart", "-i", "2"]);
    assert_eq!([0, 1, 2].map(|id| home.status(id)), ["stopped"; 3]);
    home.done(&["start", "declared"]);
    assert_eq!([0, 1, 2].map(|id| home.status(id)), ["online", "stopped", "stopped"]);
}

#[test]
fn words_and_options_that_have_no_place_here_are_refused_with_a_way_out_or_passed_over() {
    let home = Home::new();
    for (verb, way_out) in [
        ("report", "ps-pm2 jlist"),
        ("dash", "ps-pm2 monit"),
        ("imonit", "ps-pm2 monit"),
        ("logrotate", "ps-pm2 flush"),
        ("autoinstall", "ps-pm2 init"),
        ("completion", "scripts/install"),
        ("module:install", "as an app"),
        ("expose", "ps-pm2 start"),
    ] {
        let ran = home.say(&[verb, "x"]);
        assert_eq!((ran.status, &*ran.stdout), (1, ""), "{verb}");
        assert!(
            ran.stderr.starts_with(&format!("PM2 [ERROR] {verb}: ")) && ran.stderr.contains(way_out),
            "{ran:?}"
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    }
    home.done(&[
        "start",
        "tick.js",
        "--no-vizion",
        "--source-map-support",
        "--disable-trace",
        "--parallel",
        "2",
    ]);
    home.done(&["logs", "tick", "--nostream", "--lines", "1", "--highlight", "tick", "--timestamp"]);
    let table = home.done(&["ps", "--sort", "name:desc"]);
    assert!(table.contains("│ App Name │") && table.contains("│ tick "), "{table}");
}

#[test]
fn a_file_may_be_written_as_people_write_it_for_todays_pm2() {
    let home = Home::new();
    let declare = |name: &str, text: &str| fs::write(home.app(name), text).expect("a file");
    // One app below `apps`, a mode in short, logs in a directory that is not there, and a schedule that is none.
    declare(
        "one.json",
        "{\"apps\": {\"name\": \"one\", \"script\": \"tick.js\", \"exec_mode\": \"cluster\", \"cron_restart\": 0, \
         \"out_file\": \"logs/deep/one.log\", \"pid_file\": \"run/one.pid\"}}",
    );
    home.done(&["start", "one.json"]);
    assert_eq!(home.one(0)["pm2_env"]["exec_mode"], "cluster_mode");
    assert!(home.app("logs/deep/one-0.log").exists() && home.app("run").is_dir());
    // A whole command in one word, with arguments behind it.
    declare(
        "command.json",
        "[{\"name\": \"whole\", \"script\": \"node tick.js 'a b'\", \"args\": \"--c\"}, {\"script\": \"sleep 1000\"}]",
    );
    home.done(&["start", "command.json"]);
    let words = fs::read_to_string(format!("/proc/{}/cmdline", home.pid(1))).expect("it runs");
    assert!(words.ends_with("node\0tick.js\0a b\0--c\0"), "{words:?}");
    home.done(&["restart", "command.json"]);
    assert_eq!(home.done(&["id", "sleep 1000"]), "[ 2 ]\n");
    declare("shell.json", "{\"name\": \"shell\", \"script\": \"node tick.js | cat\"}");
    let ran = home.say(&["start", "shell.json"]);
    assert!(ran.status == 1 && ran.stderr.contains("| in \"node tick.js | cat\" is for a shell"), "{ran:?}");
    // Which of the apps it is about.
    declare(
        "bad.json",
        "[{\"name\": \"fine\", \"script\": \"tick.js\"}, {\"name\": \"poor\", \"script\": \"tick.js\", \"env\": 3}]",
    );
    let ran = home.say(&["start", "bad.json"]);
    assert!(ran.status == 1 && ran.stderr.contains("env: an object is wanted, not 3 (app poor)"), "{ran:?}");
}

#[test]
fn an_ecosystem_file_may_print_and_leave_something_open_and_be_a_module() {
    let home = Home::new();
    let js = "console.log('[dotenv] injecting env'); setInterval(() => {}, 1000);\n\
              module.exports = {apps: [{name: 'js', script: 'tick.js'}]};\n";
    fs::write(home.app("ecosystem.config.js"), js).expect("a file");
    let ran = home.say(&["start", "ecosystem.config.js", "--allow-js"]);
    assert!(ran.status == 0 && ran.stderr.contains("[dotenv] injecting env"), "{ran:?}");
    assert!(!ran.stdout.contains("dotenv"), "{ran:?}");
    let ran = home.say(&["start", "absent/ecosystem.config.js", "--allow-js"]);
    assert!(ran.status == 1 && ran.stderr.contains("absent/ecosystem.config.js: no such file"), "{ran:?}");
    let refused = fs::write(home.app("x.config.mjs"), "export default {apps: []};\n")
        .map(|()| home.say(&["start", "x.config.mjs"]))
        .expect("a file");
    assert!(refused.status == 1 && refused.stderr.contains("--allow-js"), "{refused:?}");
}

#[test]
fn the_command_that_pm2_prints_for_root_is_understood() {
    let home = Home::new();
    let other = home.path().join("other");
    let hp = other.to_str().expect("text");
    let words = ["startup", "beos", "-u", "nobody", "--hp", hp];
    let ran = home.say(&words);
    assert!(
        ran.status == 1 && ran.stderr.contains(&format!("--hp: {hp}/.pm2 has no apps of ps-pm2 yet")),
        "{ran:?}"
    );
    assert!(!other.exists());
    fs::create_dir_all(other.join(".pm2/formation")).expect("a directory");
    let ran = home.say(&words);
    assert!(ran.status == 1 && ran.stderr.contains("beos is no platform"), "{ran:?}");
    assert!(other.join(".pm2/logs").is_dir() && !home.pm2("").exists());
}

#[test]
fn logs_are_chosen_by_an_expression_too() {
    let home = Home::new();
    for name in ["api-1", "worker"] {
        home.done(&["start", "say.sh", "-f", "--name", name]);
    }
    home.log("api-1-out-0.log", |text| text.contains("args: "));
    home.log("worker-out-1.log", |text| text.contains("args: "));
    let said = home.done(&["logs", "/^api-/", "--nostream", "--lines", "99"]);
    assert!(said.contains("[api-1-0 (out) ") && !said.contains("[worker-1 "), "{said}");
    let ran = home.say(&["logs", "/(/", "--nostream"]);
    assert!(ran.status == 1 && ran.stderr.contains("no regular expression"), "{ran:?}");
}
